/** What a run begins with, as its config says: checkpoint and learner, the same in the run's process and in its workers. */

import { openCheckpoint, type Checkpoint } from '../../checkpoint/checkpoint.ts';
import { withLatentSize } from '../../model/config.ts';
import type { Runtime } from '../../ort/session.ts';
import { BaseLearner } from '../base/learner.ts';
import type { Learner } from '../learner.ts';
import { RecipeLearner } from '../recipe/learner.ts';
import { checkAdapter } from '../recipe/trainer.ts';
import { requireTrainable } from '../trainedBases.ts';
import { baseSettings, trainingSettings, type RunConfig } from './config.ts';
import { newestCheckpoint } from './runFolder.ts';
import { readHead } from './savedState.ts';

/**
 * Opens the model, with its adapter if there is one, and with the latents of the config.
 * @throws UserError if there is no such model or training does not know its base, or if "lora" cannot train the adapter further
 */
export async function openStart(config: RunConfig): Promise<Checkpoint> {
  const folder = await newestCheckpoint(config.model);
  const adapter = config.adapter === undefined ? undefined : await newestCheckpoint(config.adapter);
  const checkpoint = withLatents(await openCheckpoint(folder, { adapter }), config);
  requireTrainable(checkpoint.config, folder);
  checkAdapter(checkpoint, trainingSettings(config));
  return checkpoint;
}

/**
 * The learner of a config's phase.
 * @throws UserError for data that cannot be learnt
 */
export async function openLearner(config: RunConfig, start: Checkpoint, runtime: Runtime): Promise<Learner> {
  return typeof config.stage === 'number'
    ? RecipeLearner.open(start, trainingSettings(config), config, runtime)
    : BaseLearner.open(start, baseSettings(config), await readHead(start.folder), runtime);
}

/** The checkpoint with the config's number of latents and what they reach. */
function withLatents(checkpoint: Checkpoint, { latentSize, latentReach }: RunConfig): Checkpoint {
  const own = checkpoint.config;
  const sized = latentSize === undefined ? own : withLatentSize(own, latentSize);
  return { ...checkpoint, config: { ...sized, ...(latentReach !== undefined && { latentReach }) } };
}
