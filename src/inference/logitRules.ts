/**
 * What generation_config.json asks of each choice, under its own names, as transformers' `generate` does it and in its
 * order (GenerationMixin._get_logits_processor): rules on the scores, which hold for greedy choices too, and rules
 * that narrow a draw. They change the scores in place, in float32 as there; -Infinity cannot be chosen.
 */

import type { DrawRules, ScoreRules } from '../model/config.ts';
import { sumOfExponentials } from '../tensor/exponentials.ts';

/** Where a choice stands. */
export interface Sequence {
  /** Ids so far, prompt and pads included. */
  ids: readonly number[];
  promptLength: number;
  /** Most ids that there may ever be. */
  maxLength: number;
}

/** Changes the scores (V) of the next id. */
export type LogitRule = (scores: Float32Array, sequence: Sequence) => void;

/** For each setting what it does, in order; `endIds` are those that end an answer. */
type Makers<Settings> = {
  [Name in keyof Settings]-?: (value: NonNullable<Settings[Name]>, endIds: readonly number[]) => LogitRule;
};

const SCORE_RULES: Makers<ScoreRules> = {
  sequence_bias: (biases) => biased(biases),
  encoder_repetition_penalty:
    (penalty) =>
    (scores, { ids, promptLength }) =>
      penalise(scores, ids.slice(0, promptLength), 1 / penalty),
  repetition_penalty:
    (penalty) =>
    (scores, { ids }) =>
      penalise(scores, ids, penalty),
  no_repeat_ngram_size:
    (size) =>
    (scores, { ids }) =>
      ban(scores, continuations(ids, ids, size)),
  encoder_no_repeat_ngram_size:
    (size) =>
    (scores, { ids, promptLength }) =>
      ban(scores, continuations(ids.slice(0, promptLength), ids, size)),
  bad_words_ids: (words, endIds) =>
    biased(
      words.filter((ids) => !(ids.length === 1 && endIds.includes(ids[0]!))).map((ids) => [ids, -Infinity]),
    ),
  min_length:
    (length, endIds) =>
    (scores, { ids }) => {
      if (ids.length < length) ban(scores, endIds);
    },
  min_new_tokens:
    (count, endIds) =>
    (scores, { ids, promptLength }) => {
      if (ids.length - promptLength < count) ban(scores, endIds);
    },
  forced_eos_token_id:
    (forced) =>
    (scores, { ids, maxLength }) => {
      if (ids.length !== maxLength - 1) return;
      scores.fill(-Infinity);
      for (const id of forced) if (id < scores.length) scores[id] = 0;
    },
  exponential_decay_length_penalty:
    ([start, factor], endIds) =>
    (scores, { ids, promptLength }) => {
      const late = ids.length - promptLength - start;
      if (late <= 0) return;
      const growth = Math.fround(factor ** late - 1);
      for (const id of endIds) {
        const score = scores[id];
        if (score !== undefined && Number.isFinite(score))
          scores[id] = score + Math.fround(Math.abs(score) * growth);
      }
    },
  suppress_tokens: (ids) => (scores) => ban(scores, ids),
  begin_suppress_tokens:
    (suppressed) =>
    (scores, { ids, promptLength }) => {
      if (ids.length === promptLength) ban(scores, suppressed);
    },
};

const DRAW_RULES: Makers<DrawRules> = {
  temperature: (temperature) => (scores) => {
    for (let id = 0; id < scores.length; id++) scores[id] = scores[id]! / temperature;
  },
  top_h: (share) => (scores) => {
    const top = likeliest(scores).slice(0, TOP_H_CANDIDATES);
    const weights = softmax(Float32Array.from(top, (id) => scores[id]!));
    const terms = Array.from(weights, (weight) => (weight === 0 ? 0 : -weight * Math.log(weight)));
    const limit = share * terms.reduce((sum, term) => sum + term, 0);
    let entropy = 0;
    keep(
      scores,
      top.filter((_, i) => (entropy += terms[i]!) <= limit || i === 0),
    );
  },
  top_k: (count) => (scores) => {
    const least = nthLargest(scores, count);
    // Equal scores stay together.
    for (let id = 0; id < scores.length; id++) if (scores[id]! < least) scores[id] = -Infinity;
  },
  /** The smallest set of likeliest ids whose probabilities reach the share. */
  top_p: (share) => (scores) => {
    const weights = softmax(scores);
    let before = 0;
    keep(
      scores,
      likeliest(scores).filter((id, i) => {
        const reached = before >= share && i > 0;
        before += weights[id]!;
        return !reached;
      }),
    );
  },
  min_p: (share) => (scores) => {
    const weights = softmax(scores);
    const least = share * weights[argMax(weights)]!;
    keepThose(scores, weights, (weight) => weight >= least);
  },
  typical_p: (share) => (scores) => {
    const weights = softmax(scores);
    const entropy = entropyOf(weights);
    const surprise = (id: number): number => Math.abs(-Math.log(weights[id]!) - entropy);
    const order = likeliest(scores).toSorted((a, b) => surprise(a) - surprise(b));
    let total = 0;
    const last = order.findIndex((id) => (total += weights[id]!) >= share);
    const furthest = surprise(order.at(last)!);
    keep(
      scores,
      order.filter((id) => surprise(id) <= furthest),
    );
  },
  epsilon_cutoff: (epsilon) => (scores) => {
    keepThose(scores, softmax(scores), (weight) => weight >= epsilon);
  },
  eta_cutoff: (epsilon) => (scores) => {
    const weights = softmax(scores);
    const eta = Math.min(epsilon, Math.sqrt(epsilon) * Math.exp(-entropyOf(weights)));
    keepThose(scores, weights, (weight) => weight >= eta);
  },
};

/** As many as top-h looks at in transformers. */
const TOP_H_CANDIDATES = 100;

/** Rules on the scores of every choice. */
export function scoreRules(settings: ScoreRules, endIds: readonly number[]): LogitRule[] {
  return made(SCORE_RULES, settings, endIds);
}

/** What a draw is made from; not for greedy choices. */
export function drawRules(settings: DrawRules): LogitRule[] {
  return made(DRAW_RULES, settings, []);
}

function made<Settings extends object>(
  makers: Makers<Settings>,
  settings: Settings,
  endIds: readonly number[],
): LogitRule[] {
  const one = <Name extends keyof Settings>(name: Name): LogitRule | undefined => {
    const value = settings[name];
    return value == null ? undefined : makers[name](value, endIds);
  };
  return (Object.keys(makers) as (keyof Settings)[]).map(one).filter((rule) => rule !== undefined);
}

/** Scores of ids that are there already are divided where positive, multiplied where negative, once each. */
function penalise(scores: Float32Array, ids: readonly number[], penalty: number): void {
  const factor = Math.fround(penalty);
  for (const id of new Set(ids)) {
    const score = scores[id];
    if (score !== undefined) scores[id] = score < 0 ? score * factor : score / factor;
  }
}

/** Adds to the last id of each list whose others are the end of the sequence. */
function biased(biases: readonly (readonly [ids: readonly number[], bias: number])[]): LogitRule {
  return (scores, { ids }) => {
    const sums = new Map<number, number>();
    for (const [sequence, bias] of biases) {
      const start = ids.length - (sequence.length - 1);
      if (start < 0 || sequence.slice(0, -1).some((id, i) => ids[start + i] !== id)) continue;
      const last = sequence.at(-1)!;
      sums.set(last, Math.fround((sums.get(last) ?? 0) + bias));
    }
    for (const [id, bias] of sums) if (id < scores.length) scores[id]! += bias;
  };
}

/** What followed in `text` wherever the last `size` - 1 ids of the sequence stood there. */
function continuations(text: readonly number[], ids: readonly number[], size: number): number[] {
  if (ids.length < size) return [];
  const prefix = ids.slice(ids.length - size + 1);
  const found: number[] = [];
  for (let end = size - 1; end < text.length; end++) {
    if (prefix.every((id, i) => text[end - prefix.length + i] === id)) found.push(text[end]!);
  }
  return found;
}

/** Sets the scores of the ids to -Infinity. */
export function ban(scores: Float32Array, ids: readonly number[]): void {
  for (const id of ids) if (id >= 0 && id < scores.length) scores[id] = -Infinity;
}

function keep(scores: Float32Array, ids: readonly number[]): void {
  const kept = ids.map((id) => scores[id]!);
  scores.fill(-Infinity);
  ids.forEach((id, i) => (scores[id] = kept[i]!));
}

/** Those whose probability passes, and the likeliest in any case. */
function keepThose(scores: Float32Array, weights: Float64Array, passes: (weight: number) => boolean): void {
  const best = scores[argMax(scores)]!;
  for (let id = 0; id < scores.length; id++) {
    if (scores[id]! < best && !passes(weights[id]!)) scores[id] = -Infinity;
  }
}

/** Of so many ids a score and its id fit into one whole number of a double. */
const MOST_IDS = 2 ** 21;

/**
 * Ids that can be chosen, the likeliest first, of equal ones the first. There are 150,000, and a sort that calls a function
 * for each pair takes longer than the model: so they are sorted as numbers, the score's bits above the id.
 */
export function likeliest(scores: Float32Array): number[] {
  if (scores.length > MOST_IDS) throw new Error('a vocabulary has no more than 2,097,152 ids');
  const keys = new Float64Array(scores.length);
  const score = new Float32Array(1);
  const bits = new Int32Array(score.buffer);
  let count = 0;
  for (let id = 0; id < scores.length; id++) {
    if (!(scores[id]! > -Infinity)) continue;
    score[0] = scores[id]! + 0; // -0 is no less than 0
    // Bits of a float rise with it where it is positive, and fall where it is negative.
    const rising = bits[0]! >= 0 ? bits[0]! : -(bits[0]! & 0x7fffffff);
    keys[count++] = (0x7fffffff - rising) * MOST_IDS + id;
  }
  const sorted = keys.subarray(0, count).sort();
  const ids = new Array<number>(count);
  for (let i = 0; i < count; i++) ids[i] = sorted[i]! - MOST_IDS * Math.floor(sorted[i]! / MOST_IDS);
  return ids;
}

/** The n-th largest score, equal ones counted; -Infinity if there are fewer. */
function nthLargest(scores: Float32Array, n: number): number {
  if (n > scores.length) return -Infinity;
  // Rising; only what is larger than the least of them has to find its place.
  const largest = new Float32Array(n).fill(-Infinity);
  for (const score of scores) {
    if (!(score > largest[0]!)) continue;
    let place = 1;
    while (place < n && largest[place]! < score) place++;
    largest.copyWithin(0, 1, place);
    largest[place - 1] = score;
  }
  return largest[0]!;
}

/** The first of the largest. */
export function argMax(values: Float32Array | Float64Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

/** Probabilities of the scores (V); 0 where they are -Infinity. */
export function softmax(scores: Float32Array): Float64Array {
  const weights = new Float64Array(scores.length);
  const largest = scores[argMax(scores)]!;
  let total = 0;
  for (let i = 0; i < scores.length; i++) {
    const weight = Math.exp(scores[i]! - largest);
    weights[i] = weight;
    total += weight;
  }
  for (let i = 0; i < weights.length; i++) weights[i] = weights[i]! / total;
  return weights;
}

/** softmax(logits)[id] */
export function probabilityOf(logits: Float32Array, id: number): number {
  const largest = logits[argMax(logits)]!;
  return Math.exp(logits[id]! - largest) / sumOfExponentials(logits, largest);
}

/** log softmax(logits)[id], also where the probability itself would be 0. */
export function logProbabilityOf(logits: Float32Array, id: number): number {
  const largest = logits[argMax(logits)]!;
  return logits[id]! - largest - Math.log(sumOfExponentials(logits, largest));
}

function entropyOf(weights: Float64Array): number {
  return weights.reduce((sum, weight) => (weight === 0 ? sum : sum - weight * Math.log(weight)), 0);
}
