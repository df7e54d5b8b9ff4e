/** The devices that graphs are tested on: the CPU, and WebGPU by a Vulkan driver that computes on the processor. */

import { existsSync } from 'node:fs';
import type { Provider } from '../../src/ort/session.ts';

/** Chromium's package brings it. */
const DRIVER = '/usr/lib/chromium/vk_swiftshader_icd.json';

/** The loader reads these when the process opens its first session. */
if (existsSync(DRIVER)) {
  process.env['VK_DRIVER_FILES'] = DRIVER;
  process.env['VK_ICD_FILENAMES'] = DRIVER;
  process.env['XDG_RUNTIME_DIR'] ??= '/tmp';
}

export const DEVICES: { device: Provider; available: boolean }[] = [
  { device: 'cpu', available: true },
  { device: 'webgpu', available: existsSync(DRIVER) },
];
