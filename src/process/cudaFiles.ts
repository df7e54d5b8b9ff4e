/**
 * The files that CUDA takes, and where they are looked for: the runtime's own provider beside its library, NVIDIA's
 * libraries where the system's loader finds them. A missing one can end the process that asks, so the names come first.
 */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, delimiter, dirname, join } from 'node:path';

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

/**
 * For a process that may load the provider: the system's loader looks for NVIDIA's libraries beside it too, once it is there.
 * @param program that is started
 */
export function librariesBeside(program: string): { LD_LIBRARY_PATH?: string } {
  if (process.platform !== 'linux') return {};
  try {
    const folder = runtimeFolder(program);
    if (!existsSync(join(folder, PROVIDER_FILES[1]))) return {};
    return { LD_LIBRARY_PATH: withFolder(folder) };
  } catch {
    // A program that has no runtime beside it.
    return {};
  }
}

/** What the user has set comes first. */
function withFolder(folder: string): string {
  const own = process.env['LD_LIBRARY_PATH'];
  return own === undefined || own === '' ? folder : `${own}${delimiter}${folder}`;
}

/** Which of the provider's files are not there, in words; undefined if all are. */
export function missingProvider(program: string): string | undefined {
  const folder = runtimeFolder(program);
  const missing = PROVIDER_FILES.filter((name) => !existsSync(join(folder, name)));
  return missing.length === 0
    ? undefined
    : `the runtime's CUDA provider is not installed: no ${missing.join(', no ')} beside its library`;
}

/** Libraries that a folder's provider needs and the system's loader does not find; undefined where that cannot be told. */
export function missingLibraries(folder: string): string[] | undefined {
  const { stdout, status } = spawnSync('ldd', [join(folder, PROVIDER_FILES[1])], {
    encoding: 'utf8',
    env: { ...process.env, LD_LIBRARY_PATH: withFolder(folder) },
  });
  if (status !== 0) return undefined;
  return [...stdout.matchAll(/^\s*(\S+) => not found$/gm)].map(([, name]) => name!);
}

/**
 * Why the provider could not be loaded, by what the runtime said; undefined where it was something else.
 * @param output of the process that tried
 */
export function cudaTrouble(output: string): string | undefined {
  const [, file, why] = /with error: ([^\n]+?): ([^\n:]+)/.exec(output) ?? [];
  if (file === undefined || why === undefined) return undefined;
  const name = basename(file);
  return why.startsWith('cannot open')
    ? `${name} is missing: install ${sourceOf(name)}`
    : `${name} is damaged (${why}): install ${sourceOf(name)} again`;
}

/** What brings a library, for people. */
export function sourceOf(library: string): string {
  if (library.startsWith('libonnxruntime')) return "the runtime's CUDA provider";
  if (library.startsWith('libcuda.so')) return "NVIDIA's driver";
  const version = /\.so\.(\d+)/.exec(library)?.[1];
  const isNumbered = /^lib(cublas|cudart)/.test(library) && version !== undefined;
  return `NVIDIA's CUDA${isNumbered ? ` ${version}` : ''} libraries, or name their folder in LD_LIBRARY_PATH`;
}

/** Whether the system's own loader knows a library by that name, from its cache or the folders that the user has set. */
export function isFoundElsewhere(library: string): boolean {
  const set = (process.env['LD_LIBRARY_PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  if (set.some((folder) => existsSync(join(folder, library)))) return true;
  const { stdout, status } = spawnSync('ldconfig', ['-p'], { encoding: 'utf8' });
  return status === 0 && stdout.split('\n').some((line) => line.trim().startsWith(`${library} `));
}
