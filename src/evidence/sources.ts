/** Where each position of the answer looks: its mass by source, stacked. From the manifest alone. */

import { message, translated, type Message } from '../base/l10n.ts';
import { lookAt, type MassBySource, type Source } from '../trace/looks.ts';
import type { Trace } from '../trace/schema.ts';

/** From the bottom of the stack upwards: what can carry evidence first, the prompt's text last. */
export const STACK = ['pictures', 'latents', 'answer', 'prompt'] as const satisfies Source[];

const SOURCE_NAMES: Record<Source, Message> = {
  pictures: message('pictures'),
  latents: message('latents'),
  answer: message('own words'),
  prompt: message('prompt text'),
};

/** What a source is called in legends. */
export function sourceName(source: Source): string {
  return translated(SOURCE_NAMES[source]);
}

/**
 * Of what the shares are: of all attention; or of what is left without the prompt's text, whose first token is where
 * most attention goes that goes nowhere (a sink), so that the rest can be compared.
 */
export const SHARES = ['all', 'without-prompt'] as const;
export type Shares = (typeof SHARES)[number];

export interface SourcePoint {
  /** Index into trace.tokens. */
  token: number;
  /** Adds up to 1. */
  mass: MassBySource;
}

/** One point per position that the trace knows, heads averaged; none where nothing is left to share. */
export function sourcesOf(trace: Trace, layer: number | 'mean', shares: Shares): SourcePoint[] {
  return trace.tokens.flatMap((position, token) => {
    const look = lookAt(position, layer);
    const mass = look && sharesOf(look.mass, shares);
    return mass === undefined ? [] : [{ token, mass }];
  });
}

function sharesOf(mass: MassBySource, shares: Shares): MassBySource | undefined {
  if (shares === 'all') return mass;
  const { pictures, latents, answer } = mass;
  const total = pictures + latents + answer;
  if (total <= 0) return undefined;
  return { pictures: pictures / total, latents: latents / total, answer: answer / total, prompt: 0 };
}

/** A source's part of the stack at a point: from where it begins to where it ends, 0 to 1. */
export function layerOf({ mass }: SourcePoint, source: Source): [from: number, to: number] {
  let from = 0;
  for (const below of STACK) {
    if (below === source) break;
    from += mass[below];
  }
  return [from, Math.min(1, from + mass[source])];
}
