/**
 * `npm run train:ablations`: what each part of the recipe gives, by short runs of equal budgets.
 *
 * Every run begins with models/recipe/base and sees the same maps: as many steps of stage 1 and stage 2 as stand
 * below unless its variant says otherwise; then it answers the same held-out maps. Prints a table for docs/log.md.
 * Run folders and results are in build/ablations; a finished run is not done again, a stopped one goes on.
 */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { wilsonInterval } from '../src/dataset/statistics.ts';
import { against, count, ilvr, percent, printRow, root } from './ablationTable.ts';

const SEEDS = [1, 2];
const STEPS = { stage1: 40, stage2: 60 };
const GENERATOR = { sizes: [3, 4], form: 'cells-and-latents' };
const SETTINGS = {
  batch: 16,
  microBatch: 8,
  workers: 2,
  schedule: 'cosine',
  learningRate: 0.0005,
  warmupSteps: 10,
  beta2: 0.98,
  teacherDecay: 0.99,
  checkpointEvery: 1000,
  watch: { every: 0 },
};

interface Variant {
  settings?: object;
  generator?: object;
  /** All steps are of this stage. */
  only?: 1 | 2;
}

const VARIANTS: Record<string, Variant> = {
  'the recipe: selection, EMA 0.99, K = 8, both stages': {},
  'teacher frozen': { settings: { teacherDecay: 'frozen' } },
  'targets: mean of the patches': { settings: { targets: 'mean' } },
  'targets: random patches': { settings: { targets: 'random' } },
  'K = 4': { settings: { latentSize: 4 } },
  'stage 1 alone': { only: 1 },
  'stage 2 alone': { only: 2 },
  'no latents': { only: 1, generator: { form: 'cells' } },
};

const folder = path.join(root, 'build/ablations');

mkdirSync(folder, { recursive: true });
const maps = path.join(folder, 'maps');
await ilvr('generate-maps', maps, '--count', '200', '--sizes', '3,4', '--split', 'held-out', '--seed', '80');

// All variants with one seed before the next: what is stopped early still compares.
const answers = new Map<string, boolean[][]>(Object.keys(VARIANTS).map((name) => [name, []]));
for (const seed of SEEDS)
  for (const [i, [name, variant]] of Object.entries(VARIANTS).entries())
    answers.get(name)!.push(await score(await train(i, seed, variant)));

const recipe = [...answers.values()][0]!.flat();
printRow('variant', ...SEEDS.map((seed) => `seed ${seed}`), 'both', '95 % interval', 'against the recipe');
printRow(...Array<string>(SEEDS.length + 4).fill('---'));
for (const [name, results] of answers) {
  const all = results.flat();
  const { low, high } = wilsonInterval(count(all), all.length);
  const interval = `${percent(low)} to ${percent(high)} %`;
  printRow(name, ...results.map(count), `${count(all)} of ${all.length}`, interval, against(recipe, all));
}

/** Trains a variant. @returns its last checkpoint */
async function train(index: number, seed: number, { settings, generator, only }: Variant): Promise<string> {
  const total = STEPS.stage1 + STEPS.stage2;
  const stages =
    only === undefined ? [STEPS.stage1, STEPS.stage2] : [1, 2].map((n) => (n === only ? total : 0));
  let model = path.join(root, 'models/recipe/base');
  for (const [i, steps] of stages.entries()) {
    if (steps === 0) continue;
    const name = path.join(folder, `${index}-seed${seed}-stage${i + 1}`);
    const data = { generator: { ...GENERATOR, ...generator, seed: 10 * seed + i } };
    // Stage 2 has no teacher and no targets: what is set there changes nothing.
    const config = { model, data, run: name, stage: i + 1, steps, seed, ...SETTINGS, ...settings };
    writeFileSync(`${name}.json`, JSON.stringify(config, null, 2));
    model = path.join(name, 'checkpoints', `step-${steps}`);
    if (!existsSync(model)) await ilvr('train', `${name}.json`);
  }
  return model;
}

/** Which of the maps the model answers. */
async function score(model: string): Promise<boolean[]> {
  const results = path.join(model, 'held-out.jsonl');
  const samples = path.join(maps, 'samples.jsonl');
  await ilvr('evaluate', samples, '--model', model, '--device', 'cpu', '--results', results, '--quiet');
  const lines = readFileSync(results, 'utf8').trim().split('\n').slice(1);
  return lines.map((line) => (JSON.parse(line) as { success: boolean }).success);
}
