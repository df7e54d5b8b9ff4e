/**
 * A long trace on its way to a page. Thousands of tokens in one message hold the extension host up while VS Code writes
 * them, so they follow the rest in parts, and others get their turn between two of them.
 */

import type { Trace } from '../trace/schema.ts';

/** Writing so many takes a few milliseconds. */
const TOKENS = 512;

export type TracePart = Pick<Trace, 'tokens' | 'latents'>;

/**
 * A short trace stays whole, and one that still grows: its events must not come between two parts.
 *
 * @returns the trace without tokens and latents, and these in parts; or the trace, and no parts
 */
export function inParts(trace: Trace): { head: Trace; parts: TracePart[] } {
  const { tokens, latents } = trace;
  const count = Math.ceil(tokens.length / TOKENS);
  if (count < 2 || trace.status === 'running') return { head: trace, parts: [] };
  const latentsEach = Math.ceil(latents.length / count);
  const parts = Array.from({ length: count }, (_, i) => ({
    tokens: tokens.slice(i * TOKENS, (i + 1) * TOKENS),
    latents: latents.slice(i * latentsEach, (i + 1) * latentsEach),
  }));
  return { head: { ...trace, tokens: [], latents: [] }, parts };
}
