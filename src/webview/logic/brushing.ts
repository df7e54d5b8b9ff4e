/**
 * Three-way brushing: which tokens and latents belong to a latent, a token or a region of pixels, and by
 * how much. Amounts are attention probabilities of one layer choice, or the kind's own unit for a region.
 */

import { t } from '../../base/l10n.ts';
import { unreachable } from '../../base/errors.ts';
import type { Choice } from '../../trace/choice.ts';
import { visualCount } from '../../trace/columns.ts';
import type { MapSelector } from '../../trace/maps.ts';
import type { RunMaps } from '../../trace/runMaps.ts';
import type { Trace, TraceLatent, TracePicture } from '../../trace/schema.ts';
import { patchesOf, type Region } from './grid.ts';

export interface Brush {
  /** What the amounts are, as a sentence for the legend. */
  title: string;
  /** What the trace does not store, where something is missing for that. */
  lack?: string;
  /** Index into trace.tokens → amount. */
  tokens: ReadonlyMap<number, number>;
  /** Index into trace.latents → amount. */
  latents: ReadonlyMap<number, number>;
  /** The largest amounts, which the strongest shade stands for. */
  most: { tokens: number; latents: number };
}

type Amounts = ReadonlyMap<number, number>;
const NONE: Amounts = new Map();

/** By what they were made of: a brush that is the same object changes nothing in the steps. */
const attending = new WeakMap<Float32Array, Brush>();

/** Words that attend to a latent, heads averaged. Undefined until that is at hand. */
export function brushAttending(
  trace: Trace,
  maps: RunMaps,
  latent: number,
  layer: Choice,
  count: number,
): Brush | undefined {
  const paid = maps.slices.at({ of: 'paid', layer, to: { latent }, count });
  if (paid === undefined) return undefined;
  let made = attending.get(paid);
  if (made === undefined) {
    made = brush(t('Attention that words pay to this latent'), amountsOf(trace, paid), NONE);
    attending.set(paid, made);
  }
  return made;
}

/** Earlier words that a latent attends to. Undefined until its row is at hand. */
export function brushAttended(
  trace: Trace,
  maps: RunMaps,
  latent: TraceLatent,
  layer: Choice,
  heads: Choice,
): Brush | undefined {
  const row = maps.row(latent.token, layer, heads);
  if (row === undefined) return undefined;
  const first = trace.prompt.ids.length;
  const tokens = new Map<number, number>();
  for (let key = first; key < row.length; key++) {
    if (trace.tokens[key - first]?.kind === 'text') tokens.set(key - first, row[key]!);
  }
  return brush(t('Attention that this latent pays to words'), tokens, NONE);
}

/** Latents that a word drew on; what it looks at in the picture is the map on the stage. */
export function brushToken(trace: Trace, maps: RunMaps, token: number, layer: Choice): Brush {
  const row = trace.tokens[token]?.attention && maps.row(token, layer, 'mean');
  const latents = new Map<number, number>();
  const patches = visualCount(trace);
  row?.subarray(patches).forEach((value, i) => latents.set(i, value));
  // In a version 2 trace the patches and latents that a word looks at are kept.
  const lack = t('What words pay to other words is not stored.');
  return { ...brush(t('Attention that this word pays to latents'), NONE, latents), lack };
}

/** How much every latent and word puts into a region of a picture; words as far as that is at hand. */
export function brushRegion(
  trace: Trace,
  maps: RunMaps,
  picture: TracePicture,
  region: Region,
  selector: MapSelector,
  count: number,
): Brush {
  const patches = patchesOf(region, picture.grid);
  const latents = new Map<number, number>();
  trace.latents.forEach((latent, i) => {
    const values = maps.map(latent, selector)?.values;
    if (values !== undefined) latents.set(i, amount(values, patches, selector));
  });
  const to = { picture: picture.id, patches };
  const paid =
    selector.kind === 'attention'
      ? maps.slices.at({ of: 'paid', layer: selector.layer, to, count })
      : undefined;
  return brush(regionTitle(selector), paid === undefined ? NONE : amountsOf(trace, paid), latents);
}

/** What each word pays. */
function amountsOf(trace: Trace, paid: Float32Array): Amounts {
  const tokens = new Map<number, number>();
  paid.forEach((value, i) => {
    if (!Number.isNaN(value) && trace.tokens[i]?.kind === 'text') tokens.set(i, value);
  });
  return tokens;
}

function brush(title: string, tokens: Amounts, latents: Amounts): Brush {
  return { title, tokens, latents, most: { tokens: strongest(tokens), latents: strongest(latents) } };
}

/** Entries from the largest amount down; equal ones in the order of the run. */
export function ranked(amounts: Amounts): { index: number; amount: number }[] {
  return [...amounts]
    .map(([index, value]) => ({ index, amount: value }))
    .toSorted((a, b) => b.amount - a.amount || a.index - b.index);
}

/** Strength of a mark from 0 to 1, relative to the strongest of the brush. */
export function strength(of: Brush | undefined, what: 'tokens' | 'latents', index: number): number {
  const value = of?.[what].get(index);
  const most = of?.most[what] ?? 0;
  return value === undefined || most <= 0 ? 0 : Math.max(0, value / most);
}

function strongest(amounts: Amounts): number {
  let most = 0;
  for (const value of amounts.values()) most = Math.max(most, value);
  return most;
}

function regionTitle({ kind, layer, heads }: MapSelector): string {
  switch (kind) {
    case 'similarity':
      return t('Mean cosine in the region');
    case 'selection':
      return t('Selection probability in the region');
    case 'attention':
      return layer === 'max' || heads === 'max'
        ? t('Sum of the attention maxima in the region')
        : t('Attention mass in the region');
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
