/**
 * What a run had written up to some point, read at once, so that another can go on from there: its own words, and at
 * each pad the vector that was fed. Nothing is decided, so it costs as a prompt does, not as the answer did.
 *
 * Products of more rows round differently than step by step, so a run that goes on from a past without any change equals
 * the one that wrote it within rounding (test/inference/past.test.ts); from the same past it is the same, to the bit.
 */

import { UserError } from '../base/errors.ts';
import { RandomNumbers } from '../base/random.ts';
import { positionsPerRun } from '../model/memory.ts';
import { missingPlaces, type Protocol } from '../model/protocol.ts';
import type { TraceBlock } from '../trace/schema.ts';
import type { HiddenKeys } from './hiddenKeys.ts';
import { sliceOf } from './embeddings.ts';
import type { KvCache } from './kvCache.ts';
import { following } from './latentHeads.ts';
import { LatentProtocol, type LatentRules } from './latentProtocol.ts';
import type { Model } from './model.ts';
import type { Prompt } from './prompt.ts';
import { sequenceOf, type Continuation } from './replay.ts';

export interface Past extends Continuation {
  /** The account of its blocks; the last may be open. */
  blocks: readonly TraceBlock[];
  /** How many numbers of its seed were drawn. */
  draws: number;
}

/** (C) of the last two positions that were read. */
export interface LastStates {
  /** What comes after the last is chosen from it. */
  chosen: Float32Array;
  /** What a latent after the last is fed, and what one at the last would have been. */
  fed: Float32Array;
  before: Float32Array;
}

/**
 * Reads a past behind its prompt.
 * @param prompted what has read the prompt, and the state of its last position
 * @param onChunk called now and then with the positions read so far; throwing stops
 */
export async function readPast(
  model: Model,
  prompt: Prompt,
  { past, hidden }: { past: Past; hidden: readonly HiddenKeys[] },
  prompted: { cache: KvCache; hidden: Float32Array },
  onChunk: (read: number) => Promise<void> = async () => undefined,
): Promise<LastStates> {
  const { cache } = prompted;
  const found: LastStates = { chosen: prompted.hidden, fed: prompted.hidden, before: prompted.hidden };
  if (past.ids.length === 0) return found;
  const { embeddings, positions, sees, promptLength, headed } = await sequenceOf(model, prompt, past, hidden);
  const width = embeddings.shape[1]!;
  const chunk = positionsPerRun(model.checkpoint.config.text, positions.length);
  for (let first = promptLength; first < positions.length; first += chunk) {
    await onChunk(first);
    const end = Math.min(positions.length, first + chunk);
    const rows = sliceOf(embeddings, first, end);
    const { hidden: states } = await model.step(cache, rows, positions.slice(first, end), { rows: [], sees });
    await cache.freeze();
    const { fed, chosen } = await following(model, headed, states, first);
    found.before = end - first > 1 ? fed.data.slice(-2 * width, -width) : found.fed;
    found.fed = fed.data.slice(-width);
    found.chosen = chosen.data.slice(-width);
  }
  return found;
}

/**
 * The protocol as it was after a past. Traces keep which id stands at a latent, not what the model chose there, so a
 * protocol whose blocks end by that cannot be gone on with inside them.
 * @param before the state at the position before the last
 * @throws UserError where it does not come to the same blocks
 */
export function machineAfter(rules: LatentRules, past: Past, before: Float32Array): LatentProtocol {
  const machine = new LatentProtocol(rules);
  const { blocks, emptied = () => false } = past;
  past.ids.forEach((id, i) => {
    const index = machine.open?.index ?? machine.blocks.length;
    const isCut = emptied(index) && (machine.open?.latents ?? 0) === blocks[index]?.latents;
    const size = isCut ? 0 : undefined;
    const decision = machine.next(machine.needsLogits(size) ? id : undefined, size);
    if (decision.id !== id) throw cannotGoOn(i);
    const vector = past.latents.get(i);
    if (decision.feed === 'latent' && vector !== undefined) machine.fed(vector);
    else if (i === past.ids.length - 1) machine.fed(before);
  });
  machine.blocks.forEach((block, i) => {
    const was = blocks[i];
    if (was?.startToken !== block.startToken || was.latents !== block.latents || was.ended !== block.ended)
      throw cannotGoOn(block.startToken);
  });
  return machine;
}

function cannotGoOn(token: number): UserError {
  return new UserError({
    problem: 'The run cannot be gone on with here: the trace does not tell what its protocol would do',
    expected: 'blocks as the model’s protocol makes them',
    found: `others from token ${token + 1} on`,
    remedy: 'Begin the branch before that block.',
  });
}

/** Places that are free because blocks were left empty, as in ./generation.ts. */
export function skippedIn({ blocks, emptied = () => false }: Past, protocol: Protocol | undefined): number {
  if (protocol === undefined) return 0;
  return blocks.reduce((sum, block, i) => sum + (emptied(i) ? missingPlaces(protocol, block) : 0), 0);
}

/** The seed's numbers from where a past left them. */
export function numbersAfter(seed: number, draws: number): RandomNumbers {
  const random = new RandomNumbers(seed);
  for (let i = 0; i < draws; i++) random.next();
  return random;
}
