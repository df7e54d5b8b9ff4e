/**
 * Maps, scales and attention rows, computed once.
 *
 * A latent never changes once it is in a trace, so its maps can be kept; the scale over all latents is
 * extended as latents arrive. Maps of the selectors used last are kept, scales of all.
 */

import {
  joinHeads,
  mapOf,
  type Choice,
  type HeatMap,
  type MapSelector,
  type Scale,
} from '../../trace/maps.ts';
import type { Trace, TraceLatent } from '../../trace/schema.ts';
import { queryRow } from './rows.ts';

/** 16 selectors × 64 latents × 1000 patches are 4 MB. */
const KEPT_SELECTORS = 16;

interface Extent {
  latents: number;
  min: number;
  max: number;
}

export class MapCache {
  private readonly maps = new Map<string, Map<TraceLatent, HeatMap | undefined>>();
  private readonly extents = new Map<string, Extent>();
  private readonly rows = new WeakMap<object, Map<string, Float32Array>>();
  private readonly trace: Trace;

  constructor(trace: Trace) {
    this.trace = trace;
  }

  /** As mapOf, remembered. */
  map(latent: TraceLatent, selector: MapSelector): HeatMap | undefined {
    const maps = this.mapsFor(selector);
    if (!maps.has(latent)) maps.set(latent, mapOf(this.trace, latent, selector));
    return maps.get(latent);
  }

  /** As scaleOf, extended by the latents that came since it was last asked for. */
  scale(selector: MapSelector): Scale {
    const key = keyOf(selector);
    const extent = this.extents.get(key) ?? { latents: 0, min: Infinity, max: -Infinity };
    for (; extent.latents < this.trace.latents.length; extent.latents++) {
      widen(extent, this.map(this.trace.latents[extent.latents]!, selector)?.values ?? []);
    }
    this.extents.set(key, extent);
    return toScale(extent, selector);
  }

  /** The attention row of a generated position over all keys before it, where the trace has one. */
  row(token: number, layer: Choice, heads: Choice): Float32Array | undefined {
    const row = queryRow(this.trace, token);
    if (row === undefined) return undefined;
    let joined = this.rows.get(row.attention);
    if (joined === undefined) this.rows.set(row.attention, (joined = new Map()));
    const key = `${layer}/${heads}`;
    let values = joined.get(key);
    if (values === undefined) {
      values = joinHeads(row.attention, layer, heads);
      if (joined.size >= KEPT_SELECTORS) joined.delete(joined.keys().next().value!);
      joined.set(key, values);
    }
    return values;
  }

  private mapsFor(selector: MapSelector): Map<TraceLatent, HeatMap | undefined> {
    const key = keyOf(selector);
    const maps = this.maps.get(key) ?? new Map<TraceLatent, HeatMap | undefined>();
    // Deleting and setting again keeps the order of use; the first is the one used longest ago.
    this.maps.delete(key);
    this.maps.set(key, maps);
    if (this.maps.size > KEPT_SELECTORS) this.maps.delete(this.maps.keys().next().value!);
    return maps;
  }
}

/** The scale of one map alone, for an unlocked colour bar. */
export function scaleOfMap(map: HeatMap, selector: MapSelector): Scale {
  const extent = { latents: 1, min: Infinity, max: -Infinity };
  widen(extent, map.values);
  return toScale(extent, selector);
}

function widen(extent: Extent, values: ArrayLike<number>): void {
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (value < extent.min) extent.min = value;
    if (value > extent.max) extent.max = value;
  }
}

/** The same rule as scaleOf's: a share has a natural zero, cosines and their softmax have not. */
function toScale({ min, max }: Extent, { kind }: MapSelector): Scale {
  if (max < min) return { min: 0, max: 1 };
  return kind === 'attention' ? { min: 0, max: max || 1 } : { min, max };
}

function keyOf({ kind, picture, layer, heads }: MapSelector): string {
  return kind === 'attention' ? `${kind}/${picture}/${layer}/${heads}` : `${kind}/${picture}`;
}
