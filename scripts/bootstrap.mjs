/**
 * Makes a fresh clone ready: installs the dependencies where they are missing or of another lock, and
 * builds the bundles where sources are newer. Plain JavaScript, because nothing is installed yet.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** tsx's own script: `npx` would be a second process, and a batch file on Windows. */
const tsx = join(root, 'node_modules/tsx/dist/cli.mjs');

const bundles = ['extension.cjs', 'engine.cjs', 'trainWorker.cjs', 'cli.cjs', 'webview.js'].map((name) =>
  join(root, 'dist', name),
);
const sources = ['src', 'scripts/build.ts', 'package.json', 'package-lock.json'].map((name) =>
  join(root, name),
);

/**
 * Installs and builds what is not up to date.
 * @param {(line: string) => void} log
 */
export function bootstrap(log = console.log) {
  requireNode();
  if (!isInstalled()) {
    log('Installing the dependencies from package-lock.json …');
    run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
      shell: process.platform === 'win32',
    });
  }
  if (!isBuilt()) {
    log('Building …');
    run(process.execPath, [tsx, 'scripts/build.ts']);
  }
}

/**
 * Arguments with which Node runs a TypeScript file of the repository.
 * @param {string} script
 * @param {string[]} args
 */
export function tsxArguments(script, args = []) {
  return [tsx, join(root, script), ...args];
}

function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  console.error(`ILVR Inspector needs Node 20.19 or newer; this is ${process.versions.node}.`);
  process.exit(1);
}

/**
 * npm keeps what it installed in node_modules/.package-lock.json, written when it is done; it must agree
 * with our lock. Optional packages (those of other platforms) may be absent.
 */
function isInstalled() {
  const installedLock = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(installedLock) || !existsSync(tsx)) return false;
  const installed = packagesOf(installedLock);
  const wanted = packagesOf(join(root, 'package-lock.json'));
  return Object.entries(wanted).every(([path, { version, integrity, optional }]) => {
    const found = installed[path];
    if (path === '') return true;
    if (found === undefined) return optional === true;
    return found.version === version && found.integrity === integrity;
  });
}

/** @returns {Record<string, { version?: string, integrity?: string, optional?: boolean }>} */
function packagesOf(lock) {
  return JSON.parse(readFileSync(lock, 'utf8')).packages ?? {};
}

function isBuilt() {
  if (!bundles.every((bundle) => existsSync(bundle))) return false;
  const oldest = Math.min(...bundles.map((bundle) => statSync(bundle).mtimeMs));
  return sources.every((source) => newest(source) <= oldest);
}

/** Time of the latest change below a path, in milliseconds. */
function newest(path) {
  const entry = statSync(path);
  if (!entry.isDirectory()) return entry.mtimeMs;
  const inside = readdirSync(path).map((name) => newest(join(path, name)));
  // A folder's own time changes when a file is removed from it.
  return Math.max(entry.mtimeMs, ...inside);
}

function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (status === 0) return;
  console.error(`${[command, ...args].join(' ')} failed${error === undefined ? '' : `: ${error.message}`}.`);
  process.exit(1);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) bootstrap();
