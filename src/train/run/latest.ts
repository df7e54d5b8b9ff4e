/** Which checkpoint of a run is the newest. */

import path from 'node:path';
import { UserError } from '../../base/errors.ts';
import { isFile } from '../../files/plainFile.ts';
import { readText, show } from '../../checkpoint/json.ts';

/**
 * The step of the checkpoint to go on from; undefined if the folder has none.
 * @throws UserError if what names it is damaged
 */
export async function latestStep(run: string): Promise<number | undefined> {
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

export function checkpointFolder(run: string, step: number): string {
  return path.join(run, 'checkpoints', `step-${step}`);
}

/** A run's newest checkpoint; any other folder is itself. */
export async function newestCheckpoint(folder: string): Promise<string> {
  const step = await latestStep(folder);
  return step === undefined ? folder : checkpointFolder(folder, step);
}
