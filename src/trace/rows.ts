/**
 * Attention rows of generated positions.
 *
 * A token's row is that of its *own* query: of the position at which it was fed, which predicts the next
 * token. Latents store every head, other tokens the mean of the heads.
 */

import type { NumericArray } from '../tensor/array.ts';
import type { Trace } from './schema.ts';

export interface QueryRow {
  /** [layers, heads, keys] or [layers, keys]. */
  attention: NumericArray;
  /** Whether single heads can be told apart. */
  allHeads: boolean;
}

/** What the trace stores for the query at a generated token; undefined where it was never fed. */
export function queryRow(trace: Trace, token: number): QueryRow | undefined {
  const latent = latentIndexAt(trace, token);
  if (latent !== undefined) return { attention: trace.latents[latent]!.attention, allHeads: true };
  const attention = trace.tokens[token]?.attention;
  return attention === undefined ? undefined : { attention, allHeads: false };
}

/** Index into trace.latents of the latent fed at a token; latents are in the order of their tokens. */
export function latentIndexAt(trace: Trace, token: number): number | undefined {
  let [low, high] = [0, trace.latents.length - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    const at = trace.latents[middle]!.token;
    if (at === token) return middle;
    if (at < token) low = middle + 1;
    else high = middle - 1;
  }
  return undefined;
}

/** Whether any text token has a row; without them words cannot be brushed. */
export function hasTextAttention(trace: Trace): boolean {
  return trace.tokens.some((token) => token.kind === 'text' && token.attention !== undefined);
}
