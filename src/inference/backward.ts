/**
 * From an answer's probability back to what was fed, layer by layer: gradient × attention of each, and gradient ×
 * input.
 *
 * A latent that was fed is a source of its own to the layers. It is also the state at the position before, so a walk
 * can go on from it: from the last latent to the first, each with all the gradient that has come to it by then.
 */

import { UserError } from '../base/errors.ts';
import {
  answerGradientGraph,
  layerGradientGraph,
  normGradientGraph,
  type Objective,
} from '../model/layerGradient.ts';
import { MASKED, textRotation } from '../model/positions.ts';
import type { WeightSource } from '../model/weightSource.ts';
import { floats, floatTensor, intTensor, openSession, type Session, type Tensors } from '../ort/session.ts';
import { availableMemory, inBytes } from '../process/memory.ts';
import { dot, type NumericArray } from '../tensor/array.ts';
import type { LatentHead } from '../model/latentHead.ts';
import type { Embeddings } from './embeddings.ts';
import type { Headed } from './latentHeads.ts';
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
  /** (T, C): gradient of what is explained with respect to what was fed, latents being inputs like others. */
  gradient: NumericArray;
  /** (T): Σ over the first layers of gradient × what they add there, with DeepStack; 0 without. */
  added: Float32Array;
  /** The same where it goes on from the latents that are followed; at a latent, all that passes through it. */
  followed: NumericArray;
  followedAdded: Float32Array;
}

export interface WalkOptions {
  /** What of the words is explained; log-probability if absent. */
  objective?: Objective;
  /** Gets each layer's flows of the walk from the words, from the last layer to the first; throwing stops. */
  onLayer?: (flow: LayerFlow) => Promise<void>;
  /** Positions of latents to go on from: the states that they were fed with. */
  follow?: readonly number[];
  /** Called before each of them with its index; throwing stops. */
  onLatent?: (index: number) => Promise<void>;
}

/**
 * Walks back from words, and where it is asked for from latents.
 * @param words their indices in the sequence, ascending; T is the last one
 * @throws UserError where memory does not suffice
 */
export async function walkBack(
  model: Model,
  sequence: Sequence,
  words: readonly number[],
  { objective = 'log-probability', onLayer, follow = [], onLatent }: WalkOptions = {},
): Promise<Backward> {
  const length = words.at(-1)!;
  const latents = follow.filter((position) => position < length).toSorted((a, b) => b - a);
  checkPossible(model, length, latents.length > 0);
  const way = await WayBack.over(model, sequence, length, latents.length > 0);
  try {
    const { logProbability, top } = await way.fromWords(words, objective);
    const { gradient, added } = await way.walk(top, onLayer);
    const C = gradient.length / length;
    const [followed, followedAdded] = [gradient.slice(), added.slice()];
    for (const [i, position] of latents.entries()) {
      await onLatent?.(i);
      const arrived = followed.slice(position * C, (position + 1) * C);
      const more = await way.walk(await way.fromLatent(position, arrived));
      more.gradient.forEach((value, at) => (followed[at]! += value));
      more.added.forEach((value, at) => (followedAdded[at]! += value));
    }
    const array = (data: Float32Array): NumericArray => ({ shape: [length, C], data });
    return {
      logProbability,
      gradient: array(gradient),
      added,
      followed: array(followed),
      followedAdded,
    };
  } finally {
    await way.release();
  }
}

/** @throws UserError before anything is taken */
function checkPossible(
  { checkpoint }: Model,
  length: number,
  keepsSessions: boolean,
  available = availableMemory(),
): void {
  const { layers, heads, hiddenSize: C, feedForwardSize: F, vocabularySize } = checkpoint.config.text;
  // Weights of 16 bits are widened in each session; float32 stays in its file.
  const open = keepsSessions
    ? checkpoint.parameterCount
    : Math.max(4 * C * C + 3 * C * F, vocabularySize * C);
  const widened = checkpoint.dtype === 'F32' ? 0 : open;
  const needed = 4 * (8 * heads * length ** 2 + length * ((layers + 12) * C + 8 * F) + widened);
  if (needed <= available) return;
  throw new UserError({
    problem: 'There is not enough memory for gradients',
    expected: `about ${inBytes(needed)} for ${length} tokens`,
    found: `${inBytes(available)} left on this machine`,
    remedy: 'Ask for rollout only, or make a run with a smaller pixel budget (--max-pixels).',
  });
}

/** The first T positions of a sequence, ready to be walked back over. */
class WayBack {
  private readonly model: Model;
  private readonly ids: readonly number[];
  private readonly embeddings: Embeddings;
  private readonly length: number;
  /** (T, C) each: what every layer reads, and what the last one gives. */
  private readonly states: Float32Array[];
  /** Angles and mask, the same for every layer. */
  private readonly shared: Tensors;
  private readonly headed: Headed | undefined;
  /** By layer; only of a way that is walked several times. */
  private readonly kept: Map<number, Session> | undefined;

  private constructor(model: Model, sequence: Sequence, states: Float32Array[], keeps: boolean) {
    this.model = model;
    this.ids = sequence.ids;
    this.headed = sequence.headed;
    this.embeddings = sequence.embeddings;
    this.length = states[0]!.length / model.checkpoint.config.text.hiddenSize;
    this.states = states;
    this.shared = layerFeeds(model, sequence, this.length);
    this.kept = keeps ? new Map() : undefined;
  }

  static async over(model: Model, sequence: Sequence, length: number, keeps: boolean): Promise<WayBack> {
    return new WayBack(model, sequence, await statesOf(model, sequence, length), keeps);
  }

  async release(): Promise<void> {
    await Promise.all([...(this.kept?.values() ?? [])].map((session) => session.release()));
  }

  /** The gradient (T, C) of what is explained of the words with respect to what the last layer gives. */
  async fromWords(
    words: readonly number[],
    objective: Objective,
  ): Promise<{ logProbability: number; top: Float32Array }> {
    const { text } = this.model.checkpoint.config;
    const C = text.hiddenSize;
    const top = new Float32Array(this.length * C);
    let logProbability = 0;
    for (const some of this.together(words)) {
      const rows = new Float32Array(some.length * C);
      // A word is chosen at the position before it.
      some.forEach((word, i) => rows.set(this.last(word - 1), i * C));
      const labels = some.map((word, i) => i * text.vocabularySize + this.ids[word]!);
      const result = await this.runOnce(
        answerGradientGraph(text, this.weights, some.length, objective, this.headFor(some[0]!)),
        {
          states: floatTensor(rows, [some.length, C]),
          words: intTensor(labels, [some.length, 1]),
        },
      );
      logProbability -= floats(result['surprise']).reduce((sum, value) => sum + value, 0);
      const back = floats(result['gradient']);
      some.forEach((word, i) => top.set(back.subarray(i * C, (i + 1) * C), (word - 1) * C));
    }
    return { logProbability, top };
  }

  /** A few words at a time; those that are chosen through the head for latents by themselves. */
  private together(words: readonly number[]): number[][] {
    const groups: number[][] = [];
    for (const word of words) {
      const last = groups.at(-1);
      const fits = last !== undefined && last.length < WORDS_AT_ONCE;
      if (fits && this.headFor(last[0]!) === this.headFor(word)) last.push(word);
      else groups.push([word]);
    }
    return groups;
  }

  /** Of the word at an index: what the state that it is chosen from goes through. */
  private headFor(word: number): LatentHead | undefined {
    return this.headed?.logits === true ? this.headAfter(word - 1) : undefined;
  }

  /** What the state at a position goes through before it is fed. */
  private headAfter(position: number): LatentHead | undefined {
    return this.headed?.positions.has(position) === true
      ? this.model.checkpoint.config.latentHead
      : undefined;
  }

  /** The same of what came to a latent (C): it was fed with the state before it. */
  async fromLatent(position: number, gradient: Float32Array): Promise<Float32Array> {
    const { text } = this.model.checkpoint.config;
    const C = text.hiddenSize;
    const result = await this.runOnce(normGradientGraph(text, this.weights, this.headAfter(position - 1)), {
      states: floatTensor(this.last(position - 1), [1, C]),
      g: floatTensor(gradient, [1, C]),
    });
    const top = new Float32Array(this.length * C);
    top.set(floats(result['gradient']), (position - 1) * C);
    return top;
  }

  /**
   * Given the gradient of what the last layer gives.
   * @returns the gradient (T, C) with respect to what was fed, and (T) its products with what the first layers add
   */
  async walk(
    top: Float32Array,
    onLayer?: (flow: LayerFlow) => Promise<void>,
  ): Promise<{ gradient: Float32Array; added: Float32Array }> {
    const { text } = this.model.checkpoint.config;
    const { length } = this;
    const shape = [length, text.hiddenSize];
    let gradient = top;
    const added = new Float32Array(length);
    for (let layer = text.layers - 1; layer >= 0; layer--) {
      this.addProducts(added, layer, gradient);
      const feeds = {
        ...this.shared,
        x: floatTensor(this.states[layer]!, shape),
        g: floatTensor(gradient, shape),
      };
      const result = await this.runLayer(layer, feeds);
      gradient = floats(result['gradient']);
      const square = (name: string): NumericArray => ({
        shape: [length, length],
        data: floats(result[name]),
      });
      await onLayer?.({ layer, flow: square('flow'), positive: square('positive') });
    }
    return { gradient, added };
  }

  /** What a layer adds to its result is an input there, with the gradient of what the next layer reads. */
  private addProducts(products: Float32Array, layer: number, gradient: Float32Array): void {
    const { deepstackLayers = 0, hiddenSize: C } = this.model.checkpoint.config.text;
    const { added } = this.embeddings;
    if (added === undefined || layer >= deepstackLayers) return;
    for (let position = 0; position < this.length; position++)
      products[position]! += dot(gradient, position * C, added, (position * deepstackLayers + layer) * C, C);
  }

  /** What the last layer gives at a position (C). */
  private last(position: number): Float32Array {
    const C = this.model.checkpoint.config.text.hiddenSize;
    return this.states.at(-1)!.slice(position * C, (position + 1) * C);
  }

  private async runLayer(layer: number, feeds: Tensors): Promise<Tensors> {
    const { text } = this.model.checkpoint.config;
    const graph = (): Uint8Array => layerGradientGraph(text, this.weights, layer, this.length);
    if (this.kept === undefined) return this.runOnce(graph(), feeds);
    const session = this.kept.get(layer) ?? (await this.open(graph()));
    this.kept.set(layer, session);
    return session.run(feeds);
  }

  private async runOnce(graph: Uint8Array, feeds: Tensors): Promise<Tensors> {
    const session = await this.open(graph);
    try {
      return await session.run(feeds);
    } finally {
      await session.release();
    }
  }

  private open(graph: Uint8Array): Promise<Session> {
    const { provider, threads, checkpoint } = this.model;
    const weightsFolder = checkpoint.weights.root;
    return openSession(graph, { provider, threads, weightsFolder, memory: 'heap' });
  }

  /**
   * Products in half precision or with packed matrices have no gradient: the weights that these come from, multiplied
   * in float32, at the states that the model itself has.
   */
  private get weights(): WeightSource {
    const { weights } = this.model.checkpoint;
    return { get: (name, shape) => weights.get(name, shape) };
  }
}

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
