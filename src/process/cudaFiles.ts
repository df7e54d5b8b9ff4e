/**
 * The files that CUDA takes, and where they are looked for: the runtime's own provider beside its library, NVIDIA's
 * libraries where the system's loader finds them. A missing one can end the process that asks, so the names come first.
 */

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The runtime's provider; its package for Node comes without them. */
export const PROVIDER_FILES = [
  'libonnxruntime_providers_shared.so',
  'libonnxruntime_providers_cuda.so',
] as const;

/**
 * The folder of the runtime's library, the only one in which it looks for its providers.
 * @param program a file of ours beside whose modules the runtime lies
 */
export function runtimeFolder(program: string): string {
  const manifest = createRequire(program).resolve('onnxruntime-node/package.json');
  return join(dirname(manifest), 'bin', 'napi-v6', process.platform, process.arch);
}

/** Which of the provider's files are not there, in words; undefined if all are. */
export function missingProvider(program: string): string | undefined {
  const folder = runtimeFolder(program);
  const missing = PROVIDER_FILES.filter((name) => !existsSync(join(folder, name)));
  return missing.length === 0
    ? undefined
    : `the runtime's CUDA provider is not installed: no ${missing.join(', no ')} beside its library`;
}
