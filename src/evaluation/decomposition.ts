/**
 * Slots, markers and format over a samples file, as arXiv 2606.01287 compares them: accuracy with whole blocks, with parts
 * taken away, and how much of the gain is kept.
 */

import { seededNumbers } from '../base/random.ts';
import { conditionName, CONDITIONS, LEFT, type Condition } from '../evidence/decomposition.ts';
import type { DoubtEntry } from './doubt.ts';
import { meanOf, shareOf, type Mean, type Share } from './figures.ts';
import { meanColumn, shareColumns, tableOf, type PaperColumn, type PaperTable } from './paperTable.ts';
import { interval, percent } from './words.ts';

/** Resamples of the samples, for an interval. */
const RESAMPLES = 2000;
/** Of them, on either side. */
const TAIL = 0.025;

export interface ConditionFigures {
  condition: Condition;
  /** Of the samples with a truth of which every condition was tried. */
  right: Share;
  /** Share of the gain over no block that is left, with its interval; absent where blocks gain nothing. */
  kept?: { value: number; low: number; high: number };
  /** Nats: KL per word, and change of the answer's log-probability; of whole blocks none. */
  kl?: Mean;
  answer?: Mean;
}

/** Right or wrong of one sample, by condition. */
type Outcomes = Record<Condition, boolean>;

/** @param base share right that the gain is counted from: of the model before it had latents; absent: of no block */
export function decompositionOf(entries: readonly DoubtEntry[], base?: number): ConditionFigures[] {
  const tried = entries.filter((entry) => CONDITIONS.every((condition) => isTried(entry, condition)));
  const outcomes = tried.flatMap((entry) => outcomesOf(entry) ?? []);
  return CONDITIONS.map((condition) => {
    const figures = { condition, right: shareOf(outcomes.map((each) => each[condition])) };
    const kept = keptOf(outcomes, condition, base);
    const withKept = { ...figures, ...(kept && { kept }) };
    if (condition === 'whole') return withKept;
    const found = tried.map(({ kinds }) => kinds.find(({ kind }) => kind === condition)!);
    const kl = meanOf(found.map((each) => each.kl));
    const answer = meanOf(found.flatMap((each) => each.answer ?? []));
    return { ...withKept, ...(kl && { kl }), ...(answer && { answer }) };
  });
}

function isTried({ kinds, own }: DoubtEntry, condition: Condition): boolean {
  return condition === 'whole' ? own !== undefined : kinds.some(({ kind }) => kind === condition);
}

/** Undefined for a sample without a truth; an answer that is not judged is none, and so not right. */
function outcomesOf({ own, kinds }: DoubtEntry): Outcomes | undefined {
  if (own?.right === undefined) return undefined;
  const right = (condition: Condition): boolean =>
    condition === 'whole'
      ? own.right === true
      : kinds.find(({ kind }) => kind === condition)?.first.right === true;
  return Object.fromEntries(CONDITIONS.map((condition) => [condition, right(condition)])) as Outcomes;
}

/** (right − base) / (right with whole blocks − base); its interval by the percentiles of resampled samples. */
function keptOf(
  outcomes: readonly Outcomes[],
  condition: Condition,
  base: number | undefined,
): ConditionFigures['kept'] {
  const value = keptIn(outcomes, condition, base);
  if (value === undefined) return undefined;
  const random = seededNumbers(0);
  const resampled = Array.from({ length: RESAMPLES }, () => {
    const drawn = outcomes.map(() => outcomes[Math.floor(random() * outcomes.length)]!);
    return keptIn(drawn, condition, base);
  });
  // A resample in which blocks gain nothing has no share; with many of them there is no interval to speak of.
  const known = resampled.filter((each) => each !== undefined).toSorted((a, b) => a - b);
  if (known.length < (1 - TAIL) * RESAMPLES) return { value, low: NaN, high: NaN };
  const at = (share: number): number => known[Math.min(known.length - 1, Math.floor(share * known.length))]!;
  return { value, low: at(TAIL), high: at(1 - TAIL) };
}

function keptIn(
  outcomes: readonly Outcomes[],
  condition: Condition,
  base: number | undefined,
): number | undefined {
  const share = (of: Condition): number =>
    outcomes.filter((each) => each[of]).length / Math.max(1, outcomes.length);
  const from = base ?? share('none');
  const gain = share('whole') - from;
  return gain > 0 ? (share(condition) - from) / gain : undefined;
}

/** As the paper prints it: what is left, the share that is right, and how much of the gain. */
export function decompositionTable(entries: readonly DoubtEntry[], base?: number): PaperTable {
  const figures = decompositionOf(entries, base);
  const notes = [
    `The gain is counted from ${base === undefined ? 'the share that is right without any block' : `a share of ${percent(base)}`}; its interval is of ${RESAMPLES} resamples of the samples.`,
    ...keptNotes(
      figures.flatMap(({ kept }) => kept ?? []),
      base,
    ),
    'Right answers with Wilson’s 95 % interval; KL and log-probability with the run’s own words fed, means over runs with 95 % intervals.',
  ];
  return tableOf(COLUMNS, figures, notes);
}

/** What the figures of the gain need to be understood. */
function keptNotes(
  all: readonly NonNullable<ConditionFigures['kept']>[],
  base: number | undefined,
): string[] {
  const from = base === undefined ? 'without any block' : 'from where the gain is counted';
  return [
    ...(all.length === 0
      ? ['No gain is kept or lost: with whole blocks no more are right than from where the gain is counted.']
      : []),
    ...(all.some(({ low }) => Number.isNaN(low))
      ? [
          `No interval (–): in more than ${100 * TAIL} % of the resamples whole blocks gain nothing, so that there is no share of a gain.`,
        ]
      : []),
    ...(all.some(({ value, low }) => value < 0 || low < 0)
      ? [
          `A share below 0 %: fewer are right than ${from}; the smaller the gain of whole blocks, the larger such a share.`,
        ]
      : []),
    ...(all.some(({ value, high }) => value > 1 || high > 1)
      ? ['A share above 100 %: more are right than with whole blocks.']
      : []),
  ];
}

const COLUMNS: PaperColumn<ConditionFigures>[] = [
  {
    head: 'blocks',
    text: ({ condition }) => conditionName(condition),
    numbers: [['blocks', ({ condition }) => condition]],
  },
  ...(['content', 'slots', 'markers'] as const).map((part): PaperColumn<ConditionFigures> => {
    const mark = ({ condition }: ConditionFigures): string => (LEFT[condition][part] ? 'yes' : 'no');
    return { head: part, text: mark, numbers: [[part, mark]] };
  }),
  ...shareColumns<ConditionFigures>(({ right }) => right),
  {
    head: 'gain kept',
    text: ({ kept }) => (kept === undefined ? '' : percent(kept.value)),
    numbers: [['gain kept', ({ kept }) => kept?.value]],
  },
  {
    head: '95 % interval of it',
    text: ({ kept }) => (kept === undefined ? '' : Number.isNaN(kept.low) ? '–' : interval(kept)),
    numbers: [
      ['gain kept from', ({ kept }) => kept?.low],
      ['gain kept to', ({ kept }) => kept?.high],
    ],
  },
  meanColumn('KL per word, nats', ({ kl }) => kl),
  meanColumn('log p of the answer, nats', ({ answer }) => answer),
];
