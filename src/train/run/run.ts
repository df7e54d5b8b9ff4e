/**
 * A training run from its config file: opened or gone on with, step by step, saved on the way.
 *
 * The runtime blocks its process while it computes, so a run belongs into a process of its own.
 */

import { messageOf, UserError } from '../../base/errors.ts';
import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import { openCheckpoint } from '../../checkpoint/checkpoint.ts';
import type { Provider } from '../../ort/session.ts';
import type { Metric } from '../../watch/metrics.ts';
import { AdamW } from '../optimiser.ts';
import type { TrainingSettings } from '../trainer.ts';
import { readConfig, trainingSettings, type RunConfig } from './config.ts';
import { dataHash } from './data.ts';
import { openLearner, type Learner } from './learner.ts';
import { alone, openPool, type Learning } from './pool.ts';
import { RunFolder } from './runFolder.ts';
import { loadState, saveState } from './savedState.ts';
import { checkedStep, type TrainState } from './step.ts';

export interface RunOptions {
  provider: Provider;
  /** Stops after this step of the run, if that is before its end. */
  lastStep?: number;
  /** Aborted: the step is finished, its state saved. */
  signal: AbortSignal;
  /** Bundle of ./worker.ts, for configs that ask for several workers. */
  workerScript?: string;
  onStart: (start: { folder: string; step: number; steps: number }) => void;
  onStep: (metric: Metric) => void;
}

export interface RunResult {
  /** Steps done, earlier processes' included. */
  step: number;
  /** Folder of the newest checkpoint; absent if no step was done yet. */
  checkpoint?: string;
  cancelled: boolean;
}

/** @throws UserError for a bad config or sample, a loss that is no number, or a disk that is full */
export async function runTraining(configFile: string, options: RunOptions): Promise<RunResult> {
  const { given, config } = await readConfig(configFile);
  const opened = await openCheckpoint(config.model);
  const base = withLatents(opened, config);
  const resolved = { ...config, modelFingerprint: base.fingerprint, dataHash: await dataHash(config) };
  const { run, resumeFrom } = await RunFolder.open(config.run, given, resolved);
  const learner = await openOn(config, base, options.provider);
  try {
    const settings = trainingSettings(config);
    const { student, teacher } = learner;
    const state: TrainState = {
      student,
      ...(teacher && { teacher }),
      optimiser: new AdamW(student, settings.adamW),
      ...(settings.lora && { lora: settings.lora }),
    };
    if (resumeFrom !== undefined) await loadState(resumeFrom, state);
    const learning =
      config.workers === 1
        ? alone(config, learner)
        : await openPool(config, options.provider, scriptOf(options), learner);
    try {
      return await new Run({ base, config, settings, state, learning, run, options }).go();
    } finally {
      await learning.release();
    }
  } finally {
    await learner.release();
  }
}

interface Parts {
  base: Checkpoint;
  config: RunConfig;
  settings: TrainingSettings;
  state: TrainState;
  learning: Learning;
  run: RunFolder;
  options: RunOptions;
}

class Run {
  private readonly parts: Parts;
  /** Step of the newest checkpoint. */
  private saved: number;

  constructor(parts: Parts) {
    this.parts = parts;
    this.saved = parts.state.optimiser.steps;
  }

  async go(): Promise<RunResult> {
    const { config, settings, state, learning, run, options } = this.parts;
    const { optimiser } = state;
    const last = Math.min(config.steps, options.lastStep ?? Infinity);
    const gradient = state.student.zeros();
    options.onStart({ folder: run.folder, step: optimiser.steps, steps: last });
    while (optimiser.steps < last && !options.signal.aborted) {
      const start = performance.now();
      const result = await this.savingBefore(() => checkedStep(state, learning, settings, gradient));
      const samplesPerSecond = (1000 * config.batch) / (performance.now() - start);
      const time = new Date().toISOString();
      const metric = { step: optimiser.steps, ...result, samplesPerSecond, time };
      await run.append(metric);
      options.onStep(metric);
      if (optimiser.steps % config.checkpointEvery === 0) await this.save();
    }
    const cancelled = optimiser.steps < last;
    await this.save();
    return {
      step: optimiser.steps,
      ...(optimiser.steps > 0 && { checkpoint: run.checkpointFolder(optimiser.steps) }),
      cancelled,
    };
  }

  /** A step that fails has changed nothing, so what was reached before it is kept. */
  private async savingBefore<T>(step: () => Promise<T>): Promise<T> {
    try {
      return await step();
    } catch (error) {
      await this.save();
      throw error;
    }
  }

  private async save(): Promise<void> {
    const { state, run, base } = this.parts;
    const step = state.optimiser.steps;
    if (step === this.saved) return;
    await saveState(run.checkpointFolder(step), state, base);
    await run.finishCheckpoint(step);
    this.saved = step;
  }
}

/** A machine without a GPU is the user's to know of, and no defect. */
async function openOn(config: RunConfig, base: Checkpoint, provider: Provider): Promise<Learner> {
  try {
    return await openLearner(config, base, { provider });
  } catch (error) {
    if (!/Failed to get a WebGPU adapter/.test(messageOf(error))) throw error;
    throw new UserError(
      {
        problem: 'WebGPU cannot be used',
        expected: 'a GPU with a Vulkan, Metal or Direct3D 12 driver',
        found: 'no supported adapter',
        remedy: "Train with --device cpu, or install the GPU's driver.",
      },
      { cause: error },
    );
  }
}

function scriptOf({ workerScript }: RunOptions): string {
  if (workerScript === undefined) throw new Error('several workers need the path of their bundle');
  return workerScript;
}

/** The checkpoint with the latents of the config: their number and what they reach. */
export function withLatents(checkpoint: Checkpoint, { latentSize, latentReach }: RunConfig): Checkpoint {
  const config = {
    ...checkpoint.config,
    ...(latentSize !== undefined && { latentSize }),
    ...(latentReach !== undefined && { latentReach }),
  };
  return { ...checkpoint, config };
}
