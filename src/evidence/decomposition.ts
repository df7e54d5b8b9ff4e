/** What a run's blocks are made of: what each part adds to the answer, and one sentence. */

import { DECOMPOSED } from '../analysis/decomposition.ts';
import type { AnalysisResult } from '../analysis/table.ts';
import { message, t, translated, type Message } from '../base/l10n.ts';
import { tellsApart } from './calibration.ts';
import {
  MOVED,
  natsText,
  summariesOf,
  whyNothingTried,
  withoutAnswerText,
  type VariantSummary,
} from './causality.ts';

type Result = AnalysisResult<'decomposition'>;

/** A block as far as it is left, and what it then holds. */
export type Condition = 'whole' | (typeof DECOMPOSED)[number];

export const CONDITIONS = ['whole', ...DECOMPOSED] as const satisfies readonly Condition[];

const CONDITION_NAMES: Record<Condition, Message> = {
  whole: message('whole blocks'),
  dummy: message('pads in the slots'),
  markers: message('markers alone'),
  none: message('no block: format alone'),
};

export function conditionName(condition: Condition): string {
  return translated(CONDITION_NAMES[condition]);
}

/** Which parts a condition has left. */
export const LEFT: Record<Condition, { content: boolean; slots: boolean; markers: boolean }> = {
  whole: { content: true, slots: true, markers: true },
  dummy: { content: false, slots: true, markers: true },
  markers: { content: false, slots: false, markers: true },
  none: { content: false, slots: false, markers: false },
};

export type Part = 'slots' | 'content' | 'markers' | 'blocks';

export interface DecompositionPart {
  part: Part;
  /** Nats of the answer's log-probability that it adds. */
  answer: number;
}

const PART_NAMES: Record<Part, Message> = {
  slots: message('slots'),
  content: message('of these, what they hold'),
  markers: message('markers'),
  blocks: message('slots and markers together'),
};

/** What a part is called. */
export function partName(part: Part): string {
  return translated(PART_NAMES[part]);
}

/** The conditions that were followed to their end, but for the whole block. */
export function conditionsOf(result: Result): Map<Condition, VariantSummary> {
  const known = summariesOf(result).filter(({ kl }) => kl !== undefined);
  return new Map(
    DECOMPOSED.flatMap((kind) => known.filter((each) => each.kind === kind).map((each) => [kind, each])),
  );
}

/** Undefined where not all of it was tried, or the run states no answer. */
export function partsOf(result: Result): DecompositionPart[] | undefined {
  const found = conditionsOf(result);
  const [dummy, markers, none] = DECOMPOSED.map((kind) => found.get(kind)?.answer?.mean);
  if (dummy === undefined || markers === undefined || none === undefined) return undefined;
  return [
    { part: 'slots', answer: 0 - markers },
    { part: 'content', answer: 0 - dummy },
    { part: 'markers', answer: markers - none },
    { part: 'blocks', answer: 0 - none },
  ];
}

/** Which part the answer rests on: by its own words fed, and by what is written freely. */
export function decompositionVerdict(result: Result): { sentence: string; rule: string } {
  return { sentence: sentencesOf(result).join(' '), rule: decompositionRule() };
}

function decompositionRule(): string {
  const rule = t(
    'A part counts if it adds {0} nats or more to the log-probability of the answer. Slots: whole blocks less markers alone. Markers: markers alone less no block. Written freely, an answer counts as changed as in the causal tests.',
    MOVED,
  );
  const blunt = DECOMPOSED.filter((kind) => !tellsApart(kind)).map(conditionName);
  if (blunt.length === 0) return rule;
  return `${rule} ${t(
    'The controls are not told apart by “{0}”: it also changes what latents cannot reach, so that what rests on it is no finding about latents.',
    blunt.join('”, “'),
  )}`;
}

function sentencesOf(result: Result): string[] {
  const untried = whyNothingTried(result);
  if (untried !== undefined) return [untried];
  if (result.own?.answer === undefined) return [withoutAnswerText(result)];
  const parts = partsOf(result);
  if (parts === undefined) return [t('Nothing can be said: not all parts were tried.')];
  const adds = (wanted: Part): number => parts.find(({ part }) => part === wanted)!.answer;
  const [slots, markers, blocks] = [adds('slots'), adds('markers'), adds('blocks')];
  const isFormat = slots < MOVED && markers < MOVED;
  return [
    forcedText(slots, markers),
    ...(markers <= -MOVED ? [harmText(markers, blocks)] : []),
    freeText([...conditionsOf(result)], isFormat),
  ];
}

/** What slots add to markers alone is then in part what they mend. */
function harmText(markers: number, blocks: number): string {
  return t(
    'Empty markers make it less likely than no block does ({0} nats), and slots mend that: against no block whole blocks add {1}.',
    natsText(markers),
    natsText(blocks),
  );
}

/** What each part adds to the answer, with the run's own words fed. */
function forcedText(slots: number, markers: number): string {
  const [bySlots, byMarkers] = [slots >= MOVED, markers >= MOVED];
  if (bySlots && byMarkers)
    return t(
      'This answer rests on slots ({0} nats) and on markers ({1}).',
      natsText(slots),
      natsText(markers),
    );
  if (bySlots) return t('This answer rests on the slots ({0} nats), not on the markers.', natsText(slots));
  if (byMarkers)
    return t('This answer rests on the markers ({0} nats), not on the slots.', natsText(markers));
  return t('Fed its own words, neither slots nor markers add to this answer.');
}

/**
 * Under which conditions another answer is written.
 * @param isFormat whether no part adds to the answer with the run's own words fed
 */
function freeText(conditions: readonly [Condition, VariantSummary][], isFormat: boolean): string {
  const unstated = conditions.filter(([, { followed, unanswered }]) => unanswered === followed);
  const changed = conditions.filter((each) => each[1].changes && !unstated.includes(each));
  const named = (some: typeof changed): string =>
    some.map(([condition]) => `“${conditionName(condition)}”`).join(', ');
  const found = [
    ...(changed.length > 0 ? [t('Written freely, it becomes another with {0}.', named(changed))] : []),
    ...(unstated.length > 0 ? [t('Written freely, none is stated with {0}.', named(unstated))] : []),
  ];
  if (found.length > 0) return found.join(' ');
  return isFormat
    ? t('Written freely, it stays the same whatever is taken away: the format is enough.')
    : t('Written freely, it stays the same whatever is taken away.');
}
