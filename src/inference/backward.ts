/**
 * From an answer's log-probability back to what was fed, layer by layer: gradient × attention of each, and gradient ×
 * input. Only one layer's session is open at a time.
 */

import { UserError } from '../base/errors.ts';
import { answerGradientGraph, layerGradientGraph } from '../model/layerGradient.ts';
import type { WeightSource } from '../model/weightSource.ts';
import { MASKED, textRotation } from '../model/positions.ts';
import { floats, floatTensor, intTensor, openSession, type Tensors } from '../ort/session.ts';
import { availableMemory, inBytes } from '../process/memory.ts';
import type { NumericArray } from '../tensor/array.ts';
import type { Model } from './model.ts';
import { replay, type Sequence } from './replay.ts';

/** Words of the answer that go through the head at once. */
const WORDS_AT_ONCE = 16;

export interface LayerFlow {
  layer: number;
  /** (T, T), nats: Σ over heads of A · ∂A, by query and key. */
  flow: NumericArray;
  /** (T, T): mean over heads of its positive part. */
  positive: NumericArray;
}

export interface Backward {
  /** Σ over the words, in nats. */
  logProbability: number;
  /** (T, C): gradient of it with respect to what was fed. */
  gradient: NumericArray;
}

/**
 * Walks back from the words at these positions.
 * @param words their indices in the sequence, ascending; T is the last one
 * @param onLayer gets each layer's flows, from the last layer to the first; throwing stops
 * @throws UserError where memory does not suffice, or the weights have no gradient
 */
export async function walkBack(
  model: Model,
  sequence: Sequence,
  words: readonly number[],
  onLayer: (flow: LayerFlow) => Promise<void>,
): Promise<Backward> {
  const length = words.at(-1)!;
  checkPossible(model, length);
  const { text } = model.checkpoint.config;
  const states = await statesOf(model, sequence, length);
  const top = await answerGradient(model, states.at(-1)!, sequence, words);
  let gradient = top.gradient;
  const shared = layerFeeds(model, sequence, length);
  for (let layer = text.layers - 1; layer >= 0; layer--) {
    const graph = layerGradientGraph(text, single(model), layer, length);
    const result = await runOnce(model, graph, {
      ...shared,
      x: floatTensor(states[layer]!, [length, text.hiddenSize]),
      g: floatTensor(gradient, [length, text.hiddenSize]),
    });
    gradient = floats(result['gradient']);
    const square = (name: string): NumericArray => ({ shape: [length, length], data: floats(result[name]) });
    await onLayer({ layer, flow: square('flow'), positive: square('positive') });
    states.pop();
  }
  return {
    logProbability: top.logProbability,
    gradient: { shape: [length, text.hiddenSize], data: gradient },
  };
}

/** @throws UserError before anything is taken */
function checkPossible({ checkpoint }: Model, length: number, available = availableMemory()): void {
  if (checkpoint.weights.packed !== undefined) {
    throw new UserError({
      problem: 'Gradients need weights that are not quantised',
      found: 'matrices in blocks of few bits',
      remedy: 'Open the checkpoint without quantisation, or ask for rollout only.',
    });
  }
  const { layers, heads, hiddenSize: C, feedForwardSize: F } = checkpoint.config.text;
  const needed = 4 * (8 * heads * length ** 2 + length * ((layers + 12) * C + 8 * F));
  if (needed <= available) return;
  throw new UserError({
    problem: 'There is not enough memory for gradients',
    expected: `about ${inBytes(needed)} for ${length} tokens`,
    found: `${inBytes(available)} left on this machine`,
    remedy: 'Ask for rollout only, or make a run with a smaller pixel budget (--max-pixels).',
  });
}

/** Products in half precision have no gradient: the same weights, multiplied in float32. */
function single({ checkpoint }: Model): WeightSource {
  const { half: _, ...weights } = checkpoint.weights;
  return weights;
}

/** (T, C) each: what every layer reads, and what the last one gives. */
async function statesOf(model: Model, sequence: Sequence, length: number): Promise<Float32Array[]> {
  const { layers, hiddenSize: C } = model.checkpoint.config.text;
  const all = new Set(Array.from({ length }, (_, i) => i));
  const after = Array.from({ length: layers }, () => new Float32Array(length * C));
  for await (const { first, states } of replay(model, sequence, { states: all, end: length })) {
    const count = states.positions.length;
    after.forEach((target, layer) =>
      target.set(states.values.data.subarray(layer * count * C, (layer + 1) * count * C), first * C),
    );
  }
  return [sequence.embeddings.data.slice(0, length * C), ...after];
}

/** @param states (T, C) after the last layer */
async function answerGradient(
  model: Model,
  states: Float32Array,
  { ids }: Sequence,
  words: readonly number[],
): Promise<{ logProbability: number; gradient: Float32Array }> {
  const { text } = model.checkpoint.config;
  const C = text.hiddenSize;
  const gradient = new Float32Array(states.length);
  let logProbability = 0;
  for (let first = 0; first < words.length; first += WORDS_AT_ONCE) {
    const some = words.slice(first, first + WORDS_AT_ONCE);
    const rows = new Float32Array(some.length * C);
    // A word is chosen at the position before it.
    some.forEach((word, i) => rows.set(states.subarray((word - 1) * C, word * C), i * C));
    const labels = some.map((word, i) => i * text.vocabularySize + ids[word]!);
    const graph = answerGradientGraph(text, single(model), some.length);
    const result = await runOnce(model, graph, {
      states: floatTensor(rows, [some.length, C]),
      words: intTensor(labels, [some.length, 1]),
    });
    logProbability -= floats(result['surprise']).reduce((sum, value) => sum + value, 0);
    const back = floats(result['gradient']);
    some.forEach((word, i) => gradient.set(back.subarray(i * C, (i + 1) * C), (word - 1) * C));
  }
  return { logProbability, gradient };
}

/** Angles and mask, the same for every layer. */
function layerFeeds(model: Model, { positions, sees }: Sequence, length: number): Tensors {
  const { text } = model.checkpoint.config;
  const { cos, sin } = textRotation(text, positions.slice(0, length));
  const angles = [1, length, text.headSize / 2];
  const mask = new Float32Array(length * length);
  for (let query = 0; query < length; query++) {
    for (let key = 0; key < length; key++) if (!sees(query, key)) mask[query * length + key] = MASKED;
  }
  return {
    cos: floatTensor(cos, angles),
    sin: floatTensor(sin, angles),
    mask: floatTensor(mask, [length, length]),
  };
}

async function runOnce(model: Model, graph: Uint8Array, feeds: Tensors): Promise<Tensors> {
  const session = await openSession(graph, {
    provider: model.provider,
    threads: model.threads,
    weightsFolder: model.checkpoint.weights.root,
    memory: 'heap',
  });
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}
