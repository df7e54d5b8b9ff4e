/**
 * `npm run bench -- inference`: our engine beside llama.cpp, transformers.js and PyTorch at real shapes, in turn in one run.
 *
 * Weights are random and made on the spot. Models whose size or time asks for it are cut to some layers; what a token of
 * the whole one takes is computed from that: all but the head's time is multiplied (of llama.cpp, whose head is not
 * separate, the difference to a model of one layer). Everything lies in build/bench, peers too, and is used again.
 *
 *   --shape 0.5b,3b,7b  (all)
 *   --threads 1,2       (both)
 *   --layers N          of the language model, in place of the table's
 *   --context N         tokens that are read before the first of those that are timed (512)
 *   --rounds N          timed rounds of --tokens each (7 of 8)
 *   --racers A,B        only these, by their names in the table; `variants` for interventions together against one
 *   --python FILE       a Python with torch; by default python3 if it has it
 *   --small-pages       without GLIBC_TUNABLES=glibc.malloc.hugetlb=1, which all racers get by default on Linux
 *   --wait SECONDS      at most, for others to leave the processors alone (60)
 *   --quick             two layers, short context, few rounds: to see that it works
 *   --json FILE         all figures
 */

import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { seededNumbers } from '../../../src/base/random.ts';
import { SIZES } from '../../randomCheckpoint.ts';
import { machine, quiet, race, type Course, type Entrant, type Laps } from './contest.ts';
import { shortOf, Stable, type Shape } from './entrants.ts';
import { pythonWithTorch } from './peers.ts';
import { openingRows, pictureRow, variantsRow, type Facts } from './onceRows.ts';
import { lapsTable, raceRows, rowsTable, type Row } from './report.ts';

const { values: options } = parseArgs({
  allowPositionals: true,
  options: {
    shape: { type: 'string', default: '0.5b,3b,7b' },
    threads: { type: 'string', default: '1,2' },
    layers: { type: 'string' },
    context: { type: 'string' },
    rounds: { type: 'string' },
    tokens: { type: 'string', default: '8' },
    racers: { type: 'string' },
    python: { type: 'string' },
    'small-pages': { type: 'boolean', default: false },
    wait: { type: 'string', default: '60' },
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});

/** Not a racer, but chosen as one. */
const VARIANTS = 'variants';
/** Layers that run; all of 0.5b. */
const LAYERS: Record<string, number> = { '0.5b': 24, '3b': 9, '7b': 4 };
/** One in four, with one of four blocks that attend to the whole picture. */
const TOWER_BLOCKS = 8;

const course: Course = {
  rounds: Number(options.rounds ?? (options.quick ? 2 : 7)),
  prefills: options.quick ? 1 : 2,
  tokens: Number(options.tokens),
  context: Number(options.context ?? (options.quick ? 64 : 512)),
};
const environment: Record<string, string> =
  process.platform === 'linux' && !options['small-pages'] ? { GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1' } : {};
const stable = new Stable('build/bench');
const python = await pythonWithTorch(options.python);
if (python === undefined) console.log('no Python with torch: PyTorch is left out (--python FILE)');

function shapeOf(name: string): Shape {
  const size = SIZES[name];
  if (size === undefined) throw new Error(`expected --shape of ${Object.keys(SIZES).join()}, found ${name}`);
  const layers = Number(options.layers ?? (options.quick ? 2 : LAYERS[name]));
  return { name, size: { ...size, layers }, layers, blocks: name === '0.5b' ? 1 : TOWER_BLOCKS };
}

/** Who is compared with whom, as many at a time as 8 GB of memory hold. */
async function groupsOf(shape: Shape, threads: number): Promise<Entrant[][]> {
  const ours = async (...formats: ('float32' | '8bit' | '4bit' | '4bit-fast')[]): Promise<Entrant[]> => {
    const entrants: Entrant[] = [];
    for (const format of formats) entrants.push(await stable.ours(shape, format, threads));
    return entrants;
  };
  if (shape.name === '3b') {
    const peers = python === undefined ? [] : [stable.torch(shape, python, threads)];
    return [[...(await ours('8bit', '4bit', '4bit-fast')), ...peers]];
  }
  const llama = async (format: 'Q8_0' | 'Q4_0'): Promise<Entrant[]> => [
    await stable.llama(shape, format, threads),
    ...(shape.layers === SIZES[shape.name]!.layers ? [] : [await stable.llama(shape, format, threads, 1)]),
  ];
  const small = shape.name === '0.5b';
  return [
    [...(await ours('8bit')), ...(await llama('Q8_0')), ...(small ? await ours('float32') : [])],
    [
      ...(await ours('4bit', '4bit-fast')),
      ...(await llama('Q4_0')),
      ...(small ? [await stable.transformers(shape, threads)] : []),
    ],
  ];
}

function wanted({ name }: Entrant): boolean {
  const names = options.racers?.split(',');
  return names === undefined || names.some((each) => name === each || name === shortOf(each));
}

const facts: Facts = { stable, environment, context: course.context };
const rows: Row[] = [];
const all: { shape: string; layers: number; threads: number; busy: number; laps: Record<string, Laps> }[] =
  [];
const random = seededNumbers(0);
const ids = Array.from({ length: course.context }, () => Math.floor(random() * 150_000));
console.log(machine());
for (const name of options.shape.split(',')) {
  const shape = shapeOf(name);
  for (const threads of options.threads.split(',').map(Number)) {
    const laps = new Map<string, Laps>();
    let busy = 0;
    for (const group of options.racers === VARIANTS ? [] : await groupsOf(shape, threads)) {
      busy = Math.max(busy, await quiet(Number(options.wait)));
      const found = await race(group.filter(wanted), course, environment, ids);
      for (const [racer, of] of found) laps.set(racer, of);
    }
    all.push({ shape: name, layers: shape.layers, threads, busy, laps: Object.fromEntries(laps) });
    if (laps.size > 0) console.log(`\n${lapsTable(shape, threads, busy, course, laps)}`);
    rows.push(...raceRows(shape, threads, laps));
    if (options.racers?.split(',').includes(VARIANTS) !== false)
      rows.push(await variantsRow(facts, shape, threads));
    if (options.racers === undefined) {
      rows.push(...(await openingRows(facts, shape, threads, laps)));
      if (name === '3b') rows.push(await pictureRow(facts, shape, threads));
    }
  }
}
console.log(`\n${rowsTable(rows)}`);
if (options.json !== undefined) {
  const report = { machine: machine(), environment, course, rows, races: all };
  await writeFile(options.json, `${JSON.stringify(report, null, 2)}\n`);
}
