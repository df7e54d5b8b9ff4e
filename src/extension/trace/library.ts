/**
 * Finds the trace behind a document, panel or command: a live run, a kept run, or a file. Text
 * documents, panels, hovers and exports all ask here, so a file is parsed once, a live run is always
 * fresh, and containers are closed when nobody needs them.
 */

import * as vscode from 'vscode';
import { UserError } from '../../base/errors.ts';
import { DisposableStore, type Disposable } from '../../base/disposable.ts';
import { plainText } from '../../base/plainText.ts';
import type { Trace } from '../../trace/schema.ts';
import { TRACE_SUFFIX } from '../../traceFile/manifest.ts';
import { OpenTrace } from '../../traceFile/openTrace.ts';
import type { Runs } from '../run/runs.ts';
import { markInterrupted, type RunStore } from '../run/store.ts';
import { pictureTitle } from '../run/summary.ts';
import { LateContainer } from './containers.ts';
import type { TraceFiles } from './traceFiles.ts';
import { openVirtual } from './virtualFiles.ts';

/** Scheme of traces as text. */
export const TRACE_SCHEME = 'ilvr-trace';
/** Traces that are kept open: more than are looked at at once. Of each, the manifest is in memory. */
const CACHED = 8;
/** Of a name; a file's may be long. */
const MAX_NAME = 80;
/** A live run changes a text document at most this often. */
const REFRESH_MS = 400;

/** Names a trace: a run of ours, or a file. */
export type TraceRef = { run: string } | { file: vscode.Uri };

/** An open trace, and how many work with it. */
interface Entry {
  open: Promise<OpenTrace>;
  users: number;
  /** Out of the cache: whoever works with it last closes it. */
  isDropped: boolean;
}

export class TraceLibrary implements Disposable {
  private readonly store = new DisposableStore();
  private readonly runs: Runs;
  private readonly runStore: RunStore;
  private readonly files: TraceFiles;
  private readonly cache = new Map<string, Entry>();
  private readonly timers = new Map<string, ReturnType<typeof setTimeout>>();
  private readonly changed = this.store.add(new vscode.EventEmitter<TraceRef>());

  /** A trace has grown, or its file has changed. */
  readonly onDidChange = this.changed.event;

  constructor(runs: Runs, runStore: RunStore, files: TraceFiles) {
    this.runs = runs;
    this.runStore = runStore;
    this.files = files;
    this.store.add(runs.onEvent(({ run }) => this.refreshSoon(run.id)));
  }

  /** A trace's manifest. @throws UserError if there is no such run, or if the file is no trace */
  async trace(ref: TraceRef): Promise<Trace> {
    return this.use(ref, async ({ trace }) => trace);
  }

  /**
   * Works with a trace and its arrays; they may be closed as soon as the work is done.
   * @throws UserError as `trace`, and whatever the work throws
   */
  async use<Result>(ref: TraceRef, work: (open: OpenTrace) => Promise<Result>): Promise<Result> {
    const entry = this.entry(ref);
    entry.users++;
    try {
      return await work(await entry.open);
    } finally {
      entry.users--;
      closeUnused(entry);
    }
  }

  /** Tells that a file has changed on disk. */
  invalidate(file: vscode.Uri): void {
    this.reopen({ file });
  }

  /** A trace's file has changed: it is opened anew by who works with it next. */
  reopen(ref: TraceRef): void {
    this.drop(keyOf(ref));
    this.changed.fire(ref);
  }

  /** Tells that a run is not kept any more. */
  forget(run: string): void {
    this.drop(keyOf({ run }));
  }

  dispose(): void {
    for (const timer of this.timers.values()) clearTimeout(timer);
    for (const key of this.cache.keys()) this.drop(key);
    this.store.dispose();
  }

  private entry(ref: TraceRef): Entry {
    const key = keyOf(ref);
    const entry = this.cache.get(key) ?? { open: this.open(ref), users: 0, isDropped: false };
    // Set again, so that the cache's first entry is the one unused for longest.
    this.cache.delete(key);
    this.cache.set(key, entry);
    for (const old of [...this.cache.keys()].slice(0, -CACHED)) this.drop(old);
    entry.open.catch(() => {
      if (this.cache.get(key) === entry) this.drop(key);
    });
    return entry;
  }

  private async open(ref: TraceRef): Promise<OpenTrace> {
    if ('file' in ref) return interrupted(await this.openFile(ref.file));
    const run = this.runs.get(ref.run);
    if (run === undefined) return interrupted(await this.files.openPath(await this.runStore.find(ref.run)));
    if (run.trace === undefined) throw notStarted();
    return new OpenTrace(run.trace, new LateContainer(this.runStore.arraysOf(ref.run)));
  }

  private async openFile(file: vscode.Uri): Promise<OpenTrace> {
    return file.scheme === 'file' ? this.files.openPath(file.fsPath) : openVirtual(this.files, file);
  }

  private drop(key: string): void {
    const entry = this.cache.get(key);
    if (entry === undefined) return;
    this.cache.delete(key);
    entry.isDropped = true;
    closeUnused(entry);
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

/** A short name for tabs and files, the file's or the pictures', without what would lead to another folder. */
export function nameOf(ref: TraceRef, trace?: Trace): string {
  const inputs = trace?.pictures.filter(({ role }) => role === 'input').map(({ name }) => name) ?? [];
  const name =
    'file' in ref
      ? baseName(ref.file).replace(TRACE_SUFFIX, '')
      : pictureTitle(inputs.map((picture) => picture.replace(/\.\w+$/, '')));
  const safe = plainText(name, MAX_NAME)
    .replaceAll(/[/\\:*?"<>|]/g, '_')
    .replace(/^[.\s]+/, '');
  return safe || ('run' in ref ? `run-${ref.run.slice(0, 8)}` : 'trace');
}

export function baseName(uri: vscode.Uri): string {
  return uri.path.slice(uri.path.lastIndexOf('/') + 1);
}

function closeUnused({ open, users, isDropped }: Entry): void {
  if (!isDropped || users > 0) return;
  open.then((trace) => trace.close()).catch(() => undefined);
}

/** What is read from a file is not running any more. */
function interrupted(open: OpenTrace): OpenTrace {
  markInterrupted(open.trace);
  return open;
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
