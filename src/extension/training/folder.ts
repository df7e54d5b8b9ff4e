/**
 * Follows a training run by its folder, whoever started it: a snapshot, then what has changed. The folder
 * is asked again and again, because file events do not come from network disks and other machines.
 */

import { lstat, readdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import * as z from 'zod';
import type { Disposable } from '../../base/disposable.ts';
import { UserError } from '../../base/errors.ts';
import { t } from '../../base/l10n.ts';
import { readPlainFile } from '../../files/plainFile.ts';
import { writeJson } from '../../files/replaceFile.ts';
import type { Look, RunState, TrainingChange, TrainingState } from '../../protocol/training.ts';
import { metricOf } from '../../watch/metrics.ts';
import {
  CONTROL_FILE,
  controlOf,
  isAtWork,
  STATUS_FILE,
  statusOf,
  type Control,
  type RunStatus,
  type WatchRequest,
} from '../../watch/status.ts';
import { GrowingLines } from '../growingLines.ts';
import { parseWatchedStep, WATCH_FOLDER, watchedFile, watchedNameOf } from '../../watch/watched.ts';

const POLL_MS = 400;
const MACHINE = { host: hostname(), kill: process.kill.bind(process) };
/** A look with its rows, a picture, a status: far beyond what the trainer writes. The folder may be anyone's. */
const MAX_BYTES = 16 * 2 ** 20;
/** Of metrics.jsonl altogether: two million steps. */
const MAX_METRICS_BYTES = 512 * 2 ** 20;
const LIMIT = { maxBytes: MAX_BYTES };

/** What is shown of the config; all of it may be absent. */
const config = z
  .object({
    model: z.string(),
    data: z.unknown(),
    stage: z.number(),
    batch: z.number(),
    steps: z.number(),
    schedule: z.string(),
    learningRate: z.number(),
    teacherDecay: z.union([z.number(), z.string()]),
  })
  .partial();
const stored = z.object({
  resolved: config,
  given: z.looseObject({ watch: z.looseObject({ sample: z.int(), every: z.int() }).partial().optional() }),
});

export class TrainingFolder implements Disposable {
  readonly folder: string;
  private readonly onChange: (change: TrainingChange) => void;
  private readonly metrics = new GrowingLines(metricOf, MAX_METRICS_BYTES);
  private timer: ReturnType<typeof setTimeout> | undefined;
  private disposed = false;
  private config: z.output<typeof stored> | undefined;
  private current: TrainingState;
  /** Of the last status.json. */
  private where: string | undefined;

  /** @param onChange what is new since the last snapshot or change */
  constructor(folder: string, onChange: (change: TrainingChange) => void) {
    this.folder = folder;
    this.onChange = onChange;
    this.current = {
      name: basename(folder),
      folder,
      state: 'unknown',
      hasPlace: false,
      facts: [],
      metrics: [],
      looks: [],
    };
  }

  /** As of the last time that the folder was asked. */
  get state(): TrainingState {
    return this.current;
  }

  /** Files that the run's error is about. */
  get errorPlace(): string | undefined {
    return this.where;
  }

  /** Asks once, then again and again. */
  async start(): Promise<void> {
    await this.refresh();
    this.schedule();
  }

  /** Asks now and tells what has changed. */
  async refresh(): Promise<void> {
    const [status, control, metrics] = await Promise.all([
      this.status(),
      this.control(),
      this.metrics.read(join(this.folder, 'metrics.jsonl')),
    ]);
    this.config ??= stored.safeParse(await json(join(this.folder, 'config.json'))).data;
    const watch = control.watch ?? this.configuredWatch();
    const looks = watch === undefined ? [] : await this.looksOf(watch.sample);
    this.where = status?.where;
    const { error: _, steps: __, device: ___, watch: ____, ...rest } = this.current;
    const steps = status?.steps ?? this.config?.resolved.steps;
    const next: TrainingState = {
      ...rest,
      state: stateOf(status, this.metrics.lines.length > 0),
      hasPlace: status?.where !== undefined,
      facts: factsOf(this.config?.resolved),
      metrics: this.metrics.lines,
      looks,
      ...(status?.error !== undefined && { error: status.error }),
      ...(steps !== undefined && { steps }),
      ...(status !== undefined && { device: status.device }),
      ...(watch !== undefined && { watch }),
    };
    const change = changeBetween(this.current, next, metrics);
    this.current = next;
    if (change !== undefined && !this.disposed) this.onChange(change);
  }

  /**
   * Asks the run for something; it obeys after its step.
   * @throws UserError if the file to write is a link, which may lead anywhere
   */
  async ask(wanted: Partial<Control>): Promise<void> {
    const file = join(this.folder, CONTROL_FILE);
    const isLink = await lstat(file).then(
      (info) => info.isSymbolicLink(),
      () => false,
    );
    if (isLink) {
      throw new UserError({
        problem: 'This run cannot be asked for anything',
        expected: `a file ${CONTROL_FILE} in its folder`,
        found: 'a link',
        where: file,
        remedy: 'Delete the link; a run does not make one.',
      });
    }
    const next = { ...(await this.control()), ...wanted };
    await writeJson(file, next);
    await this.refresh();
  }

  async status(): Promise<RunStatus | undefined> {
    return statusOf(await text(join(this.folder, STATUS_FILE)));
  }

  /** @throws if the folder has no such look, or a damaged one */
  async look(step: number, sample: number): Promise<Look> {
    const folder = join(this.folder, WATCH_FOLDER);
    const file = join(folder, watchedFile({ sample, step }));
    const watched = parseWatchedStep(new TextDecoder().decode(await readPlainFile(file, LIMIT)));
    const names = [...new Set(watched.blocks.map(({ picture }) => picture.file))];
    const pictures: [string, string][] = [];
    for (const name of names) {
      const bytes = await readPlainFile(join(folder, name), LIMIT);
      pictures.push([name, Buffer.from(bytes).toString('base64')]);
    }
    return { watched, pictures: Object.fromEntries(pictures) };
  }

  dispose(): void {
    this.disposed = true;
    clearTimeout(this.timer);
  }

  private schedule(): void {
    if (this.disposed) return;
    this.timer = setTimeout(() => {
      // A folder that is written to right now may be read in between; the next time comes soon.
      void this.refresh()
        .catch(() => undefined)
        .finally(() => this.schedule());
    }, POLL_MS);
  }

  private async control(): Promise<Control> {
    return controlOf(await text(join(this.folder, CONTROL_FILE))) ?? { want: 'run' };
  }

  private configuredWatch(): WatchRequest | undefined {
    if (this.config === undefined) return undefined;
    const { sample = 0, every = 10 } = this.config.given.watch ?? {};
    return { sample, every };
  }

  private async looksOf(sample: number): Promise<number[]> {
    const files = await readdir(join(this.folder, WATCH_FOLDER)).catch(() => []);
    return files
      .flatMap((file) => {
        const name = watchedNameOf(file);
        return name?.sample === sample ? [name.step] : [];
      })
      .toSorted((a, b) => a - b);
  }
}

/** Only fields that differ; nothing if none does. */
function changeBetween(
  before: TrainingState,
  { metrics, ...after }: TrainingState,
  from: number,
): TrainingChange | undefined {
  const fields = new Set([...Object.keys(before), ...Object.keys(after)]) as Set<keyof typeof after>;
  const changed = [...fields].filter(
    (key) => (key as string) !== 'metrics' && JSON.stringify(before[key]) !== JSON.stringify(after[key]),
  );
  const grown = metrics.length > from || metrics.length < before.metrics.length;
  if (changed.length === 0 && !grown) return undefined;
  return {
    ...Object.fromEntries(changed.map((key) => [key, after[key] ?? null])),
    ...(grown && { metrics: { from, lines: metrics.slice(from) } }),
  };
}

function stateOf(status: RunStatus | undefined, hasSteps: boolean): RunState {
  if (status === undefined) return hasSteps ? 'unknown' : 'starting';
  const said = status.state;
  if (said === 'stopped' || said === 'finished' || said === 'failed') return said;
  return isAtWork(status, MACHINE) ? said : 'killed';
}

function factsOf(resolved: z.output<typeof config> | undefined): string[] {
  if (resolved === undefined) return [];
  const { model, data, stage, batch, schedule, learningRate, teacherDecay } = resolved;
  const teacher =
    teacherDecay === 'frozen' ? t('teacher frozen') : t('teacher decay {0}', teacherDecay ?? '');
  return [
    ...(model === undefined ? [] : [t('from {0}', basename(model))]),
    typeof data === 'string'
      ? t('on {0}', `${basename(dirname(data))}/${basename(data)}`)
      : t('on drawn maps'),
    ...(stage === undefined ? [] : [t('stage {0}', stage)]),
    ...(batch === undefined ? [] : [t('batch {0}', batch)]),
    ...(learningRate === undefined
      ? []
      : [t('learning rate {0}', learningRate) + (schedule ? `, ${schedule}` : '')]),
    ...(teacherDecay === undefined ? [] : [teacher]),
  ];
}

/** Nothing for a file that is not there, is no plain one, or is too large. */
async function text(file: string): Promise<string> {
  return readPlainFile(file, LIMIT).then(
    (bytes) => new TextDecoder().decode(bytes),
    () => '',
  );
}

async function json(file: string): Promise<unknown> {
  try {
    return JSON.parse(await text(file));
  } catch {
    return undefined;
  }
}
