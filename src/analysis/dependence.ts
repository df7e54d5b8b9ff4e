/** Dependence: how far latents follow a change of the picture, and how much of it they hand on to the words. */

import * as z from 'zod';
import { message } from '../base/l10n.ts';
import { COSINE, COUNT } from './check.ts';
import { analysis, numbers } from './definition.ts';
import { PICTURE_CHANGES, PICTURE_CHANGE_NAMES } from './pictureChange.ts';

/** How alike states are to their own, one figure for each. */
const alike = z.strictObject({
  /** [n] */
  cosines: numbers(1),
  /** [n]: length of the difference by the length of the own. */
  distances: numbers(1),
});

/** Why the run is not read over a changed picture: there is none, or it is the same to the model. */
export const WHY_NOT_CHANGED = ['no-other-run', 'same-picture'] as const;

export const dependence = analysis({
  version: 1,
  needs: 'model',
  secondRun: true,
  parameters: z.strictObject({
    changes: z
      .array(z.enum(PICTURE_CHANGES))
      .min(1)
      .default(PICTURE_CHANGES.filter((change) => change !== 'replaced')),
    /** What is masked: top, left, bottom and right token of the picture, all included; none: the middle. */
    region: z.array(z.int().min(0)).max(4).default([]),
  }),
  offered: { changes: { label: message('The picture is'), options: PICTURE_CHANGE_NAMES } },
  result: z.strictObject({
    changes: z.array(
      z.strictObject({
        change: z.enum(PICTURE_CHANGES),
        /** Why it was not tried. */
        missing: z.enum(WHY_NOT_CHANGED).optional(),
        /** Of the pictures' features, as the tower gives them. */
        picture: alike.optional(),
        /** Of the latents, in the run's order: as they are fed. */
        latents: alike.optional(),
        /** Of the states that the run's words are chosen from. */
        words: alike.optional(),
        /** Of the states of the question's words, which stand after the picture. */
        question: alike.optional(),
        /** Nats: mean KL(own ‖ changed) per word, and change of the answer's log-probability. */
        whole: z.strictObject({ kl: z.number(), answer: z.number() }).optional(),
        /** The same where only the latents have seen the changed picture, and the words have the own one. */
        through: z.strictObject({ kl: z.number(), answer: z.number() }).optional(),
      }),
    ),
  }),
  check({ changes }, claims) {
    for (const { picture, latents, words, question, whole, through } of changes) {
      if (latents !== undefined) claims.array('latents', latents.cosines, [claims.run.latents], COSINE);
      for (const part of [picture, latents, words, question]) {
        if (part === undefined) continue;
        claims.array('cosines', part.cosines, part.cosines.shape, COSINE);
        claims.array('distances', part.distances, part.cosines.shape, COUNT);
      }
      for (const part of [whole, through]) {
        claims.number('KL', part?.kl);
        claims.number('the answer', part?.answer);
      }
    }
  },
  tab: 'dependence',
  title: message('Dependence on the picture'),
  method: message(
    'The run is read again with its own words over a changed picture, its latents made anew. Cosine and relative ' +
      'distance of each latent to its own, beside those of the states that words are chosen from, of the question’s words ' +
      'and of the picture’s features. Through the latents: those of the changed picture are fed into the run over its own ' +
      'picture; mean KL(own ‖ changed) per word and the change of the answer’s log-probability, in nats.',
  ),
  source: message(
    'The first link of arXiv 2602.22766: does the input reach the latents? The figure through the latents is a mediated ' +
      'effect (Pearl, 2001; arXiv 2004.12265).',
  ),
  limits: message(
    'All states of a model share a large common part, so cosines are high whatever is changed: compare them with those of ' +
      'words and question. A latent that follows the picture need not be used. The latents of the changed picture are made ' +
      'after the run’s own words, which may contradict it: what moves words may then be the contradiction. Causality with ' +
      'the latents of a run over that picture shows what these do.',
  ),
});
