/** How alike latents are: within a block, between blocks, and to another run's. */

import * as z from 'zod';
import { message } from '../base/l10n.ts';
import { dot, lengthOf, type NumericArray } from '../tensor/array.ts';
import { COLLAPSE, hasCollapsed } from './collapse.ts';
import { COSINE } from './check.ts';
import { analysis, numbers } from './definition.ts';
import type { AnalysedLatent, AnalysedRun } from './run.ts';

export const similarity = analysis({
  version: 1,
  needs: 'trace',
  secondRun: true,
  parameters: z.strictObject({
    /** Mean cosine of a block's pairs from which on the block counts as collapsed. */
    collapse: z.number().min(-1).max(1).default(COLLAPSE),
  }),
  offered: {},
  /** N latents of the run, M of the other one, in order. */
  result: z.strictObject({
    /** [N, N] */
    cosines: numbers(2),
    blocks: z.array(
      z.strictObject({
        block: z.int(),
        latents: z.int(),
        /** Mean cosine of its pairs; absent where there are none, latents of zeros aside: they have no direction. */
        within: z.number().optional(),
        /** Mean cosine with the latents of the run's other blocks. */
        between: z.number().optional(),
        collapsed: z.boolean(),
      }),
    ),
    other: z
      .strictObject({
        /** [N, M] */
        cosines: numbers(2),
        /** Mean cosine of latents at the same place in both runs; absent where there are none. */
        samePlace: z.number().optional(),
        /** Mean cosine of all other pairs. */
        otherPlaces: z.number().optional(),
      })
      .optional(),
  }),
  check({ cosines, blocks, other }, claims) {
    const { latents, blocks: count } = claims.run;
    claims.array('cosines', cosines, [latents, latents], COSINE);
    for (const { block, within, between } of blocks) {
      claims.index('blocks.block', block, count);
      claims.number('blocks.within', within, COSINE);
      claims.number('blocks.between', between, COSINE);
    }
    if (other === undefined) return;
    claims.array('other.cosines', other.cosines, [latents, other.cosines.shape[1]!], COSINE);
    claims.number('other.samePlace', other.samePlace, COSINE);
    claims.number('other.otherPlaces', other.otherPlaces, COSINE);
  },
  tab: 'similarity',
  title: message('Similarity of latents'),
  method: message(
    'Cosine of each two latents as they were fed. A block has collapsed where the mean of its pairs reaches the ' +
      'threshold, 0.95 unless it is set.',
  ),
  source: message(
    'Collapse: arXiv 2605.18445; the threshold is ours. Likeness between runs: arXiv 2602.22766.',
  ),
  limits: message(
    'States of one model are all somewhat alike: compare with other blocks and runs. Alike is not equal in effect; ' +
      'the causal tests show effects.',
  ),
});

/** @param other another run of the same model; may have another number of latents */
export function computeSimilarity(
  [run, other]: readonly [AnalysedRun, (AnalysedRun | undefined)?],
  { collapse }: z.output<typeof similarity.parameters>,
): z.output<typeof similarity.result> {
  const { latents } = run;
  const cosines = cosinesBetween(latents, latents);
  const mean = (chosen: (a: AnalysedLatent, b: AnalysedLatent) => boolean): number | undefined =>
    meanWhere(cosines, latents, latents, chosen);
  const blocks = [...new Set(latents.map(({ block }) => block))].map((block) => {
    const within = mean((a, b) => a.block === block && b.block === block && a !== b);
    const between = mean((a, b) => a.block === block && b.block !== block);
    return {
      block,
      latents: latents.filter((latent) => latent.block === block).length,
      ...(within !== undefined && { within }),
      ...(between !== undefined && { between }),
      collapsed: hasCollapsed(within, collapse),
    };
  });
  return { cosines, blocks, ...(other !== undefined && { other: compareRuns(latents, other.latents) }) };
}

function compareRuns(latents: readonly AnalysedLatent[], others: readonly AnalysedLatent[]) {
  const cosines = cosinesBetween(latents, others);
  const same = (a: AnalysedLatent, b: AnalysedLatent): boolean => a.block === b.block && a.index === b.index;
  const samePlace = meanWhere(cosines, latents, others, same);
  const otherPlaces = meanWhere(cosines, latents, others, (a, b) => !same(a, b));
  return {
    cosines,
    ...(samePlace !== undefined && { samePlace }),
    ...(otherPlaces !== undefined && { otherPlaces }),
  };
}

/** (N, M); 0 for a vector of zeros, which has no direction and counts in no mean. */
function cosinesBetween(rows: readonly AnalysedLatent[], columns: readonly AnalysedLatent[]): NumericArray {
  const lengths = columns.map(({ vector }) => lengthOf(vector));
  const values = rows.flatMap(({ vector }) => {
    const own = lengthOf(vector);
    return columns.map(
      (column, i) => dot(vector, 0, column.vector, 0, vector.length) / (own * lengths[i]! || 1),
    );
  });
  return { shape: [rows.length, columns.length], data: Float32Array.from(values) };
}

function hasDirection({ vector }: AnalysedLatent): boolean {
  return vector.some((value) => value !== 0);
}

function meanWhere(
  { data }: NumericArray,
  rows: readonly AnalysedLatent[],
  columns: readonly AnalysedLatent[],
  chosen: (row: AnalysedLatent, column: AnalysedLatent) => boolean,
): number | undefined {
  const values = rows.flatMap((row, i) =>
    columns.flatMap((column, j) =>
      chosen(row, column) && hasDirection(row) && hasDirection(column) ? [data[i * columns.length + j]!] : [],
    ),
  );
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;
}
