/**
 * What the latents of a model of worlds hold, measured in one process on worlds drawn on the fly: answers by number of
 * moves with its own latents and with replaced ones, where latents point in the picture after their move, what a linear
 * probe reads from them, and what a block's latents from another walk make of the answer.
 *
 *   npx tsx scripts/worldMeasures.ts MODEL [--count 100] [--moves 1-6] [--seed 100] [--questions state] …
 *
 * Options as of `ilvr generate-worlds`; `--only answers` leaves all but the answers out. Prints Markdown for docs/log.md.
 */

import { parseArgs } from 'node:util';
import { messageOf } from '../src/base/errors.ts';
import { lastBoxed } from '../src/trace/answer.ts';
import { openCheckpoint } from '../src/checkpoint/checkpoint.ts';
import { encodePrompt, promptParts } from '../src/checkpoint/text/chatTemplate.ts';
import { prepareImage } from '../src/checkpoint/pixels/image.ts';
import { wilsonInterval } from '../src/dataset/statistics.ts';
import { generateVariants, type Variant } from '../src/inference/generate.ts';
import { Model } from '../src/inference/model.ts';
import type { Prompt } from '../src/inference/prompt.ts';
import type { Picture } from '../src/mazes/picture.ts';
import { cosines } from '../src/model/selection.ts';
import type { LatentIntervention } from '../src/protocol/engine.ts';
import type { NumericArray } from '../src/tensor/array.ts';
import { stateText } from '../src/worlds/notation.ts';
import { parseChoices, parseNumbers, parseStyles } from '../src/worlds/parse.ts';
import { WORLD_QUESTIONS } from '../src/worlds/questions.ts';
import { WORLD_DEFAULTS, worldItem, type WorldItem, type WorldOptions } from '../src/worlds/stream.ts';
import { changedCells, CONTENTS, contentsOf, DYNAMICS, statesAfter } from '../src/worlds/world.ts';

process.on('uncaughtException', (error) => {
  console.error(messageOf(error));
  process.exit(1);
});

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    count: { type: 'string', default: '100' },
    moves: { type: 'string', default: '1-6' },
    seed: { type: 'string', default: '100' },
    sizes: { type: 'string', default: '4' },
    dynamics: { type: 'string', default: 'crates' },
    questions: { type: 'string', default: 'state' },
    style: { type: 'string', default: '1,5,6,9,11,19' },
    only: { type: 'string' },
  },
});
const [folder] = positionals;
if (folder === undefined) throw new Error('usage: worldMeasures.ts MODEL [options]');
const [count] = parseNumbers('number of worlds', values.count, 1, 100_000) as [number];
const lengths = parseNumbers('number of moves', values.moves, 0, 64);
if (values.only !== undefined && values.only !== 'answers') throw new Error('--only answers is all there is');
const options: WorldOptions = {
  ...WORLD_DEFAULTS,
  split: 'held-out',
  seed: parseNumbers('seed', values.seed, 0, 2 ** 32 - 1)[0]!,
  sizes: parseNumbers('size', values.sizes, 3, 6),
  dynamics: parseChoices('kind of dynamics', values.dynamics, DYNAMICS),
  questions: parseChoices('question', values.questions, WORLD_QUESTIONS),
  style: parseStyles(values.style),
  cell: 28,
};
const model = await Model.open(await openCheckpoint(folder), 'cpu', undefined, 1);
const { checkpoint } = model;

interface Run {
  answer: string;
  /** By block. */
  latents: Float32Array[][];
  /** By block, latent and layer: attention to the tokens of the picture, mean of the heads. */
  looks: number[][][][];
}

async function look(
  picture: Picture,
): Promise<{ features: NumericArray; grid: { height: number; width: number } }> {
  const image = { ...picture, exifOrientation: 1, format: 'generated' } as const;
  const { pixelValues, grid } = prepareImage(image, checkpoint.processor);
  return { features: await model.encodeImage(pixelValues, grid), grid };
}

async function promptOf({ question, picture }: WorldItem): Promise<Prompt & { ids: number[] }> {
  const seen = await look(picture());
  const parts = promptParts(question.text, 1, 'placeholder');
  const { ids } = encodePrompt(checkpoint, { parts }, [seen.features.shape[0]!]);
  return { ids, ...(await model.embedPrompt(ids, [seen])) };
}

/** The item's answer with each intervention; all go through the model together. */
async function answers(
  prompt: Prompt & { ids: number[] },
  interventions: readonly (LatentIntervention | undefined)[],
): Promise<Run[]> {
  const runs = interventions.map(() => ({
    ids: [] as number[],
    latents: [] as Float32Array[][],
    looks: [] as number[][][][],
  }));
  const variants = interventions.map((intervention, i): Variant => ({
    intervention,
    observer: {
      token: async ({ id }) => {
        runs[i]!.ids.push(id);
      },
      fed: async ({ block = 0 }, { vector, attention }) => {
        if (vector === undefined) return;
        (runs[i]!.latents[block] ??= []).push(vector);
        if (i === 0) (runs[i]!.looks[block] ??= []).push(lookOf(attention, prompt.ids));
      },
    },
  }));
  const settings = {
    latents: 'forced',
    maxTokens: 256,
    temperature: 0,
    topP: 1,
    repetitionPenalty: 1,
    seed: 0,
  } as const;
  await generateVariants(model, { ...prompt, ...settings, force: {} }, variants);
  return runs.map(({ ids, ...seen }) => {
    const text = checkpoint.tokenizer.decode(ids, { skipSpecial: true });
    return { answer: lastBoxed(text) ?? '', ...seen };
  });
}

/** By layer. @param attention (layers, heads, keys) */
function lookOf({ shape, data }: NumericArray, ids: readonly number[]): number[][] {
  const [layers, heads, keys] = shape as [number, number, number];
  const pads = ids.flatMap((id, i) => (id === checkpoint.config.tokens.imagePad ? [i] : []));
  return Array.from({ length: layers }, (_, layer) =>
    pads.map((pad) => {
      let sum = 0;
      for (let head = 0; head < heads; head++) sum += data[(layer * heads + head) * keys + pad]!;
      return sum / heads;
    }),
  );
}

const FED = ['own', 'zeroed', 'noise', 'pads', 'another world’s'] as const;

/** An item of so many moves, with what is fed in place of its latents; the sample before gives the other world's. */
async function answerAll(moves: number): Promise<{ items: WorldItem[]; runs: Run[][] }> {
  const items = Array.from({ length: count }, (_, i) => worldItem({ ...options, moves: [moves] }, i));
  const runs: Run[][] = [];
  for (const [i, item] of items.entries()) {
    const other = runs[i - 1]?.[0]?.latents.flat();
    const interventions: (LatentIntervention | undefined)[] = [
      undefined,
      { kind: 'zero' },
      { kind: 'noise', sample: i },
      { kind: 'dummy' },
      ...(other === undefined ? [] : [{ kind: 'swap', latents: other } as const]),
    ];
    runs.push(await answers(await promptOf(item), moves === 0 ? [undefined] : interventions));
  }
  return { items, runs };
}

const isRight = ({ question }: WorldItem, run: Run | undefined): boolean => run?.answer === question.answer;
const percent = (share: number): string => (100 * share).toFixed(1);

function shareOf(right: number, all: number): string {
  const { low, high } = wilsonInterval(right, all);
  return `${right}/${all} (${percent(low)} to ${percent(high)} %)`;
}

const row = (...cells: (string | number)[]): void => console.log(`| ${cells.join(' | ')} |`);

row('moves', ...FED);
row('---', ...FED.map(() => '---'));
const measured: { moves: number; items: WorldItem[]; runs: Run[][] }[] = [];
for (const moves of lengths) {
  const { items, runs } = await answerAll(moves);
  measured.push({ moves, items, runs });
  const cells = FED.map((_, variant) => {
    const tried = items.flatMap((item, i) =>
      runs[i]![variant] === undefined ? [] : [isRight(item, runs[i]![variant])],
    );
    return tried.length === 0 ? '' : shareOf(tried.filter(Boolean).length, tried.length);
  });
  row(moves, ...cells);
}
if (values.only !== 'answers') {
  await pointing();
  looking();
  changing();
  probe();
  await exchanged('one block');
  await exchanged('all up to a block');
}
await model.release();

/**
 * Where there are as many latents as cells: is the patch of the picture after the move that is nearest to a latent its own
 * cell, and does it show what that cell shows? Of cells that the move changed alone, as others show the same before and after.
 */
async function pointing(): Promise<void> {
  let [own, same, stale, all] = [0, 0, 0, 0];
  for (const { items, runs } of measured)
    for (const [i, { world, states, drawHelper }] of items.entries())
      for (const [block, state] of states.entries()) {
        const before = states[block - 1] ?? world.state;
        const changed = changedCells(world.layout, before, state);
        const { features } = await look(drawHelper(state));
        const latents = runs[i]![0]!.latents[block];
        const contents = contentsOf(world.layout, state);
        if (features.shape[0] !== contents.length || latents?.length !== contents.length) continue;
        for (const cell of changed) {
          const similar = [...cosines(latents[cell]!, features)];
          const nearest = contents[similar.indexOf(Math.max(...similar))];
          own += Number(similar.indexOf(Math.max(...similar)) === cell);
          same += Number(nearest === contents[cell]);
          stale += Number(nearest === contentsOf(world.layout, before)[cell]);
          all++;
        }
      }
  if (all === 0) return;
  console.log(
    `\nSimilarity to the picture after the move, of latents whose cell it changed: the nearest patch shows what the cell shows now for ${shareOf(same, all)}, what it showed before for ${shareOf(stale, all)}; it is the cell itself for ${shareOf(own, all)}.`,
  );
}

/** Whether a latent's attention to the picture is largest at its own cell, and a block's at one that the move changed. */
function looking(): void {
  const layers = measured[0]?.runs[0]?.[0]?.looks[0]?.[0]?.length ?? 0;
  for (let layer = 0; layer < layers; layer++) {
    let [own, latents, hits, blocks, chance, mass] = [0, 0, 0, 0, 0, 0];
    for (const { items, runs } of measured)
      for (const [i, { world, states }] of items.entries())
        for (const [block, state] of states.entries()) {
          const maps = (runs[i]![0]!.looks[block] ?? []).map((map) => map[layer]!);
          const cells = world.layout.size ** 2;
          if (maps.length !== cells || maps[0]!.length !== cells) continue;
          const peak = (map: readonly number[]): number => map.indexOf(Math.max(...map));
          own += maps.filter((map, cell) => peak(map) === cell).length;
          mass += maps.flat().reduce((sum, value) => sum + value, 0);
          latents += cells;
          const changed = changedCells(world.layout, states[block - 1] ?? world.state, state);
          if (changed.length === 0) continue;
          const together = maps[0]!.map((_, cell) => maps.reduce((sum, map) => sum + map[cell]!, 0));
          hits += Number(changed.includes(peak(together)));
          chance += changed.length / cells;
          blocks++;
        }
    if (latents === 0) return;
    console.log(
      `\nAttention to the picture, layer ${layer + 1}: ${percent(mass / latents)} % of a latent's; largest at the latent's own cell for ${shareOf(own, latents)}; the block's at a changed cell for ${shareOf(hits, blocks)}, by chance ${percent(chance / blocks)} %.`,
    );
  }
}

/**
 * Where there are as many latents as cells, each stands for its own: is the one that differs most from its counterpart in
 * the block before at a cell that the move changed?
 */
function changing(): void {
  let [hits, kept, all, chance] = [0, 0, 0, 0];
  for (const { items, runs } of measured)
    for (const [i, { world, states }] of items.entries())
      for (const [block, state] of states.entries()) {
        const before = runs[i]![0]!.latents[block - 1];
        const latents = runs[i]![0]!.latents[block];
        const cells = world.layout.size ** 2;
        if (before?.length !== cells || latents?.length !== cells) continue;
        const changed = changedCells(world.layout, states[block - 1]!, state);
        if (changed.length === 0) continue;
        const similar = latents.map((latent, cell) => {
          const shape = [1, latent.length];
          return cosines(latent, { shape, data: before[cell]! })[0]!;
        });
        const order = [...similar.keys()].toSorted((a, b) => similar[a]! - similar[b]!);
        hits += Number(changed.includes(order[0]!));
        kept += Number(order.slice(0, changed.length).every((cell) => changed.includes(cell)));
        chance += changed.length / cells;
        all++;
      }
  if (all === 0) return;
  console.log(
    `\nLatents against those of the block before, cell by cell: the one that differs most is at a changed cell for ${shareOf(hits, all)} of moves that change something, by chance ${percent(chance / all)} %; all changed cells and no other differ most for ${shareOf(kept, all)}.`,
  );
}

/**
 * Where there are as many latents as cells: ridge regression from a latent to what its own cell shows after the move, one
 * for all cells, on every other world; told of the worlds between.
 */
function probe(): void {
  interface Row {
    fits: boolean;
    /** Of one block: its cells are right together or not. */
    state: number;
    x: number[];
    content: number;
  }
  let state = 0;
  const rows = measured.flatMap(({ items, runs }) =>
    items.flatMap(({ world, states }, i) =>
      states.flatMap((after, block): Row[] => {
        const latents = runs[i]![0]!.latents[block];
        const contents = contentsOf(world.layout, after);
        if (latents?.length !== contents.length) return [];
        state++;
        return contents.map((content, cell) => ({
          fits: i % 2 === 0,
          state,
          x: [1, ...latents[cell]!],
          content: CONTENTS.indexOf(content),
        }));
      }),
    ),
  );
  const [fit, test] = [rows.filter(({ fits }) => fits), rows.filter(({ fits }) => !fits)];
  if (test.length === 0) return;
  const weights = ridge(
    fit.map(({ x }) => x),
    fit.map(({ content }) => CONTENTS.map((_, n) => Number(n === content))),
    3,
  );
  const isTold = ({ x, content }: Row): boolean => {
    const scores = weights.map((w) => w.reduce((sum, value, i) => sum + value * x[i]!, 0));
    return scores.indexOf(Math.max(...scores)) === content;
  };
  const byState = new Map<number, boolean[]>();
  for (const each of test) byState.set(each.state, [...(byState.get(each.state) ?? []), isTold(each)]);
  const whole = [...byState.values()];
  const counts = CONTENTS.map((_, n) => test.filter(({ content }) => content === n).length);
  const right = whole.flat().filter(Boolean).length;
  console.log(
    `\nLinear probe of a latent for what its cell shows after the move, on other worlds: ${shareOf(right, test.length)} of cells, ${percent(Math.max(...counts) / test.length)} % by the most frequent; all cells of a block ${shareOf(whole.filter((cells) => cells.every(Boolean)).length, whole.length)}.`,
  );
}

/** W with rows for targets: (XᵀX + λ)⁻¹ XᵀY, by Cholesky. */
function ridge(X: readonly number[][], Y: readonly number[][], lambda: number): number[][] {
  const n = X[0]!.length;
  const A = Array.from({ length: n }, () => new Float64Array(n));
  for (const x of X) for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) A[i]![j]! += x[i]! * x[j]!;
  for (let i = 0; i < n; i++) {
    A[i]![i]! += lambda;
    for (let j = 0; j <= i; j++) {
      let sum = A[i]![j]!;
      for (let k = 0; k < j; k++) sum -= A[i]![k]! * A[j]![k]!;
      A[i]![j] = i === j ? Math.sqrt(sum) : sum / A[j]![j]!;
    }
  }
  return Y[0]!.map((_, target) => {
    const b = new Float64Array(n);
    X.forEach((x, r) => x.forEach((value, i) => (b[i]! += value * Y[r]![target]!)));
    for (let i = 0; i < n; i++) {
      for (let k = 0; k < i; k++) b[i]! -= A[i]![k]! * b[k]!;
      b[i]! /= A[i]![i]!;
    }
    for (let i = n - 1; i >= 0; i--) {
      for (let k = i + 1; k < n; k++) b[i]! -= A[k]![i]! * b[k]!;
      b[i]! /= A[i]![i]!;
    }
    return [...b];
  });
}

/**
 * Two walks through one world: the one gets the other's latents, in one block or in all up to it. What does its answer say
 * then? One block can be gone around by what stands before it; all cannot, but by counting the words.
 */
async function exchanged(reach: 'one block' | 'all up to a block'): Promise<void> {
  console.log(`\nLatents of ${reach} from another walk through the same world:\n`);
  row('moves', 'block', 'as the other walk’s state makes it', 'unchanged', 'something else');
  row('---', '---', '---', '---', '---');
  const moves = Math.max(...measured.map((each) => each.moves));
  if (moves === 0) return;
  const told = new Map<number, { followed: number; kept: number; all: number }>();
  for (let i = 0; i < count; i++) {
    const walks = [0, 1].map((walk) =>
      worldItem({ ...options, questions: ['state'], walks: 2, moves: [moves] }, 2 * i + walk),
    );
    const [prompts, own]: [Awaited<ReturnType<typeof promptOf>>[], Run[]] = [[], []];
    for (const item of walks) {
      const prompt = await promptOf(item);
      prompts.push(prompt);
      own.push((await answers(prompt, [undefined]))[0]!);
    }
    const [mine, other] = walks as [WorldItem, WorldItem];
    if (!isRight(mine, own[0]) || !isRight(other, own[1])) continue;
    const { layout } = mine.world;
    const blocks = Array.from({ length: moves }, (_, block) => block);
    const expected = blocks.map((block) => {
      const after = { layout, state: other.states[block]! };
      const end = statesAfter(after, mine.moves.slice(block + 1)).at(-1) ?? after.state;
      return stateText(layout, end);
    });
    // The swap counts latents over the whole run: the other walk's, at the same places.
    const latents = own[1]!.latents.flat();
    const swapped = await answers(
      prompts[0]!,
      blocks.map((block) => ({
        kind: 'swap',
        latents,
        scope: reach === 'one block' ? { block } : { block, from: 0 },
      })),
    );
    for (const block of blocks) {
      if (expected[block] === mine.question.answer) continue;
      const sums = told.get(block) ?? { followed: 0, kept: 0, all: 0 };
      told.set(block, sums);
      sums.all++;
      sums.followed += Number(swapped[block]!.answer === expected[block]);
      sums.kept += Number(swapped[block]!.answer === mine.question.answer);
    }
  }
  for (const [block, { followed, kept, all }] of [...told].toSorted(([a], [b]) => a - b))
    row(moves, block + 1, shareOf(followed, all), shareOf(kept, all), all - followed - kept);
}
