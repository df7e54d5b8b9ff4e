/**
 * Installs a VSIX into an extensions folder, the way a user's VS Code would.
 *
 * Usage: npx tsx scripts/host/installVsix.ts <file.vsix> <extensions folder>
 */

import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { resolveCliArgsFromVSCodeExecutablePath } from '@vscode/test-electron';
import { installHost } from './install.ts';
import { isMain } from './repository.ts';
import { withScratch } from './scratch.ts';
import { serverEnvironment } from './server.ts';

/** Installs with the packaged server, or with the desktop VS Code at `desktopExecutable`. */
export function installVsix(vsix: string, extensionsDir: string, desktopExecutable?: string): Promise<void> {
  const install = [`--install-extension=${resolve(vsix)}`, `--extensions-dir=${extensionsDir}`, '--force'];
  return withScratch('ilvr-install-', (dataDir) =>
    desktopExecutable === undefined
      ? installWithServer(dataDir, install)
      : installWithDesktop(desktopExecutable, dataDir, install),
  );
}

async function installWithServer(dataDir: string, install: string[]): Promise<void> {
  const { node, serverMain } = await installHost(console.error);
  const place = [`--server-data-dir=${dataDir}`, '--accept-server-license-terms'];
  await runToEnd(node, [serverMain, ...install, ...place]);
}

async function installWithDesktop(executable: string, dataDir: string, install: string[]): Promise<void> {
  const options = { reuseMachineInstall: true };
  const [cli = executable, ...args] = resolveCliArgsFromVSCodeExecutablePath(executable, options);
  await runToEnd(cli, [...args, ...install, `--user-data-dir=${dataDir}`]);
}

function runToEnd(command: string, args: string[]): Promise<void> {
  return new Promise((done, fail) => {
    // On Windows the desktop's command line is a batch file, which only a shell runs.
    const shell = process.platform === 'win32';
    const child = spawn(command, args, { env: serverEnvironment(), stdio: ['ignore', 2, 2], shell });
    child.once('error', fail);
    child.once('exit', (code) => {
      if (code === 0) done();
      else fail(new Error(`Installing the VSIX ended with code ${code}.`));
    });
  });
}

if (isMain(import.meta.url)) {
  const [vsix, extensionsDir] = process.argv.slice(2);
  if (vsix === undefined || extensionsDir === undefined) {
    console.error('Usage: npx tsx scripts/host/installVsix.ts <file.vsix> <extensions folder>');
    process.exit(64);
  }
  await installVsix(vsix, resolve(extensionsDir));
}
