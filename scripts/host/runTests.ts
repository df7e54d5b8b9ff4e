/**
 * Runs the host suites: bundles `test/host/suite/` and hands it to a VS Code through
 * `@vscode/test-electron`.
 *
 * Usage: npx tsx scripts/host/runTests.ts [--vsix <file.vsix>]
 *
 * The VS Code is the browser-served one, unless ILVR_VSCODE says otherwise: the path of a desktop
 * VS Code's executable, or `download`. With --vsix, the extension is installed from that file
 * instead of being run from the repository. ILVR_HOST_GREP chooses claims.
 */

import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { downloadAndUnzipVSCode, runTests } from '@vscode/test-electron';
import { build } from 'esbuild';
import { messageOf } from '../../src/base/errors.ts';
import { hostIsSupported } from './install.ts';
import { installVsix } from './installVsix.ts';
import { repositoryRoot } from './repository.ts';
import { withScratch } from './scratch.ts';
import { quietSettings } from './server.ts';

const suiteFolder = join(repositoryRoot, 'test/host/suite');
const bundleFolder = join(repositoryRoot, 'dist/test');

/** Bundles the runner and every `*.suite.ts` on its own; returns the runner's path. */
async function bundleSuites(): Promise<string> {
  const suites = (await readdir(suiteFolder)).filter((file) => file.endsWith('.suite.ts'));
  await rm(bundleFolder, { recursive: true, force: true });
  await build({
    entryPoints: ['index.ts', ...suites].map((file) => join(suiteFolder, file)),
    outdir: bundleFolder,
    // The package is of type "module"; only this ending makes Node read the bundles as CommonJS.
    outExtension: { '.js': '.cjs' },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    external: ['vscode', 'onnxruntime-node', 'sharp'],
    sourcemap: 'inline',
    logLevel: 'warning',
  });
  return join(bundleFolder, 'index.cjs');
}

/** A copy of the examples, so that tests may write into their workspace. */
async function prepareWorkspace(folder: string): Promise<void> {
  const examples = join(repositoryRoot, 'examples');
  await mkdir(folder, { recursive: true });
  if (existsSync(examples)) await cp(examples, folder, { recursive: true });
}

/** Undefined stands for the browser-served VS Code. */
async function findDesktop(): Promise<string | undefined> {
  const choice = process.env['ILVR_VSCODE'];
  if (choice === 'download' || (choice === undefined && !hostIsSupported())) return downloadAndUnzipVSCode();
  return choice;
}

async function runHostTests(vsix: string | undefined): Promise<void> {
  const extensionTestsPath = await bundleSuites();
  const desktop = await findDesktop();
  await withScratch('ilvr-tests-', async (scratch) => {
    const workspace = join(scratch, 'workspace');
    const userDataDir = join(scratch, 'user');
    const extensionsDir = join(scratch, 'extensions');
    await prepareWorkspace(workspace);
    await mkdir(join(userDataDir, 'User'), { recursive: true });
    await writeFile(join(userDataDir, 'User/settings.json'), JSON.stringify(quietSettings));
    if (vsix !== undefined) await installVsix(vsix, extensionsDir, desktop);
    await runTests({
      vscodeExecutablePath: desktop ?? join(repositoryRoot, 'test/host/vscodeShim'),
      extensionDevelopmentPath:
        vsix === undefined ? repositoryRoot : join(repositoryRoot, 'test/host/empty-extension'),
      extensionTestsPath,
      extensionTestsEnv: { ILVR_HOST_TEST: '1' },
      launchArgs: [workspace, `--user-data-dir=${userDataDir}`, `--extensions-dir=${extensionsDir}`],
    });
  });
}

const { values } = parseArgs({ options: { vsix: { type: 'string' } } });
try {
  await runHostTests(values.vsix === undefined ? undefined : resolve(values.vsix));
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
}
