/**
 * The pages outside VS Code, in every state: in each theme, at a low height and at a narrow width.
 *
 *     npx tsx scripts/panelPreview.ts [--trace file.ilvr.json] [--look dark]… [scene …]
 *
 * Without names, all scenes in all looks; without a trace, a reference run with invented helpers and timings. A picture
 * goes to test-output/panel/SCENE-LOOK.png, and all looks of a scene side by side to test-output/panel/sheets/SCENE.png.
 * Fails if a page reports an error or violates its security policy.
 */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { messageOf } from '../src/base/errors.ts';
import type { MemoryContainer } from '../src/traceFile/container.ts';
import { openTrace, type OpenTrace } from '../src/traceFile/openTrace.ts';
import { goldenRun, hasGoldens } from '../test/fixtures/goldenTrace.ts';
import { bundle, emptyPreview, type Preview, type PreviewOptions } from '../test/webview/previewPage.ts';
import { enriched, helperPictures, sampleRun } from '../test/webview/sampleTrace.ts';
import { launchBrowser } from './host/browser.ts';
import { PANEL_SCENES, WORDLESS } from './panelScenes.ts';

const OUTPUT = 'test-output/panel';
const SHEETS = join(OUTPUT, 'sheets');

type Look = Omit<PreviewOptions, 'of'>;

/** A theme each, at sizes that people have; then little room. */
const LOOKS: Record<string, Look> = {
  dark: { theme: 'dark', width: 1440, height: 900 },
  light: { theme: 'light', width: 1000, height: 700 },
  'hc-dark': { theme: 'hc-dark', width: 1000, height: 700 },
  'hc-light': { theme: 'hc-light', width: 1440, height: 900 },
  low: { theme: 'dark', width: 1200, height: 400 },
  narrow: { theme: 'light', width: 320, height: 700 },
};

/** For scenes that do not go by words. */
const MORE_LOOKS: Record<string, Look> = {
  german: { theme: 'light', width: 1000, height: 700, language: 'de' },
  'german-narrow': { theme: 'dark', width: 320, height: 700, language: 'de' },
  huge: { theme: 'dark', width: 2200, height: 1200 },
};

async function runToShow(): Promise<OpenTrace> {
  if (!hasGoldens) return sampleRun({ layers: 8, heads: 6, latents: 8 });
  const run = await goldenRun('map-05');
  return enriched(run, helperPictures('map-05', 3, 6, run.container as MemoryContainer));
}

interface Studio {
  /** One page, opened again for each picture: that takes a third of the time of a new one. */
  preview: Preview;
  run: OpenTrace;
}

/** @returns what the page complained about */
async function photograph(
  { preview, run }: Studio,
  name: string,
  look: Look,
  file: string,
): Promise<string[]> {
  const { act, of } = PANEL_SCENES[name]!;
  await preview.open({ ...look, ...(of && { of }) });
  try {
    await act(preview, run);
  } catch (error) {
    preview.problems.push(messageOf(error).split('\n')[0]!);
  }
  // Toolkit controls and decoded pictures settle within a few frames.
  await preview.page.waitForTimeout(250);
  await preview.page.screenshot({ path: file, fullPage: true });
  return [...preview.problems];
}

const TILE = { width: 800, height: 560, gap: 8, across: 3 };

/** Pictures side by side, each as large as its place allows. */
async function writeSheet(files: readonly string[], out: string): Promise<void> {
  const { width, height, gap, across } = TILE;
  const tiles = await Promise.all(
    files.map(async (file, i) => ({
      input: await sharp(file).resize({ width, height, fit: 'inside' }).png().toBuffer(),
      left: (i % across) * (width + gap),
      top: Math.floor(i / across) * (height + gap),
    })),
  );
  const rows = Math.ceil(files.length / across);
  const size = { width: Math.min(across, files.length) * (width + gap), height: rows * (height + gap) };
  const ground = { create: { ...size, channels: 3 as const, background: '#808080' } };
  await sharp(ground).composite(tiles).png().toFile(out);
}

function chosen(kind: string, known: readonly string[], names: readonly string[]): readonly string[] {
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new Error(`There is no ${kind} "${unknown}"; there are ${known.join(', ')}.`);
  return names.length > 0 ? names : known;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { trace: { type: 'string' }, look: { type: 'string', multiple: true } },
    allowPositionals: true,
  });
  const scenes = chosen('scene', Object.keys(PANEL_SCENES), positionals);
  const all = { ...LOOKS, ...MORE_LOOKS };
  const looks = chosen('look', Object.keys(all), values.look ?? []);
  await mkdir(SHEETS, { recursive: true });
  const run = values.trace === undefined ? await runToShow() : await openTrace(values.trace);
  const browser = await launchBrowser();
  const studio = { preview: await emptyPreview(browser, await bundle()), run };
  const problems: string[] = [];
  let pictures = 0;
  try {
    for (const name of scenes) {
      const files: string[] = [];
      for (const look of looks.filter((each) => each in LOOKS || WORDLESS.includes(name))) {
        const file = join(OUTPUT, `${name}-${look}.png`);
        const found = await photograph(studio, name, all[look]!, file);
        problems.push(...found.map((problem) => `${name}-${look}: ${problem}`));
        files.push(file);
      }
      pictures += files.length;
      if (files.length > 0) await writeSheet(files, join(SHEETS, `${name}.png`));
    }
  } finally {
    await browser.close();
  }
  for (const problem of problems) console.error(problem);
  console.log(`${pictures} pictures in ${OUTPUT}, ${problems.length} problems`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}

await main();
