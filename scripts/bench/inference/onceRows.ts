/** What is not raced: how a 7B opens and what it holds; latents beside a picture that is read again. */

import { openCheckpoint } from '../../../src/checkpoint/checkpoint.ts';
import type { ModelConfig } from '../../../src/model/config.ts';
import { matricesOf, rowsOf } from '../../../src/quantise/matrices.ts';
import { formatOf, packedBytes } from '../../../src/quantise/schemes.ts';
import { SIZES } from '../../randomCheckpoint.ts';
import { Contestant, median, type Laps } from './contest.ts';
import type { Shape, Stable } from './entrants.ts';
import type { Timing } from './racer.ts';
import { figure, type Row } from './report.ts';

export interface Facts {
  stable: Stable;
  environment: Record<string, string>;
  context: number;
}

/** The release's tower. */
const DEPTH = 32;
/** Of a helper picture, in tokens. */
const SIDE = 28;
const LATENTS = 8;

/** Opening and memory of the 7B in 8 bits, whose weights were packed before. */
export async function openingRows(
  { stable }: Facts,
  shape: Shape,
  threads: number,
  laps: ReadonlyMap<string, Laps>,
): Promise<Row[]> {
  const opened = laps.get('8bit')?.opened;
  if (shape.name !== '7b' || opened === undefined) return [];
  const { config } = await openCheckpoint(await stable.checkpoint(shape));
  const cut = bytesOf(config);
  const layers = SIZES[shape.name]!.layers;
  const whole = bytesOf({
    ...config,
    text: { ...config.text, layers },
    vision: { ...config.vision, depth: DEPTH },
  });
  const { fixed = 0 } = opened;
  const row = { threads, want: 'at most' } as const;
  return [
    {
      ...row,
      what: '7b, 8bit, opens from its packed weights',
      figure: (fixed + ((opened.ms - fixed) * whole) / cut) / 1000,
      target: 8,
      unit: 's',
      how: `${seconds(opened.ms)} s for ${gigabytes(cut)} of ${gigabytes(whole)}, ${seconds(fixed)} s of them for config, tokenizer and headers`,
    },
    {
      ...row,
      what: '7b, 8bit, private memory by its weights',
      // What is held besides the weights does not grow with the layers.
      figure: 1 + (opened.memory - cut) / whole,
      target: 1.1,
      unit: '×',
      how: `${gigabytes(opened.memory)} for ${gigabytes(cut)}, after a first token; the rest stays as it is`,
    },
  ];
}

/** Packed in 8 bits. */
function bytesOf(config: ModelConfig): number {
  return matricesOf(config).reduce(
    (sum, matrix) => sum + packedBytes(formatOf('8bit', matrix.part), rowsOf(matrix), matrix.columns),
    0,
  );
}

const seconds = (ms: number): string => (ms / 1000).toFixed(1);
const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(2)} GB`;

/** Of each run that is compared, a block of latents and words after it. */
const [VARIANTS, STEPS, TURNS] = [4, 16, 3];

/** Interventions on one run, together and one alone. The first step of each turn reads the prompt, and does not count. */
export async function variantsRow(
  { stable, environment, context }: Facts,
  shape: Shape,
  threads: number,
): Promise<Row> {
  const contestant = new Contestant(await stable.ours(shape, '8bit', threads), environment);
  const found = { processor: [] as number[], ms: [] as number[], of: [] as string[] };
  try {
    await contestant.opened();
    await contestant.ask({ do: 'prefill', ids: Array.from({ length: context }, (_, i) => i) });
    const turn = async (rows: number): Promise<Timing> => {
      await contestant.ask({ do: 'variants', rows, steps: 1 });
      return contestant.ask({ do: 'variants', rows, steps: STEPS });
    };
    for (let i = 0; i < TURNS; i++) {
      const [one, all] = [await turn(1), await turn(VARIANTS)];
      found.processor.push(all.processor / one.processor);
      found.ms.push(median(all.ms) / median(one.ms));
      found.of.push(`${figure(median(all.ms))} and ${figure(median(one.ms))}`);
    }
  } finally {
    await contestant.stop();
  }
  return {
    what: `${shape.name}, 8bit, ${VARIANTS} interventions together against one`,
    threads,
    figure: median(found.processor),
    best: Math.min(...found.processor),
    target: 1.7,
    want: 'at most',
    unit: '×',
    how: `of processor time; by the clock ${figure(median(found.ms))} ×: ${found.of.join(', ')} ms a step, as cut`,
  };
}

/** What ILVR saves: latents, or a helper picture through tower and prefill. */
export async function pictureRow(
  { stable, environment, context }: Facts,
  shape: Shape,
  threads: number,
): Promise<Row> {
  const contestant = new Contestant(await stable.ours(shape, '8bit', threads), environment);
  try {
    await contestant.opened();
    const time = async (task: Parameters<Contestant['ask']>[0]): Promise<number> =>
      (await contestant.ask(task)).ms.reduce((sum, ms) => sum + ms, 0);
    const ids = (length: number): number[] => Array.from({ length }, (_, i) => i);
    const tower = ((await time({ do: 'tower', side: SIDE })) * DEPTH) / shape.blocks;
    const deeper = SIZES[shape.name]!.layers / shape.layers;
    const prefill = deeper * (await time({ do: 'prefill', ids: ids(SIDE ** 2) }));
    await time({ do: 'prefill', ids: ids(context) });
    const latents = deeper * (await time({ do: 'latents', tokens: LATENTS }));
    return {
      what: `${shape.name}, 8bit, ${LATENTS} latents against a picture of ${SIDE} × ${SIDE} tokens`,
      threads,
      figure: (tower + prefill) / latents,
      target: 8,
      want: 'at least',
      unit: '×',
      how: `tower ${figure(tower)}, prefill ${figure(prefill)}, latents ${figure(latents)} ms, computed for all layers`,
    };
  } finally {
    await contestant.stop();
  }
}
