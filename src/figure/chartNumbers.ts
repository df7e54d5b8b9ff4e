/** The numbers behind the charts along the answer, as CSV. */

import { csvOf } from './csv.ts';
import { latentIndexAt } from '../trace/columns.ts';
import { lookAt } from '../trace/looks.ts';
import type { Trace } from '../trace/schema.ts';

const HEADS = [
  'position',
  'kind',
  'text',
  'block',
  'latent',
  'pictures',
  'prompt text',
  'latents',
  'own words',
  'entropy in bits',
];

/** A row per position of the answer; positions and latents count from 1. What the trace does not know is empty. */
export function chartNumbers(trace: Trace, layer: number | 'mean'): string {
  const rows = trace.tokens.map((token, i) => {
    const look = lookAt(token, layer);
    const latent = trace.latents[latentIndexAt(trace, i) ?? -1];
    return [
      i + 1,
      token.kind,
      token.text,
      latent && latent.block + 1,
      latent && latent.index + 1,
      look?.mass.pictures,
      look?.mass.prompt,
      look?.mass.latents,
      look?.mass.answer,
      look?.bits,
    ];
  });
  return csvOf(HEADS, rows);
}
