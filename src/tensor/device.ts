/**
 * Where a model can run: one row for each device, and all that depends on it. Whoever asks "is it a GPU?" asks for
 * what it means by that: whether numbers stay there between runs, whether its memory is known, what it computes in.
 */

import { WEIGHT_FORMATS, type WeightFormat } from './weightFormat.ts';

/**
 * By the runtime's own names for their execution providers, in the order in which "auto" tries them. WebGPU comes first:
 * every operator of ours has a kernel there, and keys, values and attention stay in the GPU's memory between steps.
 * The runtime's Node binding has no buffers of the other three, so each step carries the cache over the bus.
 * DirectML and CoreML were never run by us; they come after CUDA, whose libraries somebody has put there on purpose.
 */
export const DEVICES = ['webgpu', 'cuda', 'dml', 'coreml', 'cpu'] as const;
export type Device = (typeof DEVICES)[number];

/** What a user asks for; auto: the first of them that works. */
export const DEVICE_CHOICES = ['auto', ...DEVICES] as const;
export type DeviceChoice = (typeof DEVICE_CHOICES)[number];

/** Devices that training has graphs and an optimiser for. */
export const TRAINING_DEVICES = ['cpu', 'webgpu'] as const satisfies readonly Device[];
export type TrainingDevice = (typeof TRAINING_DEVICES)[number];

export interface DeviceFacts {
  /** For readers. */
  label: string;
  /** Platforms, as "linux-x64", that the runtime's package has it for; absent: all. */
  systems?: readonly string[];
  /** What must be there; for the message where it does not work. */
  needs: string;
  remedy: string;
  /** What weights can be computed in. */
  formats: readonly WeightFormat[];
  /**
   * Whether the runtime may put operators without a kernel there on the CPU. Where all of ours have one, that would hide
   * a defect; CUDA, DirectML and CoreML leave the arithmetic of shapes to the CPU by design.
   */
  fallback: boolean;
  /** Whether results can stay in its memory between two runs. */
  buffers: boolean;
  /** Whether it has memory of its own, of which the runtime does not say how much. */
  ownMemory: boolean;
}

const DRIVER = 'Set the device to "cpu", or install the GPU\'s driver.';

export const DEVICE_FACTS: Readonly<Record<Device, DeviceFacts>> = {
  webgpu: {
    label: 'WebGPU',
    systems: ['linux-x64', 'win32-x64', 'win32-arm64', 'darwin-arm64'],
    needs: 'a GPU with a Vulkan, Metal or Direct3D 12 driver',
    remedy: DRIVER,
    formats: WEIGHT_FORMATS,
    fallback: false,
    buffers: true,
    ownMemory: true,
  },
  cuda: {
    label: 'CUDA',
    systems: ['linux-x64'],
    needs: "an NVIDIA GPU with its driver, CUDA's libraries and the runtime's CUDA provider",
    remedy:
      'Set the device to "webgpu" or "cpu", or install what is missing; `ilvr cuda` tells what that is.',
    formats: WEIGHT_FORMATS,
    fallback: true,
    buffers: false,
    ownMemory: true,
  },
  dml: {
    label: 'DirectML',
    systems: ['win32-x64', 'win32-arm64'],
    needs: 'Windows with a Direct3D 12 driver',
    remedy: DRIVER,
    formats: WEIGHT_FORMATS,
    fallback: true,
    buffers: false,
    ownMemory: true,
  },
  coreml: {
    label: 'CoreML',
    systems: ['darwin-arm64'],
    needs: 'a Mac with an Apple processor',
    remedy: 'Set the device to "webgpu" or "cpu".',
    // It knows no matrix of few bits, and would hand each to the CPU.
    formats: ['float32', 'float16'],
    fallback: true,
    buffers: false,
    // It is the Mac's.
    ownMemory: false,
  },
  cpu: {
    label: 'CPU',
    needs: 'nothing',
    remedy: '',
    // Processors compute in float32 and would gain nothing by float16.
    formats: WEIGHT_FORMATS.filter((format) => format !== 'float16'),
    fallback: true,
    buffers: false,
    ownMemory: false,
  },
};

/** For readers: "WebGPU". */
export function deviceLabel(device: Device): string {
  return DEVICE_FACTS[device].label;
}

/** Whether the runtime's package has it for a platform. */
export function isOffered(device: Device, system: string): boolean {
  return DEVICE_FACTS[device].systems?.includes(system) ?? true;
}

export function isDevice(name: unknown): name is Device {
  return DEVICES.some((device) => device === name);
}
