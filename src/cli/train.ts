/** `ilvr train`: a training run from its config file, in this process. */

import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import type { RunResult } from '../train/run/run.ts';
import { requireDevice } from '../process/gpuProbe.ts';
import { TRAINING_DEVICES, type TrainingDevice } from '../tensor/device.ts';
import { lossName } from '../watch/lossNames.ts';
import type { Metric } from '../watch/metrics.ts';
import { leftOutOf, progressOf, timeText } from '../watch/progress.ts';
import { EXIT, type CliContext } from './context.ts';
import { integer } from './options.ts';
import { tellingParent } from './parent.ts';

/** Steps whose pace counts. */
const MAX_REMEMBERED = 100;

interface TrainOptions {
  device: TrainingDevice;
  steps?: number;
}

const ABOUT = `
The config is JSON; paths count from its folder. Needed are "model" (a Hugging Face folder), "data" (a
samples file in the official ILVR format, {"generator": {…}} with the settings of generate-maps, or
{"worlds": {…}} with those of generate-worlds), "run" (a folder for metrics, curves and checkpoints) and "steps".
Where the samples file's paths to pictures do not count from its own folder, "pictures" names the folder that they count from. What else it may hold has the release's values:
stage, batch, schedule, learningRate, warmupSteps, beta1, beta2, epsilon, weightDecay, clip, teacherDecay
(a number or "frozen"), latentSize, coverage, temperature, noise, seed, vision ("frozen" or "trained"), checkpointEvery, watch (which sample to look
at, and every how many steps).

With "lora": {} it trains an adapter and leaves the model as it is; {} may hold rank (32), alpha (64),
dropout (0.05) and targets (of q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj; all).

With --device webgpu weights, gradient and moments stay in the GPU's buffers; "workers" is then 1.

The stages "perception" and "base" come before the recipe; a samples file for them has map_desc in each line, which
says what lies in each cell of its one picture.

The same config goes on where its run folder ends. A checkpoint is a model folder for --model, or with
"lora" an adapter folder, as PEFT saves it, for --adapter. "model" and "adapter" may name a run: its newest
checkpoint is meant then. "adapter" is what training begins with: merged into the weights or, with "lora" of the
same settings, trained further.`;

/** Adds the command. */
export function addTrain(program: Command, context: CliContext, finished: (code: number) => void): void {
  program
    .command('train')
    .description('train a model by the ILVR recipe, or go on with a run')
    .argument('<config>', 'JSON file')
    .option('--steps <n>', 'stop after step n of the run', integer('a number of steps', 1))
    .addOption(new Option('--device <device>', 'where it runs').choices(TRAINING_DEVICES).default('cpu'))
    .addHelpText('after', ABOUT)
    .action(async (config: string, options: TrainOptions) => {
      finished(await tellingParent(context, () => runToEnd(context, config, options)));
    });
}

async function runToEnd(
  { terminal, signal, tellParent, enginePath, trainWorkerPath }: CliContext,
  config: string,
  { device, steps }: TrainOptions,
): Promise<number> {
  await requireDevice(enginePath, device);
  // Imported when it is wanted: it loads the runtime into this process.
  const { runTraining } = await import('../train/run/run.ts');
  const pace = new Pace();
  const result = await runTraining(resolve(config), {
    provider: device,
    workerScript: trainWorkerPath,
    ...(steps !== undefined && { lastStep: steps }),
    signal,
    onOpen: (folder) => tellParent?.({ type: 'opened', folder }),
    onStart: (start) => {
      pace.steps = start.steps;
      terminal.line(`${start.step === 0 ? 'Run' : `Going on after step ${start.step}`}: ${start.folder}`);
    },
    onStep: (metric) => terminal.progress(pace.line(metric), metric.step / pace.steps),
  });
  terminal.clearProgress();
  terminal.line(summary(result));
  return result.cancelled ? EXIT.cancelled : EXIT.ok;
}

function summary({ step, checkpoint, cancelled }: RunResult): string {
  const saved = checkpoint === undefined ? 'nothing to save' : `saved as ${checkpoint}`;
  return `${cancelled ? 'Stopped' : 'Done'} after step ${step}, ${saved}.`;
}

/** A line for each step, with the time left by the last ones of this process. */
class Pace {
  steps = 1;
  private readonly last: Metric[] = [];

  line(metric: Metric): string {
    this.last.push(metric);
    if (this.last.length > MAX_REMEMBERED) this.last.shift();
    const { step, losses, samplesPerSecond } = metric;
    const left = progressOf(this.last, this.steps)?.secondsLeft;
    const { leftOut, of } = leftOutOf(this.last);
    return [
      `step ${step} of ${this.steps}`,
      ...Object.entries(losses).map(([key, loss]) => `${lossName(key)} ${loss.toFixed(4)}`),
      `${samplesPerSecond.toFixed(1)} samples/s`,
      ...(leftOut === 0 ? [] : [`${leftOut} of the last ${of} left out`]),
      ...(left === undefined ? [] : [`${timeText(left)} left`]),
    ].join(', ');
  }
}
