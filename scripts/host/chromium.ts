/** Finds the browser that shows the served VS Code, installing Debian's where that is possible. */

import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { UserError } from '../../src/base/errors.ts';

const names = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];
const packages = ['chromium', 'fonts-dejavu-core'];

/** The path of a Chromium; ILVR_CHROMIUM chooses one. */
export function findOrInstallChromium(log: (line: string) => void = console.error): string {
  const found = process.env['ILVR_CHROMIUM'] ?? findChromium();
  if (found !== undefined) return found;
  installWithApt(log);
  const installed = findChromium();
  if (installed === undefined) throw chromiumMissing('apt-get installed none on PATH');
  return installed;
}

function findChromium(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter).concat('/usr/bin');
  return folders.flatMap((folder) => names.map((name) => join(folder, name))).find(isExecutable);
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Only as root or with a sudo that asks nothing: a script must not stop at a password. */
function installWithApt(log: (line: string) => void): void {
  const prefix = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  if (!isExecutable('/usr/bin/apt-get')) throw chromiumMissing('no browser and no apt-get');
  if (prefix.length > 0 && spawnSync('sudo', ['-n', 'true']).status !== 0) {
    throw chromiumMissing('no browser, and no right to install one');
  }
  log(`Installing ${packages.join(' and ')} with apt-get …`);
  runApt([...prefix, 'apt-get', 'update', '-qq']);
  runApt([...prefix, 'apt-get', 'install', '-y', '-qq', '--no-install-recommends', ...packages]);
}

function runApt([command = '', ...args]: string[]): void {
  const { status } = spawnSync(command, args, {
    // apt-get talks on stdout, where a test's own output belongs.
    stdio: ['ignore', 2, 2],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  if (status !== 0) throw chromiumMissing(`${[command, ...args].join(' ')} failed`);
}

function chromiumMissing(found: string): UserError {
  return new UserError({
    problem: 'cannot show the served VS Code',
    expected: `one of ${names.join(', ')} on PATH`,
    found,
    remedy: `Install it ("apt-get install ${packages.join(' ')}") or set ILVR_CHROMIUM to its path.`,
  });
}
