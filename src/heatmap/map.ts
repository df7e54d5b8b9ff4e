/**
 * A heatmap: one number for each patch of a picture, and what the numbers are. Where they come from is
 * not this folder's business, and neither is the picture under them.
 */

import { message, translated, type Message } from '../base/l10n.ts';
import type { MapGrid } from './grid.ts';
import type { Entropy } from './statistics.ts';

export const MAP_KINDS = ['attention', 'selection', 'similarity'] as const;
export type MapKind = (typeof MAP_KINDS)[number];

const KIND_NAMES: Record<MapKind, Message> = {
  attention: message('attention'),
  selection: message('selection'),
  similarity: message('similarity'),
};

/** What a kind is called inside a sentence. */
export function kindName(kind: MapKind): string {
  return translated(KIND_NAMES[kind]);
}

/**
 * How attention is shown: as it is; without the sink; or less the mean over all latents of the run, which
 * takes away what every latent looks at alike.
 */
export const READINGS = ['raw', 'masked', 'relative'] as const;
export type Reading = (typeof READINGS)[number];

export interface HeatMap extends MapGrid {
  kind: MapKind;
  /** `difference`: of two maps, which a reader does not choose as a way to show one. */
  reading: Reading | 'difference';
  /** Row-major, in the kind's own unit; NaN where there is no value. */
  values: Float32Array;
  /** Title of the colour bar. */
  unit: string;
  /** What was measured, as a sentence. */
  caption: string;
  /** Index of the largest value. */
  peak: number;
  /** Attention not joined by maxima: the share of this query's mass that lies on the picture. */
  mass?: number;
  /** Attention and selection: how spread out the map is. */
  entropy?: Entropy;
  /** Selection: patches of the candidates that the trainer's rule would keep. */
  selected?: Set<number>;
  /** Masked: the patch that was taken out, and its share of the picture's mass. */
  removed?: { patch: number; share: number };
}
