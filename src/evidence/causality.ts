/** What causal tests of a run come down to: one line for each variant, and one sentence for all of them. */

import type { WHY_NOT_CHANGED } from '../analysis/dependence.ts';
import { INTERVENTION_NAMES, type InterventionKind, type WhyMissing } from '../analysis/intervention.ts';
import type { AnalysisResult } from '../analysis/table.ts';
import { unreachable } from '../base/errors.ts';
import { message, t, translated, type Message } from '../base/l10n.ts';
import { number } from './format.ts';

type Result = AnalysisResult<'causality'>;
type Variant = Result['variants'][number];

/** Mean KL per word, in nats, from which on words count as moved. Ours; the controls lie far on both sides (docs/log.md). */
export const MOVED = 0.01;

/** Kinds that change what latents hold, and nothing else: slots, markers and order stay as they were. */
const CONTENT: readonly InterventionKind[] = ['zero', 'noise', 'mean', 'swap', 'oracle', 'dummy'];

/** What is fed, in words. */
export function variantName(kind: InterventionKind): string {
  return translated(INTERVENTION_NAMES[kind]);
}

/** Why something was not tried: a variant of a run, or a change of its picture. */
type WhyNot = WhyMissing | (typeof WHY_NOT_CHANGED)[number];

const WHY: Record<WhyNot, Message> = {
  'no-other-run': message('no other run was chosen'),
  'other-has-none': message('the other run has no latents'),
  'other-size': message('the other run has latents of another size'),
  'other-replaced': message('the latents of the other run were replaced'),
  'other-same': message('the other run has the same latents'),
  'one-latent': message('a single latent has no order'),
  'no-helpers': message('the run has no helper pictures'),
  'no-helper-here': message('this block has no helper picture'),
  'whole-blocks': message('it is done to whole blocks'),
  tokens: message('its latents are tokens; nothing is fed back'),
  'other-recipe': message('the teacher’s rule is that of ILVR’s training'),
  'same-picture': message('the picture stays the same for the model'),
};

/** Why something was not tried, in words. */
export function whyMissing(why: WhyNot): string {
  return translated(WHY[why]);
}

export interface Spread {
  mean: number;
  least: number;
  most: number;
}

export interface VariantSummary {
  kind: InterventionKind;
  missing?: WhyMissing;
  /** Over the draws: KL per word, in nats; absent while there is none. */
  kl?: Spread;
  /** Over the draws: change of the answer's log-probability, all its words together, in nats; absent where the run states none. */
  answer?: Spread;
  /** Draws that were followed to an answer, or to the limit of tokens without one. */
  followed: number;
  /** Of these: none at all. */
  unanswered: number;
  /** Of these: another than the own, or none; absent where the run itself states none. */
  otherAnswers?: number;
  /** Of these: right by the scorer. */
  right?: number;
  /** Draws whose words differ from the own. */
  otherWords: number;
  /** Half of the draws or more state another answer, or none. */
  changes: boolean;
  /** The mean KL reaches MOVED. */
  moves: boolean;
}

export function summariesOf(result: Result): VariantSummary[] {
  return result.variants.map((variant) => summaryOf(variant, result));
}

function summaryOf({ kind, missing, forced, free }: Variant, { own, answer, words }: Result): VariantSummary {
  const draws = free.length;
  const rows = (values: Float32Array): number[][] =>
    Array.from({ length: draws }, (_, draw) => [
      ...values.subarray(draw * words.length, (draw + 1) * words.length),
    ]);
  const kl =
    forced && spreadOf(rows(forced.kl.data).map((row) => meanOf(row.filter((x) => !Number.isNaN(x)))));
  const change = forced && spreadOf(rows(forced.change.data).map((row) => sumOf(answer.map((i) => row[i]!))));
  const followed = free.filter((each) => each.answer !== undefined || each.cut === true);
  const other =
    own?.answer === undefined ? undefined : followed.filter(({ answer: its }) => its !== own.answer).length;
  const judged = followed.filter(({ right }) => right !== undefined);
  return {
    kind,
    ...(missing !== undefined && { missing }),
    ...(kl && { kl }),
    ...(change && answer.length > 0 && own?.answer !== undefined && { answer: change }),
    followed: followed.length,
    unanswered: followed.filter((each) => each.answer === undefined).length,
    ...(other !== undefined && { otherAnswers: other }),
    ...(judged.length > 0 && { right: judged.filter(({ right }) => right).length }),
    otherWords: free.filter(({ difference }) => difference !== undefined).length,
    changes: other !== undefined && other > 0 && 2 * other >= followed.length,
    moves: kl !== undefined && kl.mean >= MOVED,
  };
}

export type Finding = 'needed' | 'mixed' | 'words' | 'nothing' | 'open';

export interface CausalVerdict {
  finding: Finding;
  sentence: string;
  /** How it was reached, thresholds included. */
  rule: string;
}

/** What the content of the latents did to this run. */
export function verdictOf(result: Result): CausalVerdict {
  const summaries = summariesOf(result);
  const counted = summaries.filter(({ kind, kl }) => CONTENT.includes(kind) && kl !== undefined);
  const finding = findingOf(result, counted);
  const sentence = finding === 'open' ? openText(result, summaries) : sentenceOf(finding, counted);
  return { finding, sentence, rule: verdictRule() };
}

/** How the verdict is reached. */
export function verdictRule(): string {
  return t(
    'Counted: latents whose content was replaced while slots and markers stayed (zeros, noise, mean, another run’s, the ' +
      'teacher’s, pads). A replacement changes the answer if at least half of its draws state another one, or none; it moves the ' +
      'words if the mean KL per word is {0} nats or more.',
    MOVED,
  );
}

function findingOf({ own }: Result, counted: readonly VariantSummary[]): Finding {
  if (own?.answer === undefined || counted.every(({ followed }) => followed === 0)) return 'open';
  const changing = counted.filter(({ changes }) => changes).length;
  if (changing === counted.length) return 'needed';
  if (changing > 0) return 'mixed';
  return counted.some(({ moves }) => moves) ? 'words' : 'nothing';
}

function sentenceOf(finding: Exclude<Finding, 'open'>, counted: readonly VariantSummary[]): string {
  const all = counted.length;
  const changing = counted.filter(({ changes }) => changes).length;
  const most = natsText(Math.max(0, ...counted.map(({ kl }) => kl!.mean)));
  switch (finding) {
    case 'needed':
      if (all === 1)
        return t('This answer needs what these latents hold: the one replacement that was tried changed it.');
      return t('This answer needs what these latents hold: each of {0} replacements changed it.', all);
    case 'mixed':
      return t('Some replacements of what these latents hold changed the answer: {0} of {1}.', changing, all);
    case 'words':
      if (all === 1)
        return t(
          'What these latents hold moves the words, not the answer: the one replacement that was tried did not change it; KL {0} nats per word.',
          most,
        );
      return t(
        'What these latents hold moves the words, not the answer: none of {0} replacements changed it; KL up to {1} nats per word.',
        all,
        most,
      );
    case 'nothing':
      if (all === 1)
        return t(
          'This answer does not need what these latents hold: the one replacement that was tried did not change it, and words moved by {0} nats.',
          most,
        );
      return t(
        'This answer does not need what these latents hold: none of {0} replacements changed it, and words moved by at most {1} nats.',
        all,
        most,
      );
    default:
      return unreachable(finding);
  }
}

/** Why there is no verdict. */
function openText(result: Result, summaries: readonly VariantSummary[]): string {
  const tried = summaries.filter(({ missing }) => missing === undefined);
  const untried = whyNothingTried(result);
  if (untried !== undefined) return untried;
  if (result.own?.answer === undefined) return withoutAnswerText(result);
  if (!tried.some(({ kind }) => CONTENT.includes(kind))) {
    return t('Only replacements that do not count were tried: {0}.', tried.map(effectText).join('; '));
  }
  return t('Nothing can be said: no replacement was followed to an answer.');
}

/** That the run itself states no answer, and why. */
export function withoutAnswerText({ own }: Result): string {
  return own?.cut === true
    ? t('Nothing can be said of the answer: the run states none, because it was cut at its limit of tokens.')
    : t('Nothing can be said: the run itself was not followed to an answer.');
}

/** "markers alone (changed the answer)" */
function effectText({ kind, changes, followed, unanswered }: VariantSummary): string {
  const name = variantName(kind);
  if (unanswered === followed) return t('{0} (stated no answer)', name);
  return changes ? t('{0} (changed the answer)', name) : t('{0} (did not change the answer)', name);
}

/** Undefined where something was tried, or nothing was to be. */
export function whyNothingTried({ variants }: Result): string | undefined {
  return untriedText(variants.map(({ kind, missing }) => ({ name: variantName(kind), missing })));
}

/** The same of whatever was to be tried: what it is called, and why it was not. */
export function untriedText(
  all: readonly { name: string; missing?: WhyNot | undefined }[],
): string | undefined {
  if (all.length === 0 || all.some(({ missing }) => missing === undefined)) return undefined;
  const reasons = all.map(({ name, missing }) => `${name}: ${whyMissing(missing!)}`);
  return t('Nothing could be tried ({0}).', reasons.join('; '));
}

/** Largest KL of each word over a variant's draws, in nats; NaN where none is known. */
export function klOfWords({ forced, free }: Variant, words: number): Float32Array {
  const most = new Float32Array(words).fill(NaN);
  if (forced === undefined) return most;
  for (let draw = 0; draw < free.length; draw++) {
    for (let word = 0; word < words; word++) {
      const value = forced.kl.data[draw * words + word]!;
      if (!(value <= most[word]!)) most[word] = Number.isNaN(value) ? most[word]! : value;
    }
  }
  return most;
}

/** Below it differences are rounding: in nats. */
const ROUNDING = 1e-6;

/** Nats; what is rounding is 0. */
export function natsText(value: number): string {
  return Math.abs(value) < ROUNDING ? '0' : number(value);
}

/** "0.012", or "0.012 (0.003 … 0.04)" where draws differ; nothing where none is known. */
export function spreadText(values: Spread | undefined, signed = false): string {
  if (values === undefined) return '';
  const shown = (value: number): string => `${signed && value >= ROUNDING ? '+' : ''}${natsText(value)}`;
  const [mean, least, most] = [values.mean, values.least, values.most].map(shown);
  return least === most ? mean! : `${mean} (${least} … ${most})`;
}

function spreadOf(values: readonly number[]): Spread | undefined {
  const known = values.filter((value) => !Number.isNaN(value));
  if (known.length === 0) return undefined;
  return { mean: meanOf(known), least: Math.min(...known), most: Math.max(...known) };
}

function meanOf(values: readonly number[]): number {
  return sumOf(values) / values.length;
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
