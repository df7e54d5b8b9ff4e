/**
 * Runs on disk, in the extension's global storage: `<id>.ilvr.json` is the trace, `<id>.summary.json`
 * a line for lists. A run is saved while it happens, so that neither a window reload nor a killed
 * process loses it. The oldest are deleted beyond a fixed number.
 *
 * Plain file calls rather than `workspace.fs`: the last save happens while the window closes, when
 * the editor's side of that service may be gone.
 */

import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { UserError } from '../../base/errors.ts';
import type { Disposable } from '../../base/disposable.ts';
import { replaceFile } from '../../files/replaceFile.ts';
import { finishTrace } from '../../trace/events.ts';
import { readTrace, TRACE_SUFFIX, writeTrace } from '../../trace/file.ts';
import type { Trace } from '../../trace/schema.ts';

const KEPT_RUNS = 20;
/** Least time between two automatic saves. */
const SAVE_INTERVAL_MS = 1000;
/** A save takes at most this share of the time, however long a trace becomes. */
const SAVE_SHARE = 0.1;
const SUMMARY_SUFFIX = '.summary.json';

const runSummary = z.object({
  id: z.string(),
  createdAt: z.string(),
  status: z.enum(['running', 'complete', 'cancelled', 'failed']),
  question: z.string(),
  pictures: z.array(z.string()),
});

/** What a list of runs shows. */
export type RunSummary = z.output<typeof runSummary>;

interface Pending {
  trace: Trace;
  timer?: ReturnType<typeof setTimeout>;
  notBefore: number;
}

export class RunStore implements Disposable {
  private readonly folder: string;
  private readonly failed: (error: unknown) => void;
  private readonly pending = new Map<string, Pending>();
  private writing: Promise<void> = Promise.resolve();

  /** @param failed told when an automatic save fails */
  constructor(folder: string, failed: (error: unknown) => void) {
    this.folder = folder;
    this.failed = failed;
  }

  /** Saves a trace that is still growing, soon and not too often. */
  schedule(trace: Trace): void {
    const entry = this.pending.get(trace.id) ?? { trace, notBefore: 0 };
    this.pending.set(trace.id, entry);
    const wait = Math.max(entry.notBefore - Date.now(), 0);
    entry.timer ??= setTimeout(() => {
      delete entry.timer;
      this.save(trace).catch(this.failed);
    }, wait);
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
  }

  /** Saves everything that waits; for the end of the extension's life. */
  async flush(): Promise<void> {
    const entries = [...this.pending.values()];
    // A timer that fired meanwhile would write after the end.
    for (const { timer } of entries) clearTimeout(timer);
    await Promise.all(entries.map(({ trace }) => this.save(trace)));
  }

  /** Reads a run back. One whose window closed before it ended is marked as such. */
  async read(id: string): Promise<Trace> {
    const file = this.fileOf(id);
    const text = await readFile(file, 'utf8').catch(() => {
      throw new UserError({
        problem: 'This run is no longer kept',
        where: file,
        remedy: `The last ${KEPT_RUNS} runs are kept; export a trace to keep it for good.`,
      });
    });
    const trace = readTrace(text, `run ${id}`);
    markInterrupted(trace);
    return trace;
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
  }

  private async write(trace: Trace): Promise<void> {
    const started = Date.now();
    await mkdir(this.folder, { recursive: true });
    await replaceFile(this.fileOf(trace.id), writeTrace(trace));
    await replaceFile(join(this.folder, trace.id + SUMMARY_SUFFIX), JSON.stringify(summaryOf(trace)));
    const entry = this.pending.get(trace.id);
    const took = Date.now() - started;
    if (entry) entry.notBefore = Date.now() + Math.max(SAVE_INTERVAL_MS, took / SAVE_SHARE);
  }

  private forget(id: string): void {
    clearTimeout(this.pending.get(id)?.timer);
    this.pending.delete(id);
  }

  private async prune(): Promise<void> {
    const names = (await readdir(this.folder)).filter((name) => name.endsWith(TRACE_SUFFIX));
    const files = await Promise.all(
      names.map(async (name) => ({ name, age: (await stat(join(this.folder, name))).mtimeMs })),
    );
    const old = files.toSorted((a, b) => b.age - a.age).slice(KEPT_RUNS);
    for (const { name } of old) {
      const id = name.slice(0, -TRACE_SUFFIX.length);
      if (this.pending.has(id)) continue;
      await rm(join(this.folder, name), { force: true });
      await rm(join(this.folder, id + SUMMARY_SUFFIX), { force: true });
    }
  }

  private async readSummary(name: string): Promise<RunSummary | undefined> {
    try {
      return runSummary.parse(JSON.parse(await readFile(join(this.folder, name), 'utf8')));
    } catch {
      // Deleted by another window meanwhile, or damaged: a list goes on without it.
      return undefined;
    }
  }

  /** Ids come from webview state too, so they must not name a path. */
  private fileOf(id: string): string {
    if (!/^[\w-]{1,128}$/.test(id)) {
      throw new UserError({ problem: 'This is no run', expected: 'letters, digits and dashes', found: id });
    }
    return join(this.folder, id + TRACE_SUFFIX);
  }
}

/** A trace read from a file cannot be running any more. */
export function markInterrupted(trace: Trace): void {
  if (trace.status === 'running') {
    finishTrace(trace, 'failed', 'The run had not ended when this trace was written.');
  }
}

function summaryOf(trace: Trace): RunSummary {
  const { id, createdAt, status, question } = trace;
  const pictures = trace.pictures.filter(({ role }) => role === 'input').map(({ name }) => name);
  return { id, createdAt, status, question, pictures };
}
