/**
 * Models whose latents go through a head of their own (LVR): which states of a known sequence do, and what they become.
 * Whoever reads a run once more asks here, so that nothing is computed from a state that the run itself did not use.
 */

import type { NumericArray } from '../tensor/array.ts';
import type { Model } from './model.ts';

/** Of a sequence. */
export interface Headed {
  /** Positions that were fed a latent: the states there go through the head before anything comes of them. */
  positions: ReadonlySet<number>;
  /** Whether words are chosen from what the head makes of them, too. */
  logits: boolean;
}

/** What comes of states after the final norm. The same array as they where there is no head. */
export interface Following {
  /** (S, C): what a latent at the next position is fed. */
  fed: NumericArray;
  /** (S, C): what the next word is chosen from. */
  chosen: NumericArray;
}

/**
 * @param hidden (S, C) after the final norm
 * @param first position of the first of them
 */
export async function following(
  model: Model,
  headed: Headed | undefined,
  hidden: NumericArray,
  first: number,
): Promise<Following> {
  const [count = 0, width = 0] = hidden.shape;
  const rows = Array.from({ length: count }, (_, i) => i).filter((i) => headed?.positions.has(first + i));
  if (headed === undefined || rows.length === 0) return { fed: hidden, chosen: hidden };
  const data = new Float32Array(rows.length * width);
  rows.forEach((row, i) => data.set(hidden.data.subarray(row * width, (row + 1) * width), i * width));
  const through = await model.latentHead({ shape: [rows.length, width], data });
  const fed = { shape: hidden.shape, data: hidden.data.slice() };
  rows.forEach((row, i) => fed.data.set(through.data.subarray(i * width, (i + 1) * width), row * width));
  return { fed, chosen: headed.logits ? fed : hidden };
}
