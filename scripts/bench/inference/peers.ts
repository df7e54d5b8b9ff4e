/**
 * Who we are measured against. Packages are installed into the bench's own folder, never into the project; a Python with
 * torch is used where there is one.
 */

import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Package {
  /** Its entry, to be imported. */
  entry: string;
  version: string;
}

interface Source {
  name: string;
  version: string;
  entry: string;
  /** node-llama-cpp's optional packages are its binaries for every system and GPU: only this system's is wanted. */
  binary?: string;
}

const LLAMA: Source = {
  name: 'node-llama-cpp',
  version: '3.22.1',
  entry: 'dist/index.js',
  binary: `@node-llama-cpp/${{ linux: 'linux', darwin: 'mac', win32: 'win' }[process.platform as string] ?? 'none'}-${process.arch}${process.platform === 'darwin' && process.arch === 'arm64' ? '-metal' : ''}`,
};
const TRANSFORMERS: Source = {
  name: '@huggingface/transformers',
  version: '4.3.2',
  entry: 'dist/transformers.node.mjs',
};

export const llamaCpp = (folder: string): Promise<Package> => install(folder, LLAMA);
export const transformersJs = (folder: string): Promise<Package> => install(folder, TRANSFORMERS);

async function install(folder: string, { name, version, entry, binary }: Source): Promise<Package> {
  const root = join(folder, 'peers', name.replace(/.*\//, ''));
  const home = join(root, 'node_modules', name);
  if (!existsSync(join(home, 'package.json')) || versionOf(home) !== version) {
    console.log(`installing ${name} ${version} into ${root}`);
    await mkdir(root, { recursive: true });
    await writeFile(join(root, 'package.json'), '{ "private": true }\n');
    // Scripts would fetch and build what is not needed here.
    const options = ['--no-audit', '--no-fund', '--ignore-scripts', '--prefix', root];
    const extra = binary === undefined ? [] : ['--omit=optional', `${binary}@${version}`];
    await run('npm', ['install', ...options, ...extra, `${name}@${version}`]);
  }
  return { entry: join(home, entry), version: `${name} ${version}` };
}

function versionOf(home: string): string {
  return (JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as { version: string }).version;
}

/** A Python that has torch: the one that is named, or the one in the path. */
export async function pythonWithTorch(named: string | undefined): Promise<string | undefined> {
  const python = named ?? 'python3';
  const found = await run(python, ['-c', 'import torch']).catch(() => undefined);
  if (found === undefined && named !== undefined) throw new Error(`${named} has no torch`);
  return found === undefined ? undefined : python;
}
