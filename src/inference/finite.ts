/**
 * Numbers that are lost: NaN or infinity among what the model computes. Everything after is garbage, so a run ends
 * there. This finds out where they come from, the weights or the arithmetic, and says so.
 */

import { UserError } from '../base/errors.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { firstNonFinite } from '../checkpoint/nonFinite.ts';
import type { Provider } from '../ort/session.ts';

/** What was computed when numbers were lost, and the weights that take part in it. */
const STAGES = {
  'picture features': ['visual.'],
  embeddings: ['model.embed_tokens.'],
  'hidden states': ['model.layers.', 'model.norm.'],
  logits: ['lm_head.'],
  latents: ['lvr_head.'],
} as const;

export type Stage = keyof typeof STAGES;

/** The first element that is NaN or infinite; -1 if there is none. */
export function nonFiniteIndex(values: Float32Array): number {
  // A difference with itself is 0 for every number, so that the usual case needs no branch.
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! - values[i]!;
  return sum === 0 ? -1 : values.findIndex((value) => !Number.isFinite(value));
}

/**
 * What to throw. Reads the weights of the stage from the disk to look for the culprit.
 * @param place where it was noticed, in words: "at position 57"
 */
export async function numbersLost(
  checkpoint: Checkpoint,
  provider: Provider,
  stage: Stage,
  place: string,
): Promise<UserError> {
  const { weights, folder } = checkpoint;
  const prefixes = stage === 'logits' && weights.tied ? STAGES.embeddings : STAGES[stage];
  const culprit = await firstNonFinite(checkpoint, prefixes);
  const problem = `The run stopped: ${stage} with NaN or infinity, ${place}`;
  if (culprit !== undefined) {
    return new UserError({
      problem,
      found: `a weight that is no number, ${culprit.name}, element ${culprit.index}`,
      where: culprit.file,
      remedy: 'Download the file again. If that does not help, the checkpoint itself is broken.',
    });
  }
  return new UserError({
    problem,
    found: 'finite weights, so that the arithmetic went beyond what float32 holds',
    where: folder,
    remedy:
      provider === 'cpu'
        ? 'Check that config.json belongs to these weights.'
        : 'Run it on the CPU to see whether the GPU is to blame.',
  });
}
