/** Relevance: how attention, layer upon layer, leads from pictures and latents to the answer. */

import * as z from 'zod';
import { message } from '../base/l10n.ts';
import { SHARE } from './check.ts';
import { analysis, numbers } from './definition.ts';

export const relevance = analysis({
  version: 1,
  needs: 'model',
  secondRun: false,
  parameters: z.strictObject({
    methods: z
      .array(z.enum(['rollout', 'gradient']))
      .min(1)
      .default(['rollout', 'gradient']),
    /** Share of a layer's output that rollout takes from the position itself, past the attention. */
    residual: z.number().min(0).max(1).default(0.5),
    /**
     * What gradients explain of the words: log p, which hardly moves where the model is certain, or the odds against all
     * other words, log p / (1 - p), which do.
     */
    objective: z.enum(['log-probability', 'log-odds']).default('log-probability'),
    /** Whether gradient × input goes on from latents to what they were made of; takes a walk back per latent. */
    follow: z.boolean().default(false),
    /** First and last new token of the answer; absent: see `answerTokens`. */
    tokens: z
      .tuple([z.int().min(0), z.int().min(0)])
      .refine(([first, last]) => first <= last, 'the first token must not come after the last')
      .optional(),
  }),
  offered: {
    methods: {
      label: message('Methods'),
      options: { rollout: message('rollout'), gradient: message('gradient') },
    },
    objective: {
      label: message('Gradient of'),
      options: { 'log-probability': message('log-probability'), 'log-odds': message('log-odds') },
    },
    follow: { label: message('Follow latents back (slow)') },
    residual: { label: message('Residual share of rollout') },
  },
  /** T positions of the sequence that stand before the end of the answer, L layers, N latents in the run's order. */
  result: z.strictObject({
    answer: z.strictObject({
      /** Indices of new tokens. */
      tokens: z.array(z.int()),
      text: z.string(),
      /** Sum over these tokens, in nats. */
      logProbability: z.number(),
    }),
    /** Shares from 0 to 1; each row sums to 1. */
    rollout: z
      .strictObject({
        /** [T]: mean of the positions that the answer's tokens were chosen at. */
        answer: numbers(1),
        /** [T]: the same with latents opened: what they were fed with comes from the position before them. */
        followed: numbers(1),
        /** [N, T] */
        latents: numbers(2),
      })
      .optional(),
    gradient: z
      .strictObject({
        /** [L, T], nats: by layer and key, over all queries and heads. */
        keys: numbers(2),
        /** [L, N, T], nats: the same of the latents' own queries. */
        latents: numbers(3),
        /** [T], nats: gradient × what is fed there, latents being inputs like others. */
        input: numbers(1),
        /** [T], nats: the same where the gradient goes on from latents; at a latent, all that passes through it. */
        followed: numbers(1).optional(),
        /** [T]: the rule of Chefer et al.; no unit, begins with 1 shared by the answer's positions. */
        relevance: numbers(1),
      })
      .optional(),
  }),
  check({ answer, rollout, gradient }, claims) {
    const { layers, latents, prompt, tokens } = claims.run;
    for (const token of answer.tokens) claims.index('answer.tokens', token, tokens);
    const [length] = (rollout?.answer ?? gradient?.input)?.shape ?? [0];
    claims.index('positions', length!, prompt + tokens + 1);
    if (rollout !== undefined) {
      claims.array('rollout.answer', rollout.answer, [length!], SHARE);
      claims.array('rollout.followed', rollout.followed, [length!], SHARE);
      claims.array('rollout.latents', rollout.latents, [latents, length!], SHARE);
    }
    if (gradient !== undefined) {
      claims.array('gradient.keys', gradient.keys, [layers, length!]);
      claims.array('gradient.latents', gradient.latents, [layers, latents, length!]);
      claims.array('gradient.input', gradient.input, [length!]);
      if (gradient.followed !== undefined) claims.array('gradient.followed', gradient.followed, [length!]);
      claims.array('gradient.relevance', gradient.relevance, [length!]);
    }
  },
  tab: 'relevance',
  title: message('Relevance'),
  method: message(
    'Rollout: mean of the heads, mixed with the position itself, multiplied through all layers. Gradient × attention: ' +
      "each attention probability times the derivative of the answer's log-probability (or log-odds) with respect to it, in nats.",
  ),
  source: message(
    'Rollout: Abnar and Zuidema, arXiv 2005.00928. Gradient × attention: Chefer et al., arXiv 2103.15679 (relevance), ' +
      'and its signed first-order sums.',
  ),
  limits: message(
    'Rollout knows nothing of values and signs. A gradient is of first order: what would happen if a little changed; ' +
      'that of the log-probability fades where the model is certain. ' +
      'Latents count as sources of their own, but where they are followed back to what they were made of.',
  ),
});
