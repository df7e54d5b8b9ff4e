/**
 * A GPU that is lost in the middle of its work: its driver was reset or replaced, a kernel took too long for the system, the
 * card was taken away. The runtime keeps one device for as long as its process lasts, so nothing on it works afterwards.
 */

import { messageOf, UserError } from '../base/errors.ts';

/** What the runtime, Dawn, Direct3D and CUDA say then, in messages and codes. */
const MESSAGES = [
  /\bdevice (?:was |is )?lost\b/i,
  /\] is lost\b/,
  /\bDeviceLost\b/,
  /VK_ERROR_DEVICE_LOST/,
  /DXGI_ERROR_DEVICE_(?:REMOVED|HUNG|RESET)/,
  /\b(?:0x)?887A00(?:05|06|07|20)\b/i,
  // Results cannot be read back any more.
  /Failed to download data from buffer/,
  // Illegal access, launch failure and the like end CUDA's context; 2 is want of memory.
  /\bCUDA (?:failure|error) (?!2:)\d+:/,
];

/** How a process ends that has lost its GPU. */
export const GPU_LOST_EXIT = 75;

export class GpuLostError extends UserError {}

/** What to throw in place of an error that says that the GPU is lost; undefined for any other. */
export function gpuLost(error: unknown): GpuLostError | undefined {
  const message = messageOf(error);
  if (error instanceof UserError || !MESSAGES.some((each) => each.test(message))) return undefined;
  return new GpuLostError(
    {
      problem: 'The GPU was lost',
      expected: 'a device that answers until the work is done',
      found: message.slice(0, 300),
      remedy:
        'Start again: a driver that was reset or replaced often works afterwards. If it is lost again, use the CPU (--device cpu, setting ilvr.device).',
    },
    { cause: error },
  );
}
