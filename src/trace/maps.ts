/**
 * Heatmaps of a trace. Three kinds that never mix (arXiv 2512.05665 and its code):
 *
 * - attention: probabilities of the latent's own query over a picture's tokens;
 * - selection: softmax of cos(latent, candidate features), the trainer's rule;
 * - similarity: cos(latent, merged features).
 *
 * A map is values on the picture's token grid; src/heatmap says how one is scaled and coloured.
 */

import { unreachable } from '../base/errors.ts';
import { MAP_KINDS, type HeatMap, type MapKind } from '../heatmap/map.ts';
import { entropyOf, peakOf, totalOf } from '../heatmap/statistics.ts';
import type { NumericArray } from '../tensor/array.ts';
import type { Trace, TraceLatent, TracePicture } from './schema.ts';

/** One layer or head, or how they are joined. Indices are 0-based. */
export type Choice = number | 'mean' | 'max';

export interface MapSelector {
  kind: MapKind;
  /** Id of the picture. */
  picture: string;
  /** Attention only. */
  layer: Choice;
  /** Attention only. */
  heads: Choice;
}

/** Kinds a picture offers: attention only if it was in the prompt. */
export function kindsFor(picture: TracePicture): MapKind[] {
  return MAP_KINDS.filter((kind) => kind !== 'attention' || picture.range !== undefined);
}

/** Whether sums over a map are shares of the query's attention: not where rows were joined by maxima. */
export function isShare({ kind, layer, heads }: MapSelector): boolean {
  return kind === 'attention' && layer !== 'max' && heads !== 'max';
}

/** The map of one latent; undefined where the trace has none (no attention over a reference picture). */
export function mapOf(trace: Trace, latent: TraceLatent, selector: MapSelector): HeatMap | undefined {
  const picture = trace.pictures.find(({ id }) => id === selector.picture);
  if (picture === undefined) return undefined;
  switch (selector.kind) {
    case 'attention':
      return attentionMap(trace, latent, picture, selector);
    case 'selection':
      return selectionMap(latent, picture);
    case 'similarity':
      return similarityMap(latent, picture);
    default:
      return unreachable(selector.kind);
  }
}

/**
 * Attention of any query over one picture, from its row over all keys.
 * @param row [keys], already joined as `selector` says
 * @param who whose attention it is, for the caption
 */
export function attentionMapOfRow(
  trace: Trace,
  row: Float32Array,
  picture: TracePicture,
  selector: MapSelector,
  who: string,
): HeatMap | undefined {
  if (picture.range === undefined) return undefined;
  const { start, count } = picture.range;
  const values = row.slice(start, start + count);
  const { layers, heads } = trace.model;
  const among = `${phrase('layer', selector.layer, layers)}, ${phrase('head', selector.heads, heads)}`;
  return {
    ...frame('attention', picture, values),
    unit: 'attention probability',
    caption:
      `Attention of ${who} over ${describe(picture)}: ${among}. ` +
      'It shows where information could flow, not what caused the answer.',
    ...(isShare(selector) && { mass: totalOf(values) }),
    entropy: entropyOf(values),
  };
}

/**
 * Attention of any query row over all keys, joined over layers and heads.
 * @param attention probabilities [layers, heads, keys], or [layers, keys] with the heads already joined
 * @returns [keys]
 */
export function joinHeads(attention: NumericArray, layer: Choice, heads: Choice): Float32Array {
  const [layers = 0, inner = 0, keys] =
    attention.shape.length === 3 ? attention.shape : [attention.shape[0], 1, attention.shape[1]];
  const width = keys ?? 0;
  const row = (l: number, h: number): Float32Array =>
    attention.data.subarray((l * inner + h) * width, (l * inner + h + 1) * width);
  const headsOf = (l: number): Float32Array =>
    typeof heads === 'number'
      ? row(l, Math.min(heads, inner - 1))
      : join(
          range(inner).map((h) => row(l, h)),
          heads,
        );
  return typeof layer === 'number'
    ? headsOf(Math.min(layer, layers - 1))
    : join(range(layers).map(headsOf), layer);
}

/** Share of a query's attention by what it looks at; the four shares add up to 1. */
export function massBySource(
  trace: Trace,
  row: Float32Array,
): { pictures: number; prompt: number; latents: number; answer: number } {
  const mass = { pictures: 0, prompt: 0, latents: 0, answer: 0 };
  const first = trace.prompt.ids.length;
  row.forEach((value, key) => {
    const inPicture = trace.pictures.some(
      ({ range: r }) => r !== undefined && key >= r.start && key < r.start + r.count,
    );
    if (inPicture) mass.pictures += value;
    else if (key < first) mass.prompt += value;
    else if (trace.tokens[key - first]?.kind === 'latent-pad') mass.latents += value;
    else mass.answer += value;
  });
  return mass;
}

function attentionMap(
  trace: Trace,
  latent: TraceLatent,
  picture: TracePicture,
  selector: MapSelector,
): HeatMap | undefined {
  const row = joinHeads(latent.attention, selector.layer, selector.heads);
  return attentionMapOfRow(trace, row, picture, selector, nameOf(latent));
}

function selectionMap(latent: TraceLatent, picture: TracePicture): HeatMap | undefined {
  const comparison = latent.comparisons.find((entry) => entry.picture === picture.id);
  if (comparison === undefined) return undefined;
  const { groupSize, probabilities, selected } = comparison.selection;
  const tokens = picture.grid.rows * picture.grid.columns;
  const candidateOf = (token: number): number => Math.floor(token / groupSize);
  const values = Float32Array.from({ length: tokens }, (_, i) => probabilities.data[candidateOf(i)] ?? NaN);
  const kept = new Set(selected);
  const grouped = groupSize > 1 ? ` Candidates are means of ${groupSize} neighbouring tokens.` : '';
  return {
    ...frame('selection', picture, values),
    unit: 'selection probability',
    caption:
      `Selection by ${nameOf(latent)} in ${describe(picture)}: softmax of the cosines with its features, ` +
      `the trainer's own rule.${grouped} This is not attention.`,
    entropy: entropyOf(probabilities.data),
    selected: new Set(range(tokens).filter((token) => kept.has(candidateOf(token)))),
  };
}

function similarityMap(latent: TraceLatent, picture: TracePicture): HeatMap | undefined {
  const comparison = latent.comparisons.find((entry) => entry.picture === picture.id);
  if (comparison === undefined) return undefined;
  return {
    ...frame('similarity', picture, comparison.similarity.data),
    unit: 'cosine',
    caption:
      `Similarity of ${nameOf(latent)} with the merged features of ${describe(picture)}: cosine, from −1 to 1. ` +
      'This is not attention.',
  };
}

function frame(
  kind: MapKind,
  picture: TracePicture,
  values: Float32Array,
): Pick<HeatMap, 'kind' | 'reading' | 'rows' | 'columns' | 'values' | 'peak'> {
  const { rows, columns } = picture.grid;
  return { kind, reading: 'raw', rows, columns, values, peak: peakOf(values) };
}

function nameOf(latent: TraceLatent): string {
  return `latent ${latent.index + 1} of block ${latent.block + 1}`;
}

function describe(picture: TracePicture): string {
  const role = picture.role === 'input' ? 'input image' : 'helper image';
  return `${role} ${picture.name}${picture.role === 'helper' && picture.range ? ' (in the prompt)' : ''}`;
}

function phrase(noun: 'layer' | 'head', choice: Choice, number: number): string {
  return typeof choice === 'number'
    ? `${noun} ${choice + 1} of ${number}`
    : `${choice} of ${number} ${noun}s`;
}

/** Plain loops: with 28 × 28 rows of 1,000 keys this is what takes the time. */
function join(rows: Float32Array[], how: 'mean' | 'max'): Float32Array {
  const joined = new Float32Array(rows[0]?.length ?? 0);
  for (const row of rows) {
    for (let i = 0; i < joined.length; i++) {
      joined[i] = how === 'max' ? Math.max(joined[i]!, row[i]!) : joined[i]! + row[i]!;
    }
  }
  return how === 'max' ? joined : joined.map((sum) => sum / rows.length);
}

function range(length: number): number[] {
  return Array.from({ length }, (_, i) => i);
}
