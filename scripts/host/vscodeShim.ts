/**
 * A VS Code for `@vscode/test-electron`: takes the desktop's command line, runs the tests in a
 * browser-served VS Code and exits with their result.
 *
 * Called through `test/host/vscodeShim`. Understands `--extensionDevelopmentPath`,
 * `--extensionTestsPath`, `--user-data-dir`, `--extensions-dir` and a folder to open; the desktop's
 * other switches mean nothing here.
 */

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { messageOf } from '../../src/base/errors.ts';
import { launchBrowser, openWorkbench, remoteUri } from './browser.ts';
import { type Server, type Settings, startServer } from './server.ts';

interface Request {
  extensionDevelopmentPaths: string[];
  extensionTestsPath: string;
  workspace: string;
  userDataDir: string | undefined;
  extensionsDir: string | undefined;
}

/** Tests that have not ended by then are taken for hung. */
const runTimeoutMs = Number(process.env['ILVR_HOST_TIMEOUT_MS'] ?? 10 * 60_000);

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
async function run(request: Request): Promise<number> {
  const dataDir = await mkdtemp(join(tmpdir(), 'ilvr-host-'));
  let server: Server | undefined;
  try {
    server = await startServer({
      dataDir,
      smokeTestDriver: true,
      settings: await desktopSettings(request.userDataDir),
      ...(request.extensionsDir === undefined ? {} : { extensionsDir: request.extensionsDir }),
    });
    return await runInBrowser(server.url, request);
  } finally {
    await server?.dispose();
    await rm(dataDir, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** The settings that a desktop VS Code would have read from its user data folder. */
async function desktopSettings(userDataDir: string | undefined): Promise<Settings> {
  if (userDataDir === undefined) return {};
  const text = await readFile(join(userDataDir, 'User/settings.json'), 'utf8').catch(() => '{}');
  return JSON.parse(text) as Settings;
}

async function runInBrowser(url: string, request: Request): Promise<number> {
  const browser = await launchBrowser();
  try {
    const { promise: result, resolve: settle, reject } = withResolvers<number>();
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
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((done, fail) => {
    resolve = done;
    reject = fail;
  });
  return { promise, resolve, reject };
}

try {
  process.exitCode = await run(parseArguments(process.argv.slice(2)));
} catch (error) {
  console.error(`The test host failed: ${messageOf(error)}`);
  process.exitCode = 2;
}
