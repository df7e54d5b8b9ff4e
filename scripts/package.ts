/**
 * Packs the extension as a VSIX for one platform, or for each of several.
 *
 * Usage: npx tsx scripts/package.ts [--target linux-x64]… [--all] [--out <folder>] [--no-build]
 *
 * The files are first laid out in a staging folder whose `node_modules` holds only what the bundles
 * load at run time, for that platform; `.vscodeignore` then chooses among them. Binaries of another
 * platform come from the npm registry into the cache; nothing touches the repository's own
 * `node_modules`.
 */

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { listFiles } from '@vscode/vsce';
import { z } from 'zod';
import { messageOf, UserError } from '../src/base/errors.ts';
import { BUNDLED_MODELS } from '../src/files/bundledModels.ts';
import { cacheRoot, readManifest, repositoryRoot } from './host/repository.ts';

/** The platforms for which onnxruntime-node 1.30 ships binaries, by VS Code's names. */
const targets = ['linux-x64', 'linux-arm64', 'win32-x64', 'win32-arm64', 'darwin-arm64'] as const;
type Target = (typeof targets)[number];

/** What is needed of a package.json; the rest passes through. */
const packageJson = z.looseObject({
  version: z.string(),
  dependencies: z.record(z.string(), z.string()).default({}),
});

/** Files and folders of the repository that `.vscodeignore` chooses from; missing ones are left out. */
const staged = [
  '.vscodeignore',
  'README.md',
  'CHANGELOG.md',
  'LICENSE',
  'THIRD-PARTY-NOTICES.md',
  'package.nls.json',
  'package.nls.de.json',
  'l10n',
  'dist',
  'media',
  'models',
];

/** What the bundles load by `require`, with what those load in turn, whatever the platform. */
const portableModules = ['onnxruntime-common', 'sharp', '@img/colour', 'detect-libc', 'semver'];

/** Folders of `models` that users get; how they are made stays in the repository. */
const bundledModels: string[] = BUNDLED_MODELS.toSorted();

/** Builds one VSIX and returns its path. */
async function packageFor(target: Target, outFolder: string): Promise<string> {
  const { name, version } = await readManifest(repositoryRoot);
  const staging = join(repositoryRoot, 'build/vsix', target);
  await rm(staging, { recursive: true, force: true });
  await mkdir(staging, { recursive: true });
  for (const path of staged) await copyIfThere(path, staging);
  await stageReadme(staging);
  await stageManifest(staging);
  await stageRuntime(target, staging);
  await checkModels(staging);

  await mkdir(outFolder, { recursive: true });
  const vsix = join(outFolder, `${name}-${target}-${version}.vsix`);
  const vsce = join(repositoryRoot, 'node_modules/.bin/vsce');
  const options = [`--target=${target}`, `--out=${vsix}`, '--allow-missing-repository'];
  await runToEnd(vsce, ['package', ...options], staging);
  await rm(staging, { recursive: true, force: true });
  return vsix;
}

/** `.vscodeignore` can let megabytes through, or leave the bundled model out, without anything else failing. */
async function checkModels(staging: string): Promise<void> {
  const files = (await listFiles({ cwd: staging })).filter((file) => file.startsWith('models/'));
  const found = [...new Set(files.map((file) => file.split('/')[1]!))].toSorted();
  const whole = bundledModels.every((name) => files.includes(`models/${name}/model.safetensors`));
  if (whole && found.join() === bundledModels.join()) return;
  throw new UserError({
    problem: 'The VSIX would not have the right models',
    expected: `${bundledModels.join(', ')}, each with its weights`,
    found: found.join(', ') || 'none',
    remedy: 'Correct .vscodeignore.',
  });
}

async function copyIfThere(path: string, staging: string): Promise<void> {
  const source = join(repositoryRoot, path);
  if (existsSync(source)) await cp(source, join(staging, path), { recursive: true });
}

/** An installed extension's README can lead to the web only; vsce refuses pictures and links into the repository. */
async function stageReadme(staging: string): Promise<void> {
  const text = await readFile(join(repositoryRoot, 'README.md'), 'utf8');
  const withoutPictures = text.replaceAll(/^!\[.*\]\(docs\/.*\)\n\n/gm, '');
  const withoutLinks = withoutPictures.replaceAll(/\[([^\]]*)\]\((?!https?:)[^)]*\)/g, '$1');
  await writeFile(join(staging, 'README.md'), withoutLinks);
}

/** vsce collects the modules that `npm list` names, so the manifest names only those that are staged. */
async function stageManifest(staging: string): Promise<void> {
  const {
    scripts: _,
    devDependencies: __,
    ...manifest
  } = await readJson(join(repositoryRoot, 'package.json'));
  manifest.dependencies = pick(manifest.dependencies, ['onnxruntime-node', 'sharp']);
  await writeJson(join(staging, 'package.json'), manifest);
}

async function stageRuntime(target: Target, staging: string): Promise<void> {
  const modules = join(repositoryRoot, 'node_modules');
  const stagedModules = join(staging, 'node_modules');
  for (const name of portableModules) {
    await cp(join(modules, name), join(stagedModules, name), { recursive: true });
  }
  await stageOnnxRuntime(target, join(modules, 'onnxruntime-node'), join(stagedModules, 'onnxruntime-node'));
  const images = target === currentTarget() ? modules : await installSharpFor(target);
  for (const name of sharpPackages(target)) {
    if (!existsSync(join(images, name))) throw new Error(`${name} is not installed in ${images}.`);
    await cp(join(images, name), join(stagedModules, name), { recursive: true });
  }
}

/** One platform's binaries out of five; together they measure 290 MB. */
async function stageOnnxRuntime(target: Target, source: string, destination: string): Promise<void> {
  const binaries = join('bin/napi-v6', ...target.split('-'));
  for (const path of ['dist', binaries]) {
    await cp(join(source, path), join(destination, path), {
      recursive: true,
      // On macOS the same 45 MB library lies there twice; the binding loads it as libonnxruntime.1.dylib.
      filter: (file) => !/libonnxruntime\.\d+\.\d+\.\d+\.dylib$/.test(file),
    });
  }
  const manifest = await readJson(join(source, 'package.json'));
  // The others serve its install script, which fetches what a VSIX must not need.
  manifest.dependencies = pick(manifest.dependencies, ['onnxruntime-common']);
  await writeJson(join(destination, 'package.json'), manifest);
}

/** sharp's native half; on Windows the image library lies in the same package. */
function sharpPackages(target: Target): string[] {
  const native = `@img/sharp-${target}`;
  return target.startsWith('win32-') ? [native] : [native, `@img/sharp-libvips-${target}`];
}

/** Fetches sharp's binaries for another platform; returns the `node_modules` that holds them. */
async function installSharpFor(target: Target): Promise<string> {
  const { version } = await readJson(join(repositoryRoot, 'node_modules/sharp/package.json'));
  const folder = join(cacheRoot, `sharp-${version}-${target}`);
  if (existsSync(folder)) return join(folder, 'node_modules');
  const partial = `${folder}.partial-${process.pid}`;
  await mkdir(partial, { recursive: true });
  try {
    await writeJson(join(partial, 'package.json'), { private: true, dependencies: { sharp: version } });
    const [os, cpu] = target.split('-');
    console.log(`Fetching sharp ${version} for ${target} …`);
    const platform = [`--os=${os}`, `--cpu=${cpu}`, ...(os === 'linux' ? ['--libc=glibc'] : [])];
    const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
    await runToEnd('npm', ['install', ...platform, ...quiet, `--prefix=${partial}`], partial);
    await rename(partial, folder);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  return join(folder, 'node_modules');
}

function currentTarget(): string {
  return `${process.platform}-${process.arch}`;
}

function parseTarget(text: string): Target {
  const target = targets.find((known) => known === text);
  if (target !== undefined) return target;
  throw new UserError({
    problem: 'cannot build a VSIX',
    expected: `one of ${targets.join(', ')} as target`,
    found: text,
    remedy: 'onnxruntime-node has no binaries for other platforms.',
  });
}

function pick(from: Record<string, string>, names: string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, from[name] ?? '*']));
}

async function readJson(path: string): Promise<z.infer<typeof packageJson>> {
  return packageJson.parse(JSON.parse(await readFile(path, 'utf8')));
}

function writeJson(path: string, value: unknown): Promise<void> {
  return writeFile(path, `${JSON.stringify(value, undefined, 2)}\n`);
}

function runToEnd(command: string, args: string[], cwd: string): Promise<void> {
  return new Promise((done, fail) => {
    // npm and vsce are batch files on Windows, which only a shell runs.
    const shell = process.platform === 'win32';
    const child = spawn(command, args, { cwd, shell, stdio: ['ignore', 'inherit', 'inherit'] });
    child.once('error', fail);
    child.once('exit', (code) => {
      if (code === 0) done();
      else fail(new Error(`${command} ended with code ${code}.`));
    });
  });
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      target: { type: 'string', multiple: true },
      all: { type: 'boolean', default: false },
      out: { type: 'string', default: 'build' },
      'no-build': { type: 'boolean', default: false },
    },
  });
  const wanted = values.all ? [...targets] : (values.target ?? [currentTarget()]).map(parseTarget);
  if (!values['no-build']) {
    const build = [join(repositoryRoot, 'scripts/build.ts'), '--production'];
    await runToEnd(process.execPath, ['--import', 'tsx', ...build], repositoryRoot);
  }
  for (const target of wanted) {
    const vsix = await packageFor(target, resolve(repositoryRoot, values.out));
    const megabytes = (await stat(vsix)).size / 1e6;
    console.log(`${vsix} (${megabytes.toFixed(1)} MB)`);
  }
}

try {
  await main();
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
}
