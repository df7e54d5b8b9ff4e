/** What two runs have in common and what not, from their manifests alone: text, settings, times, probabilities. */

import { message, t, translated, type Message } from '../base/l10n.ts';
import { TOTAL_TIMING } from '../trace/format.ts';
import type { Trace } from '../trace/schema.ts';
import { totalTime } from '../trace/timing.ts';
import { align, type Alignment, type Span } from './align.ts';

/** What the runs differ in besides their answers; undefined: that run does not say. */
export interface Difference {
  what: string;
  a: string | undefined;
  b: string | undefined;
}

/** A word that both runs wrote, and its probability in each. */
export interface SharedWord {
  /** Indices into tokens. */
  a: number;
  b: number;
  text: string;
  /** log p of B less log p of A, in nats; absent where a run does not say. */
  difference?: number;
}

export interface RunComparison extends Omit<Alignment, 'words'> {
  differences: Difference[];
  words: SharedWord[];
  timings: { name: string; a?: number; b?: number }[];
  /** Why the runs' distributions cannot be compared by one model; absent: they can. */
  noDivergence?: string;
}

export function compareRuns(a: Trace, b: Trace): RunComparison {
  const { words, ...alignment } = align(a, b, a.model.vocabularySize === b.model.vocabularySize);
  const reason = whyNoDivergence(a, b, words.length);
  return {
    ...alignment,
    differences: differencesOf(a, b),
    words: words.map((pair) => sharedWord(a, b, pair)),
    timings: timingsOf(a, b),
    ...(reason !== undefined && { noDivergence: reason }),
  };
}

/** The text of a span. */
export function textOf({ tokens }: Trace, { first, last }: Span): string {
  return tokens
    .slice(first, last + 1)
    .map(({ text, kind }) => (kind === 'end' ? '' : text))
    .join('');
}

function sharedWord(a: Trace, b: Trace, pair: { a: number; b: number }): SharedWord {
  const [one, other] = [a.tokens[pair.a]!, b.tokens[pair.b]!];
  const isKnown = one.probability !== undefined && other.probability !== undefined;
  return {
    ...pair,
    text: one.text,
    ...(isKnown && { difference: logOf(other.probability!) - logOf(one.probability!) }),
  };
}

/** A probability that was rounded to 0 was below the smallest float32. */
function logOf(probability: number): number {
  return Math.log(Math.max(probability, 1.2e-38));
}

const FACTS: readonly (readonly [Message, (trace: Trace) => string | number | undefined])[] = [
  [message('question'), ({ question }) => question],
  [message('pictures'), picturesOf],
  [message('model'), ({ model }) => model.name],
  [message('model fingerprint'), ({ model }) => (model.sha256 ?? model.fingerprint).slice(0, 12)],
  [message('adapter'), ({ model }) => model.adapter?.name],
  [message('weights'), ({ model }) => model.weights ?? 'float32'],
  [message('device'), ({ device }) => device.provider],
  [message('latents'), ({ settings }) => settings.latents],
  [message('latent protocol'), rulesOf],
  [message('fed in place of latents'), ({ settings }) => settings.intervention ?? t('its own')],
  [message('temperature'), ({ settings }) => settings.temperature],
  [message('top-p'), ({ settings }) => settings.topP],
  [message('repetition penalty'), ({ settings }) => settings.repetitionPenalty],
  [message('seed'), ({ settings }) => settings.seed],
  [message('limit of tokens'), ({ settings }) => settings.maxTokens],
  [message('forced tokens'), ({ settings }) => Object.keys(settings.force).length],
  [message('system prompt'), ({ settings }) => settings.system],
  [message('helper pictures'), ({ settings }) => settings.helpers],
  [message('least pixels'), ({ settings }) => settings.minPixels],
  [message('most pixels'), ({ settings }) => settings.maxPixels],
];

function differencesOf(a: Trace, b: Trace): Difference[] {
  return FACTS.flatMap(([what, of]) => {
    const [one, other] = [of(a), of(b)];
    const text = (value: string | number | undefined): string | undefined =>
      value === undefined ? undefined : String(value);
    return one === other ? [] : [{ what: translated(what), a: text(one), b: text(other) }];
  });
}

/** What a run was asked to change of its model's protocol. */
function rulesOf({ settings: { protocol } }: Trace): string | undefined {
  return protocol && JSON.stringify(protocol);
}

/** Told apart by their bytes: another picture may have the same name. */
function picturesOf({ pictures }: Trace): string {
  return pictures
    .filter(({ role }) => role === 'input')
    .map(({ name, png }) => `${name} (${png.sha256.slice(0, 8)})`)
    .join(', ');
}

function timingsOf(a: Trace, b: Trace): RunComparison['timings'] {
  const parts = (trace: Trace): Map<string, number> =>
    new Map(
      trace.timings
        .filter(({ name }) => name !== TOTAL_TIMING)
        // What was reused of the run before is said after a comma, and is another in each.
        .map(({ name, milliseconds }) => [name.split(',')[0]!, milliseconds]),
    );
  const [one, other] = [parts(a), parts(b)];
  const [totalA, totalB] = [totalTime(a.timings), totalTime(b.timings)];
  const row = (name: string, left: number | undefined, right: number | undefined) => ({
    name,
    ...(left !== undefined && { a: left }),
    ...(right !== undefined && { b: right }),
  });
  return [
    ...[...new Set([...one.keys(), ...other.keys()])].map((name) =>
      row(name, one.get(name), other.get(name)),
    ),
    row(TOTAL_TIMING, totalA, totalB),
  ];
}

/** One model reads both runs, so they must be of one model, computed in one way. */
function whyNoDivergence(a: Trace, b: Trace, words: number): string | undefined {
  if (words === 0) return t('The runs have no word in common.');
  const bytes = a.model.sha256 !== undefined && b.model.sha256 !== undefined;
  const same = bytes ? a.model.sha256 === b.model.sha256 : a.model.fingerprint === b.model.fingerprint;
  if (!same) return t('The runs are of different models; one model cannot give the distributions of both.');
  if ((a.model.weights ?? 'float32') !== (b.model.weights ?? 'float32'))
    return t('The runs were computed in different formats of the weights.');
  if (a.device.provider !== b.device.provider) return t('The runs were computed on different devices.');
  return undefined;
}
