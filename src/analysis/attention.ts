/** Attention of chosen tokens with all heads: a trace keeps the heads' mean of words, over pictures and latents alone. */

import * as z from 'zod';
import { message } from '../base/l10n.ts';
import { SHARE } from './check.ts';
import { analysis, numbers } from './definition.ts';

/** Most tokens of one result: with 28 layers of 28 heads over 1,000 positions each is 3 MB. */
export const MOST_TOKENS = 32;

export const attention = analysis({
  version: 1,
  needs: 'model',
  secondRun: false,
  parameters: z.strictObject({
    /** Indices of new tokens; none: those of the answer, see relevance. */
    tokens: z.array(z.int().min(0)).max(MOST_TOKENS).default([]),
  }),
  offered: { tokens: { label: message('Tokens, by position') } },
  result: z.strictObject({
    /** In the run's order. */
    rows: z.array(
      z.strictObject({
        token: z.int(),
        /** [L, H, keys]: over all positions up to its own; each row sums to 1. */
        attention: numbers(3),
      }),
    ),
  }),
  check({ rows }, claims) {
    const { layers, heads, prompt, tokens } = claims.run;
    for (const { token, attention: values } of rows) {
      claims.index('each token', token, tokens);
      claims.array('attention', values, [layers, heads, prompt + token + 1], SHARE);
    }
  },
  tab: 'attention',
  title: message('Attention with all heads'),
  method: message(
    "Probabilities of the token's own query in every layer and head, over all positions up to its own.",
  ),
  source: message('Vaswani et al., arXiv 1706.03762'),
  limits: message('Attention shows where information could flow, not what caused the answer.'),
});
