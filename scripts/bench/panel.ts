/**
 * `npm run bench -- panel`: the panel with runs as large as real ones, in a headless Chromium. The runs are made here.
 * A stand-in for the extension host answers for their arrays from outside the page, as the host does; its messages
 * are decoded in the page and count, so that real figures are a little better.
 *
 * - open: from the moment the manifest is sent until the map, the picture and the small maps in sight are drawn;
 * - a key: CPU time of the page's main thread, the 95th percentile; 30 presses of each kind, going and coming;
 * - memory: JavaScript's objects and arrays after a collection, once all keys have been pressed.
 */

import type { Browser, CDPSession, Page } from 'playwright-core';
import { bundle, openPreview } from '../../test/webview/previewPage.ts';
import { sampleRun, type SampleSize } from '../../test/webview/sampleTrace.ts';
import { launchBrowser } from '../host/browser.ts';

interface Case {
  name: string;
  size: Partial<SampleSize>;
  /** Targets: milliseconds until it is drawn. */
  open: number;
}

const LARGE = { layers: 28, heads: 28, side: 28, hiddenSize: 3584, helpers: 1 };
/** Short steps: lines of one word and blocks of two latents. */
const SHORT = { latents: 2, helpers: 1, lines: 4, words: 1 };
const CASES: Case[] = [
  {
    name: '28 layers × 28 heads × 784 patches × 64 latents, 300 words',
    size: { ...LARGE, blocks: 8, latents: 8, lines: 1, words: 36 },
    open: 1500,
  },
  { name: '1,000 short steps', size: { ...SHORT, blocks: 200 }, open: 1000 },
  { name: '3,000 short steps', size: { ...SHORT, blocks: 600 }, open: 1000 },
];

const KEY_MS = 16;
const HEAP_MB = 300;
const SIZE = { width: 1440, height: 900 };
const PRESSES = 30;
/** Long enough for what a key asks for to arrive and be drawn. */
const REST_MS = 150;

/** By what they move; half of the presses go there, half come back. */
const KEYS: Record<string, [there: string, back: string]> = {
  latent: ['ArrowRight', 'ArrowLeft'],
  layer: [']', '['],
  head: ['}', '{'],
  kind: ['2', '1'],
  step: ['ArrowDown', 'ArrowUp'],
};

export async function benchPanel(): Promise<void> {
  const files = await bundle({ minify: true });
  const browser = await launchBrowser();
  try {
    for (const entry of CASES) await benchCase(browser, files, entry);
  } finally {
    await browser.close();
  }
}

async function benchCase(
  browser: Browser,
  files: Map<string, string>,
  { name, size, open }: Case,
): Promise<void> {
  const run = sampleRun(size);
  const { tokens, latents, arrays } = run.trace;
  console.log(
    `\n${name}: ${tokens.length} tokens, ${latents.length} latents, ${megabytes(arrays.bytes)} of arrays`,
  );
  const preview = await openPreview(browser, files, { theme: 'dark', ...SIZE });
  const { page } = preview;
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  report('open', await timeToOpen(page, () => preview.show(run)), open, 'ms');
  await page
    .locator('#latent-0')
    .click()
    .catch(() => undefined);
  for (const [kind, keys] of Object.entries(KEYS)) {
    await page.waitForTimeout(REST_MS * 2);
    report(`${kind} key`, percentile(await pressAll(page, session, keys), 0.95), KEY_MS, 'ms');
  }
  report('memory', (await heapOf(session)) / 1e6, HEAP_MB, 'MB');
  const nodes = await page.evaluate(() => document.querySelectorAll('#steps *').length);
  console.log(`  elements in the list of steps ${nodes}`);
  // What is said of reading a canvas back is said of this benchmark's own look at it.
  const problems = preview.problems.filter((problem) => !problem.includes('getImageData'));
  for (const problem of problems) console.log(`  problem: ${problem}`);
  await page.close();
}

/** Watches the page from its first message on. */
async function timeToOpen(page: Page, show: () => Promise<void>): Promise<number> {
  const drawn = page.waitForFunction(
    () => {
      const picture = document.querySelector<HTMLCanvasElement>('#stage-picture');
      const isDrawn =
        picture !== null &&
        document.querySelector('.colour-bar-title') !== null &&
        document.querySelector('.thumbnail[aria-label*="largest"]') !== null &&
        picture.getContext('2d')!.getImageData(picture.width / 2, picture.height / 2, 1, 1).data[3] === 255;
      return isDrawn && performance.now();
    },
    undefined,
    { polling: 'raf' },
  );
  await show();
  const sent = await page.evaluate(
    () => (window as unknown as { preview: { sentAt: number } }).preview.sentAt,
  );
  return Number(await (await drawn).jsonValue()) - sent;
}

async function pressAll(page: Page, session: CDPSession, [there, back]: [string, string]): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < PRESSES; i++) {
    // The kinds are alternated, all else goes there and then comes back.
    const key = there === '2' ? (i % 2 === 0 ? there : back) : i < PRESSES / 2 ? there : back;
    const before = await cpuOf(session);
    await page.keyboard.press(key);
    await page.waitForTimeout(REST_MS);
    times.push((await cpuOf(session)) - before);
  }
  return times;
}

/** Milliseconds that the page's main thread has computed. */
async function cpuOf(session: CDPSession): Promise<number> {
  const { metrics } = await session.send('Performance.getMetrics');
  return 1000 * (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? NaN);
}

async function heapOf(session: CDPSession): Promise<number> {
  await session.send('HeapProfiler.collectGarbage');
  const { usedSize, backingStorageSize } = await session.send('Runtime.getHeapUsage');
  return usedSize + backingStorageSize;
}

function percentile(values: number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.ceil(values.length * share) - 1]!;
}

function report(what: string, value: number, target: number, unit: string): void {
  const verdict = value <= target ? 'met' : 'MISSED';
  console.log(
    `  ${what.padEnd(11)} ${value.toFixed(1).padStart(8)} ${unit}   target ${target} ${unit}, ${verdict}`,
  );
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}
