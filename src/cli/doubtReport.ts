/** Results of the causal tests as lines for a reader. */

import type { AnalysisResult } from '../analysis/table.ts';
import { calibrationText, controlsText, type TestName } from '../evidence/calibration.ts';
import {
  natsText,
  spreadText,
  summariesOf,
  variantName,
  verdictOf,
  whyMissing,
  type VariantSummary,
} from '../evidence/causality.ts';
import {
  conditionName,
  CONDITIONS,
  conditionsOf,
  decompositionVerdict,
  partName,
  partsOf,
} from '../evidence/decomposition.ts';
import { changeName, dependenceVerdict, likenessText } from '../evidence/dependence.ts';
import {
  faithfulnessVerdict,
  scoresOf,
  scoreText,
  whyNoScore,
  withoutPicture,
} from '../evidence/faithfulness.ts';
import { number } from '../evidence/format.ts';
import { withUnanswered } from '../evidence/unanswered.ts';
import type { Trace } from '../trace/schema.ts';
import { label, Styled, type Terminal } from './terminal.ts';

const NAME = 30;

export function reportCausality(terminal: Terminal, result: AnalysisResult<'causality'>): void {
  const { own, words } = result;
  terminal.line(label('own', NAME), `${answerOf(own)} · ${words.length} words`);
  for (const [i, summary] of summariesOf(result).entries()) {
    const { kind, missing } = summary;
    const text =
      missing === undefined ? figures(summary) : new Styled('dim', `not tried: ${whyMissing(missing)}`);
    terminal.line(label(variantName(kind), NAME), text);
    if (missing === undefined) reportControls(terminal, kind);
    const changed = result.variants[i]!.free.find(({ difference }) => difference !== undefined);
    if (changed !== undefined)
      terminal.line(label('', NAME), new Styled('dim', differenceOf(changed, own?.words ?? [])));
  }
  reportVerdict(terminal, verdictOf(result));
  terminal.line(label('controls'), new Styled('dim', calibrationText()));
}

/** A line for each condition, and what each part adds. */
export function reportDecomposition(terminal: Terminal, result: AnalysisResult<'decomposition'>): void {
  const found = conditionsOf(result);
  for (const condition of CONDITIONS) {
    const summary = condition === 'whole' ? undefined : found.get(condition);
    const written =
      condition === 'whole' ? result.own : result.variants.find(({ kind }) => kind === condition)?.free[0];
    terminal.line(
      label(conditionName(condition), NAME),
      `${answerOf(written)}${summary === undefined ? '' : ` · ${figures(summary)}`}`,
    );
    if (condition !== 'whole') reportControls(terminal, condition);
  }
  for (const { part, answer } of partsOf(result) ?? [])
    terminal.line(label(partName(part), NAME), `adds ${natsText(answer)} nats to log p of the answer`);
  reportVerdict(terminal, decompositionVerdict(result));
  terminal.line(label('controls'), new Styled('dim', calibrationText()));
}

function figures({ kl, answer, followed, unanswered, otherAnswers, right }: VariantSummary): string {
  return [
    kl && `KL ${spreadText(kl)} nats per word`,
    answer && `log p of the answer ${spreadText(answer, true)}`,
    otherAnswers === undefined
      ? `${followed - unanswered} stated an answer`
      : `${otherAnswers} of ${followed} answers changed`,
    otherAnswers !== undefined && unanswered > 0 ? `${unanswered} stated none` : undefined,
    right === undefined ? undefined : `${right} right`,
  ]
    .filter((part) => part !== undefined)
    .join(' · ');
}

/** "first other word: “left” for “up”" */
function differenceOf(
  { words, difference }: AnalysisResult<'causality'>['variants'][number]['free'][number],
  own: readonly string[],
): string {
  const shown = (word: string | undefined): string => (word === undefined ? 'the end' : JSON.stringify(word));
  return `first other word, number ${difference! + 1}: ${shown(words[difference!])} for ${shown(own[difference!])}`;
}

/** "LU, right", or that there is none. */
function answerOf(written: AnalysisResult<'causality'>['own']): string {
  const none = written?.cut === true ? 'no answer (cut at the limit of tokens)' : 'no answer';
  return `${written?.answer ?? none}${judged(written?.right)}`;
}

/** What the test says of the control models. */
function reportControls(terminal: Terminal, test: TestName): void {
  terminal.line(label('', NAME), new Styled('dim', `controls: ${controlsText(test)}`));
}

function judged(right: boolean | undefined): string {
  if (right === undefined) return '';
  return right ? ', right' : ', wrong';
}

/** Cosine and distance by what they are of, then the words. */
export function reportDependence(
  terminal: Terminal,
  result: AnalysisResult<'dependence'>,
  trace: Trace,
): void {
  for (const changed of result.changes) {
    const { change, missing, picture, latents, words, question, whole, through } = changed;
    if (missing !== undefined) {
      terminal.line(label(changeName(change), NAME), new Styled('dim', `not tried: ${whyMissing(missing)}`));
      continue;
    }
    const parts = Object.entries({ picture, latents, words, question }).map(
      ([what, part]) => `${what} ${likenessText(part)}`,
    );
    terminal.line(label(changeName(change), NAME), parts.join('   '));
    const effect = (part: typeof whole): string =>
      part === undefined ? '' : `KL ${natsText(part.kl)}, answer ${natsText(part.answer)}`;
    reportControls(terminal, change);
    terminal.line(label('', NAME), `in all: ${effect(whole)}; through the latents: ${effect(through)}`);
  }
  terminal.line(label('', NAME), new Styled('dim', 'cosine · relative distance; nats per word, nats'));
  reportVerdict(terminal, withUnanswered(dependenceVerdict(result), trace));
}

/** A line for each latent: its scores with intervals. */
export function reportFaithfulness(
  terminal: Terminal,
  result: AnalysisResult<'faithfulness'>,
  trace: Trace,
): void {
  const { layer, latents, fractions } = result;
  terminal.line(label('layer', NAME), String(layer + 1));
  for (const tested of latents) {
    const { latent, state, answer } = tested;
    const { block, index } = trace.latents[latent]!;
    const why = whyNoScore(tested, layer);
    const [byState, byAnswer] = [state, answer].map((curves) => scoresOf(curves, fractions.data));
    const all = `all taken away: cosine ${number(withoutPicture(state))}, log p ${natsText(withoutPicture(answer))}`;
    terminal.line(
      label(`block ${block + 1}, latent ${index + 1}`, NAME),
      why === undefined
        ? `next state ${scoreText(byState!.map)}, sink ${scoreText(byState!.sink)}`
        : `no score · ${all}`,
    );
    terminal.line(
      label('', NAME),
      why === undefined
        ? `answer ${scoreText(byAnswer!.map)}, sink ${scoreText(byAnswer!.sink)} · ${all}`
        : new Styled('dim', why),
    );
  }
  terminal.line(label('controls', NAME), new Styled('dim', controlsText('faithfulness')));
  reportVerdict(terminal, withUnanswered(faithfulnessVerdict(result), trace));
}

function reportVerdict(terminal: Terminal, { sentence, rule }: { sentence: string; rule: string }): void {
  terminal.line(label('verdict'), new Styled('bold', sentence));
  terminal.line(label('rule'), new Styled('dim', rule));
}
