/**
 * Traces as read-only text documents of the scheme and language `ilvr-trace`. They are files of a file system of ours,
 * because VS Code brings such documents back after a reload of the window, and no others.
 */

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

export class TraceDocuments implements vscode.FileSystemProvider, Disposable {
  private readonly store = new DisposableStore();
  private readonly library: TraceLibrary;
  private readonly changed = this.store.add(new vscode.EventEmitter<vscode.FileChangeEvent[]>());
  /** When a document last changed, by its address: VS Code reads it again when that is later. */
  private readonly times = new Map<string, number>();

  readonly onDidChangeFile = this.changed.event;

  constructor(library: TraceLibrary) {
    this.library = library;
    this.store.add(vscode.workspace.registerFileSystemProvider(TRACE_SCHEME, this, { isReadonly: true }));
    this.store.add(library.onDidChange((ref) => this.refresh(ref)));
  }

  /** A trace that cannot be read gives a document that says why. */
  async readFile(uri: vscode.Uri): Promise<Uint8Array> {
    try {
      const lines = traceLines(await this.library.trace(refOf(uri)));
      return new TextEncoder().encode(`${lines.map(({ text }) => text).join('\n')}\n`);
    } catch (error) {
      return new TextEncoder().encode(`# ${oneLine(messageOf(error))}\n`);
    }
  }

  async stat(uri: vscode.Uri): Promise<vscode.FileStat> {
    const { length: size } = await this.readFile(uri);
    return { type: vscode.FileType.File, ctime: 0, mtime: this.times.get(uri.toString()) ?? 0, size };
  }

  /** Changes are told of every document that is open. */
  watch(): vscode.Disposable {
    return new vscode.Disposable(() => undefined);
  }

  readDirectory(): [] {
    return [];
  }

  createDirectory(): never {
    throw vscode.FileSystemError.NoPermissions();
  }

  writeFile(): never {
    throw vscode.FileSystemError.NoPermissions();
  }

  delete(): never {
    throw vscode.FileSystemError.NoPermissions();
  }

  rename(): never {
    throw vscode.FileSystemError.NoPermissions();
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
    const shown = vscode.workspace.textDocuments.filter(
      ({ uri }) => uri.scheme === TRACE_SCHEME && isSameRef(refOf(uri), ref),
    );
    for (const { uri } of shown) this.times.set(uri.toString(), Date.now());
    if (shown.length > 0) {
      this.changed.fire(shown.map(({ uri }) => ({ type: vscode.FileChangeType.Changed, uri })));
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
