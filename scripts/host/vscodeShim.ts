/**
 * A VS Code for `@vscode/test-electron`: takes the desktop's command line, runs the tests in a
 * browser-served VS Code and exits with their result.
 *
 * Called through `test/host/vscodeShim`. Understands `--extensionDevelopmentPath`,
 * `--extensionTestsPath`, `--user-data-dir`, `--extensions-dir` and a folder to open; the desktop's
 * other switches mean nothing here.
 */

import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { messageOf } from '../../src/base/errors.ts';
import { launchBrowser, openWorkbench, remoteUri } from './browser.ts';
import { withScratch } from './scratch.ts';
import { type Settings, startServer } from './server.ts';

interface Request {
  extensionDevelopmentPaths: string[];
  extensionTestsPath: string;
  workspace: string;
  userDataDir: string | undefined;
  extensionsDir: string | undefined;
}

/** Tests that have not ended by then are taken for hung. */
const runTimeoutMs = Number(process.env['ILVR_HOST_TIMEOUT_MS'] ?? 25 * 60_000);

function parseArguments(args: string[]): Request {
  const values = (name: string) =>
    args.filter((arg) => arg.startsWith(`--${name}=`)).map((arg) => resolve(arg.slice(name.length + 3)));
  const extensionTestsPath = values('extensionTestsPath')[0];
  if (extensionTestsPath === undefined) throw new Error('--extensionTestsPath=… is missing.');
  return {
    extensionDevelopmentPaths: values('extensionDevelopmentPath'),
    extensionTestsPath,
    workspace: resolve(args.find((arg) => !arg.startsWith('-')) ?? '.'),
    userDataDir: values('user-data-dir')[0],
    extensionsDir: values('extensions-dir')[0],
  };
}

/** The result of the tests, as a process's exit code. */
function run(request: Request): Promise<number> {
  return withScratch('ilvr-host-', async (dataDir) => {
    const server = await startServer({
      dataDir,
      smokeTestDriver: true,
      settings: await desktopSettings(request.userDataDir),
      ...(request.extensionsDir === undefined ? {} : { extensionsDir: request.extensionsDir }),
    });
    try {
      return await runInBrowser(server.url, request);
    } finally {
      await server.dispose();
    }
  });
}

/** Whoever started the tests may be killed without a chance to tell us. */
function endWithParent(): void {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) process.exit(1);
  }, 1_000).unref();
}

/** The settings that a desktop VS Code would have read from its user data folder. */
async function desktopSettings(userDataDir: string | undefined): Promise<Settings> {
  if (userDataDir === undefined) return {};
  const text = await readFile(join(userDataDir, 'User/settings.json'), 'utf8').catch(() => '{}');
  return z.record(z.string(), z.unknown()).parse(JSON.parse(text));
}

async function runInBrowser(url: string, request: Request): Promise<number> {
  const browser = await launchBrowser();
  try {
    const { promise: result, settle, reject } = withResolvers<number>();
    const timer = setTimeout(
      () => reject(new Error(`The tests did not end within ${runTimeoutMs / 1000} s.`)),
      runTimeoutMs,
    );
    // Awaited below; until then an early failure must not count as unhandled.
    result.catch(() => undefined);
    await openWorkbench(browser, url, {
      folder: request.workspace,
      payload: [
        ...request.extensionDevelopmentPaths.map((path): [string, string] => [
          'extensionDevelopmentPath',
          remoteUri(url, path),
        ]),
        ['extensionTestsPath', remoteUri(url, request.extensionTestsPath)],
        ['skipWelcome', 'true'],
      ],
      prepare: async (page) => {
        const language = process.env['ILVR_HOST_LANGUAGE'];
        if (language !== undefined) await page.addInitScript(speak, language);
        page.on('crash', () => reject(new Error('The browser page crashed.')));
        await page.exposeFunction('codeAutomationExit', (code: number) => settle(code));
        await page.exposeFunction('codeAutomationLog', printLog);
      },
    });
    return await result.finally(() => clearTimeout(timer));
  } finally {
    await browser.close();
  }
}

/**
 * Runs in the page. A language pack would set this and bring the workbench's own words; the workbench without one stays
 * English, but tells extensions the language, and takes their words in it.
 */
function speak(language: string): void {
  Object.assign(globalThis, { _VSCODE_NLS_LANGUAGE: language });
}

/** What the workbench says of itself at every start; ILVR_HOST_VERBOSE shows it all the same. */
const startupChatter =
  /^(Ignoring fetching|Creating a socket|Resolv(ing|ed) connection|Updating additional|\[(reconnection|AgentHost|AccountPolicy|Service Worker))/;

/** `type` is the console's method; tests write theirs as `info`. */
function printLog(type: string, args: unknown[]): void {
  const text = args.map((arg) => (typeof arg === 'string' ? arg : JSON.stringify(arg))).join(' ');
  if (startupChatter.test(text) && process.env['ILVR_HOST_VERBOSE'] === undefined) return;
  process.stdout.write(type === 'info' ? `${text}\n` : `[${type}] ${text}\n`);
}

/** Node 20 does not have `Promise.withResolvers`. */
function withResolvers<T>() {
  let settle!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((done, fail) => {
    settle = done;
    reject = fail;
  });
  return { promise, settle, reject };
}

endWithParent();
try {
  process.exitCode = await run(parseArguments(process.argv.slice(2)));
} catch (error) {
  console.error(`The test host failed: ${messageOf(error)}`);
  process.exitCode = 2;
}
