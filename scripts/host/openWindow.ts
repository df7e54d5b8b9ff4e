/**
 * Opens VS Code with the extension in it, for a person to use.
 *
 * Usage: npx tsx scripts/host/openWindow.ts [<folder>]      (npm start)
 *
 * That is the desktop's VS Code where there is one, and otherwise the browser-served one on this
 * machine's loopback address. ILVR_VSCODE chooses the desktop's executable, ILVR_PORT the port.
 */

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { messageOf, UserError } from '../../src/base/errors.ts';
import { isExecutable } from './chromium.ts';
import { cacheRoot, isMain, readManifest, repositoryRoot } from './repository.ts';
import { startServer } from './server.ts';

/** Opens `workspace`; with the browser-served VS Code, stays until Ctrl-C. */
export async function openForUser(workspace: string): Promise<void> {
  await requireBuild();
  const desktop = findDesktop();
  if (desktop === undefined) await serve(workspace);
  else await openDesktop(desktop, workspace);
}

async function requireBuild(): Promise<void> {
  const { main } = await readManifest(repositoryRoot);
  if (main !== undefined && existsSync(join(repositoryRoot, main))) return;
  throw new UserError({
    problem: 'the extension has not been built',
    expected: main ?? 'an entry "main" in package.json',
    found: 'no such file',
    remedy: 'Run "npm run build" first.',
  });
}

/** `code` on PATH, unless there is no display that it could open a window on. */
function findDesktop(): string | undefined {
  if (process.env['ILVR_VSCODE'] !== undefined) return process.env['ILVR_VSCODE'];
  const { DISPLAY, WAYLAND_DISPLAY, PATH = '' } = process.env;
  if (process.platform === 'linux' && !DISPLAY && !WAYLAND_DISPLAY) return undefined;
  const name = process.platform === 'win32' ? 'code.cmd' : 'code';
  return PATH.split(delimiter)
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

function openDesktop(executable: string, workspace: string): Promise<void> {
  const args = ['--new-window', `--extensionDevelopmentPath=${repositoryRoot}`, workspace];
  console.log(`Opening ${workspace} in ${executable} …`);
  return new Promise((done, fail) => {
    // On Windows `code` is a batch file, which only a shell runs.
    const child = spawn(executable, args, { stdio: 'inherit', shell: process.platform === 'win32' });
    child.once('error', fail);
    child.once('exit', (code) => {
      if (code === 0) done();
      else fail(new Error(`${executable} ended with code ${code}.`));
    });
  });
}

/** The data folder is kept, so that settings and window layout survive from one start to the next. */
async function serve(workspace: string): Promise<void> {
  const dataDir = join(cacheRoot, 'window');
  await mkdir(dataDir, { recursive: true });
  const server = await startServer({
    dataDir,
    port: Number(process.env['ILVR_PORT'] ?? 0),
    extensions: [repositoryRoot],
    smokeTestDriver: false,
  });
  console.log(`VS Code with ILVR Inspector: ${server.url}/?${new URLSearchParams({ folder: workspace })}`);
  console.log('Open this address in a browser on this machine. Ctrl-C ends it.');
  await server.ended;
}

if (isMain(import.meta.url)) {
  try {
    await openForUser(resolve(process.argv[2] ?? join(repositoryRoot, 'examples')));
  } catch (error) {
    console.error(messageOf(error));
    process.exitCode = 1;
  }
}
