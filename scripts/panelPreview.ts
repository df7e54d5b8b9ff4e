/**
 * Renders the panel outside VS Code in every theme and at six sizes; pictures go to test-output/panel.
 *
 *     npx tsx scripts/panelPreview.ts [--trace file.ilvr.json] [name …]
 *
 * Without names, all scenes; without a trace, a reference run with invented helpers and timings. Fails if a page reports an error or violates its security policy.
 */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Browser } from 'playwright-core';
import type { TrainingState } from '../src/protocol/training.ts';
import type { MemoryContainer } from '../src/traceFile/container.ts';
import { openTrace, type OpenTrace } from '../src/traceFile/openTrace.ts';
import { goldenRun, hasGoldens } from '../test/fixtures/goldenTrace.ts';
import { bundle, openPreview, type Preview } from '../test/webview/previewPage.ts';
import { launchBrowser } from './host/browser.ts';
import { enriched, helperPictures, sampleRun } from '../test/webview/sampleTrace.ts';
import { sampleLook, sampleTraining } from '../test/webview/sampleTraining.ts';
import type { ThemeName } from '../test/webview/themes.ts';

const OUTPUT = 'test-output/panel';
const SIZES = {
  wide: { width: 1440, height: 900 },
  middle: { width: 1000, height: 700 },
  narrow: { width: 500, height: 900 },
  huge: { width: 2200, height: 1200 },
  low: { width: 1200, height: 400 },
  tiny: { width: 320, height: 400 },
};

interface Scene {
  theme: ThemeName;
  size: keyof typeof SIZES;
  act: (preview: Preview, run: OpenTrace) => Promise<void>;
  /** The page of a training run instead of a trace's. */
  of?: 'training';
  /** English unless told. */
  language?: 'de';
}

const show = async (preview: Preview, run: OpenTrace): Promise<void> => {
  await preview.show(run, { canRun: true, fileName: 'map-05.ilvr.json' });
  await preview.page.locator('#stage-picture').waitFor();
};

/** The panel after these keys. */
const keys =
  (...pressed: string[]): Scene['act'] =>
  async (preview, run) => {
    await show(preview, run);
    for (const key of pressed) await preview.page.keyboard.press(key);
  };

/** The panel after clicks on controls, by role and name. */
const shown =
  (...clicked: [role: 'button' | 'radio' | 'tab', name: string | RegExp][]): Scene['act'] =>
  async (preview, run) => {
    await show(preview, run);
    for (const [role, name] of clicked) await preview.page.getByRole(role, { name }).first().click();
  };

/** The panel of a trace that keeps every analysis, with one of their tabs open. */
const analysed =
  (tab: string, ...clicked: [role: 'button' | 'radio', name: string | RegExp][]): Scene['act'] =>
  async (preview, run) => {
    await preview.host('keep', ['attention', 'lens', 'pca', 'relevance', 'similarity']);
    await shown(['tab', tab], ...clicked)(preview, run);
  };

/** A training run after as many steps. */
const train =
  (steps: number, more: Partial<TrainingState> = {}) =>
  async (preview: Preview): Promise<void> => {
    const looks = Array.from({ length: Math.floor(steps / 10) + 1 }, (_, i) => sampleLook(10 * i));
    await preview.training('show', sampleTraining(steps, more), looks);
    await preview.page.locator('.training').waitFor();
  };

const SCENES: Record<string, Scene> = {
  'de-light-wide': { theme: 'light', size: 'wide', act: shown(['button', 'Mehr']), language: 'de' },
  'de-dark-middle': { theme: 'dark', size: 'middle', act: shown(['tab', 'Quellen']), language: 'de' },
  'de-light-narrow': { theme: 'light', size: 'narrow', act: shown(['button', 'Mehr']), language: 'de' },
  'de-dark-tiny': { theme: 'dark', size: 'tiny', act: show, language: 'de' },
  'de-light-low': { theme: 'light', size: 'low', act: show, language: 'de' },
  'de-dark-keys': { theme: 'dark', size: 'middle', act: keys('?'), language: 'de' },
  'de-training-dark-narrow': {
    theme: 'dark',
    size: 'narrow',
    act: train(240),
    of: 'training',
    language: 'de',
  },
  'training-dark-wide': { theme: 'dark', size: 'wide', act: train(240), of: 'training' },
  'training-light-wide': { theme: 'light', size: 'wide', act: train(240), of: 'training' },
  'training-hc-dark-middle': { theme: 'hc-dark', size: 'middle', act: train(240), of: 'training' },
  'training-hc-light-middle': { theme: 'hc-light', size: 'middle', act: train(240), of: 'training' },
  'training-dark-narrow': { theme: 'dark', size: 'narrow', act: train(240), of: 'training' },
  'training-light-failed': {
    theme: 'light',
    size: 'narrow',
    act: train(42, {
      state: 'failed',
      error:
        'The loss is not a finite number: in examples/samples.jsonl:3. Try a lower learning rate, or look at this sample; the state before it is kept.',
      hasPlace: true,
    }),
    of: 'training',
  },
  'training-light-table': {
    theme: 'light',
    size: 'middle',
    act: async (preview) => {
      await train(240)(preview);
      await preview.page.getByRole('checkbox', { name: 'as a table' }).click();
    },
    of: 'training',
  },
  'training-dark-starting': {
    theme: 'dark',
    size: 'middle',
    act: train(0, { state: 'starting', looks: [] }),
    of: 'training',
  },
  'dark-wide': { theme: 'dark', size: 'wide', act: show },
  'light-wide': { theme: 'light', size: 'wide', act: show },
  'hc-dark-wide': { theme: 'hc-dark', size: 'wide', act: show },
  'hc-light-wide': { theme: 'hc-light', size: 'wide', act: show },
  'dark-middle': { theme: 'dark', size: 'middle', act: show },
  'dark-huge': { theme: 'dark', size: 'huge', act: show },
  'dark-low': { theme: 'dark', size: 'low', act: show },
  'light-low-evidence': { theme: 'light', size: 'low', act: shown(['button', /Show/]) },
  'light-tiny': { theme: 'light', size: 'tiny', act: show },
  'hc-dark-tiny': { theme: 'hc-dark', size: 'tiny', act: show },
  'light-heat': { theme: 'light', size: 'wide', act: keys('h') },
  'dark-heat-more': { theme: 'dark', size: 'middle', act: shown(['radio', 'Heat'], ['button', 'More']) },
  'dark-masked': { theme: 'dark', size: 'middle', act: keys('m') },
  'light-relative': { theme: 'light', size: 'middle', act: keys('r', 'h') },
  'dark-layer': {
    theme: 'dark',
    size: 'middle',
    act: async (preview, run) => {
      await show(preview, run);
      await preview.page.locator('.layer-bar').nth(1).hover({ force: true });
    },
  },
  'light-span': {
    theme: 'light',
    size: 'middle',
    act: async (preview, run) => {
      await keys('}', '}')(preview, run);
      await preview.page.locator('.chart').hover({ position: { x: 260, y: 40 } });
    },
  },
  'dark-sources': { theme: 'dark', size: 'wide', act: shown(['tab', 'Sources']) },
  'light-sources-renormalised': {
    theme: 'light',
    size: 'middle',
    act: shown(['tab', 'Sources'], ['radio', 'Without prompt text']),
  },
  'hc-dark-sources': { theme: 'hc-dark', size: 'narrow', act: shown(['tab', 'Sources']) },
  'light-sources-low': {
    theme: 'light',
    size: 'low',
    act: shown(['button', /Show/], ['tab', 'Sources']),
  },
  'light-narrowing': { theme: 'light', size: 'wide', act: shown(['tab', 'Narrowing']) },
  'hc-dark-narrowing': { theme: 'hc-dark', size: 'narrow', act: shown(['tab', 'Narrowing']) },
  'dark-similarity': { theme: 'dark', size: 'middle', act: shown(['tab', 'Latent similarity']) },
  'dark-lens': { theme: 'dark', size: 'wide', act: analysed('Lens', ['button', 'layer 3']) },
  'hc-dark-lens': { theme: 'hc-dark', size: 'narrow', act: analysed('Lens') },
  'light-pca': { theme: 'light', size: 'wide', act: analysed('PCA') },
  'hc-light-pca': { theme: 'hc-light', size: 'middle', act: analysed('PCA') },
  'dark-relevance': { theme: 'dark', size: 'wide', act: analysed('Relevance') },
  'light-relevance-signed': {
    theme: 'light',
    size: 'middle',
    act: analysed('Relevance', ['radio', 'Gradient × attention']),
  },
  'dark-heads': { theme: 'dark', size: 'middle', act: analysed('All heads') },
  'light-other-run': { theme: 'light', size: 'wide', act: analysed('Latent similarity') },
  'light-lens-none': {
    theme: 'light',
    size: 'middle',
    act: async (preview, run) => {
      await preview.show(run, { canRun: false, fileName: 'map-05.ilvr.json' });
      await preview.page.getByRole('tab', { name: 'Lens' }).click();
    },
  },
  'dark-lens-computing': {
    theme: 'dark',
    size: 'middle',
    act: shown(['tab', 'Lens'], ['button', 'Compute']),
  },
  'dark-figure-menu': { theme: 'dark', size: 'middle', act: shown(['button', 'Save figure']) },
  'light-narrow': { theme: 'light', size: 'narrow', act: show },
  'dark-region': {
    theme: 'dark',
    size: 'wide',
    act: async (preview, run) => {
      await show(preview, run);
      const box = (await preview.page.locator('#stage-picture').boundingBox())!;
      await preview.page.mouse.move(box.x + box.width * 0.4, box.y + box.height * 0.4);
      await preview.page.mouse.down();
      await preview.page.mouse.move(box.x + box.width * 0.75, box.y + box.height * 0.6, { steps: 4 });
      await preview.page.mouse.up();
    },
  },
  'light-token': {
    theme: 'light',
    size: 'wide',
    act: async (preview, run) => {
      await show(preview, run);
      await preview.page.getByText('boxed', { exact: true }).hover();
    },
  },
  'light-selection': {
    theme: 'light',
    size: 'wide',
    act: async (preview, run) => {
      await show(preview, run);
      const list = preview.page.getByRole('combobox', { name: 'Picture' });
      if ((await list.count()) > 0) await list.selectOption('helper-2');
      else await preview.page.getByRole('radio', { name: 'Helper 2' }).click();
      await preview.page.getByRole('tab', { name: 'Latent similarity' }).click();
    },
  },
  'dark-keys': {
    theme: 'dark',
    size: 'middle',
    act: async (preview, run) => {
      await show(preview, run);
      await preview.page.keyboard.press('?');
    },
  },
  'dark-running': {
    theme: 'dark',
    size: 'middle',
    act: (preview, run) =>
      preview.host('show', undefined, { canRun: true }).then(() => preview.replay(run, 34)),
  },
  'light-failed': {
    theme: 'light',
    size: 'middle',
    act: async (preview, run) => {
      await preview.host('show', undefined, { canRun: true });
      await preview.replay(run, 40);
      await preview.host('finish', 'failed', 'The engine process ended unexpectedly (exit code 139).');
      await preview.page.getByRole('tab', { name: 'Timing' }).click();
    },
  },
  'dark-loading': {
    theme: 'dark',
    size: 'narrow',
    act: (preview) => preview.host('show', undefined, { canRun: true, progress: 'Loading the model…' }),
  },
};

async function runToShow(): Promise<OpenTrace> {
  if (!hasGoldens) return sampleRun({ layers: 8, heads: 6, latents: 8 });
  const run = await goldenRun('map-05');
  return enriched(run, helperPictures('map-05', 3, 6, run.container as MemoryContainer));
}

async function photograph(
  browser: Browser,
  files: Map<string, string>,
  name: string,
  run: OpenTrace,
): Promise<string[]> {
  const { theme, size, act, of, language } = SCENES[name]!;
  const preview = await openPreview(browser, files, {
    theme,
    ...SIZES[size],
    ...(of && { of }),
    ...(language && { language }),
  });
  await act(preview, run);
  // Toolkit controls and decoded pictures settle within a few frames.
  await preview.page.waitForTimeout(250);
  await preview.page.screenshot({ path: join(OUTPUT, `${name}.png`), fullPage: true });
  await preview.page.close();
  return preview.problems.map((problem) => `${name}: ${problem}`);
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { trace: { type: 'string' } },
    allowPositionals: true,
  });
  const names = positionals.length > 0 ? positionals : Object.keys(SCENES);
  mkdirSync(OUTPUT, { recursive: true });
  const run = values.trace === undefined ? await runToShow() : await openTrace(values.trace);
  const files = await bundle();
  const browser = await launchBrowser();
  try {
    const problems = [];
    for (const name of names) problems.push(...(await photograph(browser, files, name, run)));
    for (const problem of problems) console.error(problem);
    console.log(`${names.length} pictures in ${OUTPUT}, ${problems.length} problems`);
    process.exitCode = problems.length === 0 ? 0 : 1;
  } finally {
    await browser.close();
  }
}

await main();
