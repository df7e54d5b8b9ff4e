/** The config that "Train on dataset…" writes beside a dataset. */

import { stat } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { readLines } from '../../dataset/lines.ts';
import { rootAboveOf } from '../../dataset/samples.ts';

/** What configs are called, so that editors and menus know them. */
export const CONFIG_ENDING = '.train.json';

/** Times through the dataset that are proposed. */
const EPOCHS = 10;
const BATCH = 8;

export interface TemplateChoices {
  /** Absolute paths. */
  dataset: string;
  model: string;
  stage: 1 | 2;
}

/** Absolute path of a config file that does not exist yet, beside the dataset. */
export async function freeConfigName(dataset: string): Promise<string> {
  const name = basename(dataset, '.jsonl');
  for (let copy = 1; ; copy++) {
    const file = join(dirname(dataset), `${name}${copy === 1 ? '' : `-${copy}`}${CONFIG_ENDING}`);
    const isTaken = await stat(file).then(
      () => true,
      () => false,
    );
    if (!isTaken) return file;
  }
}

/**
 * Text of a config that is to be saved as `file`; what it leaves out has the release's values.
 * @throws UserError if the dataset cannot be read
 */
export async function configFor(file: string, { dataset, model, stage }: TemplateChoices): Promise<string> {
  const folder = dirname(file);
  let samples = 0;
  for await (const _ of readLines(dataset)) samples++;
  const root = await rootAboveOf(dataset);
  const batch = Math.max(1, Math.min(BATCH, samples));
  const steps = Math.max(1, Math.ceil((EPOCHS * samples) / batch));
  const config = {
    model: within(folder, model),
    data: within(folder, dataset),
    ...(root !== undefined && { pictures: root }),
    run: `runs/${basename(file, CONFIG_ENDING)}`,
    stage,
    steps,
    batch,
    learningRate: 1e-5,
    warmupSteps: Math.min(10, steps),
    checkpointEvery: Math.max(1, Math.min(100, Math.ceil(steps / 10))),
    watch: { sample: 0, every: Math.max(1, Math.min(10, Math.floor(steps / 20))) },
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

/** Relative where that does not lead out of the folder, with slashes on every system. */
function within(folder: string, path: string): string {
  const way = relative(folder, path);
  return way.startsWith('..') || way === '' || /^[a-z]:/i.test(way) ? path : way.replaceAll('\\', '/');
}
