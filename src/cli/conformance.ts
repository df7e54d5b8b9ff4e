/** `ilvr conformance`: our results against a folder of reference answers. */

import { resolve } from 'node:path';
import { requireWebGpu } from '../process/gpuProbe.ts';
import { EXIT, type CliContext } from './context.ts';

export interface ConformanceOptions {
  device: 'cpu' | 'webgpu';
  /** Only cases whose line contains it. */
  filter?: string;
}

/** Runs the command; its last line is "N passed, N failed". */
export async function conformance(
  { terminal, enginePath, runConformance }: CliContext,
  dir: string,
  { device, filter }: ConformanceOptions,
): Promise<number> {
  if (device === 'webgpu') await requireWebGpu(enginePath);
  const { passed, failed, notRun } = await runConformance({
    dir: resolve(dir),
    device,
    ...(filter !== undefined && { filter }),
    onCase: (line) => terminal.line(line),
  });
  if (notRun > 0) terminal.line(`${notRun} not run`);
  terminal.line(`${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0 ? EXIT.ok : EXIT.failed;
}
