/**
 * Where a reader begins: the layer and the latent that look at the pictures most, and the evidence for it. It follows
 * from the manifest alone (looks.ts) and is computed once for what is in the trace, which may grow.
 */

import { Looks } from '../heatmap/statistics.ts';
import { visualCount } from './columns.ts';
import { lookAt, type Look } from './looks.ts';
import type { Trace, TraceToken } from './schema.ts';

const known = new WeakMap<Trace, Opening>();

/** The opening of a trace; the same object for as long as the trace is in memory. */
export function openingOf(trace: Trace): Opening {
  let opening = known.get(trace);
  if (opening === undefined) known.set(trace, (opening = new Opening(trace)));
  return opening;
}

/**
 * Of layers, the one that looks at the pictures most; the last one where none looks at all: it is as good as any.
 * @param masses attention on the pictures, by layer
 */
export function layerLookingMost(masses: readonly number[]): number {
  const most = Math.max(...masses);
  return most > 0 ? masses.indexOf(most) : masses.length - 1;
}

export class Opening {
  private readonly trace: Trace;
  private evidence: { of: 'latents' | 'words'; tokens: number; layers: Looks[] } | undefined;
  private latentWithMost = { latents: 0, layer: -1, index: -1, mass: -1 };

  constructor(trace: Trace) {
    this.trace = trace;
  }

  /**
   * How the run's latents look at the pictures, layer by layer, heads averaged. Where there are no latents,
   * how its words do.
   */
  layers(): readonly Looks[] {
    const { latents, tokens, model } = this.trace;
    const of = latents.length > 0 ? 'latents' : 'words';
    if (this.evidence?.of !== of) {
      this.evidence = { of, tokens: 0, layers: Array.from({ length: model.layers }, () => new Looks()) };
    }
    const { evidence } = this;
    const patches = visualCount(this.trace);
    // What a token looks at is known when its query has been run, in their order.
    const end = of === 'latents' ? (latents.at(-1)?.token ?? -1) + 1 : tokens.length;
    for (; evidence.tokens < end; evidence.tokens++) {
      const token = tokens[evidence.tokens]!;
      if (of === 'latents' ? token.kind !== 'latent' : token.kind !== 'text') continue;
      if (token.looks === undefined && evidence.tokens === tokens.length - 1) break;
      evidence.layers.forEach((looks, layer) => {
        const look = lookAt(token, layer);
        if (look !== undefined) looks.addLook(look.mass.pictures, look.bits, look.peak, patches);
      });
    }
    return evidence.layers;
  }

  /** The layer whose latents look at the pictures most: where a reader begins. */
  layer(): number {
    return layerLookingMost(this.layers().map(({ mass }) => mass));
  }

  /** Index of the latent that looks at the pictures most in the opening layer; −1 without latents. */
  latent(): number {
    const { latents, tokens } = this.trace;
    const layer = this.layer();
    if (this.latentWithMost.layer !== layer) this.latentWithMost = { latents: 0, layer, index: -1, mass: -1 };
    const best = this.latentWithMost;
    for (; best.latents < latents.length; best.latents++) {
      const mass = lookAt(tokens[latents[best.latents]!.token] ?? {}, layer)?.mass.pictures ?? 0;
      if (mass > best.mass) Object.assign(best, { index: best.latents, mass });
    }
    return best.index;
  }

  /** How a token looks in the opening layer, heads averaged: what texts and summaries quote. */
  look(token: Pick<TraceToken, 'looks'> | undefined): Look | undefined {
    return token && lookAt(token, this.layer());
  }
}
