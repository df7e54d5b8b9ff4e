/**
 * Latent reach: which earlier positions a position sees in a control model, one whose answer can depend on
 * its latents by construction or cannot. An ordinary model has none and sees everything before it.
 *
 * - only: from the end token of a latent block on, of all that stands before that token only the block's
 *   latents are seen (of several blocks, those of the latest that has ended). The latents themselves see
 *   those of their own block alone: a pad that saw the picture would hand it on in its keys and values,
 *   whatever vector is fed there. So picture and question reach the answer through the vector that the
 *   start token's position gives to the first latent, and with other vectors fed they do not reach it at all.
 * - none: latents are seen from latents only, so nothing else depends on what they are.
 *
 * The start and end tokens of a block stand outside it: they are ordinary tokens that later ones see.
 * Indices are places in the sequence, prompt included.
 */

export type LatentReach = 'only' | 'none';

export interface LatentBlock {
  /** Index of its first pad. */
  first: number;
  /** How many pads it has, one after the other. */
  pads: number;
  /** Index of its end token; absent while it is open, or where a new start token broke it off. */
  end?: number;
}

/** Whether the position `query` attends to `key`. A block that begins or ends after `query` changes nothing. */
export function visible(
  query: number,
  key: number,
  blocks: readonly LatentBlock[],
  reach: LatentReach | undefined,
): boolean {
  if (key > query) return false;
  if (reach === undefined) return true;
  const own = blocks.find((block) => isIn(block, query));
  if (reach === 'none') return own !== undefined || !blocks.some((block) => isIn(block, key));
  if (own !== undefined) return isIn(own, key);
  const ended = blocks.findLast(({ end }) => end !== undefined && end <= query);
  return ended === undefined || key >= ended.end! || isIn(ended, key);
}

function isIn({ first, pads }: LatentBlock, index: number): boolean {
  return index >= first && index < first + pads;
}
