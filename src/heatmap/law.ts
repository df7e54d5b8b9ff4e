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

/** The same for a whole map, one pixel per patch: the four bytes of RGBA as they stand in memory, as one word. */
export function paintWords(values: Float32Array, drawing: Drawing): Uint32Array<ArrayBuffer> {
  const { law, scale, strength } = drawing;
  const known = knownPaints(`${law} ${strength} ${scale.diverging}`);
  const words = new Uint32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const at = strengthOf(values[i]!, scale);
    const place = (at < 0 ? FINE - Math.sqrt(-at) * FINE : FINE + Math.sqrt(at) * FINE) + 0.5;
    // NaN is on no scale, so it stands behind both halves.
    words[i] = known[at === at ? place | 0 : BLANK_PLACE] ||= wordOf(paintOf(values[i]!, drawing));
  }
  return words;
}

/** The same as bytes. */
export function paintMap(values: Float32Array, drawing: Drawing): Uint8ClampedArray<ArrayBuffer> {
  return new Uint8ClampedArray(paintWords(values, drawing).buffer);
}

/** The word of an opaque colour. */
export function wordOfColour(colour: Rgb): number {
  return wordOf({ colour, alpha: 1 });
}

/**
 * Places between nothing and the end of a scale that are told apart, by the square root, since the curve is steepest near
 * nothing: two neighbours differ by less than a tenth of a step of alpha.
 */
const FINE = 2 ** 12;
const BLANK_PLACE = 2 * FINE + 1;

/**
 * A pixel's word by where it lies on the scale, as it is first drawn; 0, which no law draws but where it draws
 * nothing, is not known yet. Maps are drawn by the dozen, mostly with the law of the ones before.
 */
let paints: { key: string; words: Uint32Array } | undefined;

function knownPaints(key: string): Uint32Array {
  if (paints?.key !== key) paints = { key, words: new Uint32Array(2 * FINE + 2) };
  return paints.words;
}

function wordOf({ colour, alpha }: Paint): number {
  pixel.set(colour);
  pixel[3] = Math.round(alpha * 255);
  return pixelWord[0]!;
}

const pixel = new Uint8ClampedArray(4);
const pixelWord = new Uint32Array(pixel.buffer);
