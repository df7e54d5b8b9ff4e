/**
 * `npm run bench -- panel`: the panel with runs as large as real ones, in a headless Chromium. The runs are made here.
 * A stand-in for the extension host answers for their arrays from outside the page, as the host does; its messages
 * are decoded in the page and count, so that real figures are a little better.
 *
 * - open: from the moment the manifest is sent until the map, the picture and the small maps in sight are drawn, on the
 *   clock and as CPU time of the page's main thread;
 * - return: the page is loaded anew, as VS Code does when a hidden panel is shown again: from its first script until it
 *   asks for its state, and from the answer until the same view is drawn;
 * - a key: CPU time of the page's main thread, as the 95th percentile and the median; 30 presses of each kind, going
 *   and coming;
 * - memory: JavaScript's objects and arrays after a collection, once all keys have been pressed.
 *
 * A busy machine makes CPU time longer, too: before each press a fixed piece of script is timed, and its median is told as
 * a multiple of the fastest it has been.
 *
 *   --case 7b,1000,3000   (all)
 *   --key latent,layer    (all)
 *   --presses N           (30)
 *   --beside FOLDER       another checkout of the repository, on a page of its own, each key in turn
 *   --profile             what the time of a key is spent on
 */

import { parseArgs } from 'node:util';
import type { Browser, CDPSession, Page } from 'playwright-core';
import { bundle, openPreview, type Preview } from '../../test/webview/previewPage.ts';
import { sampleRun } from '../../test/webview/sampleTrace.ts';
import type { OpenTrace } from '../../src/traceFile/openTrace.ts';
import { launchBrowser } from '../host/browser.ts';
import { profiled, profileLines } from './pageProfile.ts';
import { SAMPLE_CASES, type SampleCase } from './sampleSizes.ts';

/** Milliseconds until it is drawn. */
const OPEN_MS: Record<string, number> = { '7b': 1500, '1000': 1000, '3000': 1000 };
const RETURN_MS = 200;
const KEY_MS = 16;
const HEAP_MB = 300;
const SIZE = { width: 1440, height: 900 };
/** Long enough for what a key asks for to arrive and be drawn; less than what is read ahead waits. */
const REST_MS = 150;
const OPENINGS = 5;

/** By what they move; half of the presses go there, half come back. The first does nothing: so much is the browser's. */
const KEYS: Record<string, [there: string, back: string]> = {
  none: ['q', 'q'],
  latent: ['ArrowRight', 'ArrowLeft'],
  layer: [']', '['],
  head: ['}', '{'],
  kind: ['2', '1'],
  step: ['ArrowDown', 'ArrowUp'],
};

/** A page with a run in it. */
interface Panel {
  name: string;
  preview: Preview;
  page: Page;
  session: CDPSession;
}

const { values: options } = parseArgs({
  allowPositionals: true,
  options: {
    case: { type: 'string', default: Object.keys(SAMPLE_CASES).join() },
    key: { type: 'string', default: Object.keys(KEYS).join() },
    presses: { type: 'string', default: '30' },
    beside: { type: 'string' },
    profile: { type: 'boolean', default: false },
  },
});

const presses = Number(options.presses);

export async function benchPanel(): Promise<void> {
  const folders = options.beside === undefined ? ['.'] : [options.beside, '.'];
  const bundles = await Promise.all(folders.map((folder) => bundle({ folder, minify: !options.profile })));
  const browser = await launchBrowser();
  try {
    const cases: Record<string, SampleCase> = SAMPLE_CASES;
    for (const id of options.case.split(',')) {
      const entry = cases[id];
      if (entry === undefined) throw new Error(`no case ${id}; there are ${Object.keys(cases).join(', ')}`);
      await benchCase(browser, bundles, entry);
    }
  } finally {
    await browser.close();
  }
}

async function benchCase(
  browser: Browser,
  bundles: Map<string, string>[],
  { id, name, size }: SampleCase,
): Promise<void> {
  const run = sampleRun(size);
  const { tokens, latents, arrays } = run.trace;
  const megabytes = (arrays.bytes / 1e6).toFixed(0);
  console.log(`\n${name}: ${tokens.length} tokens, ${latents.length} latents, ${megabytes} MB of arrays`);
  const panels: Panel[] = [];
  for (const [i, files] of bundles.entries()) {
    panels.push(await openPanel(browser, files, i === bundles.length - 1 ? 'this' : 'beside'));
  }
  const opens = panels.map((): Opening[] => []);
  for (let i = 0; i < OPENINGS; i++) {
    for (const [p, panel] of panels.entries()) {
      if (i > 0) await panel.preview.reload();
      opens[p]!.push(await timeToOpen(panel, run));
    }
  }
  panels.forEach((panel, p) => reportOpening(panel, 'open', opens[p]!, OPEN_MS[id]!));
  for (const { page } of panels) {
    await page
      .locator('#latent-0')
      .click()
      .catch(() => undefined);
  }
  if (options.key !== '') for (const kind of options.key.split(',')) await benchKey(panels, kind);
  await finish(panels, run);
}

async function openPanel(browser: Browser, files: Map<string, string>, name: string): Promise<Panel> {
  const preview = await openPreview(browser, files, { theme: 'dark', ...SIZE });
  const { page } = preview;
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  return { name, preview, page, session };
}

async function benchKey(panels: Panel[], kind: string): Promise<void> {
  const keys = KEYS[kind];
  if (keys === undefined) throw new Error(`no key ${kind}; there are ${Object.keys(KEYS).join(', ')}`);
  const times = panels.map((): number[] => []);
  const fixed: number[] = [];
  await panels[0]!.page.waitForTimeout(REST_MS * 2);
  for (let i = 0; i < presses; i++) {
    for (const [p, panel] of panels.entries()) {
      fixed.push(await fixedWork(panel));
      times[p]!.push(await press(panel, keyAt(keys, i)));
    }
  }
  const slowness = percentile(fixed, 0.5) / fastest;
  panels.forEach((panel, p) => report(panel, `${kind} key`, times[p]!, KEY_MS, 'ms', slowness));
  if (!options.profile) return;
  for (const panel of panels) {
    const profile = await profiled(panel.session, async () => {
      for (let i = 0; i < presses; i++) await press(panel, keyAt(keys, i));
    });
    for (const line of profileLines(profile, presses)) console.log(line);
  }
}

/** The fastest that the fixed piece of script has been, in milliseconds. */
let fastest = Infinity;

/** Milliseconds of CPU time that a fixed piece of script takes; about one on a machine of its own. */
async function fixedWork({ page, session }: Panel): Promise<number> {
  const before = await cpuOf(session);
  await page.evaluate(() => {
    const values = new Float64Array(2 ** 16);
    for (let times = 0; times < 16; times++) {
      for (let i = 0; i < values.length; i++) values[i] = values[(i * 7919) % values.length]! + i;
    }
    return values[1];
  });
  const took = (await cpuOf(session)) - before;
  fastest = Math.min(fastest, took);
  return took;
}

/** The kinds are alternated, all else goes there and then comes back. */
function keyAt([there, back]: [string, string], i: number): string {
  if (there === '2') return i % 2 === 0 ? there : back;
  return i < presses / 2 ? there : back;
}

/** @returns milliseconds that the page's main thread has computed for it */
async function press({ page, session }: Panel, key: string): Promise<number> {
  const before = await cpuOf(session);
  await page.keyboard.press(key);
  await page.waitForTimeout(REST_MS);
  return (await cpuOf(session)) - before;
}

async function finish(panels: Panel[], run: OpenTrace): Promise<void> {
  for (const panel of panels) report(panel, 'memory', [(await heapOf(panel.session)) / 1e6], HEAP_MB, 'MB');
  const returns = panels.map((): Opening[] => []);
  for (let i = 0; i < OPENINGS; i++) {
    for (const [p, panel] of panels.entries()) returns[p]!.push(await timeToReturn(panel, run));
  }
  panels.forEach((panel, p) => reportOpening(panel, 'return', returns[p]!, RETURN_MS));
  for (const { page, preview } of panels) {
    const nodes = await page.evaluate(() => document.querySelectorAll('#steps *').length);
    console.log(`  elements in the list of steps ${nodes}`);
    // What is said of reading a canvas back is said of this benchmark's own look at it.
    const problems = preview.problems.filter((problem) => !problem.includes('getImageData'));
    for (const problem of problems) console.log(`  problem: ${problem}`);
    await page.close();
  }
}

/** Milliseconds on the clock, and of the page's main thread. */
interface Opening {
  clock: number;
  cpu: number;
}

/** Watches the page from its first message on. */
async function timeToOpen({ page, preview, session }: Panel, run: OpenTrace): Promise<Opening> {
  const show = await preview.prepare(run);
  const before = await cpuOf(session);
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
  const at = Number(await (await drawn).jsonValue());
  const cpu = (await cpuOf(session)) - before;
  return { clock: at - (await sentAt(page)), cpu };
}

async function timeToReturn(panel: Panel, run: OpenTrace): Promise<Opening> {
  const { page, preview, session } = panel;
  await preview.reload();
  // The browser counts anew for each page.
  const load = await cpuOf(session);
  const start = await page.evaluate(
    () =>
      (window as unknown as { preview: { readyAt: number } }).preview.readyAt -
      performance.getEntriesByType('mark').find(({ name }) => name === 'script')!.startTime,
  );
  const { clock, cpu } = await timeToOpen(panel, run);
  return { clock: start + clock, cpu: load + cpu };
}

function reportOpening(panel: Panel, what: string, openings: Opening[], target: number): void {
  report(
    panel,
    what,
    openings.map(({ clock }) => clock),
    target,
    'ms',
  );
  report(
    panel,
    '  its CPU',
    openings.map(({ cpu }) => cpu),
    target,
    'ms',
  );
}

function sentAt(page: Page): Promise<number> {
  return page.evaluate(() => (window as unknown as { preview: { sentAt: number } }).preview.sentAt);
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

/** @param slowness of the machine while it was measured, as a multiple of its best */
function report(
  { name }: Panel,
  what: string,
  values: number[],
  target: number,
  unit: string,
  slowness?: number,
): void {
  const most = percentile(values, 0.95);
  const isPair = options.beside !== undefined;
  console.log(
    [
      `  ${what.padEnd(11)} ${isPair ? name.padEnd(7) : ''}${most.toFixed(1).padStart(8)} ${unit}`,
      ...(values.length > 1 ? [`median ${percentile(values, 0.5).toFixed(1)}`] : []),
      `target ${target} ${unit}, ${most <= target ? 'met' : 'MISSED'}`,
      ...(slowness === undefined ? [] : [`fixed work ×${slowness.toFixed(2)}`]),
    ].join('   '),
  );
}
