/**
 * The maps of a whole run: one by one, and what they have in common.
 *
 * Whatever draws a map asks here for the map and its scale. Maps are made of slices that are at hand (slices.ts):
 * where one is not, there is no map yet. Everything is computed once: a latent never changes once it is in a trace, and what spans all latents is computed again when there are more.
 */

import type { CancelSignal } from '../base/cancel.ts';
import { masked, relative, type Sink } from '../heatmap/readings.ts';
import type { HeatMap, MapKind, Reading } from '../heatmap/map.ts';
import { scaleOf, type Scale, type Scope } from '../heatmap/scale.ts';
import { Looks } from '../heatmap/statistics.ts';
import type { Choice } from './choice.ts';
import { latentIndexAt } from './columns.ts';
import { familyOf, kindsFor, mapOf, type MapSelector } from './maps.ts';
import type { Query } from './queries.ts';
import { openingOf } from './opening.ts';
import type { Trace, TraceLatent, TracePicture } from './schema.ts';
import type { Slices } from './slices.ts';

/** 16 selectors × 64 latents × 1000 patches are 4 MB. */
const KEPT_SELECTORS = 16;

export class RunMaps {
  readonly slices: Slices;
  private readonly trace: Trace;
  private readonly maps = new Kept<Map<TraceLatent, HeatMap | undefined>>();
  private readonly readings = new Kept<{ latents: number; maps: Map<TraceLatent, HeatMap> }>();
  private readonly means = new Kept<Sums>();
  private readonly looks = new Kept<{ latents: number; looks: Looks }>();
  private readonly scales = new Kept<{ latents: number; slices: number; scale: Scale }>();

  /** @param trace may grow, but what is in it stays */
  constructor(trace: Trace, slices: Slices) {
    this.trace = trace;
    this.slices = slices;
  }

  /** What has to be at hand for the maps of all latents there are. */
  needs(selector: MapSelector): Query {
    return { family: familyOf(selector), from: 0, to: this.trace.latents.length };
  }

  /** Whether the maps of all latents there are can be drawn. */
  isReady(selector: MapSelector): boolean {
    return this.slices.has(this.needs(selector));
  }

  /** Brings what the maps of all latents need. */
  async load(selector: MapSelector, signal?: CancelSignal): Promise<void> {
    await this.slices.load(this.needs(selector), signal);
  }

  /** The map of one latent; undefined where the trace has none (see mapOf), or its slice is not at hand. */
  map(latent: TraceLatent, selector: MapSelector, reading: Reading = 'raw'): HeatMap | undefined {
    const raw = this.rawMap(latent, selector);
    if (raw === undefined || selector.kind !== 'attention' || reading === 'raw') return raw;
    const sums = this.sums(selector, raw.values.length);
    const entry = this.readings.get(`${keyOf(selector)}/${reading}`, () => ({
      latents: -1,
      maps: new Map<TraceLatent, HeatMap>(),
    }));
    // Both are against all latents there are.
    if (entry.latents !== sums.latents) Object.assign(entry, { latents: sums.latents, maps: new Map() });
    let map = entry.maps.get(latent);
    if (map === undefined) {
      map = reading === 'masked' ? masked(raw, this.sink(selector)) : relative(raw, meanOf(sums));
      entry.maps.set(latent, map);
    }
    return map;
  }

  /** The scale of the maps of the run, of the latent's block, or of the latent alone. */
  scale(selector: MapSelector, reading: Reading, scope: Scope, latent?: TraceLatent): Scale {
    const { latents } = this.trace;
    const maps = (among: readonly TraceLatent[]): HeatMap[] =>
      among.flatMap((other) => this.map(other, selector, reading) ?? []);
    if (scope === 'latent') return scaleOf(latent === undefined ? [] : maps([latent]));
    const block = scope === 'block' ? latent?.block : undefined;
    const key = `${keyOf(selector)}/${reading}/${block ?? 'run'}`;
    const entry = this.scales.get(key, () => ({ latents: -1, slices: -1, scale: scaleOf([]) }));
    if (entry.latents !== latents.length && entry.slices !== this.slices.version) {
      entry.latents = this.isReady(selector) ? latents.length : -1;
      // Some may be missing: nothing is gained by looking again before another slice has come.
      entry.slices = this.slices.version;
      entry.scale = scaleOf(maps(latents.filter((other) => block === undefined || other.block === block)));
    }
    return entry.scale;
  }

  /** The patch that is the largest for more than half of the latents. */
  sink(selector: MapSelector): Sink | undefined {
    const { looks } = this.upToDate(
      this.looks.get(keyOf(selector), () => ({ latents: 0, looks: new Looks() })),
      selector,
      // The sink goes by peaks alone.
      (entry, { values, peak }) => entry.looks.addLook(0, 0, peak, values.length),
    );
    return looks.sink && { ...looks.sink, of: looks.queries };
  }

  /** What is shown of a picture before a reader chooses. */
  opening(picture: TracePicture, kind: MapKind = kindsFor(picture)[0]!): MapSelector {
    return { kind, picture: picture.id, layer: openingOf(this.trace).layer(), heads: 'mean' };
  }

  /** What has to be at hand for `row`. */
  rowNeeds(token: number, layer: Choice, heads: Choice): Query {
    return { family: { of: 'row', layer, heads }, from: token, to: token + 1 };
  }

  /** The stored row of a token's query (see columns.ts), where there is one and it is at hand. */
  row(token: number, layer: Choice, heads: Choice): Float32Array | undefined {
    const row = this.slices.at({ of: 'row', layer, heads }, token);
    return row?.length ? row : undefined;
  }

  private rawMap(latent: TraceLatent, selector: MapSelector): HeatMap | undefined {
    const maps = this.maps.get(keyOf(selector), () => new Map<TraceLatent, HeatMap | undefined>());
    if (maps.has(latent)) return maps.get(latent);
    const slice = this.slices.at(familyOf(selector), latentIndexAt(this.trace, latent.token) ?? -1);
    if (slice === undefined) return undefined;
    const map = mapOf(this.trace, latent, selector, slice);
    maps.set(latent, map);
    return map;
  }

  private sums(selector: MapSelector, patches: number): Sums {
    return this.upToDate(
      this.means.get(keyOf(selector), () => ({ latents: 0, sums: new Float64Array(patches) })),
      selector,
      (entry, { values }) => values.forEach((value, i) => (entry.sums[i]! += value)),
    );
  }

  /** Adds the latents that came since, as far as their slices are at hand. */
  private upToDate<Entry extends { latents: number }>(
    entry: Entry,
    selector: MapSelector,
    add: (entry: Entry, map: HeatMap) => void,
  ): Entry {
    for (; entry.latents < this.trace.latents.length; entry.latents++) {
      const latent = this.trace.latents[entry.latents]!;
      const map = this.rawMap(latent, selector);
      if (map !== undefined) add(entry, map);
      else if (this.slices.at(familyOf(selector), entry.latents) === undefined) break;
    }
    return entry;
  }
}

/** Of the values of many latents, by patch. */
interface Sums {
  latents: number;
  sums: Float64Array;
}

function meanOf({ latents, sums }: Sums): Float32Array {
  return Float32Array.from(sums, (value) => value / latents);
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
