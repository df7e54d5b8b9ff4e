/**
 * The colour law: what is laid over the picture at a patch. It depends on the patch's value and the scale,
 * never on its neighbours, and it keeps the picture's own colours:
 *
 * - spotlight: the picture as it is where the query looks, dimmed where it does not;
 * - heat: the picture as it is where the value is nothing, covered by the scale's colour where it is more.
 */

import { CURVE } from './constants.ts';
import { diverging, sequential, type Rgb } from './palettes.ts';
import { strengthOf, type Scale } from './scale.ts';

export const LAWS = ['spotlight', 'heat'] as const;
export type Law = (typeof LAWS)[number];

/** A colour to lay over the picture. */
export interface Paint {
  colour: Rgb;
  /** 0 (nothing) to 1 (opaque). */
  alpha: number;
}

export interface Drawing {
  law: Law;
  scale: Scale;
  /** Alpha at the law's far end, 0 to 1. */
  strength: number;
}

/** What dims the picture: nearly black, so that a dimmed patch is darker in every theme. */
const DIM: Rgb = [14, 14, 18];
/** Under the hatching of a patch without a value, which is neither lit nor nothing. */
const BLANK: Paint = { colour: [96, 96, 96], alpha: 0.6 };

/** Hatching of patches without a value: stripes of this many pixels of every so many, along the diagonal. */
export const HATCH = { stripe: 2, period: 6, colour: [168, 168, 168] as Rgb };

/** What is laid over a patch. */
export function paintOf(value: number, { law, scale, strength }: Drawing): Paint {
  const at = strengthOf(value, scale);
  if (Number.isNaN(at)) return BLANK;
  if (law === 'spotlight') return { colour: DIM, alpha: strength * (1 - Math.max(0, at) ** CURVE) };
  return {
    colour: scale.diverging ? diverging(at) : sequential(at),
    alpha: strength * Math.abs(at) ** CURVE,
  };
}

/** The same for a whole map: RGBA, one pixel per patch. */
export function paintMap(values: Float32Array, drawing: Drawing): Uint8ClampedArray<ArrayBuffer> {
  const pixels = new Uint8ClampedArray(values.length * 4);
  for (let i = 0; i < values.length; i++) {
    const { colour, alpha } = paintOf(values[i]!, drawing);
    pixels.set(colour, i * 4);
    pixels[i * 4 + 3] = Math.round(alpha * 255);
  }
  return pixels;
}
