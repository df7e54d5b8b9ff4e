/** The one way to find out whether a device works: a throw-away process tries it, because a driver may end or hang it. */

import { stripVTControlCharacters } from 'node:util';
import { UserError } from '../base/errors.ts';
import { DEVICE_FACTS, deviceLabel, DEVICES, isOffered, type Device } from '../tensor/device.ts';
import { startChild } from './children.ts';
import { cudaTrouble, missingProvider } from './cudaFiles.ts';
import { endOf, shortEnding } from './ending.ts';

/** Argument that makes the engine's program a probe of a device: it ends with 0 where that works. */
export function probeArgument(device: Device): string {
  return `--probe-${device}`;
}

/** The device that the arguments ask to probe. */
export function probedDevice(args: readonly string[]): Device | undefined {
  return DEVICES.find((device) => args.includes(probeArgument(device)));
}

/** With it the probe multiplies in float16. */
export const HALF_ARGUMENT = '--float16';

const PATIENCE_MS = 30_000;

export interface ProbeResult {
  works: boolean;
  /** What the probe said, or how it ended. */
  detail: string;
}

export interface ProbeOptions {
  /** Whether float16 is to work too. */
  half?: boolean;
  /** Milliseconds after which a driver counts as hung. */
  patience?: number;
}

/** @param enginePath the engine's bundle, dist/engine.cjs */
export async function tryDevice(
  enginePath: string,
  device: Device,
  { half = false, patience = PATIENCE_MS }: ProbeOptions = {},
): Promise<ProbeResult> {
  const why = notHere(device, enginePath);
  if (why !== undefined) return { works: false, detail: why };
  const child = startChild(enginePath, [probeArgument(device), ...(half ? [HALF_ARGUMENT] : [])]);
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
  const said = `${output}\n${ending.errors}`;
  const trouble = device === 'cuda' ? cudaTrouble(said) : undefined;
  const detail = trouble ?? summary(said) ?? `the probe ended: ${how}`;
  return { works: ending.code === 0, detail };
}

/** Why a device need not be tried: the runtime's package has it for other systems, or a part of it is not installed. */
export function notHere(device: Device, enginePath: string): string | undefined {
  const system = `${process.platform}-${process.arch}`;
  if (!isOffered(device, system))
    return `the runtime has ${deviceLabel(device)} for ${DEVICE_FACTS[device].systems?.join(', ')} only, and this is ${system}`;
  return device === 'cuda' ? missingProvider(enginePath) : undefined;
}

/** @throws UserError if the device does not work; the CPU always does */
export async function requireDevice(enginePath: string, device: Device): Promise<void> {
  if (device === 'cpu') return;
  const { works, detail } = await tryDevice(enginePath, device);
  if (!works) throw cannotUse(device, detail);
}

/** @throws UserError if float16 does not work on the device */
export async function requireHalf(enginePath: string, device: Device): Promise<void> {
  const probe = await tryDevice(enginePath, device, { half: true });
  if (probe.works) return;
  throw new UserError({
    problem: 'This GPU does not compute in float16',
    expected: device === 'webgpu' ? "an adapter with WebGPU's feature shader-f16" : 'a product of float16',
    found: probe.detail,
    remedy: 'Choose float32 or 8bit weights: --weights, setting ilvr.weights.',
  });
}

/** @param found what the probe said */
export function cannotUse(device: Device, found: string): UserError {
  const { label, needs, remedy } = DEVICE_FACTS[device];
  return new UserError({ problem: `${label} cannot be used`, expected: needs, found, remedy });
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
