/**
 * Finds the trace behind a document, panel or command: a live run, a kept run, or a file. Text
 * documents, hovers and exports all ask here, so a file is parsed once and a live run is always fresh.
 */

import * as vscode from 'vscode';
import { UserError } from '../../base/errors.ts';
import { DisposableStore, type Disposable } from '../../base/disposable.ts';
import { plainText } from '../../base/plainText.ts';
import { readTrace, TRACE_SUFFIX } from '../../trace/file.ts';
import type { Trace } from '../../trace/schema.ts';
import type { Runs } from '../run/runs.ts';
import { markInterrupted, type RunStore } from '../run/store.ts';

/** Scheme of traces as text. */
export const TRACE_SCHEME = 'ilvr-trace';
/** Parsed traces of files and kept runs that are kept in memory. */
const CACHED = 4;
/** Of a name; a file's may be long. */
const MAX_NAME = 80;
/** A live run changes a text document at most this often. */
const REFRESH_MS = 400;

/** Names a trace: a run of ours, or a file. */
export type TraceRef = { run: string } | { file: vscode.Uri };

export class TraceLibrary implements Disposable {
  private readonly store = new DisposableStore();
  private readonly runs: Runs;
  private readonly runStore: RunStore;
  private readonly cache = new Map<string, Promise<Trace>>();
  private readonly timers = new Map<string, ReturnType<typeof setTimeout>>();
  private readonly changed = this.store.add(new vscode.EventEmitter<TraceRef>());

  /** A trace has grown, or its file has changed. */
  readonly onDidChange = this.changed.event;

  constructor(runs: Runs, runStore: RunStore) {
    this.runs = runs;
    this.runStore = runStore;
    this.store.add(runs.onEvent(({ run }) => this.refreshSoon(run.id)));
  }

  /** @throws UserError if there is no such run, or if the file is no trace */
  async open(ref: TraceRef): Promise<Trace> {
    if ('run' in ref) {
      const run = this.runs.get(ref.run);
      if (run?.trace !== undefined) return run.trace;
      if (run !== undefined) throw notStarted();
    }
    const key = keyOf(ref);
    const cached = this.cache.get(key) ?? this.read(ref);
    // Set again, so that the cache's first entry is the one unused for longest.
    this.cache.delete(key);
    this.cache.set(key, cached);
    for (const old of [...this.cache.keys()].slice(0, -CACHED)) this.cache.delete(old);
    cached.catch(() => this.cache.delete(key));
    return cached;
  }

  /** Tells that a file has changed on disk. */
  invalidate(file: vscode.Uri): void {
    const ref = { file };
    this.cache.delete(keyOf(ref));
    this.changed.fire(ref);
  }

  dispose(): void {
    for (const timer of this.timers.values()) clearTimeout(timer);
    this.store.dispose();
  }

  private async read(ref: TraceRef): Promise<Trace> {
    return 'run' in ref ? this.runStore.read(ref.run) : readTraceFile(ref.file);
  }

  private refreshSoon(run: string): void {
    if (this.timers.has(run)) return;
    const refresh = (): void => {
      this.timers.delete(run);
      this.changed.fire({ run });
    };
    this.timers.set(run, setTimeout(refresh, REFRESH_MS));
  }
}

/** Address of a trace's text document. */
export function textUri(ref: TraceRef, name: string): vscode.Uri {
  const query = 'run' in ref ? `run=${ref.run}` : `file=${ref.file.toString()}`;
  return vscode.Uri.from({ scheme: TRACE_SCHEME, path: `/${name}.${TRACE_SCHEME}`, query });
}

/** The trace that a text document shows. */
export function refOf(uri: vscode.Uri): TraceRef {
  const [, kind, value = ''] = /^(run|file)=(.*)$/s.exec(uri.query) ?? [];
  if (kind === 'run') return { run: value };
  if (kind === 'file') return { file: vscode.Uri.parse(value, true) };
  throw new UserError({ problem: 'This address names no trace', found: uri.toString() });
}

export function isSameRef(a: TraceRef, b: TraceRef): boolean {
  return keyOf(a) === keyOf(b);
}

/** A short name for tabs and files, the file's or the first picture's, without what would lead to another folder. */
export function nameOf(ref: TraceRef, trace?: Trace): string {
  const picture = trace?.pictures.find(({ role }) => role === 'input');
  const name =
    'file' in ref ? baseName(ref.file).replace(TRACE_SUFFIX, '') : picture?.name.replace(/\.\w+$/, '');
  const safe = plainText(name ?? '', MAX_NAME)
    .replaceAll(/[/\\:*?"<>|]/g, '_')
    .replace(/^[.\s]+/, '');
  return safe || ('run' in ref ? `run-${ref.run.slice(0, 8)}` : 'trace');
}

export function baseName(uri: vscode.Uri): string {
  return uri.path.slice(uri.path.lastIndexOf('/') + 1);
}

async function readTraceFile(file: vscode.Uri): Promise<Trace> {
  const bytes = await vscode.workspace.fs.readFile(file);
  const trace = readTrace(new TextDecoder().decode(bytes), baseName(file));
  markInterrupted(trace);
  return trace;
}

function keyOf(ref: TraceRef): string {
  return 'run' in ref ? ref.run : ref.file.toString();
}

function notStarted(): UserError {
  return new UserError({
    problem: 'This run has not begun yet',
    remedy: 'Wait until the model is loaded.',
  });
}
