/** `ilvr conformance`: our results against a folder of reference answers. */

import { resolve } from 'node:path';
import { requireDevice } from '../process/gpuProbe.ts';
import type { Device } from '../tensor/device.ts';
import type { WeightFormat } from '../tensor/weightFormat.ts';
import { EXIT, type CliContext } from './context.ts';

export interface ConformanceOptions {
  device: Device;
  weights: WeightFormat;
  weightsCache?: string;
  /** Only cases whose line contains it. */
  filter?: string;
}

/** Runs the command; its last line is "N passed, N failed". */
export async function conformance(
  { terminal, enginePath, packWorkerPath, runConformance }: CliContext,
  dir: string,
  { device, weights, weightsCache, filter }: ConformanceOptions,
): Promise<number> {
  await requireDevice(enginePath, device);
  const { passed, failed, notRun } = await runConformance({
    dir: resolve(dir),
    device,
    weights,
    packing: {
      worker: packWorkerPath,
      ...(weightsCache !== undefined && { folder: resolve(weightsCache) }),
    },
    ...(filter !== undefined && { filter }),
    onCase: (line) => terminal.line(line),
  });
  if (notRun > 0) terminal.line(`${notRun} not run`);
  terminal.line(`${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0 ? EXIT.ok : EXIT.failed;
}
