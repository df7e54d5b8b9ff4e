/** The panel and the training page in German, in a real browser. Skipped, visibly, without a Chromium. */

import { readFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser } from '../../scripts/host/browser.ts';
import { bundle, emptyPreview, hasChromium, type Preview, type PreviewOptions } from './previewPage.ts';
import { sampleRun } from './sampleTrace.ts';
import { sampleLook, sampleTraining } from './sampleTraining.ts';

/** All that a page shows or tells a screen reader, but for what the model said. */
function saidBy(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const texts: string[] = [];
    const walker = document.createTreeWalker(document.getElementById('root')!, NodeFilter.SHOW_ALL);
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
      if (node instanceof Text && node.parentElement?.closest('.token') === null) texts.push(node.data);
      else if (node instanceof Element) {
        for (const name of ['title', 'aria-label', 'aria-valuetext', 'aria-roledescription', 'placeholder']) {
          texts.push(node.getAttribute(name) ?? '');
        }
      }
    }
    return texts.map((text) => text.trim()).filter((text) => text !== '');
  });
}

describe.skipIf(!hasChromium)('in German', () => {
  const german = JSON.parse(readFileSync('l10n/bundle.l10n.de.json', 'utf8')) as Record<string, string>;
  const words = new Set(Object.values(german));
  /** English sentences that are no German ones too. */
  const english = new Set(Object.keys(german).filter((message) => !words.has(message)));
  let browser: Browser;
  let preview: Preview;

  beforeAll(async () => {
    const [launched, files] = await Promise.all([launchBrowser(), bundle()]);
    browser = launched;
    preview = await emptyPreview(browser, files);
  });
  afterAll(() => browser.close());
  afterEach(() => expect(preview.problems).toEqual([]));

  const open = async (more: Partial<PreviewOptions> = {}): Promise<Preview> => {
    await preview.open({
      theme: 'light',
      width: 1200,
      height: 800,
      language: 'de',
      ...more,
    });
    return preview;
  };

  it('the panel says what it has to say in German, and nothing of it in English', async () => {
    const { page } = await open();
    await preview.show(sampleRun());
    await expect.poll(() => page.locator('.caption').innerText()).toMatch(/^Aufmerksamkeit von Latent \d/);
    await expect.poll(() => page.locator('.facts').innerText()).toContain('3 Blöcke × 4 Latents');
    await page.getByRole('button', { name: 'Mehr' }).click();
    for (const tab of ['Quellen', 'Verengung', 'Ähnlichkeit', 'Relevanz', 'Zeiten', 'Verlauf']) {
      await page.getByRole('tab', { name: tab }).click();
      expect((await saidBy(page)).filter((text) => english.has(text))).toEqual([]);
    }
  });

  it('numbers keep their decimal point: they are data', async () => {
    const { page } = await open();
    await preview.show(sampleRun());
    await expect.poll(() => page.locator('.block-head').first().innerText()).toMatch(/Bild 0\.\d\d/);
  });

  it('nothing is wider than the page at 320 pixels', async () => {
    const { page } = await open({ width: 320, height: 400 });
    await preview.show(sampleRun());
    await page.locator('.caption').waitFor();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(320);
  });

  it('the training page does alike', async () => {
    const { page } = await open({ of: 'training' });
    await preview.training('show', sampleTraining(40), [0, 10, 20, 30, 40].map(sampleLook));
    await page.locator('.watched-caption').waitFor();
    await expect.poll(() => page.locator('.facts').innerText()).toContain('Schritt 40 von');
    expect((await saidBy(page)).filter((text) => english.has(text))).toEqual([]);
  });
});
