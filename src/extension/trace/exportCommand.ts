/** "Export trace": which form, where, a notification with progress and cancel, one that opens the file. */

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as vscode from 'vscode';
import { CancelledError } from '../../base/errors.ts';
import {
  EXPORT_FORMS,
  EXPORT_SUFFIX,
  exportSizes,
  exportTrace,
  type ExportForm,
  type ExportOptions,
} from '../../traceFile/export.ts';
import { MAX_CHARACTERS, TRACE_SUFFIX } from '../../traceFile/manifest.ts';
import type { OpenTrace } from '../../traceFile/openTrace.ts';
import { folderOf } from '../run/imageFiles.ts';
import type { Reporter } from '../report.ts';
import { choose, showProgress } from '../window.ts';
import { EDITOR_TYPE } from './editor.ts';
import { baseName, nameOf, type TraceLibrary, type TraceRef } from './library.ts';

interface Target {
  file: vscode.Uri;
  /** Absent: as the file's name and the trace's size say. */
  form?: ExportForm;
}

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
   * Writes a trace to a file, or to two.
   * @param file asked for, with the form, if absent
   * @returns the file, of two the manifest's, or undefined when a dialog was left
   */
  async export(ref: TraceRef, file?: vscode.Uri): Promise<vscode.Uri | undefined> {
    return this.library.use(ref, async (open) => {
      const target = file === undefined ? await this.chooseTarget(ref, open) : { file };
      if (target === undefined) return undefined;
      await write(open, target);
      this.lastFolder = folderOf(target.file);
      this.announce(target.file);
      return target.file;
    });
  }

  private async chooseTarget(ref: TraceRef, { trace }: OpenTrace): Promise<Target | undefined> {
    const form = await chooseForm(await exportSizes(trace));
    if (form === undefined) return undefined;
    const file = await this.chooseFile(nameOf(ref, trace), EXPORT_SUFFIX[form]);
    return file && { file, form };
  }

  private async chooseFile(name: string, suffix: string): Promise<vscode.Uri | undefined> {
    const folder = this.lastFolder ?? vscode.workspace.workspaceFolders?.[0]?.uri;
    const chosen = await vscode.window.showSaveDialog({
      title: vscode.l10n.t('Export trace'),
      // Dialogs look at the last ending only, and would append a longer one a second time.
      filters: { [vscode.l10n.t('ILVR traces')]: [path.extname(suffix).slice(1)] },
      ...(folder && { defaultUri: vscode.Uri.joinPath(folder, name + suffix) }),
    });
    // Another ending would not open in the trace editor, or not be known to NumPy.
    return chosen === undefined || chosen.path.endsWith(suffix)
      ? chosen
      : chosen.with({ path: chosen.path.replace(/(\.ilvr)?(\.json|\.npz)?$/, suffix) });
  }

  private announce(file: vscode.Uri): void {
    const message = vscode.l10n.t('The trace was exported to {0}.', baseName(file));
    if (!file.path.endsWith(TRACE_SUFFIX)) {
      this.reporter.inform(message);
      return;
    }
    this.reporter.inform(message, {
      title: vscode.l10n.t('Open'),
      run: () => vscode.commands.executeCommand('vscode.openWith', file, EDITOR_TYPE),
    });
  }
}

async function chooseForm(sizes: Record<ExportForm, number>): Promise<ExportForm | undefined> {
  const texts: Record<ExportForm, { label: string; detail: string }> = {
    json: {
      label: vscode.l10n.t('One file'),
      detail: vscode.l10n.t('JSON with everything in it; nothing can be lost on the way.'),
    },
    pair: {
      label: vscode.l10n.t('Two files'),
      detail: vscode.l10n.t('JSON and its arrays beside it; opens at once at any size.'),
    },
    npz: {
      label: vscode.l10n.t('NPZ'),
      detail: vscode.l10n.t('Arrays under plain names, for numpy.load.'),
    },
  };
  const items = EXPORT_FORMS.map((form) => ({
    form,
    ...texts[form],
    description: sizeText(sizes[form], form === 'json' ? MAX_CHARACTERS : Infinity),
  }));
  return (await choose(items, { title: vscode.l10n.t('Export the trace as') }))?.form;
}

function sizeText(bytes: number, most: number): string {
  const megabytes = (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);
  return bytes > most
    ? vscode.l10n.t('{0} MB, more than can be read back', megabytes)
    : vscode.l10n.t('{0} MB', megabytes);
}

/** With a notification that can cancel it. */
async function write(open: OpenTrace, { file, form }: Target): Promise<void> {
  const title = vscode.l10n.t('Exporting {0}', baseName(file));
  await showProgress(title, async (report, token) => {
    const abort = new AbortController();
    const listener = token.onCancellationRequested(() => abort.abort(new CancelledError('The export')));
    const options: ExportOptions = {
      ...(form !== undefined && { form }),
      signal: abort.signal,
      progress: (fraction) => report(`${Math.floor(fraction * 100)} %`),
    };
    try {
      await (file.scheme === 'file'
        ? exportTrace(open, file.fsPath, options)
        : exportElsewhere(open, file, options));
    } finally {
      listener.dispose();
    }
  });
}

/** To another file system, which takes files whole and sees to it itself that none is left half. */
async function exportElsewhere(open: OpenTrace, file: vscode.Uri, options: ExportOptions): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'ilvr-export-'));
  try {
    for (const written of await exportTrace(open, path.join(folder, baseName(file)), options)) {
      const target = vscode.Uri.joinPath(file, '..', path.basename(written));
      await vscode.workspace.fs.writeFile(target, await readFile(written));
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
