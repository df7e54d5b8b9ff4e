/** Divergence: how differently two runs of one model expect the words that both of them wrote. */

import * as z from 'zod';
import { message } from '../base/l10n.ts';
import { analysis } from './definition.ts';

export const divergence = analysis({
  version: 1,
  needs: 'model',
  secondRun: 'required',
  parameters: z.strictObject({}),
  offered: {},
  result: z.strictObject({
    /** Words that both wrote, in order. */
    words: z.array(
      z.strictObject({
        /** Indices among the new tokens of the run and of the other one. */
        a: z.int().min(0),
        b: z.int().min(0),
        /** KL(run ‖ other) and KL(other ‖ run) of the next word's distributions, in nats. */
        kl: z.number(),
        reverse: z.number(),
        /** log p of the word itself in the run and in the other one. */
        logA: z.number(),
        logB: z.number(),
      }),
    ),
  }),
  check({ words }, claims) {
    // Which words the other run has, only that one tells.
    for (const { a } of words) claims.index('words.a', a, claims.run.tokens);
  },
  tab: 'comparison',
  title: message('Divergence of two runs'),
  method: message(
    'Both runs are read again by the model. At each word that both wrote: KL(A ‖ B), the sum over all words of ' +
      'p_A · (log p_A − log p_B), in nats, before any settings of sampling.',
  ),
  source: message('Kullback and Leibler (1951)'),
  limits: message(
    'It tells how differently the next word is expected, not which of the differences before it is the cause. Words ' +
      'that only one of the runs wrote have no figure.',
  ),
});
