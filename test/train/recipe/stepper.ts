/** Steps of a trainer as a run does them, on samples that are there already. */

import type { AnySample } from '../../../src/train/data/sequence.ts';
import { learnSamples } from '../../../src/train/recipe/learner.ts';
import type { LessonLosses } from '../../../src/train/recipe/lossTerms.ts';
import type { Trainer } from '../../../src/train/recipe/trainer.ts';
import { openState, trainStep, type StepResult, type TrainState } from '../../../src/train/step.ts';

export type SampleStep = StepResult<LessonLosses[]>;

export interface Stepper {
  state: TrainState;
  step: (samples: readonly AnySample[]) => Promise<SampleStep>;
}

export async function stepperOf(trainer: Trainer): Promise<Stepper> {
  const { settings, sets } = trainer;
  const state = await openState(sets, settings.adamW);
  return {
    state,
    step: (samples) => {
      const drawn = samples.map((sample, position) => ({ position, where: `sample ${position}`, sample }));
      return trainStep(state, (step) => learnSamples(trainer, drawn, step, 1 / drawn.length), settings);
    },
  };
}
