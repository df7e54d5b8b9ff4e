/** What a run's blocks are made of: what each part adds to the answer, and one sentence. */

import { DECOMPOSED } from '../analysis/decomposition.ts';
import type { AnalysisResult } from '../analysis/table.ts';
import { message, t, translated, type Message } from '../base/l10n.ts';
import { MOVED, natsText, summariesOf, type VariantSummary } from './causality.ts';

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

/** Which part the answer rests on. */
export function decompositionVerdict(result: Result): { sentence: string; rule: string } {
  const rule = t(
    'A part counts if it adds {0} nats or more to the log-probability of the answer. Slots: whole blocks less markers alone. Markers: markers alone less no block.',
    MOVED,
  );
  const parts = partsOf(result);
  if (parts === undefined) return { sentence: t('Nothing can be said: not all parts were tried.'), rule };
  const adds = (wanted: Part): number => parts.find(({ part }) => part === wanted)!.answer;
  const [slots, markers] = [adds('slots'), adds('markers')];
  return { sentence: sentenceOf(slots, markers), rule };
}

function sentenceOf(slots: number, markers: number): string {
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
  return t('This answer rests on neither slots nor markers: the format is enough.');
}
