/**
 * A training run from its config file: opened or gone on with, step by step, saved on the way.
 *
 * The runtime blocks its process while it computes, so a run belongs into a process of its own.
 */

import { UserError } from '../../base/errors.ts';
import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import type { Provider } from '../../ort/session.ts';
import type { Metric } from '../../watch/metrics.ts';
import { DEVICE_FACTS } from '../../tensor/device.ts';
import { dataHash } from '../data/samples.ts';
import type { Learner } from '../learner.ts';
import { RecipeLearner } from '../recipe/learner.ts';
import type { TrainingSettings } from '../recipe/trainer.ts';
import { openState, trainStep } from '../step.ts';
import { readConfig, trainingSettings, type RunConfig } from './config.ts';
import { RunControl } from './control.ts';
import { alone, openPool, type Learning } from './pool.ts';
import { RunFolder } from './runFolder.ts';
import { loadState, saveState, type RunState } from './savedState.ts';
import { openLearner, openStart } from './start.ts';
import { Watch } from './watch.ts';

export interface RunOptions {
  provider: Provider;
  /** Stops after this step of the run, if that is before its end. */
  lastStep?: number;
  /** Aborted: the step is finished, its state saved. */
  signal: AbortSignal;
  /** Bundle of ./worker.ts, for configs that ask for several workers. */
  workerScript?: string;
  /** The run's folder is known, and this process has it; loading comes next. */
  onOpen?: (folder: string) => void;
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
  if (DEVICE_FACTS[options.provider].ownMemory && config.workers > 1) throw workersOnGpu(config, configFile);
  const base = await openStart(config);
  const { watch: _, ...decisive } = config;
  const resolved = { ...decisive, modelFingerprint: base.fingerprint, dataHash: await dataHash(config) };
  const { run, resumeFrom } = await RunFolder.open(config.run, given, resolved);
  const about = { config: configFile, device: options.provider, steps: config.steps };
  const control = await RunControl.open(run.folder, about);
  options.onOpen?.(run.folder);
  try {
    const learner = await openLearner(config, base, { provider: options.provider });
    try {
      return await learnOn({ base, config, learner, run, control, options }, resumeFrom);
    } finally {
      await learner.release();
    }
  } catch (error) {
    // The error itself matters more than a disk that cannot take it.
    await control.say('failed', error).catch(() => undefined);
    throw error;
  }
}

type Opened = Omit<RunParts, 'settings' | 'state' | 'learning'>;

async function learnOn(opened: Opened, resumeFrom: string | undefined): Promise<RunResult> {
  const { config, learner, options } = opened;
  const settings = trainingSettings(config);
  const opening = await openState(learner, settings.adamW);
  const state: RunState = { ...opening, ...(settings.lora && { lora: settings.lora }) };
  let learning: Learning | undefined;
  try {
    if (resumeFrom !== undefined) await loadState(resumeFrom, state);
    learning =
      config.workers === 1 ? alone(config, learner) : await openPool(config, scriptOf(options), learner);
    return await new Run({ ...opened, settings, state, learning }).go();
  } finally {
    await learning?.release();
    await state.optimiser.release();
  }
}

interface RunParts {
  base: Checkpoint;
  config: RunConfig;
  settings: TrainingSettings;
  learner: Learner;
  state: RunState;
  learning: Learning;
  run: RunFolder;
  control: RunControl;
  options: RunOptions;
}

class Run {
  private readonly parts: RunParts;
  /** Absent in phases without latents. */
  private readonly watch: Watch | undefined;
  /** Step of the newest checkpoint. */
  private saved: number;

  constructor(parts: RunParts) {
    this.parts = parts;
    const { base, learner, run } = parts;
    if (learner instanceof RecipeLearner) this.watch = new Watch(learner, base.config, run.folder);
    this.saved = parts.state.optimiser.steps;
  }

  async go(): Promise<RunResult> {
    const { config, settings, state, learning, run, control, options } = this.parts;
    const { optimiser } = state;
    const last = Math.min(config.steps, options.lastStep ?? Infinity);
    options.onStart({ folder: run.folder, step: optimiser.steps, steps: last });
    await this.watch?.dropAfter(optimiser.steps);
    await control.say('running');
    while (optimiser.steps < last && (await this.betweenSteps())) {
      const start = performance.now();
      const result = await this.savingBefore(() =>
        trainStep(state, (step) => learning.learn(step), settings),
      );
      const samplesPerSecond = (1000 * config.batch) / (performance.now() - start);
      const time = new Date().toISOString();
      const metric = { step: optimiser.steps, ...result, samplesPerSecond, time };
      await run.append(metric);
      options.onStep(metric);
      if (optimiser.steps % config.checkpointEvery === 0) await this.save();
    }
    const cancelled = optimiser.steps < last;
    if (!cancelled) await this.look();
    await this.save();
    await control.say(optimiser.steps < config.steps ? 'stopped' : 'finished');
    return {
      step: optimiser.steps,
      ...(optimiser.steps > 0 && { checkpoint: run.checkpointFolder(optimiser.steps) }),
      cancelled,
    };
  }

  /** @returns false if the run is to end here */
  private async betweenSteps(): Promise<boolean> {
    const { signal } = this.parts.options;
    if (signal.aborted) return false;
    await this.look();
    return this.parts.control.mayGoOn(
      signal,
      () => this.save(),
      () => this.look(),
    );
  }

  private async look(): Promise<void> {
    const { config, control, state } = this.parts;
    await this.watch?.after(state.optimiser.steps, await control.watched(config.watch));
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

function workersOnGpu({ workers }: RunConfig, where: string): UserError {
  return new UserError({
    problem: 'Several workers cannot share a GPU',
    expected: '"workers": 1 on WebGPU, whose weights stay in the buffers of one process',
    found: `${workers}`,
    where,
    remedy: 'Set "workers" to 1, or train on the CPU (--device cpu, in VS Code the setting "ilvr.device").',
  });
}

function scriptOf({ workerScript }: RunOptions): string {
  if (workerScript === undefined) throw new Error('several workers need the path of their bundle');
  return workerScript;
}
