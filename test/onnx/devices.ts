/** The devices that graphs are tested on: the CPU, and WebGPU by a driver that computes on the processor. */

import { hasSoftwareGpu, softwareGpu } from '../../scripts/softwareGpu.mjs';
import type { Provider } from '../../src/ort/session.ts';

if (hasSoftwareGpu()) Object.assign(process.env, softwareGpu);

export const DEVICES: { device: Provider; available: boolean }[] = [
  { device: 'cpu', available: true },
  { device: 'webgpu', available: hasSoftwareGpu() },
];
