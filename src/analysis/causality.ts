/** Causality: what becomes of the words when latents are replaced, with the words given and with free ones. */

import * as z from 'zod';
import { message } from '../base/l10n.ts';
import type { Claims } from './check.ts';
import { analysis, numbers } from './definition.ts';
import type { NumericArray } from '../tensor/array.ts';
import { INTERVENTION_KINDS, INTERVENTION_NAMES, WHY_MISSING } from './intervention.ts';

/** What a model wrote by itself. */
const written = z.strictObject({
  /** Words after the place where the runs part; an end token is none. */
  words: z.array(z.string()),
  /** What it states as its answer; absent where it was cut before it had marked one. */
  answer: z.string().optional(),
  /** It did not end by itself: it came to the limit of tokens. */
  cut: z.literal(true).optional(),
  /** Index of the first word that differs from the own ones; absent where none does. */
  difference: z.int().min(0).optional(),
  /** By the scorer; absent where no truth was given. */
  right: z.boolean().optional(),
  /** Blocks of the whole answer. */
  blocks: z.int().min(0),
});

/** What the samples' scorer needs: see ../dataset/scoring.ts. */
export const truth = z
  .strictObject({
    map: z
      .array(z.array(z.int().min(-1).max(2)).max(64))
      .max(64)
      .optional(),
    answer: z.string().optional(),
  })
  .refine(({ map, answer }) => map !== undefined || answer !== undefined, 'a map or an answer');

/** What variants of a run are found to be; W words that are compared, R draws. */
export const variantsResult = z.strictObject({
  /** The run's own words after the place where the variants part from it: indices of new tokens, and texts. */
  words: z.array(z.strictObject({ token: z.int(), text: z.string() })),
  /** Which of them make up the answer. */
  answer: z.array(z.int()),
  /** Of the model's own latents, greedy as the variants are. */
  own: written.optional(),
  variants: z.array(
    z.strictObject({
      kind: z.enum(INTERVENTION_KINDS),
      /** Why it was not tried. */
      missing: z.enum(WHY_MISSING).optional(),
      /** With the run's own words fed. */
      forced: z
        .strictObject({
          /** [R, W], nats: KL(own ‖ variant) of the next word's distribution, before settings of sampling. */
          kl: numbers(2),
          /** [R, W], nats: log p of the own word, variant minus own. */
          change: numbers(2),
        })
        .optional(),
      /** With its own words, one for each draw. */
      free: z.array(written),
    }),
  ),
});

/** Claims on such a result. */
export function checkVariants(
  { words, answer, own, variants }: z.output<typeof variantsResult>,
  claims: Claims,
): void {
  for (const { token } of words) claims.index('a word', token, claims.run.tokens);
  for (const word of answer) claims.index('a word of the answer', word, words.length);
  for (const { forced, free } of variants) {
    for (const values of forced === undefined ? [] : [forced.kl, forced.change])
      claims.array('figures of a variant', known(values), [free.length, words.length]);
    for (const { difference, words: written } of [...free, ...(own ? [own] : [])])
      claims.index('a difference', difference ?? 0, Math.max(words.length, written.length) + 1);
  }
}

export const causality = analysis({
  version: 2,
  needs: 'model',
  secondRun: true,
  parameters: z.strictObject({
    /** Of another run's latents too, wherever another run is given. */
    variants: z
      .array(z.enum(INTERVENTION_KINDS))
      .min(1)
      .default(INTERVENTION_KINDS.filter((kind) => kind !== 'swap' && kind !== 'none')),
    /** Only this block, or this latent of it, both counted from 1; 0: all. */
    block: z.int().min(0).default(0),
    latent: z.int().min(0).default(0),
    /** Draws of what is left to chance. */
    repeats: z.int().min(1).max(20).default(3),
    seed: z.int().min(0).default(0),
    /** Says which answers are right. */
    truth: truth.optional(),
  }),
  offered: {
    variants: { label: message('Fed in their place'), options: INTERVENTION_NAMES },
    block: { label: message('Block (0: all)') },
    latent: { label: message('Latent of it (0: all)') },
    repeats: { label: message('Draws') },
  },
  result: variantsResult,
  check: checkVariants,
  tab: 'causality',
  title: message('Causality of latents'),
  method: message(
    'Each variant parts from the run before the block and shares all before it. Forced: the run’s own words are fed, and ' +
      'at each KL(own ‖ variant) of the next word’s distribution and the change of its log-probability, in nats. Free: ' +
      'the variant writes on by itself, greedily, beside the model with its own latents.',
  ),
  source: message(
    'Zeroed, noise, mean, another run’s: arXiv 2602.22766. Dummy slots: arXiv 2605.18445. Markers alone: arXiv 2606.01287. ' +
      'The teacher’s selection: arXiv 2512.05665.',
  ),
  limits: message(
    'One run shows what these latents did here, not what latents do in general: see the same over a samples file. Vectors ' +
      'that the model never met in training, as zeros and noise, may disturb it without a hole in its reasoning. Without ' +
      'effect is not without content: the model may have what the latents hold from the picture as well.',
  ),
});

/** NaN stands for words that a variant had not come to when it was stopped. */
function known({ shape, data }: NumericArray): NumericArray {
  return { shape, data: data.map((value) => (Number.isNaN(value) ? 0 : value)) };
}
