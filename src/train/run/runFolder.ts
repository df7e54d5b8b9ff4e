/**
 * A run's folder:
 *
 *   config.json           the config as given, and complete with what it rests on
 *   metrics.jsonl         a line for each step
 *   curves.svg            the losses so far
 *   checkpoints/step-N/   see ./savedState.ts
 *   latest                name of the checkpoint to go on from; written last
 *   status.json, control.json   see ../../watch/status.ts
 *   watch/                see ../../watch/watched.ts
 */

import { appendFile, mkdir, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { UserError } from '../../base/errors.ts';
import { namesOf } from '../../files/ownFolder.ts';
import { isFile } from '../../files/plainFile.ts';
import { parseWith, readJson, readText, show } from '../../checkpoint/json.ts';
import { cannotWrite, isSystemError, replaceFile, writeJson } from '../../files/replaceFile.ts';
import { metricOf, type Metric } from '../../watch/metrics.ts';
import { completed } from './config.ts';
import { curvesSvg } from './curves.ts';

const Stored = z.object({ resolved: z.record(z.string(), z.unknown()) });

export class RunFolder {
  readonly folder: string;
  private metrics: Metric[] = [];

  private constructor(folder: string) {
    this.folder = folder;
  }

  /**
   * Makes the folder, or opens it to go on.
   * @param resolved everything that the losses depend on
   * @returns with the checkpoint's folder to go on from, if there is one
   * @throws UserError if it holds a run of another config or files of somebody else's, or cannot be written
   */
  static async open(
    folder: string,
    given: unknown,
    resolved: Record<string, unknown>,
  ): Promise<{ run: RunFolder; resumeFrom: string | undefined }> {
    const run = new RunFolder(folder);
    const file = path.join(folder, 'config.json');
    if (await isFile(file)) checkSame(resolved, parseWith(Stored, await readJson(file), file).resolved, file);
    else {
      await refuseOthers(folder);
      await writing(folder, () => mkdir(path.join(folder, 'checkpoints'), { recursive: true }));
      await writeJson(file, { given, resolved });
    }
    const step = await latestStep(folder);
    await run.dropMetricsAfter(step ?? 0);
    return { run, resumeFrom: step === undefined ? undefined : checkpointFolder(folder, step) };
  }

  checkpointFolder(step: number): string {
    return checkpointFolder(this.folder, step);
  }

  async append(line: Metric): Promise<void> {
    this.metrics.push(line);
    await writing(this.metricsFile, () => appendFile(this.metricsFile, `${JSON.stringify(line)}\n`));
  }

  /** Names the checkpoint, which is complete, as the one to go on from, and draws the curves. */
  async finishCheckpoint(step: number): Promise<void> {
    await replaceFile(path.join(this.folder, 'curves.svg'), curvesSvg(this.metrics));
    await replaceFile(path.join(this.folder, 'latest'), `step-${step}\n`);
  }

  private get metricsFile(): string {
    return path.join(this.folder, 'metrics.jsonl');
  }

  /** Lines of steps that will be done again go, and so does a line that was cut. */
  private async dropMetricsAfter(step: number): Promise<void> {
    if (!(await isFile(this.metricsFile))) return;
    const lines = (await readFile(this.metricsFile, 'utf8')).split('\n');
    this.metrics = lines.flatMap((line) => metricOf(line) ?? []).filter((line) => line.step <= step);
    await replaceFile(this.metricsFile, this.metrics.map((line) => `${JSON.stringify(line)}\n`).join(''));
  }
}

/** Only a folder without a run's config is asked: what a run adds to its own is nobody else's. */
async function refuseOthers(folder: string): Promise<void> {
  const names = await readdir(folder).catch((): string[] => []);
  // A run that was ended before it had written its config.
  const others = names.filter((name) => name !== 'checkpoints' && !/^config\.json\.\w+\.part$/.test(name));
  if (others.length === 0) return;
  throw new UserError({
    problem: 'A run would be written among other files',
    expected: 'a folder that is empty, does not exist yet, or holds this run',
    found: namesOf(others),
    where: folder,
    remedy: 'Name another folder in "run".',
  });
}

/** @throws UserError naming the settings that differ */
function checkSame(now: Record<string, unknown>, before: Record<string, unknown>, file: string): void {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(now)])];
  const stored = completed(before);
  const differing = keys.filter((key) => JSON.stringify(now[key]) !== JSON.stringify(stored[key]));
  if (differing.length === 0) return;
  const list = (values: Readonly<Record<string, unknown>>): string =>
    differing.map((key) => `${key} ${show(values[key])}`).join(', ');
  throw new UserError({
    problem: 'The run folder holds a run of another config',
    expected: list(stored),
    found: list(now),
    where: file,
    remedy: 'Go on with the config of that run, or name another folder in "run".',
  });
}

/** @throws UserError for what the disk refuses */
export async function writing(where: string, write: () => Promise<unknown>): Promise<void> {
  try {
    await write();
  } catch (error) {
    throw isSystemError(error) ? cannotWrite(where, error) : error;
  }
}

/**
 * The step of the checkpoint to go on from; undefined if the folder has none.
 * @throws UserError if what names it is damaged
 */
async function latestStep(run: string): Promise<number | undefined> {
  const latest = path.join(run, 'latest');
  if (!(await isFile(latest))) return undefined;
  const name = (await readText(latest)).trim();
  const step = /^step-(\d+)$/.exec(name)?.[1];
  if (step !== undefined) return Number(step);
  throw new UserError({
    problem: 'The name of the latest checkpoint is damaged',
    expected: 'step-N',
    found: show(name),
    where: latest,
    remedy: 'Write the name of a folder of checkpoints/ into it.',
  });
}

function checkpointFolder(run: string, step: number): string {
  return path.join(run, 'checkpoints', `step-${step}`);
}

/** A run's newest checkpoint; any other folder is itself. */
export async function newestCheckpoint(folder: string): Promise<string> {
  const step = await latestStep(folder);
  return step === undefined ? folder : checkpointFolder(folder, step);
}
