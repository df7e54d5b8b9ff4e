/** A GPU for tests: a Vulkan driver that computes on the processor, which Debian's package of Chromium brings. */

import { existsSync } from 'node:fs';

export const softwareDriver = '/usr/lib/chromium/vk_swiftshader_icd.json';

export function hasSoftwareGpu() {
  return existsSync(softwareDriver);
}

/** Variables with which a process uses it; Vulkan's loader reads them when the first session is opened. */
export const softwareGpu = {
  VK_DRIVER_FILES: softwareDriver,
  VK_ICD_FILENAMES: softwareDriver,
  XDG_RUNTIME_DIR: process.env.XDG_RUNTIME_DIR ?? '/tmp',
};
