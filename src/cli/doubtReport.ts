/** Results of the causal tests as lines for a reader. */

import type { AnalysisResult } from '../analysis/table.ts';
import {
  spreadText,
  summariesOf,
  variantName,
  verdictOf,
  whyMissing,
  type VariantSummary,
} from '../evidence/causality.ts';
import { label, Styled, type Terminal } from './terminal.ts';

const NAME = 30;

export function reportCausality(terminal: Terminal, result: AnalysisResult<'causality'>): void {
  const { own, words } = result;
  terminal.line(
    label('own', NAME),
    `${own?.answer ?? 'no answer'}${judged(own?.right)} · ${words.length} words`,
  );
  for (const [i, summary] of summariesOf(result).entries()) {
    const { kind, missing } = summary;
    const text =
      missing === undefined ? figures(summary) : new Styled('dim', `not tried: ${whyMissing(missing)}`);
    terminal.line(label(variantName(kind), NAME), text);
    const changed = result.variants[i]!.free.find(({ difference }) => difference !== undefined);
    if (changed !== undefined)
      terminal.line(label('', NAME), new Styled('dim', differenceOf(changed, own?.words ?? [])));
  }
  const { sentence, rule } = verdictOf(result);
  terminal.line(label('verdict'), new Styled('bold', sentence));
  terminal.line(label('rule'), new Styled('dim', rule));
}

function figures({ kl, answer, stated, otherAnswers, right }: VariantSummary): string {
  return [
    kl && `KL ${spreadText(kl)} nats per word`,
    answer && `log p of the answer ${spreadText(answer, true)}`,
    `${otherAnswers} of ${stated} answers changed`,
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

function judged(right: boolean | undefined): string {
  if (right === undefined) return '';
  return right ? ', right' : ', wrong';
}
