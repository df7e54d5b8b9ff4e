/**
 * Runs the host suites: bundles `test/host/suite/` and hands it to a VS Code through
 * `@vscode/test-electron`.
 *
 * Usage: npx tsx scripts/host/runTests.ts [--vsix <file.vsix>]
 *
 * The VS Code is the browser-served one, unless ILVR_VSCODE says otherwise: the path of a desktop
 * VS Code's executable, or `download`. With --vsix, the extension is installed from that file
 * instead of being run from the repository. ILVR_HOST_GREP chooses claims. The last line is "N passed, N failed".
 *
 * VS Code starts three times: with a trusted workspace, for the suites `*.untrusted.suite.ts` with one that is not, and for
 * `*.german.suite.ts` in German, which only the browser-served one can be without a language pack.
 */

import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { downloadAndUnzipVSCode, runTests } from '@vscode/test-electron';
import { build } from 'esbuild';
import { z } from 'zod';
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

interface Leg {
  /** Whose suites are run; absent for those without an ending of their own. */
  only?: 'untrusted' | 'german';
  settings: Record<string, unknown>;
}

/** A workspace as its user opened it, as VS Code opens a stranger's, and in another language. */
const legs: Leg[] = [
  { settings: quietSettings },
  { only: 'german', settings: quietSettings },
  {
    only: 'untrusted',
    settings: {
      ...quietSettings,
      'security.workspace.trust.enabled': true,
      'security.workspace.trust.startupPrompt': 'never',
      'security.workspace.trust.banner': 'never',
    },
  },
];

interface Counts {
  passed: number;
  failed: number;
}

async function runHostTests(vsix: string | undefined): Promise<Counts> {
  const extensionTestsPath = await bundleSuites();
  const desktop = await findDesktop();
  const total: Counts = { passed: 0, failed: 0 };
  for (const leg of legs) {
    if (leg.only === 'german' && desktop !== undefined) continue;
    const { passed, failed } = await runLeg(leg, { vsix, desktop, extensionTestsPath });
    total.passed += passed;
    total.failed += failed;
  }
  return total;
}

/** What the claims came to; a VS Code that ended without saying so counts as one failure. */
async function runLeg(
  { only, settings }: Leg,
  options: { vsix: string | undefined; desktop: string | undefined; extensionTestsPath: string },
): Promise<Counts> {
  const { vsix, desktop, extensionTestsPath } = options;
  return withScratch('ilvr-tests-', async (scratch) => {
    const workspace = join(scratch, 'workspace');
    const userDataDir = join(scratch, 'user');
    const extensionsDir = join(scratch, 'extensions');
    await prepareWorkspace(workspace);
    await mkdir(join(userDataDir, 'User'), { recursive: true });
    await writeFile(join(userDataDir, 'User/settings.json'), JSON.stringify(settings));
    if (vsix !== undefined) await installVsix(vsix, extensionsDir, desktop);
    const report = join(scratch, 'counts.json');
    const ended = runTests({
      vscodeExecutablePath: desktop ?? join(repositoryRoot, 'test/host/vscodeShim'),
      extensionDevelopmentPath:
        vsix === undefined ? repositoryRoot : join(repositoryRoot, 'test/host/empty-extension'),
      extensionTestsPath,
      extensionTestsEnv: {
        ILVR_HOST_TEST: '1',
        ILVR_HOST_REPORT: report,
        ...(only !== undefined && { ILVR_HOST_ONLY: only }),
        ...(only === 'german' && { ILVR_HOST_LANGUAGE: 'de' }),
      },
      launchArgs: [workspace, `--user-data-dir=${userDataDir}`, `--extensions-dir=${extensionsDir}`],
    });
    const error = await ended.then(() => undefined, messageOf);
    const counts = await readFile(report, 'utf8').then(
      (text) => z.object({ passed: z.int(), failed: z.int() }).parse(JSON.parse(text)),
      () => ({ passed: 0, failed: 0 }),
    );
    if (error !== undefined) console.error(error);
    return { ...counts, failed: error === undefined ? counts.failed : Math.max(1, counts.failed) };
  });
}

const { values } = parseArgs({ options: { vsix: { type: 'string' } } });
try {
  const { passed, failed } = await runHostTests(values.vsix === undefined ? undefined : resolve(values.vsix));
  console.log(`${passed} passed, ${failed} failed`);
  if (passed + failed === 0) console.error('No claim was run.');
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
}
