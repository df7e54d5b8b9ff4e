/**
 * The loop of interleaved reasoning: text token by text token, latent by latent.
 *
 * At a pad the hidden state after the final norm, at the position before, is fed as it is
 * (arXiv 2512.05665), or what an intervention puts in its place. A latent's attention is that of its own query, so it is known one step later,
 * when the latent has been fed; the last token of a run that hit its limit is never fed.
 */

import type { NumericArray } from '../tensor/array.ts';
import type { Decision, LatentMode } from './latentProtocol.ts';
import { LatentProtocol } from './latentProtocol.ts';
import type { Model } from './model.ts';
import { replacementOf } from './intervention.ts';
import { visible, type LatentBlock } from '../model/latentReach.ts';
import type { Position } from '../model/positions.ts';
import type { LatentIntervention } from '../protocol/engine.ts';
import { probabilityOf, Sampler, type Choice, type SamplerSettings } from './sampler.ts';

export interface GenerateRequest extends SamplerSettings {
  ids: readonly number[];
  embeddings: NumericArray;
  positions: readonly Position[];
  delta: number;
  latents: LatentMode;
  intervention?: LatentIntervention;
  maxTokens: number;
  /** Index of a new token → id to put there. */
  force: Readonly<Record<number, number>>;
}

/** Told of everything in order; a promise lets it pause the loop, an exception ends it. */
export interface GenerateObserver {
  prefill(read: number, total: number): Promise<void>;
  /** A token was appended; `hidden` is the state it was chosen from. */
  token(token: NewToken, hidden: Float32Array): Promise<void>;
  /** The token was fed: `attention` (L, H, keys) is that of its position; a latent's `vector` is what was fed. */
  fed(token: NewToken, attention: NumericArray, vector: Float32Array | undefined): Promise<void>;
}

export interface NewToken extends Decision {
  /** Index among the new tokens. */
  index: number;
  /** Index in the sequence. */
  position: number;
  probability?: number;
  /** The block it lies in, and for a pad its place there. */
  block?: number;
  latentIndex?: number;
}

/** Why a run ended by itself. */
export type StopReason = 'end' | 'limit';

/** Runs until the model ends its answer, or a limit is reached. */
export async function generate(
  model: Model,
  request: GenerateRequest,
  observer: GenerateObserver,
): Promise<{ reason: StopReason; protocol: LatentProtocol }> {
  const { config, generation } = model.checkpoint;
  const { intervention, seed } = request;
  const size = intervention?.kind === 'markers' ? 0 : config.latentSize;
  const protocol = new LatentProtocol(config.tokens.latent, size, request.latents);
  const replace = replacementOf(intervention, seed);
  // What follows markers alone stands where it would have stood: only the latents are gone, not their places.
  const gap = config.latentSize - size;
  let skipped = 0;
  const blocks: LatentBlock[] = [];
  let latents = 0;
  const limit = Math.min(request.maxTokens, config.text.maxPositions - request.ids.length);
  const chooser = new Chooser(model, request);
  const cache = model.newCache((query, key) => visible(query, key, blocks, config.latentReach));
  try {
    const total = request.ids.length;
    const prompt = await model.prefill(cache, request.embeddings, request.positions, (read) =>
      observer.prefill(read, total),
    );
    let hidden = lastRow(prompt.hidden);
    for (let index = 0; index < limit; index++) {
      const token = await nextToken(protocol, chooser, hidden, index, total + index, request.force[index]);
      const isEnd = token.kind === 'text' && generation.eosIds.includes(token.id);
      if (isEnd) token.kind = 'end';
      await observer.token(token, hidden);
      if (isEnd) return { reason: 'end', protocol };
      if (index + 1 === limit) break;
      placeInBlock(blocks, token);
      const vector = token.feed === 'latent' ? replace(hidden, latents++) : undefined;
      const input =
        vector === undefined ? await model.embed([token.id]) : { shape: [1, vector.length], data: vector };
      const place = token.position + request.delta + skipped;
      if (token.kind === 'latent-start') skipped += gap;
      const step = await model.step(cache, input, [[place, place, place]]);
      const [layers, heads, , keys] = step.attention.shape;
      const attention = { shape: [layers!, heads!, keys!], data: step.attention.data };
      await observer.fed(token, attention, vector);
      hidden = step.hidden.data;
    }
    return { reason: 'limit', protocol };
  } finally {
    cache.dispose();
  }
}

/** Keeps account of where the blocks stand in the sequence, for the mask. */
function placeInBlock(blocks: LatentBlock[], { kind, position }: NewToken): void {
  if (kind === 'latent-start') blocks.push({ first: position + 1, pads: 0 });
  else if (kind === 'latent-pad') blocks.at(-1)!.pads++;
  else if (kind === 'latent-end') blocks.at(-1)!.end = position;
}

/** The model's choice from a hidden state, or the caller's with the probability the model gives it. */
class Chooser {
  private readonly model: Model;
  private readonly sampler: Sampler;
  /** Ids of the sequence so far, pads included: what the repetition penalty looks at. */
  private readonly seen: Set<number>;

  constructor(model: Model, request: GenerateRequest) {
    this.model = model;
    this.sampler = new Sampler(request);
    this.seen = new Set(request.ids);
  }

  async choose(hidden: Float32Array, force: number | undefined, banned: readonly number[]): Promise<Choice> {
    const { data } = await this.model.logits({ shape: [1, hidden.length], data: hidden });
    return force === undefined
      ? this.sampler.choose(data, this.seen, banned)
      : { id: force, probability: probabilityOf(data, force) };
  }

  appended(id: number): void {
    this.seen.add(id);
  }
}

async function nextToken(
  protocol: LatentProtocol,
  chooser: Chooser,
  hidden: Float32Array,
  index: number,
  position: number,
  force: number | undefined,
): Promise<NewToken> {
  const inside = protocol.openBlock !== undefined;
  const choice = protocol.needsLogits ? await chooser.choose(hidden, force, protocol.banned) : undefined;
  const block = protocol.openBlock;
  const decision = protocol.next(choice?.id);
  chooser.appended(decision.id);
  const owner = protocol.openBlock ?? block;
  return {
    ...decision,
    forced: decision.forced || (force !== undefined && decision.id === force),
    index,
    position,
    ...(!inside && choice && { probability: choice.probability }),
    ...(owner !== undefined && { block: owner }),
    ...(decision.kind === 'latent-pad' && { latentIndex: protocol.latentsInBlock - 1 }),
  };
}

function lastRow({ shape, data }: NumericArray): Float32Array {
  return data.slice(data.length - shape[1]!);
}
