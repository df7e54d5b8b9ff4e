/**
 * `npm run train:world-ablations`: what latents, and each part of how they are trained, give a small model of worlds, for
 * as many seconds of the processor each.
 *
 * Worlds are of 3×3 cells, with one to six moves against crates that change places (docs/latents.md); a block has a latent
 * for each cell. Every run of a seed begins with the same model: the bundled tower, and a new decoder that has read pictures
 * out in words, never a move. The recipe sets the budget: the variants in one phase get as many steps as take as long. Then all
 * answer the same held-out worlds. Prints a table for docs/log.md.
 *
 *   npx tsx scripts/worldAblations.ts [--seeds 0,1] [--only recipe,pads] [--count 50]
 *
 * Run folders and results are in build/world-ablations; a finished phase is not done again, a stopped one goes on.
 */

import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { wilsonInterval } from '../src/dataset/statistics.ts';
import { against, count, ilvr, percent, printRow, root } from './ablationTable.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '0,1' },
    only: { type: 'string' },
    count: { type: 'string', default: '50' },
  },
});
const SEEDS = values.seeds.split(',').map(Number);

const CELLS = 3;
/** Pixels a side of a cell, as large as a merged token: each cell is one. */
const CELL = 28;
const MOVES = [3, 5, 4, 2, 6, 1];
const BY_MOVES = MOVES.toSorted((a, b) => a - b);
const BATCH = 64;
const WORLDS = {
  sizes: [CELLS],
  dynamics: ['swaps'],
  moves: MOVES,
  alike: BATCH,
  walks: 8,
  questions: ['state'],
  style: [1],
  cell: CELL,
};
const SETTINGS = {
  batch: BATCH,
  microBatch: BATCH,
  workers: 1,
  schedule: 'linear',
  warmupSteps: 20,
  beta2: 0.98,
  rounding: { opening: 8, text: 4, past: 8 },
  checkpointEvery: 50,
  watch: { every: 0 },
};
/** Pictures read out in words: what every run begins with. */
const BASE = {
  stage: 'base',
  steps: 160,
  batch: 32,
  microBatch: 32,
  learningRate: 0.002,
  schedule: 'cosine',
};
/** A target for each cell, of the length of the states that the model feeds itself later. */
const TARGETS = {
  stage: 1,
  latentSize: CELLS * CELLS,
  targets: 'mean',
  targetLength: 14.1,
  teacherDecay: 'frozen',
  weighChanges: true,
};

interface Phase {
  /** Absent: as many as the budget allows. */
  steps?: number;
  settings: object;
  worlds?: object;
}

/** The recipe: perfect targets, the same with the model's own thoughts, then recurrence. */
function recipe(targets: object = {}): Phase[] {
  const rule = { ...TARGETS, ...targets };
  return [
    { steps: 500, settings: { ...rule, learningRate: 0.0015, clip: 1, skipAbove: 20 } },
    { steps: 400, settings: { ...rule, learningRate: 0.001, clip: 0.5, skipAbove: 5, ownPasses: 1 } },
    { steps: 700, settings: { stage: 2, learningRate: 0.0006, clip: 0.3, skipAbove: 5 } },
  ];
}

/** Words alone are learnt. */
function wordsAlone(form: string): Phase[] {
  const rule = { stage: 1, latentSize: CELLS * CELLS, targets: 'none', teacherDecay: 'frozen' };
  return [{ settings: { ...rule, learningRate: 0.0015, clip: 1, skipAbove: 20 }, worlds: { form } }];
}

/** Words alone are learnt, through latents that nothing aligns. No step is left out: with a bound of 5 all of them were. */
function recurrence(latentSize: number): Phase[] {
  return [{ settings: { stage: 2, latentSize, learningRate: 0.0006, clip: 0.3 } }];
}

/** Without order in the targets there is no counterpart in the block before. */
const UNWEIGHED = { weighChanges: false };

const VARIANTS: Record<string, { what: string; phases: Phase[] }> = {
  recipe: { what: 'both stages, a target for each cell', phases: recipe() },
  none: { what: 'no latents', phases: wordsAlone('moves') },
  pads: { what: 'pads in the slots', phases: wordsAlone('latents') },
  words: { what: 'words that state everything', phases: wordsAlone('states') },
  recurrence: { what: 'stage 2 alone', phases: recurrence(CELLS * CELLS) },
  recurrence2: { what: 'stage 2 alone, K = 2', phases: recurrence(2) },
  ema: { what: 'teacher by EMA 0.99', phases: recipe({ teacherDecay: 0.99 }) },
  unweighed: { what: 'changes not weighed', phases: recipe(UNWEIGHED) },
  selected: { what: 'the teacher’s selection', phases: recipe({ ...UNWEIGHED, targets: 'selected' }) },
  random: { what: 'random patches', phases: recipe({ ...UNWEIGHED, targets: 'random' }) },
  selected4: {
    what: 'selection, K = 4',
    phases: recipe({ ...UNWEIGHED, targets: 'selected', latentSize: 4 }),
  },
  random4: {
    what: 'random patches, K = 4',
    phases: recipe({ ...UNWEIGHED, targets: 'random', latentSize: 4 }),
  },
  mean4: { what: 'means of patches, K = 4', phases: recipe({ ...UNWEIGHED, latentSize: 4 }) },
};
const wanted = values.only?.split(',') ?? Object.keys(VARIANTS);

const folder = path.join(root, 'build/world-ablations');
mkdirSync(folder, { recursive: true });

/** Right or wrong by seed, then over the worlds of each number of moves. */
const answers = new Map<string, boolean[][][]>(wanted.map((name) => [name, []]));
const taken = new Map<string, number[]>(wanted.map((name) => [name, []]));
for (const seed of SEEDS) {
  const start = await startOf(seed);
  // The budget is the recipe's, so that comes first.
  const budget = await train('recipe', seed, start);
  for (const name of wanted) {
    const { model, seconds } = await train(name, seed, start, budget.seconds);
    taken.get(name)!.push(seconds);
    answers.get(name)!.push(await scores(name, model));
  }
}

printRow('variant', 'seed', 'seconds', ...BY_MOVES, 'all', '95 % interval', 'against the recipe');
printRow(...Array<string>(6 + MOVES.length).fill('---'));
for (const [name, bySeed] of answers)
  for (const [i, seed] of SEEDS.entries()) {
    const all = bySeed[i]!.flat();
    const { low, high } = wilsonInterval(count(all), all.length);
    printRow(
      VARIANTS[name]!.what,
      seed,
      Math.round(taken.get(name)![i]!),
      ...bySeed[i]!.map(count),
      `${count(all)} of ${all.length}`,
      `${percent(low)} to ${percent(high)} %`,
      answers.has('recipe') ? against(answers.get('recipe')![i]!.flat(), all) : '',
    );
  }

/** Of `ilvr train`. */
interface Config {
  model: string;
  [setting: string]: unknown;
}

interface Trained {
  model: string;
  /** Of the processor, all phases together. */
  seconds: number;
}

/** The bundled tower with a new decoder that reads pictures out. @returns its checkpoint */
async function startOf(seed: number): Promise<string> {
  const initial = path.join(folder, `initial-${seed}`);
  if (!existsSync(initial))
    await ilvr('initialise', description(), initial, '--seed', String(seed), '--tower', 'bundled:worlds');
  const settings = { ...SETTINGS, ...BASE, rounding: undefined };
  const worlds = { ...WORLDS, moves: [0], alike: BASE.batch, walks: 1, seed: 200 + seed };
  return (await runPhase(`base-${seed}`, { model: initial, data: { worlds }, seed, ...settings })).model;
}

/** That of the bundled model, but that its processor leaves these smaller pictures at their size. */
function description(): string {
  const blank = path.join(folder, 'blank');
  cpSync(path.join(root, 'models/recipe/worlds/blank'), blank, { recursive: true });
  const file = path.join(blank, 'preprocessor_config.json');
  const processor = JSON.parse(readFileSync(file, 'utf8')) as object;
  const pixels = (CELLS * CELL) ** 2;
  writeFileSync(file, JSON.stringify({ ...processor, min_pixels: pixels, max_pixels: pixels }));
  return blank;
}

/** @param budget in seconds, for phases that have no number of steps */
async function train(name: string, seed: number, start: string, budget = 0): Promise<Trained> {
  let [model, seconds] = [start, 0];
  for (const [i, { steps, settings, worlds }] of VARIANTS[name]!.phases.entries()) {
    const data = { worlds: { ...WORLDS, ...worlds, seed: 1000 * (seed + 1) + 100 * i } };
    const config = { model, data, seed, ...SETTINGS, ...settings };
    const length = steps ?? (await stepsWithin(budget, `${name}-${seed}`, config));
    const phase = await runPhase(`${name}-${seed}-${i}`, { ...config, steps: length });
    model = phase.model;
    seconds += phase.seconds;
  }
  return { model, seconds };
}

/** How many steps take so long, by a few of each number of moves; what a run takes to begin does not count. */
async function stepsWithin(seconds: number, name: string, config: Config): Promise<number> {
  const file = path.join(folder, `${name}.steps`);
  if (!existsSync(file)) {
    const [few, more] = [MOVES.length, 5 * MOVES.length];
    const shorter = await runPhase(`${name}-probe`, { ...config, steps: few });
    const longer = await runPhase(`${name}-probe-longer`, { ...config, steps: more });
    const rounds = (seconds * (more - few)) / (longer.seconds - shorter.seconds) / MOVES.length;
    writeFileSync(file, String(Math.round(rounds) * MOVES.length));
  }
  return Number(readFileSync(file, 'utf8'));
}

/** Trains to the end, once. */
async function runPhase(name: string, config: Config & { steps: number }): Promise<Trained> {
  const run = path.join(folder, name);
  const model = path.join(run, 'checkpoints', `step-${config.steps}`);
  const clock = `${run}.seconds`;
  writeFileSync(`${run}.json`, JSON.stringify({ ...config, run }, null, 2));
  if (!existsSync(model)) {
    const before = secondsOfChildren();
    await ilvr('train', `${run}.json`);
    // A run that was stopped is timed from where it went on: its budget is then that of the part.
    writeFileSync(clock, String(secondsOfChildren() - before));
  }
  return { model, seconds: Number(readFileSync(clock, 'utf8')) };
}

/** Of the processor, by children that have ended: Linux tells it in hundredths. */
function secondsOfChildren(): number {
  const facts = readFileSync('/proc/self/stat', 'utf8');
  const fields = facts.slice(facts.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[13]) + Number(fields[14])) / 100;
}

/** Which held-out worlds it answers, by number of moves. */
async function scores(name: string, model: string): Promise<boolean[][]> {
  const right: boolean[][] = [];
  for (const moves of BY_MOVES) {
    const worlds = path.join(folder, `held-out-${values.count}-${moves}`);
    const drawn = ['--count', values.count, '--moves', String(moves), '--sizes', String(CELLS)];
    const rest = ['--dynamics', 'swaps', '--questions', 'state', '--style', '1', '--cell', String(CELL)];
    await ilvr('generate-worlds', worlds, ...drawn, ...rest, '--split', 'held-out', '--seed', '77');
    const results = path.join(model, `held-out-${values.count}-${moves}.jsonl`);
    const file = path.join(worlds, 'samples.jsonl');
    const how = ['--sample-questions', '--device', 'cpu', '--jobs', '1', '--quiet', '--results', results];
    // Pads are what it was trained with.
    const fed = name === 'pads' ? ['--intervene', 'dummy'] : [];
    await ilvr('evaluate', file, '--model', model, ...how, ...fed);
    const lines = readFileSync(results, 'utf8').trim().split('\n').slice(1);
    right.push(lines.map((line) => (JSON.parse(line) as { success: boolean }).success));
  }
  return right;
}
