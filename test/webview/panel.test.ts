/** The panel in a real browser, under the policy of a webview. Skipped, visibly, without a Chromium. */

import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { writeTrace } from '../../src/trace/file.ts';
import { bundle, hasChromium, openPreview, type Preview } from './previewPage.ts';
import { launchBrowser } from '../../scripts/host/browser.ts';
import { sampleTrace } from './sampleTrace.ts';

const SIZE = { width: 1200, height: 800 };

describe.skipIf(!hasChromium)('panel in Chromium', () => {
  const json = writeTrace(sampleTrace());
  let browser: Browser;
  let files: Map<string, string>;
  let preview: Preview;

  beforeAll(async () => {
    [browser, files] = await Promise.all([launchBrowser(), bundle()]);
  });
  afterAll(() => browser.close());
  afterEach(async () => {
    await preview.page.close();
    expect(preview.problems).toEqual([]);
  });

  const open = async (): Promise<Preview> => {
    preview = await openPreview(browser, files, { theme: 'dark', ...SIZE });
    return preview;
  };
  const show = async (): Promise<Preview> => {
    await open();
    await preview.host('show', json, { canRun: true });
    await preview.page.locator('#stage-picture').waitFor();
    return preview;
  };
  const title = () => preview.page.locator('.stepper-title').innerText();
  const press = async (...keys: string[]) => {
    for (const key of keys) await preview.page.keyboard.press(key);
  };

  test('shows every step, and the same numbers as the trace', async () => {
    const { page } = await show();
    await expect.poll(() => page.locator('.thumbnail').count()).toBe(12);
    await expect.poll(() => page.locator('.step').count()).toBe(8);
    await expect.poll(() => page.locator('.facts').innerText()).toContain('3 blocks × 4 latents');
    await expect.poll(() => page.locator('.caption').innerText()).toContain('layer 4 of 4, mean of 3 heads');
  });

  test('says above the steps what is to be known of the settings, as text', async () => {
    const trace = sampleTrace();
    const notes = ['Not used: num_beams 4.', 'Not used: <b id="markup">x</b>.'];
    const { page } = await open();
    await preview.host('show', writeTrace({ ...trace, settings: { ...trace.settings, notes } }), {
      canRun: true,
    });
    await expect.poll(() => page.getByRole('note').allInnerTexts()).toEqual(notes);
    expect(await page.locator('#markup').count()).toBe(0);
  });

  test('is usable by keyboard alone', async () => {
    const { page } = await show();
    await press('ArrowRight');
    await expect.poll(title).toContain('Block 1, latent 2');
    await press('ArrowDown');
    await expect.poll(title).toContain('Token');
    await press('ArrowDown', '[', '}');
    await expect.poll(title).toContain('Block 2, latent 2');
    await expect.poll(() => page.locator('.caption').innerText()).toContain('layer 3 of 4, max of 3 heads');
    await press('2');
    await expect.poll(() => page.locator('.colour-bar-title').innerText()).toBe('selection probability');
    await press('1', 'Escape', 'ArrowRight', 'Shift+ArrowDown');
    await expect.poll(() => page.locator('.readout').innerText()).toContain('rows 4–5, column 4');
    await page.waitForFunction(() =>
      document.querySelector('[aria-live]')?.textContent?.includes('row 5, column 4'),
    );
    await press('Escape', 'Escape', 'Escape');
    await expect.poll(() => page.evaluate(() => document.activeElement?.id)).toBe('latent-5');
    await press('ArrowRight');
    await expect.poll(() => page.evaluate(() => document.activeElement?.id)).toBe('latent-6');
    await press('?');
    await expect.poll(() => page.locator('#help').isVisible()).toBe(true);
    await press('Escape');
    await expect.poll(() => page.locator('#help').isVisible()).toBe(false);
  });

  test('pointing at a latent shows its map large without selecting it, until a key is pressed', async () => {
    const { page } = await show();
    await page.locator('#latent-2').hover();
    await expect.poll(title).toContain('Block 1, latent 3');
    await expect
      .poll(() => page.locator('[aria-pressed="true"][id^="latent-"]').getAttribute('id'))
      .toBe('latent-0');
    await press('ArrowRight');
    await expect.poll(title).toContain('Block 1, latent 2');
    await page.mouse.move(700, 5);
    await expect.poll(title).toContain('Block 1, latent 2');
  });

  test('every tab stop has a name and a visible place', async () => {
    const { page } = await show();
    const stops = new Set<string>();
    for (let i = 0; i < 40; i++) {
      await press('Tab');
      const stop = await page.evaluate(() => {
        const element = document.activeElement!;
        const box = element.getBoundingClientRect();
        const name = element.getAttribute('aria-label') ?? element.textContent ?? '';
        return { tag: element.tagName, name: name.trim(), area: box.width * box.height };
      });
      if (stop.tag === 'BODY') break;
      if (stop.tag !== 'INPUT') expect(stop.name).not.toBe('');
      expect(stop.area).toBeGreaterThan(0);
      stops.add(`${stop.tag} ${stop.name.slice(0, 30)}`);
    }
    expect(stops.size).toBeGreaterThan(8);
  });

  test('a dragged region ranks latents and tokens', async () => {
    const { page } = await show();
    const box = (await page.locator('#stage-picture').boundingBox())!;
    await page.mouse.move(box.x + box.width * 0.1, box.y + box.height * 0.1);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.4, box.y + box.height * 0.4, { steps: 3 });
    await page.mouse.up();
    await expect.poll(() => page.locator('.readout').innerText()).toContain('rows 1–3, columns 1–3');
    await expect.poll(() => page.locator('.ranking').count()).toBe(2);
    await expect.poll(() => page.locator('.meter').count()).toBe(12);
  });

  test('a run appears event by event, and stays as a partial trace when its engine dies', async () => {
    const { page } = await open();
    await preview.host('show', undefined, { canRun: true, progress: 'Loading the model…' });
    await page.getByText('Loading the model…').waitFor();
    await preview.host('replay', json, 40);
    await preview.host('progress', null);
    await page.getByText('Running:').waitFor();
    await expect.poll(() => page.locator('.thumbnail').count()).toBeGreaterThan(0);
    await preview.host('finish', 'failed', 'The engine ended with code 139.');
    await page.getByText('The engine ended with code 139.').waitFor();
    await expect.poll(() => page.locator('.status').innerText()).toContain('Partial trace');
  });

  test('the reader’s choices survive a reload', async () => {
    const { page } = await show();
    await press('ArrowRight', '3');
    await expect.poll(() => page.locator('.colour-bar-title').innerText()).toBe('cosine');
    await page.waitForFunction('JSON.stringify(window.preview.state).includes("similarity")');
    await page.reload();
    await page.waitForFunction('window.preview?.calls.includes("ready")');
    await preview.host('show', json, { canRun: true });
    await expect.poll(title).toContain('Block 1, latent 2');
    await expect.poll(() => page.locator('.colour-bar-title').innerText()).toBe('cosine');
  });

  test('buttons call the host, and its refusals are shown', async () => {
    const { page } = await show();
    await page.getByRole('button', { name: 'Run again' }).click();
    await page.getByRole('button', { name: 'Export…' }).click();
    await preview.host('show', json, { canRun: false });
    await page.getByRole('button', { name: 'Open as text' }).click();
    await page.getByRole('alert').waitFor();
    await expect.poll(() => page.getByRole('button', { name: 'Run again' }).count()).toBe(0);
    expect(await preview.calls()).toEqual(['ready', 'runAgain', 'exportTrace', 'openAsText']);
  });

  test('without trust nothing can be run, and the panel says why', async () => {
    const { page } = await show();
    const locked = 'This workspace is not trusted.';
    await preview.host('show', json, { canRun: true, locked });
    for (const name of ['Run again', 'Add helper images…'])
      await expect.poll(() => page.getByRole('button', { name }).isDisabled()).toBe(true);
    await expect.poll(() => page.getByRole('status').allInnerTexts()).toContain(locked);
    await page.getByRole('button', { name: 'Export…' }).click();
    await expect.poll(() => preview.calls()).toEqual(['ready', 'exportTrace']);
  });

  test('a picture that cannot be shown is told, and its maps are there all the same', async () => {
    const { page } = await show();
    const trace = JSON.parse(json) as { id: string; pictures: object[] };
    trace.id = 'tall';
    Object.assign(trace.pictures[0]!, { width: 1, height: 4_000_000 });
    await preview.host('show', JSON.stringify(trace), { canRun: false });
    await expect
      .poll(() => page.getByRole('status').allInnerTexts())
      .toContainEqual(expect.stringMatching(/cannot be shown.*found 1 × 4000000 pixels/));
    await expect.poll(() => page.locator('.caption').innerText()).toContain('layer');
    expect(await page.locator('#stage-picture').evaluate((canvas) => canvas.clientHeight)).toBeGreaterThan(0);
    const sides = await page
      .locator('canvas')
      .evaluateAll((all) =>
        all.map((canvas) =>
          Math.max(...['width', 'height'].map((side) => Number(canvas.getAttribute(side)))),
        ),
      );
    expect(Math.max(...sides)).toBeLessThan(4000);
  });

  test('nothing is cut off at 500 pixels', async () => {
    const { page } = await show();
    await page.setViewportSize({ width: 500, height: 900 });
    await expect
      .poll(() => page.evaluate(() => document.documentElement.scrollWidth))
      .toBeLessThanOrEqual(500);
  });
});
