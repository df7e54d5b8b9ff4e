/** The process of a training run: `ilvr train`. */

import { tryDevice } from '../../process/gpuProbe.ts';
import { TRAINING_DEVICES, type DeviceChoice, type TrainingDevice } from '../../tensor/device.ts';
import { ChildCommand, type CommandOptions } from '../childCommand.ts';

/**
 * The runtime hands a batch's gradients over in 10 MB of new arrays, which V8 collects beside the computing and
 * on the same cores: without its helper threads a step takes 3 % less (docs/log.md).
 */
const ONE_THREAD_GC = '--single-threaded-gc';

export interface TrainingProcessOptions extends Pick<CommandOptions, 'cliPath' | 'log'> {
  config: string;
  device: TrainingDevice;
}

/** Begins a run, or goes on with it. */
export function startTraining({
  cliPath,
  config,
  device,
  log,
}: TrainingProcessOptions): ChildCommand<'opened'> {
  return new ChildCommand('opened', {
    cliPath,
    args: ['train', config, '--device', device],
    execArgv: [ONE_THREAD_GC],
    what: 'training',
    next: 'Resuming goes on from its last checkpoint.',
    isProgress: (line) => /^step \d+ of /.test(line),
    log,
  });
}

/** Where a run is to compute: what was asked for where training knows it, else a GPU that works, else the CPU. */
export async function chooseTrainingDevice(
  enginePath: string,
  requested: DeviceChoice,
): Promise<TrainingDevice> {
  const asked = TRAINING_DEVICES.find((device) => device === requested);
  if (asked !== undefined) return asked;
  return (await tryDevice(enginePath, 'webgpu')).works ? 'webgpu' : 'cpu';
}
