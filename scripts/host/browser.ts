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

/** The size that the panel was designed at. */
export const defaultSize: Size = { width: 1440, height: 900 };

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
/** Long enough for a widget to have been drawn after the state that a step waited for. */
const settleMs = 300;

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
  const context = await browser.newContext({
    viewport: options.size ?? defaultSize,
    // VS Code follows this, and pictures then show no half-faded widgets.
    reducedMotion: 'reduce',
  });
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
 * The palette lists what was known when it opened, so it is opened anew until the extension's
 * commands are in it.
 */
export async function runCommand(page: Page, title: string): Promise<void> {
  const input = page.locator(quickInput);
  const entry = page.getByRole('option', { name: new RegExp(`^${escapeRegExp(title)}(,|$)`) }).first();
  for (let attempt = 0; attempt < 10; attempt++) {
    await openQuickInput(page, input, 'F1');
    await input.fill(`>${title}`);
    if (await succeeds(entry.click({ timeout: 2_000 }))) return;
    await page.keyboard.press('Escape');
  }
  throw new Error(`The command palette has no entry "${title}".`);
}

/** The key is repeated, because a workbench that is still starting swallows it. */
async function openQuickInput(page: Page, input: Locator, key: string): Promise<void> {
  for (let attempt = 0; attempt < 20; attempt++) {
    await page.keyboard.press(key);
    const shown = input.waitFor({ state: 'visible', timeout: 1_500 });
    if (await succeeds(shown)) return;
  }
  throw new Error(`Nothing opened on ${key}.`);
}

/** Answers an open quick input: a pick list takes what the text selects, an input box the text. */
export async function fillQuickInput(page: Page, value: string): Promise<void> {
  const input = page.locator(quickInput);
  await input.waitFor({ state: 'visible', timeout: 20_000 });
  await input.fill(value);
  await page.waitForTimeout(300);
  await answer(page);
}

/** Answers VS Code's own open or save dialog, which is a quick input that holds a path. */
export async function chooseFile(page: Page, path: string): Promise<void> {
  const input = page.locator(quickInput);
  await page.waitForFunction(inputStartsWithSlash, quickInput, { timeout: 20_000 });
  for (let attempt = 0; attempt < 10; attempt++) {
    await input.fill(path);
    // The dialog looks the path up before Enter means "this one"; while it is still listing the
    // folder it started in, it puts that folder's path back.
    await page.waitForTimeout(800);
    if ((await input.inputValue()) !== path) continue;
    await input.press('Enter');
    return;
  }
  throw new Error(`The file dialog does not keep the path ${path}.`);
}

/** Runs in the page. */
function inputStartsWithSlash(selector: string): boolean {
  const input = document.querySelector(selector);
  return input instanceof HTMLInputElement && input.value.startsWith('/');
}

/** Accepts what an open quick input proposes. */
export async function acceptQuickInput(page: Page): Promise<void> {
  await page.locator(quickInput).waitFor({ state: 'visible', timeout: 20_000 });
  await page.waitForTimeout(300);
  await answer(page);
}

/** Enter, until what was asked is gone: on a busy machine the next Enter would else answer the same question again. */
async function answer(page: Page): Promise<void> {
  const asked = await page.evaluate(quickInputQuestion);
  await page.locator(quickInput).press('Enter');
  // Two questions that read alike cannot be told apart, so the wait has an end that is no failure.
  for (let waited = 0; waited < 5_000; waited += 50) {
    if ((await page.evaluate(quickInputQuestion)) !== asked) return;
    await page.waitForTimeout(50);
  }
}

/** Runs in the page. @returns title, message and placeholder of what is asked; nothing once it is hidden */
function quickInputQuestion(): string {
  const widget = document.querySelector<HTMLElement>('.quick-input-widget');
  if (widget === null || widget.offsetParent === null) return '';
  const parts = ['.quick-input-title', '.quick-input-message'];
  const said = parts.map((part) => widget.querySelector(part)?.textContent);
  return [...said, widget.querySelector('input[type=text]')?.getAttribute('placeholder')].join('\n');
}

/** Opens a file of the opened folder by its name, through Quick Open. */
export async function openFile(page: Page, name: string): Promise<void> {
  const input = page.locator(quickInput);
  await openQuickInput(page, input, 'ControlOrMeta+P');
  await input.fill(name);
  await page
    .getByRole('option', { name: new RegExp(`^${escapeRegExp(name)}\\b`) })
    .first()
    .click();
  await page.locator('.monaco-workbench .tab.active', { hasText: name }).waitFor({ timeout: 20_000 });
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
  const accepts = (frame: Frame): Promise<boolean> => accept(frame).catch(() => false);
  while (Date.now() < deadline) {
    for (const frame of page.frames()) {
      if (frame.name() !== 'active-frame' && !(await isActiveFrame(frame))) continue;
      if ((await accepts(frame)) && (await settles(frame)) && (await accepts(frame))) return frame;
    }
    await page.waitForTimeout(200);
  }
  throw new Error(`No webview appeared within ${timeoutMs / 1000} s.`);
}

/** VS Code puts another page in the place of a webview's when it is given new content: shortly after it was opened. */
async function settles(frame: Frame): Promise<boolean> {
  await frame.page().waitForTimeout(150);
  return !frame.isDetached();
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
  await page.waitForTimeout(settleMs);
  await page.screenshot({ path, animations: 'disabled' });
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
