/** "Export trace as JSON": a save dialog, an atomic write, a notification that opens the file. */

import * as vscode from 'vscode';
import { replaceFile } from '../../files/replaceFile.ts';
import { TRACE_SUFFIX, writeTrace } from '../../trace/file.ts';
import { folderOf } from '../run/imageFiles.ts';
import type { Reporter } from '../report.ts';
import { EDITOR_TYPE } from './editor.ts';
import { baseName, nameOf, type TraceLibrary, type TraceRef } from './library.ts';

export class TraceExporter {
  private readonly library: TraceLibrary;
  private readonly reporter: Reporter;
  /** Folder of the last export, for the next one. */
  private lastFolder: vscode.Uri | undefined;

  constructor(library: TraceLibrary, reporter: Reporter) {
    this.library = library;
    this.reporter = reporter;
  }

  /**
   * Writes a trace to a file.
   * @param target asked for if absent
   * @returns the file, or undefined when the dialog was left
   */
  async export(ref: TraceRef, target?: vscode.Uri): Promise<vscode.Uri | undefined> {
    const trace = await this.library.open(ref);
    const file = target ?? (await this.chooseFile(nameOf(ref, trace)));
    if (file === undefined) return undefined;
    await write(file, new TextEncoder().encode(writeTrace(trace)));
    this.lastFolder = folderOf(file);
    this.reporter.inform(vscode.l10n.t('The trace was exported to {0}.', baseName(file)), {
      title: vscode.l10n.t('Open'),
      run: () => vscode.commands.executeCommand('vscode.openWith', file, EDITOR_TYPE),
    });
    return file;
  }

  private async chooseFile(name: string): Promise<vscode.Uri | undefined> {
    const folder = this.lastFolder ?? vscode.workspace.workspaceFolders?.[0]?.uri;
    const chosen = await vscode.window.showSaveDialog({
      title: vscode.l10n.t('Export trace as JSON'),
      // Dialogs look at the last ending only, and would append a longer one a second time.
      filters: { [vscode.l10n.t('ILVR traces')]: ['json'] },
      ...(folder && { defaultUri: vscode.Uri.joinPath(folder, name + TRACE_SUFFIX) }),
    });
    // Another ending would not open in the trace editor.
    return chosen === undefined || chosen.path.endsWith(TRACE_SUFFIX)
      ? chosen
      : chosen.with({ path: chosen.path.replace(/(\.ilvr)?(\.json)?$/, TRACE_SUFFIX) });
  }
}

/** A reader, or a full disk, never leaves half a file under the final name; other file systems see to it themselves. */
async function write(file: vscode.Uri, bytes: Uint8Array): Promise<void> {
  if (file.scheme === 'file') await replaceFile(file.fsPath, bytes);
  else await vscode.workspace.fs.writeFile(file, bytes);
}
