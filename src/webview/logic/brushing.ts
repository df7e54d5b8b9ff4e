/**
 * Three-way brushing: which tokens and latents belong to a latent, a token or a region of pixels, and by
 * how much. Amounts are attention probabilities of one layer choice, or the kind's own unit for a region.
 */

import { unreachable } from '../../base/errors.ts';
import type { Choice, MapSelector } from '../../trace/maps.ts';
import { latentIndexAt } from '../../trace/rows.ts';
import type { RunMaps } from '../../trace/runMaps.ts';
import type { Trace, TraceLatent, TracePicture } from '../../trace/schema.ts';
import { patchesOf, type Region } from './grid.ts';

export interface Brush {
  /** What the amounts are, as a sentence for the legend. */
  title: string;
  /** Index into trace.tokens → amount. */
  tokens: Map<number, number>;
  /** Index into trace.latents → amount. */
  latents: Map<number, number>;
}

/** Tokens that attend to `latent`: their mean-head attention at its position. */
export function brushAttending(trace: Trace, maps: RunMaps, latent: TraceLatent, layer: Choice): Brush {
  const tokens = new Map<number, number>();
  trace.tokens.forEach((token, i) => {
    if (token.kind !== 'text' || token.position <= latent.position) return;
    const value = maps.row(i, layer, 'mean')?.[latent.position];
    if (value !== undefined) tokens.set(i, value);
  });
  return { title: 'Attention that words pay to this latent', tokens, latents: new Map() };
}

/** Earlier tokens that `latent` attends to. */
export function brushAttended(
  trace: Trace,
  maps: RunMaps,
  latent: TraceLatent,
  layer: Choice,
  heads: Choice,
): Brush {
  const { tokens } = split(trace, maps.row(latent.token, layer, heads));
  return { title: 'Attention that this latent pays to words', tokens, latents: new Map() };
}

/** Latents and tokens that the query at `token` drew on. */
export function brushToken(trace: Trace, maps: RunMaps, token: number, layer: Choice): Brush {
  return {
    title: 'Attention that this word pays',
    ...split(trace, maps.row(token, layer, 'mean')),
  };
}

/** How much every latent and token puts into a region of a picture. */
export function brushRegion(
  trace: Trace,
  maps: RunMaps,
  picture: TracePicture,
  region: Region,
  selector: MapSelector,
): Brush {
  const patches = patchesOf(region, picture.grid);
  const latents = new Map<number, number>();
  trace.latents.forEach((latent, i) => {
    const values = maps.map(latent, selector)?.values;
    if (values !== undefined) latents.set(i, amount(values, patches, selector));
  });
  const tokens = new Map<number, number>();
  const start = picture.range?.start;
  if (selector.kind === 'attention' && start !== undefined) {
    const keys = patches.map((patch) => start + patch);
    trace.tokens.forEach((token, i) => {
      const row = token.kind === 'text' ? maps.row(i, selector.layer, 'mean') : undefined;
      if (row !== undefined) tokens.set(i, amount(row, keys, selector));
    });
  }
  return { title: regionTitle(selector), tokens, latents };
}

/** Entries from the largest amount down; equal ones in the order of the run. */
export function ranked(amounts: Map<number, number>): { index: number; amount: number }[] {
  return [...amounts]
    .map(([index, value]) => ({ index, amount: value }))
    .toSorted((a, b) => b.amount - a.amount || a.index - b.index);
}

/** The largest amount, which the strongest shade stands for. */
export function strongest(amounts: Map<number, number>): number {
  let most = 0;
  for (const value of amounts.values()) most = Math.max(most, value);
  return most;
}

/** Strength of a mark from 0 to 1, relative to the strongest of the brush. */
export function strength(brush: Brush | undefined, of: 'tokens' | 'latents', index: number): number {
  const value = brush?.[of].get(index);
  const most = brush === undefined ? 0 : strongest(brush[of]);
  return value === undefined || most <= 0 ? 0 : Math.max(0, value / most);
}

function regionTitle({ kind, layer, heads }: MapSelector): string {
  switch (kind) {
    case 'similarity':
      return 'Mean cosine in the region';
    case 'selection':
      return 'Selection probability in the region';
    case 'attention':
      return layer === 'max' || heads === 'max'
        ? 'Sum of the attention maxima in the region'
        : 'Attention mass in the region';
    default:
      return unreachable(kind);
  }
}

/** Probabilities add up; cosines are averaged. Patches without a value do not count. */
function amount(values: Float32Array, at: number[], { kind }: MapSelector): number {
  let [sum, count] = [0, 0];
  for (const index of at) {
    const value = values[index];
    if (value === undefined || Number.isNaN(value)) continue;
    sum += value;
    count++;
  }
  return kind === 'similarity' ? sum / Math.max(1, count) : sum;
}

function split(trace: Trace, row: Float32Array | undefined): Pick<Brush, 'tokens' | 'latents'> {
  const tokens = new Map<number, number>();
  const latents = new Map<number, number>();
  const first = trace.prompt.ids.length;
  for (let key = first; key < (row?.length ?? 0); key++) {
    const token = key - first;
    const kind = trace.tokens[token]?.kind;
    if (kind === 'text') tokens.set(token, row![key]!);
    else if (kind === 'latent-pad') {
      const latent = latentIndexAt(trace, token);
      if (latent !== undefined) latents.set(latent, row![key]!);
    }
  }
  return { tokens, latents };
}
