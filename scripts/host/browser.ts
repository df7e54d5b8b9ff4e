/** Drives the workbench that a server shows, in a headless Chromium. */

import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Browser, chromium, type Frame, type Locator, type Page } from 'playwright-core';
import { findOrInstallChromium } from './chromium.ts';
import { repositoryRoot, testOutput } from './repository.ts';

export interface Size {
  width: number;
  height: number;
}

export interface WorkbenchOptions {
  /** Absolute path of the folder to open. */
  folder: string;
  size?: Size;
  /** Entries of the workbench's own start payload, such as the path of tests. */
  payload?: [string, string][];
  /** Runs before the page loads: the place to expose functions or listen to its console. */
  prepare?: (page: Page) => Promise<void>;
}

const quickInput = '.quick-input-widget input[type=text]';
const workbenchTimeoutMs = 60_000;

/** Starts the browser; the caller closes it. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: findOrInstallChromium(),
    // Chromium's sandbox refuses to run as root, which is what containers usually are.
    chromiumSandbox: process.getuid?.() !== 0,
    args: [
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--disable-quic',
      '--no-first-run',
      // Containers often give /dev/shm 64 MB, too little for a page of this size.
      '--disable-dev-shm-usage',
    ],
  });
}

/** Opens the workbench of the server at `url` and waits until it has been drawn. */
export async function openWorkbench(browser: Browser, url: string, options: WorkbenchOptions): Promise<Page> {
  const context = await browser.newContext({ viewport: options.size ?? { width: 1440, height: 900 } });
  const page = await context.newPage();
  await options.prepare?.(page);
  await page.goto(workbenchUrl(url, options), { timeout: workbenchTimeoutMs });
  await page.locator('.monaco-workbench .part.statusbar').waitFor({ timeout: workbenchTimeoutMs });
  return page;
}

function workbenchUrl(url: string, { folder, payload }: WorkbenchOptions): string {
  const query = new URLSearchParams({ folder });
  if (payload !== undefined) query.set('payload', JSON.stringify(payload));
  return `${url}/?${query}`;
}

/** A path on the server's machine as the workbench names it. */
export function remoteUri(serverUrl: string, path: string): string {
  return `vscode-remote://${new URL(serverUrl).host}${path}`;
}

/**
 * Runs the command whose palette entry reads exactly `title` ("ILVR: Reason about image").
 * F1 is repeated, because a workbench that is still starting swallows it.
 */
export async function runCommand(page: Page, title: string): Promise<void> {
  const input = page.locator(quickInput);
  await openPalette(page, input);
  await input.fill(`>${title}`);
  const entry = page.getByRole('option', { name: new RegExp(`^${escapeRegExp(title)}(,|$)`) });
  await entry.first().waitFor({ timeout: 20_000 });
  await entry.first().click();
}

async function openPalette(page: Page, input: Locator): Promise<void> {
  for (let attempt = 0; attempt < 20; attempt++) {
    await page.keyboard.press('F1');
    const shown = input.waitFor({ state: 'visible', timeout: 1_500 });
    if (await succeeds(shown)) return;
  }
  throw new Error('The command palette did not open.');
}

/** Answers an open quick input: a pick list takes what the text selects, a file dialog the path. */
export async function fillQuickInput(page: Page, value: string): Promise<void> {
  const input = page.locator(quickInput);
  await input.waitFor({ state: 'visible', timeout: 20_000 });
  await input.fill(value);
  // A file dialog looks its path up before Enter means "this one".
  await page.waitForTimeout(800);
  await input.press('Enter');
}

/** Accepts what an open quick input proposes. */
export async function acceptQuickInput(page: Page): Promise<void> {
  const input = page.locator(quickInput);
  await input.waitFor({ state: 'visible', timeout: 20_000 });
  await page.waitForTimeout(300);
  await input.press('Enter');
}

/**
 * The frame that holds an extension's own page. VS Code wraps it twice: `iframe.webview` holds a
 * service worker and the message relay, and inside it `#active-frame` the extension's HTML.
 * With several webviews open, `accept` chooses; by default the first one that is shown.
 */
export async function webviewFrame(
  page: Page,
  accept: (frame: Frame) => Promise<boolean> = isShown,
  timeoutMs = 30_000,
): Promise<Frame> {
  const deadline = Date.now() + timeoutMs;
  while (Date.now() < deadline) {
    for (const frame of page.frames()) {
      if (frame.name() !== 'active-frame' && !(await isActiveFrame(frame))) continue;
      if (await accept(frame).catch(() => false)) return frame;
    }
    await page.waitForTimeout(200);
  }
  throw new Error(`No webview appeared within ${timeoutMs / 1000} s.`);
}

async function isActiveFrame(frame: Frame): Promise<boolean> {
  if (frame.parentFrame() === null) return false;
  const element = await frame.frameElement().catch(() => undefined);
  return (await element?.getAttribute('id').catch(() => null)) === 'active-frame';
}

/** A webview behind another tab keeps its frame, so being there is not being seen. */
async function isShown(frame: Frame): Promise<boolean> {
  const outer = frame.parentFrame();
  if (outer === null) return false;
  const element = await outer.frameElement();
  return element.isVisible();
}

/** Writes what the page shows to `test-output/screenshots/<name>.png`. */
export async function screenshot(page: Page, name: string): Promise<string> {
  const path = join(testOutput, 'screenshots', `${name}.png`);
  await mkdir(dirname(path), { recursive: true });
  await page.screenshot({ path });
  return path.startsWith(repositoryRoot) ? path.slice(repositoryRoot.length + 1) : path;
}

function succeeds(promise: Promise<unknown>): Promise<boolean> {
  return promise.then(
    () => true,
    () => false,
  );
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
