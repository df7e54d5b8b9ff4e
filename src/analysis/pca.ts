/** PCA: latents, picture features and words in the few directions in which they differ most. */

import * as z from 'zod';
import { message } from '../base/l10n.ts';
import { lengthOf, type NumericArray } from '../tensor/array.ts';
import { SHARE } from './check.ts';
import { analysis, numbers } from './definition.ts';
import { centred, principalComponents, type Pause } from './principal.ts';

const COMPONENTS = 3;

export const pca = analysis({
  version: 1,
  needs: 'model',
  secondRun: false,
  parameters: z.strictObject({
    components: z.int().min(1).max(10).default(COMPONENTS),
    /** unit: each vector divided by its length; raw: as it is fed. */
    scale: z.enum(['unit', 'raw']).default('unit'),
    /** all: the directions are those of all points; latents: of the latents alone, the others only projected. */
    fit: z.enum(['all', 'latents']).default('all'),
  }),
  offered: {
    components: { label: message('Components') },
    scale: {
      label: message('Length of vectors'),
      options: { unit: message('all alike'), raw: message('as they are') },
    },
    fit: {
      label: message('Directions of'),
      options: { all: message('all points'), latents: message('the latents alone') },
    },
  },
  /** K components; fewer than asked for where the points span fewer directions. */
  result: z.strictObject({
    /** Share of the variance of the fitted points, by component. */
    explained: z.array(z.number()),
    /** [N, K] in the run's order: the trajectory. */
    latents: numbers(2),
    /** Features of each picture, helpers included: [tokens, K]. */
    pictures: z.array(z.strictObject({ picture: z.string(), points: numbers(2) })),
    /** Embeddings of each different word of question and answer. */
    words: z.strictObject({
      ids: z.array(z.int()),
      texts: z.array(z.string()),
      /** [words, K] */
      points: numbers(2),
    }),
    /** Mean length of the vectors before any scaling. */
    lengths: z.strictObject({ latents: z.number(), pictures: z.number(), words: z.number() }),
  }),
  check({ explained, latents, pictures, words }, claims) {
    const axes = explained.length;
    for (const share of explained) claims.number('explained', share, SHARE);
    claims.array('latents', latents, [claims.run.latents, axes]);
    for (const { picture, points } of pictures)
      claims.array('pictures.points', points, [claims.picture('pictures.picture', picture), axes]);
    claims.index('words.texts', words.texts.length, words.ids.length + 1);
    claims.array('words.points', words.points, [words.ids.length, axes]);
  },
  tab: 'space',
  title: message('PCA'),
  method: message(
    'Principal components of what the first layer is fed: latents, picture features and the embeddings of the words, ' +
      'centred together. The line joins the latents in order.',
  ),
  source: message('Pearson 1901; Hotelling 1933'),
  limits: message(
    'Few directions of many: the share under each axis says how much of the differences it shows. Nearness in the ' +
      'figure is not nearness in the space. Without the scaling to one length, length is what differs most.',
  ),
});

export interface PcaInput {
  /** (N, C) */
  latents: NumericArray;
  /** (tokens, C) each */
  pictures: { picture: string; features: NumericArray }[];
  words: { ids: number[]; texts: string[]; /** (words, C) */ embeddings: NumericArray };
}

/** @param pause lets others in; what it throws ends the computing */
export async function computePca(
  { latents, pictures, words }: PcaInput,
  { components, scale, fit }: z.output<typeof pca.parameters>,
  pause?: Pause,
): Promise<z.output<typeof pca.result>> {
  const scaled = (rows: NumericArray): NumericArray => (scale === 'unit' ? unitRows(rows) : rows);
  const groups = [latents, ...pictures.map(({ features }) => features), words.embeddings].map(scaled);
  const fitted = centred(stacked(fit === 'all' ? groups : groups.slice(0, 1)));
  const { variances, total, axes } = await principalComponents(fitted, components, pause);
  const points = groups.map((rows) => fitted.project(rows, axes));
  return {
    explained: variances.map((variance) => (total > 0 ? variance / total : 0)),
    latents: points[0]!,
    pictures: pictures.map(({ picture }, i) => ({ picture, points: points[i + 1]! })),
    words: { ids: words.ids, texts: words.texts, points: points.at(-1)! },
    lengths: {
      latents: meanLength([latents]),
      pictures: meanLength(pictures.map(({ features }) => features)),
      words: meanLength([words.embeddings]),
    },
  };
}

function lengthsOf({ shape, data }: NumericArray): number[] {
  const [rows = 0, width = 0] = shape;
  return Array.from({ length: rows }, (_, i) => lengthOf(data.subarray(i * width, (i + 1) * width)));
}

/** A row of zeros stays. */
function unitRows(rows: NumericArray): NumericArray {
  const width = rows.shape[1]!;
  const lengths = lengthsOf(rows);
  const data = rows.data.map((value, i) => value / (lengths[Math.floor(i / width)]! || 1));
  return { shape: rows.shape, data };
}

function stacked(parts: readonly NumericArray[]): NumericArray {
  const width = parts[0]!.shape[1]!;
  const rows = parts.reduce((sum, { shape }) => sum + shape[0]!, 0);
  const data = new Float32Array(rows * width);
  let at = 0;
  for (const part of parts) {
    data.set(part.data, at);
    at += part.data.length;
  }
  return { shape: [rows, width], data };
}

function meanLength(parts: readonly NumericArray[]): number {
  const lengths = parts.flatMap(lengthsOf);
  return lengths.reduce((sum, length) => sum + length, 0) / Math.max(1, lengths.length);
}
