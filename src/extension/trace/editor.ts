/**
 * The editor for trace files. Read-only, needs no engine, and works in a workspace that is not
 * trusted: reading a trace executes nothing. What goes on from a file is a run, with a panel of its own.
 */

import * as vscode from 'vscode';
import { DisposableStore } from '../../base/disposable.ts';
import type { PanelState } from '../../protocol/panel.ts';
import type { ActiveTrace } from './active.ts';
import type { Reporter } from '../report.ts';
import { baseName, type TraceLibrary, type TraceRef } from './library.ts';
import type { UseTrace } from './pageRequests.ts';
import type { RunAnalyses } from './runAnalyses.ts';
import { lockedReason } from '../trust.ts';
import { shownError } from '../window.ts';
import { TraceView, type PanelActions } from './view.ts';
import type { PanelSelection } from '../../protocol/panel.ts';

export const EDITOR_TYPE = 'ilvr.trace';

export interface EditorServices {
  extensionUri: vscode.Uri;
  library: TraceLibrary;
  reporter: Reporter;
  active: ActiveTrace;
  memory: vscode.Memento;
  exportTrace: (ref: TraceRef) => Promise<unknown>;
  openAsText: (ref: TraceRef) => Promise<unknown>;
  compareWith: (ref: TraceRef) => Promise<unknown>;
  /** Keeps the trace as a run, and goes on from what is looked at with something changed that is asked for. */
  branch: (ref: TraceRef, lookedAt: PanelSelection | undefined) => Promise<unknown>;
  analyses: RunAnalyses;
}

export class TraceEditors implements vscode.CustomReadonlyEditorProvider {
  private readonly services: EditorServices;
  private readonly views = new Map<string, TraceView>();
  private readonly selections = new Map<string, PanelSelection>();

  constructor(services: EditorServices) {
    this.services = services;
  }

  /** A file that is no trace is refused here, and VS Code shows the message in the editor's place. */
  async openCustomDocument(uri: vscode.Uri): Promise<vscode.CustomDocument> {
    const { library, reporter } = this.services;
    try {
      await library.trace({ file: uri });
    } catch (error) {
      reporter.record(error);
      throw shownError(error);
    }
    const watcher = watchFile(uri, () => library.invalidate(uri));
    return { uri, dispose: () => watcher.dispose() };
  }

  async resolveCustomEditor(document: vscode.CustomDocument, panel: vscode.WebviewPanel): Promise<void> {
    const { extensionUri, library, reporter, active, memory, analyses } = this.services;
    const { uri } = document;
    const ref = { file: uri };
    const store = new DisposableStore();
    const state = async (): Promise<PanelState> => {
      const locked = lockedReason();
      return {
        trace: await library.trace(ref),
        fileName: baseName(uri),
        canRun: false,
        ...(locked !== undefined && { locked }),
      };
    };
    const use: UseTrace = (work) => library.use(ref, work);
    const actions = this.actions(ref, () => view.selection());
    const view: TraceView = store.add(
      new TraceView({
        panel,
        extensionUri,
        memory,
        actions,
        state,
        use,
        analyses: { chooseOther: analyses.chooseOther },
      }),
    );
    store.add(
      library.onDidChange((changed) => {
        if ('file' in changed && changed.file.toString() === uri.toString()) reporter.watch(view.refresh());
      }),
    );
    store.add(vscode.workspace.onDidGrantWorkspaceTrust(() => reporter.watch(view.refresh())));
    const markActive = (): void => {
      if (panel.active) active.enter(view, ref, () => view.selection());
    };
    markActive();
    store.add(panel.onDidChangeViewState(markActive));
    this.addView(uri, view);
    panel.onDidDispose(() => {
      active.leave(view);
      if (this.views.get(uri.toString()) === view) this.views.delete(uri.toString());
      store.dispose();
    });
  }

  /** Opens a file's editor, with a latent selected if one is given. */
  async open(file: vscode.Uri, selection?: PanelSelection): Promise<void> {
    const view = this.views.get(file.toString());
    if (selection && view) view.select(selection);
    else if (selection) this.selections.set(file.toString(), selection);
    await vscode.commands.executeCommand('vscode.openWith', file, EDITOR_TYPE);
  }

  private addView(uri: vscode.Uri, view: TraceView): void {
    const key = uri.toString();
    this.views.set(key, view);
    const selection = this.selections.get(key);
    this.selections.delete(key);
    if (selection) view.select(selection);
  }

  private actions(ref: TraceRef, lookedAt: () => Promise<PanelSelection | undefined>): PanelActions {
    const { reporter, exportTrace, openAsText, compareWith, branch } = this.services;
    return {
      exportTrace: async () => reporter.watch(exportTrace(ref)),
      openAsText: async () => reporter.watch(openAsText(ref)),
      compareWith: async () => reporter.watch(compareWith(ref)),
      branch: async () => reporter.watch(lookedAt().then((selection) => branch(ref, selection))),
      // A viewer says canRun: false, so its page offers none of these.
      cancel: nothing,
      runAgain: nothing,
      askAgain: nothing,
      showRun: nothing,
      showOther: nothing,
      addHelpers: nothing,
      chooseHelpers: nothing,
    };
  }
}

export function registerTraceEditor(editors: TraceEditors): vscode.Disposable {
  return vscode.window.registerCustomEditorProvider(EDITOR_TYPE, editors, {
    supportsMultipleEditorsPerDocument: true,
  });
}

function watchFile(uri: vscode.Uri, changed: () => void): vscode.Disposable {
  const pattern = new vscode.RelativePattern(vscode.Uri.joinPath(uri, '..'), baseName(uri));
  const watcher = vscode.workspace.createFileSystemWatcher(pattern);
  watcher.onDidChange(changed);
  watcher.onDidCreate(changed);
  return watcher;
}

async function nothing(): Promise<void> {
  // A viewer has nothing to run.
}
