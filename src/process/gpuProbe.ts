/** The one way to find out whether a GPU works: a throw-away process tries it, because a driver may end or hang it. */

import { stripVTControlCharacters } from 'node:util';
import { UserError } from '../base/errors.ts';
import { startChild } from './children.ts';
import { endOf, shortEnding } from './ending.ts';

/** First argument that makes the engine's program a probe of WebGPU: it ends with 0 where that works. */
export const PROBE_ARGUMENT = '--probe-webgpu';

/** After it: the probe multiplies in float16. */
export const HALF_ARGUMENT = '--float16';

const PATIENCE_MS = 30_000;

export interface ProbeResult {
  works: boolean;
  /** What the probe said, or how it ended. */
  detail: string;
}

/**
 * @param enginePath the engine's bundle, dist/engine.cjs
 * @param half whether float16 is to work too
 * @param patience milliseconds after which a driver counts as hung
 */
export async function tryWebGpu(
  enginePath: string,
  half = false,
  patience = PATIENCE_MS,
): Promise<ProbeResult> {
  const child = startChild(enginePath, [PROBE_ARGUMENT, ...(half ? [HALF_ARGUMENT] : [])]);
  let output = '';
  child.stdout?.on('data', (text: Buffer) => {
    output += text.toString();
  });
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    child.kill('SIGKILL');
  }, patience);
  const ending = await endOf(child);
  clearTimeout(timer);
  const how = isLate ? `no answer within ${patience / 1000} s` : shortEnding(ending);
  const detail = summary(`${output}\n${ending.errors}`) ?? `the probe ended: ${how}`;
  return { works: ending.code === 0, detail };
}

/** @throws UserError if there is no GPU that works */
export async function requireWebGpu(enginePath: string): Promise<void> {
  const { works, detail } = await tryWebGpu(enginePath);
  if (!works) throw noGpu(detail);
}

/** @param found what the probe said */
export function noGpu(found: string): UserError {
  return new UserError({
    problem: 'WebGPU cannot be used',
    expected: 'a GPU with a Vulkan, Metal or Direct3D 12 driver',
    found,
    remedy: 'Set the device to "cpu", or install the GPU\'s driver.',
  });
}

/** The line that says most: the runtime's own message without its source path. */
function summary(output: string): string | undefined {
  const lines = stripVTControlCharacters(output)
    .split('\n')
    .map((line) => line.trim());
  const line =
    lines.find((text) => text.includes('Failed to') || text.includes('right')) ??
    lines.find((text) => text !== '');
  return line
    ?.replace(/^.*(Failed to .*)$/, '$1')
    .replace(/^.*Status Message: /, '')
    .slice(0, 300);
}
