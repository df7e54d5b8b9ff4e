/** The page that compares two runs in a real browser, under the policy of a webview. */

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launchBrowser } from '../../scripts/host/browser.ts';
import { axeFinds } from './axe.ts';
import { bundle, emptyPreview, hasChromium, type Preview } from './previewPage.ts';
import { sampleBranch, sampleRun } from './sampleTrace.ts';
import { BODY_CLASSES, type ThemeName } from './themes.ts';

describe.skipIf(!hasChromium)('comparison page in Chromium', () => {
  let browser: Browser;
  let preview: Preview;
  beforeAll(async () => {
    const [opened, files] = await Promise.all([launchBrowser(), bundle()]);
    browser = opened;
    preview = await emptyPreview(browser, files);
    await preview.open({ theme: 'dark', width: 1200, height: 800, of: 'comparison' });
    await preview.compare(sampleRun(), sampleBranch());
  });
  afterAll(() => browser.close());

  test('shows where the runs part, maps on one scale, latents and times', async () => {
    const { page } = preview;
    await expect.poll(() => page.locator('.compared-bar').count()).toBeGreaterThan(0);
    await expect.poll(() => page.locator('.comparison').innerText()).toContain('temperature');
    expect(await page.locator('.comparison canvas').count()).toBeGreaterThanOrEqual(3);
    expect(preview.problems).toEqual([]);
  });

  test('asks the model for the divergence, shades words by it, and opens either run', async () => {
    const { page } = preview;
    await page.getByRole('radio', { name: 'KL of the distributions' }).click();
    await page.getByRole('button', { name: 'Compute', exact: true }).click();
    await expect.poll(() => preview.calls()).toContain('computeDivergence');
    await page.getByRole('button', { name: 'Compute again' }).waitFor();
    await page.getByRole('button', { name: 'Open' }).nth(1).click();
    await expect.poll(() => preview.calls()).toContain('openRun b');
  });

  for (const theme of Object.keys(BODY_CLASSES) as ThemeName[]) {
    test(`axe finds nothing in ${theme}`, async () => {
      await preview.dress(theme);
      expect(await axeFinds(preview.page)).toEqual([]);
    });
  }
});
