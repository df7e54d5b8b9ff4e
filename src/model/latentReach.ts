/**
 * Latent reach: which earlier positions a position sees in a control model, one whose answer can depend on
 * its latents by construction or cannot. An ordinary model has none and sees everything before it.
 *
 * - only: from the end token of a latent block on, of all that stands before that token only the block's
 *   latents are seen (of several blocks, those of the latest that has ended). Picture and question reach the
 *   answer through the latents or not at all.
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
  if (reach === 'none') return isLatent(query, blocks) || !isLatent(key, blocks);
  const ended = blocks.findLast(({ end }) => end !== undefined && end <= query);
  return ended === undefined || key >= ended.end! || isIn(ended, key);
}

function isLatent(index: number, blocks: readonly LatentBlock[]): boolean {
  return blocks.some((block) => isIn(block, index));
}

function isIn({ first, pads }: LatentBlock, index: number): boolean {
  return index >= first && index < first + pads;
}
