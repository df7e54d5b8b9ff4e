/** Relevance over the positions of the sequence, as maps of pictures and figures of latents. */

import { t } from '../base/l10n.ts';
import type { AnalysisResult } from '../analysis/table.ts';
import type { HeatMap } from '../heatmap/map.ts';
import { peakOf } from '../heatmap/statistics.ts';
import type { MassBySource } from '../trace/looks.ts';
import type { Trace, TracePicture } from '../trace/schema.ts';
import type { NumericArray } from '../tensor/array.ts';

type Relevance = AnalysisResult<'relevance'>;

export const MEASURES = ['rollout', 'attention', 'input', 'followed', 'chefer'] as const;
export type MeasureId = (typeof MEASURES)[number];

export interface Measure {
  id: MeasureId;
  name: string;
  unit: string;
  /** What was computed, as a sentence. */
  caption: string;
  /** Values below 0 say that the answer would be likelier with less. */
  signed: boolean;
  /** [T]: by position of the sequence, before the end of the answer. */
  values: Float32Array;
}

/** The measures that a result has, in the order they are offered. */
export function measuresOf({ rollout, gradient }: Relevance): Measure[] {
  const firstOrder = t(
    'In nats of the answer’s log-probability, to first order; below 0 it speaks against the answer.',
  );
  const measures: (Measure | undefined)[] = [
    rollout && {
      id: 'rollout',
      name: t('Attention rollout'),
      unit: t('share of the flow'),
      caption: t(
        'Attention of all layers multiplied, heads averaged, mixed with the residual stream. Adds up to 1.',
      ),
      signed: false,
      values: rollout.answer.data,
    },
    gradient && {
      id: 'attention',
      name: t('Gradient × attention'),
      unit: t('nats'),
      caption: `${t('Each attention probability times its derivative, over all layers, heads and queries.')} ${firstOrder}`,
      signed: true,
      values: sumOverRows(gradient.keys),
    },
    gradient && {
      id: 'input',
      name: t('Gradient × input'),
      unit: t('nats'),
      caption: `${t('What is fed at a position times its derivative; latents are inputs like others.')} ${firstOrder}`,
      signed: true,
      values: gradient.input.data,
    },
    gradient?.followed && {
      id: 'followed',
      name: t('Followed'),
      unit: t('nats'),
      caption: `${t('Gradient × input that goes on from latents to what they were made of.')} ${firstOrder}`,
      signed: true,
      values: gradient.followed.data,
    },
    gradient && {
      id: 'chefer',
      name: 'Chefer et al.',
      unit: t('relevance, no unit'),
      caption: t(
        'The rule of arXiv 2103.15679: gradient × attention, its positive part, carried from layer to layer.',
      ),
      signed: false,
      values: gradient.relevance.data,
    },
  ];
  return measures.filter((measure) => measure !== undefined);
}

function sumOverRows({ shape, data }: NumericArray): Float32Array {
  const [rows = 0, width = 0] = shape;
  const sums = new Float32Array(width);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < width; i++) sums[i]! += data[row * width + i]!;
  }
  return sums;
}

/** Over one picture; undefined where it was not in the prompt. Its scale is its own: see scaleOf. */
export function relevanceMap(
  { values, unit, caption, signed }: Measure,
  { grid, range }: TracePicture,
): HeatMap | undefined {
  if (range === undefined) return undefined;
  const part = values.subarray(range.start, range.start + range.count);
  // The kind says only how it is scaled: from 0, or as far below 0 as above.
  const kind = signed ? 'similarity' : 'attention';
  return { kind, reading: 'raw', ...grid, values: part, unit, caption, peak: peakOf(part) };
}

/** Sums of a measure by what stands at the positions. */
export function relevanceBySource(trace: Trace, { values }: Measure): MassBySource {
  const sums: MassBySource = { pictures: 0, prompt: 0, latents: 0, answer: 0 };
  const first = trace.prompt.ids.length;
  values.forEach((value, position) => {
    if (position >= first) {
      sums[trace.tokens[position - first]?.kind === 'latent' ? 'latents' : 'answer'] += value;
    } else sums[isPicture(trace, position) ? 'pictures' : 'prompt'] += value;
  });
  return sums;
}

function isPicture({ pictures }: Trace, position: number): boolean {
  return pictures.some(
    ({ range }) => range !== undefined && position >= range.start && position < range.start + range.count,
  );
}

/** A measure at each latent, in the run's order; NaN for one after the end of the answer. */
export function relevanceOfLatents(trace: Trace, { values }: Measure): number[] {
  return trace.latents.map(({ position }) => values[position] ?? NaN);
}
