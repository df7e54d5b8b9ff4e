/**
 * Heatmaps of a trace. Three kinds that never mix (arXiv 2512.05665 and its code):
 *
 * - attention: probabilities of the latent's own query over a picture's tokens;
 * - selection: softmax of cos(latent, candidate features), the trainer's rule;
 * - similarity: cos(latent, merged features).
 *
 * A map is values on the picture's token grid; src/heatmap says how one is scaled and coloured. Here a map is made of
 * a slice (queries.ts) that is at hand.
 */

import { unreachable } from '../base/errors.ts';
import { t } from '../base/l10n.ts';
import { MAP_KINDS, type HeatMap, type MapKind } from '../heatmap/map.ts';
import { entropyOf, peakOf, totalOf, type Entropy } from '../heatmap/statistics.ts';
import { choiceLabel, type Choice } from './choice.ts';
import { visualRanges } from './columns.ts';
import type { Family } from './queries.ts';
import type { Trace, TraceLatent, TracePicture } from './schema.ts';

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

/** The slices that maps are made of, one for each latent. */
export function familyOf({ kind, picture, layer, heads }: MapSelector): Family {
  return kind === 'attention' ? { of: 'visual', layer, heads } : { of: kind, picture };
}

/**
 * The map of one latent; undefined where the trace has none (no attention over a reference picture).
 * @param slice the latent's member of `familyOf(selector)`
 */
export function mapOf(
  trace: Trace,
  latent: TraceLatent,
  selector: MapSelector,
  slice: Float32Array,
): HeatMap | undefined {
  const picture = trace.pictures.find(({ id }) => id === selector.picture);
  if (picture === undefined || slice.length === 0) return undefined;
  switch (selector.kind) {
    case 'attention':
      return attentionMap(trace, slice, picture, selector, nameOf(latent));
    case 'selection':
      return selectionMap(latent, picture, slice);
    case 'similarity':
      return similarityMap(latent, picture, slice);
    default:
      return unreachable(selector.kind);
  }
}

/**
 * Attention of any query over one picture.
 * @param visual over the patches of all pictures of the prompt, already joined as `selector` says
 * @param who whose attention it is, for the caption
 */
export function attentionMap(
  trace: Trace,
  visual: Float32Array,
  picture: TracePicture,
  selector: MapSelector,
  who: string,
): HeatMap | undefined {
  const place = visualRanges(trace).find((entry) => entry.picture === picture.id);
  if (place === undefined) return undefined;
  const values = visual.subarray(place.at, place.at + place.count);
  const { layers, heads } = trace.model;
  let entropy: Entropy | undefined;
  return {
    ...frame('attention', picture, values),
    unit: t('attention probability'),
    ...(isShare(selector) && { mass: totalOf(values) }),
    // A scale is made of all latents' maps, few of which are drawn or described.
    get caption() {
      return t(
        'Attention of {0} over {1}: {2}, {3}. It shows where information could flow, not what caused the answer.',
        who,
        describe(picture),
        choiceLabel('layer', selector.layer, layers),
        choiceLabel('head', selector.heads, heads),
      );
    },
    get entropy() {
      return (entropy ??= entropyOf(values));
    },
  };
}

function selectionMap(
  latent: TraceLatent,
  picture: TracePicture,
  probabilities: Float32Array,
): HeatMap | undefined {
  const comparison = latent.comparisons.find((entry) => entry.picture === picture.id);
  if (comparison === undefined) return undefined;
  const { groupSize, selected } = comparison.selection;
  const tokens = picture.grid.rows * picture.grid.columns;
  const candidateOf = (token: number): number => Math.floor(token / groupSize);
  const values = Float32Array.from({ length: tokens }, (_, i) => probabilities[candidateOf(i)] ?? NaN);
  const kept = new Set(selected);
  const grouped = groupSize > 1 ? [t('Candidates are means of {0} neighbouring tokens.', groupSize)] : [];
  return {
    ...frame('selection', picture, values),
    unit: t('selection probability'),
    caption: [
      t(
        "Selection by {0} in {1}: softmax of the cosines with its features, the trainer's own rule.",
        nameOf(latent),
        describe(picture),
      ),
      ...grouped,
      t('This is not attention.'),
    ].join(' '),
    entropy: entropyOf(probabilities),
    selected: new Set(range(tokens).filter((token) => kept.has(candidateOf(token)))),
  };
}

function similarityMap(latent: TraceLatent, picture: TracePicture, cosines: Float32Array): HeatMap {
  return {
    ...frame('similarity', picture, cosines),
    unit: t('cosine'),
    caption: t(
      'Similarity of {0} with the merged features of {1}: cosine, from −1 to 1. This is not attention.',
      nameOf(latent),
      describe(picture),
    ),
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
  return t('latent {0} of block {1}', latent.index + 1, latent.block + 1);
}

function describe(picture: TracePicture): string {
  if (picture.role === 'input') return t('input image {0}', picture.name);
  return t(picture.range ? 'helper image {0} (in the prompt)' : 'helper image {0}', picture.name);
}

function range(length: number): number[] {
  return Array.from({ length }, (_, i) => i);
}
