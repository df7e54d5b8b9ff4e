/** When a block's latents have collapsed to one. Free of schemas, so that a page can have it. */

import { message } from '../base/l10n.ts';

/** Mean cosine of a block's pairs from which on it counts as collapsed. At 0.95 two latents are 18° apart. */
export const COLLAPSE = 0.95;

export const COLLAPSE_SOURCE = message('Collapse: arXiv 2605.18445; the threshold is ours.');

/** @param within mean cosine of the block's pairs; absent or NaN where it has none */
export function hasCollapsed(within: number | undefined, threshold = COLLAPSE): boolean {
  return within !== undefined && within >= threshold;
}
