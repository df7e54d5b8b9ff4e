/** Traces as read-only text documents of the scheme and language `ilvr-trace`. */

import * as vscode from 'vscode';
import { DisposableStore, type Disposable } from '../../base/disposable.ts';
import { messageOf } from '../../base/errors.ts';
import { oneLine } from '../../base/plainText.ts';
import type { OpenTrace } from '../../traceFile/openTrace.ts';
import {
  isSameRef,
  nameOf,
  refOf,
  textUri,
  TRACE_SCHEME,
  type TraceLibrary,
  type TraceRef,
} from './library.ts';
import { traceLines, type TraceLine } from './text.ts';

export class TraceDocuments implements vscode.TextDocumentContentProvider, Disposable {
  private readonly store = new DisposableStore();
  private readonly library: TraceLibrary;
  private readonly changed = this.store.add(new vscode.EventEmitter<vscode.Uri>());

  readonly onDidChange = this.changed.event;

  constructor(library: TraceLibrary) {
    this.library = library;
    this.store.add(vscode.workspace.registerTextDocumentContentProvider(TRACE_SCHEME, this));
    this.store.add(library.onDidChange((ref) => this.refresh(ref)));
  }

  /** A trace that cannot be read gives a document that says why. */
  async provideTextDocumentContent(uri: vscode.Uri): Promise<string> {
    try {
      const trace = await this.library.trace(refOf(uri));
      return `${traceLines(trace)
        .map(({ text }) => text)
        .join('\n')}\n`;
    } catch (error) {
      return `# ${oneLine(messageOf(error))}\n`;
    }
  }

  /** Opens a trace's document in an editor. */
  async show(ref: TraceRef): Promise<vscode.TextEditor> {
    const trace = await this.library.trace(ref);
    const document = await vscode.workspace.openTextDocument(textUri(ref, nameOf(ref, trace)));
    return vscode.window.showTextDocument(document, { preview: false });
  }

  dispose(): void {
    this.store.dispose();
  }

  private refresh(ref: TraceRef): void {
    for (const { uri } of vscode.workspace.textDocuments) {
      if (uri.scheme === TRACE_SCHEME && isSameRef(refOf(uri), ref)) this.changed.fire(uri);
    }
  }
}

/** A document's trace, and what it shows line by line. */
export interface ShownTrace {
  ref: TraceRef;
  open: OpenTrace;
  lines: TraceLine[];
}

/** Works with a document's trace; undefined while it cannot be read. */
export async function useDocument<Result>(
  library: TraceLibrary,
  document: vscode.TextDocument,
  work: (shown: ShownTrace) => Promise<Result>,
): Promise<Result | undefined> {
  const ref = refOf(document.uri);
  try {
    await library.trace(ref);
  } catch {
    // The document's own text already says why.
    return undefined;
  }
  return library.use(ref, (open) => work({ ref, open, lines: traceLines(open.trace) }));
}
