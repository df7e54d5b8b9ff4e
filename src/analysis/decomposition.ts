/** Decomposition: what a latent block is made of, taken away part by part. */

import * as z from 'zod';
import { message } from '../base/l10n.ts';
import { checkVariants, truth, variantsResult } from './causality.ts';
import { analysis } from './definition.ts';
import type { InterventionKind } from './intervention.ts';

/** What is left of a block, from the least that is taken away to all of it. */
export const DECOMPOSED = ['dummy', 'markers', 'none'] as const satisfies readonly InterventionKind[];

export const decomposition = analysis({
  version: 1,
  needs: 'model',
  secondRun: false,
  parameters: z.strictObject({
    /** Only this block, counted from 1; 0: all. */
    block: z.int().min(0).default(0),
    /** Says which answers are right. */
    truth: truth.optional(),
  }),
  offered: { block: { label: message('Block (0: all)') } },
  result: variantsResult,
  check: checkVariants,
  tab: 'decomposition',
  title: message('Decomposition of blocks'),
  method: message(
    'The run is read with whole blocks, with pads in the slots, with the markers alone, and without blocks, as in the causal ' +
      'tests. Slots add what is lost from whole blocks to markers alone, of it their content what is lost from whole blocks to ' +
      'pads; markers add what is lost from markers alone to no block; what is left without blocks is the format, the way of ' +
      'answering. In nats of the answer’s log-probability, with the run’s own words fed.',
  ),
  source: message(
    'Slots, boundary markers and format as separate parts: arXiv 2606.01287, which compares accuracies over samples; ' +
      'the order in which parts are taken away and the figure for one run are ours.',
  ),
  limits: message(
    'Parts are taken away in one order, and what two of them do together counts for the one that goes first. Without blocks ' +
      'the words move up, which the model met nowhere in training: a loss there need not be the markers’. One run is one ' +
      'sample: the table of the paper is over a samples file.',
  ),
});
