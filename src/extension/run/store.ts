/**
 * Runs on disk, in the extension's global storage: `<id>.ilvr.json` is the manifest, `<id>.ilvr.bin` the arrays,
 * which the engine writes, `<id>.summary.json` a line for lists, `<id>.sample.json` what a samples file says of the
 * picture. A run is saved while it happens, so that neither a window reload nor a killed process loses it. The oldest are
 * deleted beyond a fixed number.
 *
 * Plain file calls rather than `workspace.fs`: the last save happens while the window closes, when
 * the editor's side of that service may be gone.
 */

import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type * as z from 'zod';
import { UserError } from '../../base/errors.ts';
import type { Disposable } from '../../base/disposable.ts';
import { isFile } from '../../files/plainFile.ts';
import { replaceFile } from '../../files/replaceFile.ts';
import { finishTrace } from '../../trace/events.ts';
import type { Trace } from '../../trace/schema.ts';
import { exportTrace } from '../../traceFile/export.ts';
import { identityOf } from '../../traceFile/identity.ts';
import {
  ARRAYS_SUFFIX,
  arraysText,
  manifestPieces,
  snapshotOf,
  TRACE_SUFFIX,
} from '../../traceFile/manifest.ts';
import { openTrace, type OpenTrace } from '../../traceFile/openTrace.ts';
import { MAX_RUN_NAME, runSummary, summaryOf, type RunSummary } from './summary.ts';
import { knownAnswer, type KnownAnswer } from './verdict.ts';

const KEPT_RUNS = 20;
/** Least time between two automatic saves. */
const SAVE_INTERVAL_MS = 1000;
/** A save takes at most this share of the time, however long a trace becomes. */
const SAVE_SHARE = 0.02;
const SUMMARY_SUFFIX = '.summary.json';
const SAMPLE_SUFFIX = '.sample.json';
/** A file without a manifest is of a run that has just begun, or of one that never got far. */
const ORPHAN_AGE_MS = 3_600_000;

interface Pending {
  trace: Trace;
  timer?: ReturnType<typeof setTimeout>;
  notBefore: number;
  isSaving: boolean;
  /** It has grown since the save that is going on began. */
  hasGrown: boolean;
}

export class RunStore implements Disposable {
  private readonly folder: string;
  private readonly failed: (error: unknown) => void;
  private readonly pending = new Map<string, Pending>();
  private readonly listeners = new Set<() => void>();
  private writing: Promise<void> = Promise.resolve();

  /** @param failed told when an automatic save fails */
  constructor(folder: string, failed: (error: unknown) => void) {
    this.folder = folder;
    this.failed = failed;
  }

  /** Calls `listener` when the list of ended runs is another. */
  onDidChange(listener: () => void): Disposable {
    this.listeners.add(listener);
    return { dispose: () => this.listeners.delete(listener) };
  }

  /** Saves a trace that is still growing, soon and not too often. */
  schedule(trace: Trace): void {
    const entry = this.pending.get(trace.id) ?? { trace, notBefore: 0, isSaving: false, hasGrown: false };
    this.pending.set(trace.id, entry);
    // Only the end of a save tells how long the next one has to wait.
    if (entry.isSaving) entry.hasGrown = true;
    else {
      const wait = Math.max(0, entry.notBefore - Date.now());
      entry.timer ??= setTimeout(() => void this.saveScheduled(entry), wait);
    }
  }

  private async saveScheduled(entry: Pending): Promise<void> {
    delete entry.timer;
    Object.assign(entry, { isSaving: true, hasGrown: false });
    await this.save(entry.trace).catch(this.failed);
    entry.isSaving = false;
    if (entry.hasGrown && this.pending.get(entry.trace.id) === entry) this.schedule(entry.trace);
  }

  /** Saves now. */
  async save(trace: Trace): Promise<void> {
    const write = this.writing.then(() => this.write(trace));
    // A failed save must not keep later ones from being tried.
    this.writing = write.catch(() => undefined);
    await write;
    if (trace.status === 'running') return;
    this.forget(trace.id);
    await this.prune();
    this.changed();
  }

  /**
   * Gives a run a name of its user's; an empty one takes it away.
   * @throws UserError if the run is not kept
   */
  async rename(id: string, name: string): Promise<void> {
    const renamed = this.writing.then(() => this.writeName(id, name.trim().slice(0, MAX_RUN_NAME)));
    this.writing = renamed.catch(() => undefined);
    await renamed;
    this.changed();
  }

  /**
   * Keeps a trace from elsewhere as a run; one that is kept already is not kept again.
   * @param name of the run, until its user gives it another
   * @returns the run's id
   */
  async keep(open: OpenTrace, name: string): Promise<string> {
    const identity = await identityOf(open.trace);
    // A run of ours that was exported is itself.
    if ((await this.identityOfKept(open.trace.id)) === identity) return open.trace.id;
    // Made of what the trace holds, so that the same one comes to the same run.
    const id = identity.slice(0, 32);
    const copied = this.writing.then(async () => {
      if (!(await this.has(id))) await this.copy(open, id, name);
    });
    this.writing = copied.catch(() => undefined);
    await copied;
    await this.prune();
    this.changed();
    return id;
  }

  /** Keeps what a samples file says of a run's picture, for when the run is asked again. */
  async keepSample(id: string, sample: KnownAnswer): Promise<void> {
    await mkdir(this.folder, { recursive: true });
    await replaceFile(this.fileOf(id, SAMPLE_SUFFIX), JSON.stringify(knownAnswer.parse(sample)));
  }

  /** What a samples file said of a run's picture; undefined where none knew it. */
  async sampleOf(id: string): Promise<KnownAnswer | undefined> {
    return readJson(this.fileOf(id, SAMPLE_SUFFIX), knownAnswer);
  }

  /** Whether a run of this id is kept. Ids may come from anywhere. */
  async has(id: string): Promise<boolean> {
    return isRunId(id) && (await isFile(this.fileOf(id, TRACE_SUFFIX)));
  }

  /** Saves everything that waits; for the end of the extension's life. */
  async flush(): Promise<void> {
    const entries = [...this.pending.values()];
    // A timer that fired meanwhile would write after the end.
    for (const { timer } of entries) clearTimeout(timer);
    await Promise.all(entries.map(({ trace }) => this.save(trace)));
  }

  /** Where the engine is to write a run's arrays; their folder is there. */
  async prepareArrays(id: string): Promise<string> {
    await mkdir(this.folder, { recursive: true });
    return this.arraysOf(id);
  }

  /** The file of a run's arrays. */
  arraysOf(id: string): string {
    return this.fileOf(id, ARRAYS_SUFFIX);
  }

  /** The file of a kept run's manifest. @throws UserError if it is not there any more */
  async find(id: string): Promise<string> {
    const file = this.fileOf(id, TRACE_SUFFIX);
    if (await isFile(file)) return file;
    throw new UserError({
      problem: 'This run is no longer kept',
      where: file,
      remedy: `The last ${KEPT_RUNS} runs are kept; export a trace to keep it for good.`,
    });
  }

  /** Deletes all that a run has written. */
  async discard(id: string): Promise<void> {
    for (const suffix of [TRACE_SUFFIX, ARRAYS_SUFFIX, SUMMARY_SUFFIX, SAMPLE_SUFFIX]) {
      await rm(this.fileOf(id, suffix), { force: true });
    }
    this.changed();
  }

  /** Kept runs, newest first. */
  async list(): Promise<RunSummary[]> {
    const names = await readdir(this.folder).catch(() => []);
    const summaries = await Promise.all(
      names.filter((name) => name.endsWith(SUMMARY_SUFFIX)).map((name) => this.readSummary(name)),
    );
    return summaries
      .filter((summary) => summary !== undefined)
      .toSorted((a, b) => b.createdAt.localeCompare(a.createdAt));
  }

  dispose(): void {
    for (const { timer } of this.pending.values()) clearTimeout(timer);
    this.pending.clear();
    this.listeners.clear();
  }

  private async write(trace: Trace): Promise<void> {
    const started = Date.now();
    await mkdir(this.folder, { recursive: true });
    const snapshot = snapshotOf(trace);
    await replaceFile(this.fileOf(trace.id, TRACE_SUFFIX), async (handle) => {
      // Piece by piece: a long manifest takes a few hundred milliseconds, and others want their turn.
      for (const piece of manifestPieces(snapshot)) await handle.writeFile(piece);
      await handle.writeFile(arraysText(snapshot, { file: trace.id + ARRAYS_SUFFIX }));
    });
    const name = (await this.readSummary(trace.id + SUMMARY_SUFFIX))?.name;
    await this.writeSummary({ ...summaryOf(snapshot), ...(name !== undefined && { name }) });
    const entry = this.pending.get(trace.id);
    const took = Date.now() - started;
    if (entry) entry.notBefore = Date.now() + Math.max(SAVE_INTERVAL_MS, took / SAVE_SHARE);
  }

  private async copy({ trace, container }: OpenTrace, id: string, name: string): Promise<void> {
    await mkdir(this.folder, { recursive: true });
    const copy = { ...trace, id };
    await exportTrace({ trace: copy, container }, this.fileOf(id, TRACE_SUFFIX), { form: 'pair' });
    await this.writeSummary({ ...summaryOf(copy), name: name.slice(0, MAX_RUN_NAME) });
  }

  /** See `identityOf`; undefined where no such run is kept, or it cannot be read. */
  private async identityOfKept(id: string): Promise<string | undefined> {
    if (!(await this.has(id))) return undefined;
    const kept = await openTrace(this.fileOf(id, TRACE_SUFFIX)).catch(() => undefined);
    if (kept === undefined) return undefined;
    await kept.close();
    markInterrupted(kept.trace);
    return identityOf(kept.trace);
  }

  private async writeName(id: string, name: string): Promise<void> {
    await this.find(id);
    const summary = await this.readSummary(id + SUMMARY_SUFFIX);
    if (summary === undefined) throw new UserError({ problem: 'The summary of this run cannot be read' });
    const { name: _, ...rest } = summary;
    await this.writeSummary({ ...rest, ...(name !== '' && { name }) });
  }

  private async writeSummary(summary: RunSummary): Promise<void> {
    await replaceFile(this.fileOf(summary.id, SUMMARY_SUFFIX), JSON.stringify(summary));
  }

  private changed(): void {
    for (const listener of this.listeners) listener();
  }

  private forget(id: string): void {
    clearTimeout(this.pending.get(id)?.timer);
    this.pending.delete(id);
  }

  private async prune(): Promise<void> {
    const names = await readdir(this.folder);
    const ages = await Promise.all(idsIn(names, TRACE_SUFFIX).map((id) => this.ageOf(id, TRACE_SUFFIX)));
    const manifests = new Set(ages.map(({ id }) => id));
    const parts = await Promise.all(
      [ARRAYS_SUFFIX, SAMPLE_SUFFIX].flatMap((suffix) =>
        idsIn(names, suffix).map((id) => this.ageOf(id, suffix)),
      ),
    );
    const old = ages.toSorted((a, b) => b.age - a.age).slice(KEPT_RUNS);
    const orphans = parts.filter(({ id, age }) => !manifests.has(id) && age < Date.now() - ORPHAN_AGE_MS);
    for (const { id } of [...old, ...orphans]) if (!this.pending.has(id)) await this.discard(id);
  }

  private async ageOf(id: string, suffix: string): Promise<{ id: string; age: number }> {
    // Another window may have deleted it meanwhile.
    const info = await stat(this.fileOf(id, suffix)).catch(() => undefined);
    return { id, age: info?.mtimeMs ?? Date.now() };
  }

  private async readSummary(name: string): Promise<RunSummary | undefined> {
    return readJson(join(this.folder, name), runSummary);
  }

  /** Ids come from webview state too, so they must not name a path. */
  private fileOf(id: string, suffix: string): string {
    if (!isRunId(id)) {
      throw new UserError({ problem: 'This is no run', expected: 'letters, digits and dashes', found: id });
    }
    return join(this.folder, id + suffix);
  }
}

function isRunId(id: string): boolean {
  return /^[\w-]{1,128}$/.test(id);
}

async function readJson<Value>(file: string, schema: z.ZodType<Value>): Promise<Value | undefined> {
  try {
    return schema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    // Deleted by another window meanwhile, damaged, or never written: whoever asks goes on without it.
    return undefined;
  }
}

/** Of the runs that have a file of this kind. */
function idsIn(names: readonly string[], suffix: string): string[] {
  return names
    .filter((name) => name.endsWith(suffix))
    .map((name) => name.slice(0, -suffix.length))
    .filter(isRunId);
}

/** A trace read from a file cannot be running any more. */
export function markInterrupted(trace: Trace): void {
  if (trace.status === 'running') {
    finishTrace(trace, 'failed', 'The run had not ended when this trace was written.');
  }
}
