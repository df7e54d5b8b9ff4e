/** A trace as its reader meets it: lines of text and latent blocks, in order. */

import type { InterventionKind } from '../analysis/intervention.ts';
import { message, plural, t, translated, type Message } from '../base/l10n.ts';
import { isOfFixedLength } from './protocolWords.ts';
import type { Trace, TraceBlock, TraceLatent, TraceModel, TraceSettings } from './schema.ts';

export type Step =
  /** Text between two blocks, one step per line. */
  | (StepPlace & { kind: 'text'; text: string })
  | (StepPlace & { kind: 'block'; block: TraceBlock; latents: TraceLatent[] });

interface StepPlace {
  /** Counted from 1, text and blocks alike: what panel, text, hovers and outline call it. */
  number: number;
  /** Indices into tokens. */
  first: number;
  last: number;
}

/** Splits the answer at line ends and latent blocks; boundary markers belong to their block. */
export function stepsOf(trace: Trace): Step[] {
  const steps: Step[] = [];
  let line: Extract<Step, { kind: 'text' }> | undefined;
  const blockAt = new Map(trace.blocks.map((block) => [block.startToken, block]));
  trace.tokens.forEach((token, i) => {
    const block = blockAt.get(i);
    if (block !== undefined) {
      line = undefined;
      steps.push({
        kind: 'block',
        number: 0,
        block,
        latents: latentsOf(trace, block.index),
        first: i,
        last: i,
      });
    } else if (token.kind !== 'text') {
      const step = steps.at(-1);
      if (step?.kind === 'block') step.last = i;
    } else {
      if (line === undefined) steps.push((line = { kind: 'text', number: 0, text: '', first: i, last: i }));
      line.text += token.text;
      line.last = i;
      if (token.text.includes('\n')) line = undefined;
    }
  });
  return steps
    .filter((step) => step.kind === 'block' || step.text.trim() !== '')
    .map((step, i) => ({ ...step, number: i + 1 }));
}

/** Index of a block's last token: its end token or, where it has none, its last latent. */
export function lastTokenOf({ tokens }: Pick<Trace, 'tokens'>, { startToken, endToken }: TraceBlock): number {
  if (endToken !== undefined) return endToken;
  let last = startToken;
  while (tokens[last + 1]?.kind === 'latent') last++;
  return last;
}

/** The latents of a block, in order. */
export function latentsOf(trace: Trace, block: number): TraceLatent[] {
  return trace.latents.filter((latent) => latent.block === block);
}

/** The assistant's text: markers and pads have none of their own. */
export function answerText(trace: Trace): string {
  return trace.tokens.map(({ text }) => text).join('');
}

const ENDS: Record<TraceBlock['ended'], Message> = {
  running: message('running'),
  forced: message('of fixed length'),
  'end-token': message('ended by the model'),
  restart: message('restarted by the model'),
  distance: message('ended near the learned vector'),
  repeats: message('ended by repetition'),
  text: message('ended by other text'),
  stop: message('ended with the answer'),
  limit: message('cut off at the token limit'),
  endless: message('stopped, as nothing would have ended it'),
  cancelled: message('stopped'),
};

/** How a block of a model ended, in words; where blocks end themselves, their number of latents is a limit. */
export function describeEnd(ended: TraceBlock['ended'], { protocol }: Pick<TraceModel, 'protocol'>): string {
  if (ended === 'forced' && !isOfFixedLength(protocol)) return t('ended at its limit');
  return translated(ENDS[ended]);
}

const INTERVENTIONS: Record<InterventionKind, Message> = {
  zero: message('latents zeroed'),
  noise: message('latents replaced by noise'),
  mean: message('latents replaced by their mean'),
  swap: message('latents of another run'),
  shuffle: message('latents in another order'),
  oracle: message("the teacher's selection in place of latents"),
  dummy: message('pads in place of latents'),
  markers: message('no latents between the markers'),
  none: message('no latent blocks'),
};

/** What was fed in place of the model's own latents, in words; undefined where nothing was. */
export function describeIntervention({
  intervention,
  interventionScope: scope,
}: Pick<TraceSettings, 'intervention' | 'interventionScope'>): string | undefined {
  if (intervention === undefined) return undefined;
  const what = translated(INTERVENTIONS[intervention]);
  if (scope === undefined) return what;
  const block = scope.block + 1;
  return scope.latent === undefined
    ? t('{0} in block {1}', what, block)
    : t('{0} at latent {1} of block {2}', what, scope.latent + 1, block);
}

/** The same of a run; what a branch does to its latents it does from some token on. */
export function describeReplacement({
  settings,
  branch,
}: Pick<Trace, 'settings' | 'branch'>): string | undefined {
  const what = describeIntervention(settings);
  const isOwn = branch !== undefined && branch.changes.intervention === settings.intervention;
  return what !== undefined && isOwn ? t('{0}, from token {1} on', what, branch.at + 1) : what;
}

/** How many blocks there are, and what was fed in them. */
export function blocksText(trace: Trace): string {
  const [summary, deed] = [blockSummary(trace), describeReplacement(trace)];
  // What was done may be all that there is to say: "no latent blocks".
  return deed === undefined || deed.startsWith(summary) ? (deed ?? summary) : `${summary}, ${deed}`;
}

const REACHES: Record<NonNullable<TraceModel['latentReach']>, Message> = {
  only: message('control model: after a block, only its latents are seen of what came before'),
  none: message('control model: latents are seen by latents only'),
};

/** What the mask of a control model lets its latents reach, in words. */
export function describeReach(reach: NonNullable<TraceModel['latentReach']>): string {
  return translated(REACHES[reach]);
}

const END_REASONS: Record<TraceBlock['ended'], Message> = {
  running: message('The block goes on.'),
  forced: message('Every block was ended after a fixed number of latents; the model did not choose the end.'),
  'end-token': message('The model wrote the end of the block itself.'),
  restart: message('The model wrote the start of a block inside this one.'),
  distance: message('A latent lay nearer to the vector that ends blocks than the threshold.'),
  repeats: message('The model chose the same token several times in a row.'),
  text: message('The latents of this model are ordinary tokens, and another one followed.'),
  stop: message('The model ended its answer inside this block.'),
  limit: message('The answer reached its limit of tokens inside this block.'),
  endless: message('Nothing would have ended this block, so the run was stopped.'),
  cancelled: message('The run was stopped inside this block.'),
};

/** Why a block ended so, as a sentence. */
export function explainEnd(ended: TraceBlock['ended'], { protocol }: Pick<TraceModel, 'protocol'>): string {
  if (ended === 'forced' && !isOfFixedLength(protocol))
    return t('The block had as many latents as the protocol allows before the model ended it.');
  return translated(END_REASONS[ended]);
}

const STATES: Record<Trace['status'], Message> = {
  running: message('running'),
  complete: message('complete'),
  cancelled: message('stopped'),
  failed: message('failed'),
};

/** How a run stands, in a word. */
export function describeStatus(status: Trace['status']): string {
  return translated(STATES[status]);
}

/** "3 blocks × 8 latents, all of fixed length": the first thing a researcher asks. */
export function blockSummary(trace: Trace): string {
  const { blocks } = trace;
  if (blocks.length === 0)
    return trace.status === 'running' ? t('no latent block yet') : t('no latent blocks');
  const lengths = [...new Set(blocks.map(({ latents }) => latents))];
  const number = plural(blocks.length, '{0} block', '{0} blocks');
  const per =
    lengths.length === 1
      ? `× ${plural(lengths[0]!, '{0} latent', '{0} latents')}`
      : t('of {0} latents', lengths.join(t(' and ')));
  return `${number} ${per}, ${endSummary(trace)}`;
}

function endSummary({ blocks, model }: Trace): string {
  const describe = (ended: TraceBlock['ended']): string => describeEnd(ended, model);
  const ends = [...new Set(blocks.map(({ ended }) => ended))];
  if (ends.length === 1 && blocks.length > 1) return t('all {0}', describe(ends[0]!));
  if (ends.length === 1) return describe(ends[0]!);
  const count = (end: TraceBlock['ended']): number => blocks.filter(({ ended }) => ended === end).length;
  return ends.map((end) => `${count(end)} ${describe(end)}`).join(', ');
}
