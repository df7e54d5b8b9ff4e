/**
 * The maps of a whole run: one by one, what they have in common, and where a reader begins.
 *
 * Whatever draws a map asks here for the map and its scale, so that no drawing needs the trace. Everything
 * is computed once: a latent never changes once it is in a trace, and what spans all latents is computed
 * again when there are more of them.
 */

import { masked, relative, type Sink } from '../heatmap/readings.ts';
import type { HeatMap, MapKind, Reading } from '../heatmap/map.ts';
import { scaleOf, type Scale, type Scope } from '../heatmap/scale.ts';
import { Looks, totalOf } from '../heatmap/statistics.ts';
import type { NumericArray } from '../tensor/array.ts';
import { joinHeads, kindsFor, mapOf, type Choice, type MapSelector } from './maps.ts';
import { queryRow } from './rows.ts';
import type { Trace, TraceLatent, TracePicture } from './schema.ts';

/** 16 selectors × 64 latents × 1000 patches are 4 MB. */
const KEPT_SELECTORS = 16;

const known = new WeakMap<Trace, RunMaps>();

/** The maps of a trace, which may still grow; the same object for as long as the trace is in memory. */
export function runMaps(trace: Trace): RunMaps {
  let maps = known.get(trace);
  if (maps === undefined) known.set(trace, (maps = new RunMaps(trace)));
  return maps;
}

export class RunMaps {
  private readonly trace: Trace;
  private readonly maps = new Kept<Map<TraceLatent, HeatMap | undefined>>();
  private readonly means = new Kept<{ latents: number; sums: Float64Array }>();
  private readonly looks = new Kept<{ latents: number; looks: Looks }>();
  private readonly scales = new Kept<{ latents: number; scale: Scale }>();
  private readonly rows = new WeakMap<object, Map<string, Float32Array>>();
  private evidence: { of: 'latents' | 'words'; queries: number; layers: Looks[] } | undefined;
  private latentWithMost = { latents: 0, layer: -1, index: -1, mass: -1 };

  /** @param trace may grow, but what is in it stays */
  constructor(trace: Trace) {
    this.trace = trace;
  }

  /** The map of one latent; undefined where the trace has none (see mapOf). */
  map(latent: TraceLatent, selector: MapSelector, reading: Reading = 'raw'): HeatMap | undefined {
    const raw = this.rawMap(latent, selector);
    if (raw === undefined || selector.kind !== 'attention' || reading === 'raw') return raw;
    return reading === 'masked'
      ? masked(raw, this.sink(selector))
      : relative(raw, this.mean(selector, raw.values.length));
  }

  /** The scale of the maps of the run, of the latent's block, or of the latent alone. */
  scale(selector: MapSelector, reading: Reading, scope: Scope, latent?: TraceLatent): Scale {
    const { latents } = this.trace;
    const maps = (among: readonly TraceLatent[]): HeatMap[] =>
      among.flatMap((other) => this.map(other, selector, reading) ?? []);
    if (scope === 'latent') return scaleOf(latent === undefined ? [] : maps([latent]));
    const block = scope === 'block' ? latent?.block : undefined;
    const key = `${keyOf(selector)}/${reading}/${block ?? 'run'}`;
    const entry = this.scales.get(key, () => ({ latents: -1, scale: scaleOf([]) }));
    if (entry.latents !== latents.length) {
      entry.latents = latents.length;
      entry.scale = scaleOf(maps(latents.filter((other) => block === undefined || other.block === block)));
    }
    return entry.scale;
  }

  /** The patch that is the largest for more than half of the latents. */
  sink(selector: MapSelector): Sink | undefined {
    const { looks } = this.upToDate(
      this.looks.get(keyOf(selector), () => ({ latents: 0, looks: new Looks() })),
      selector,
      (entry, { values }) => entry.looks.add(values),
    );
    return looks.sink && { ...looks.sink, of: looks.queries };
  }

  /**
   * How the run's latents look at the pictures, layer by layer, heads averaged. Where there are no latents,
   * how its words do.
   */
  layers(): readonly Looks[] {
    const { latents, tokens, model } = this.trace;
    const of = latents.length > 0 ? 'latents' : 'words';
    if (this.evidence?.of !== of) {
      this.evidence = { of, queries: 0, layers: Array.from({ length: model.layers }, () => new Looks()) };
    }
    const { evidence } = this;
    const queries =
      of === 'latents'
        ? latents.map(({ attention }) => attention)
        : tokens.flatMap(({ attention }) => attention ?? []);
    for (; evidence.queries < queries.length; evidence.queries++) {
      const query = queries[evidence.queries]!;
      evidence.layers.forEach((looks, layer) => looks.add(this.visual(joinHeads(query, layer, 'mean'))));
    }
    return evidence.layers;
  }

  /** The layer whose latents look at the pictures most: where a reader begins. */
  openingLayer(): number {
    const masses = this.layers().map(({ mass }) => mass);
    const most = Math.max(...masses);
    // Without anything to go by, the last layer is as good as any.
    return most > 0 ? masses.indexOf(most) : this.trace.model.layers - 1;
  }

  /** Index of the latent that looks at the pictures most in the opening layer; −1 without latents. */
  openingLatent(): number {
    const { latents } = this.trace;
    const layer = this.openingLayer();
    if (this.latentWithMost.layer !== layer) this.latentWithMost = { latents: 0, layer, index: -1, mass: -1 };
    const best = this.latentWithMost;
    for (; best.latents < latents.length; best.latents++) {
      const mass = totalOf(this.visual(joinHeads(latents[best.latents]!.attention, layer, 'mean')));
      if (mass > best.mass) Object.assign(best, { index: best.latents, mass });
    }
    return best.index;
  }

  /** What is shown of a picture before a reader chooses. */
  opening(picture: TracePicture, kind: MapKind = kindsFor(picture)[0]!): MapSelector {
    return { kind, picture: picture.id, layer: this.openingLayer(), heads: 'mean' };
  }

  /** Attention over all keys in the opening layer, heads averaged: what texts and summaries quote. */
  openingRow(attention: NumericArray): Float32Array {
    return joinHeads(attention, this.openingLayer(), 'mean');
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

  private rawMap(latent: TraceLatent, selector: MapSelector): HeatMap | undefined {
    const maps = this.maps.get(keyOf(selector), () => new Map<TraceLatent, HeatMap | undefined>());
    if (!maps.has(latent)) maps.set(latent, mapOf(this.trace, latent, selector));
    return maps.get(latent);
  }

  private mean(selector: MapSelector, patches: number): Float32Array {
    const { latents, sums } = this.upToDate(
      this.means.get(keyOf(selector), () => ({ latents: 0, sums: new Float64Array(patches) })),
      selector,
      (entry, { values }) => values.forEach((value, i) => (entry.sums[i]! += value)),
    );
    return Float32Array.from(sums, (value) => value / latents);
  }

  /** Adds the latents that came since. */
  private upToDate<Entry extends { latents: number }>(
    entry: Entry,
    selector: MapSelector,
    add: (entry: Entry, map: HeatMap) => void,
  ): Entry {
    for (; entry.latents < this.trace.latents.length; entry.latents++) {
      const map = this.rawMap(this.trace.latents[entry.latents]!, selector);
      if (map !== undefined) add(entry, map);
    }
    return entry;
  }

  /** The part of a row over all keys that lies on pictures. */
  private visual(row: Float32Array): Float32Array {
    const parts = this.trace.pictures.flatMap(({ range }) =>
      range === undefined ? [] : [row.subarray(range.start, range.start + range.count)],
    );
    if (parts.length === 1) return parts[0]!;
    const joined = new Float32Array(parts.reduce((length, part) => length + part.length, 0));
    let at = 0;
    for (const part of parts) {
      joined.set(part, at);
      at += part.length;
    }
    return joined;
  }
}

/** Remembers what was asked for last. */
class Kept<Value> {
  private readonly entries = new Map<string, Value>();

  get(key: string, make: () => Value): Value {
    const value = this.entries.get(key) ?? make();
    // Deleting and setting again keeps the order of use; the first is the one used longest ago.
    this.entries.delete(key);
    this.entries.set(key, value);
    if (this.entries.size > KEPT_SELECTORS) this.entries.delete(this.entries.keys().next().value!);
    return value;
  }
}

function keyOf({ kind, picture, layer, heads }: MapSelector): string {
  return kind === 'attention' ? `${kind}/${picture}/${layer}/${heads}` : `${kind}/${picture}`;
}
