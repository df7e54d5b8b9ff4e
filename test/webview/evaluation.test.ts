/** The page of a samples file in a real browser, under the policy of a webview. */

import { readFileSync } from 'node:fs';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { launchBrowser } from '../../scripts/host/browser.ts';
import { FIRST_QUERY, restoreQuery, sortedBy } from '../../src/webview/logic/rowQuery.ts';
import { axeFinds } from './axe.ts';
import { bundle, hasChromium, openPreview, type Preview } from './previewPage.ts';
import { sampleTable } from './sampleTable.ts';
import { BODY_CLASSES, type ThemeName } from './themes.ts';

const PICTURE = readFileSync('examples/map-05.png').toString('base64');

test('a stored query of another kind falls back, a good one comes back', () => {
  for (const stored of [undefined, null, 3, { fed: 'x', sort: 'y', size: '3', down: 1, outcome: {} }])
    expect(restoreQuery(stored)).toEqual(FIRST_QUERY);
  const query = { fed: 'zero', outcome: 'differs', size: 4, text: 'RR', sort: 'tokens', down: true } as const;
  expect(restoreQuery(structuredClone(query))).toEqual(query);
  const once = sortedBy(FIRST_QUERY, 'answer');
  expect([once.sort, once.down, sortedBy(once, 'answer').down]).toEqual(['answer', false, true]);
  expect(sortedBy(sortedBy(once, 'answer'), 'answer')).toEqual(FIRST_QUERY);
});

describe.skipIf(!hasChromium)('samples page in Chromium', () => {
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

  const show = async (
    count: number,
    done: number,
    more: Parameters<typeof sampleTable>[2] = {},
    theme: ThemeName = 'dark',
  ): Promise<Preview['page']> => {
    preview = await openPreview(browser, files, { theme, width: 1200, height: 800, of: 'evaluation' });
    await preview.table(sampleTable(count, done, more), count, done, PICTURE);
    return preview.page;
  };
  const rows = () => preview.page.locator('.rows-all .row');
  const active = () => preview.page.locator('.row[aria-selected="true"]').innerText();

  test('a hundred thousand rows: a few are in the page, keys reach the last, and only what is seen is asked for', async () => {
    const page = await show(100_000, 2000);
    await expect.poll(() => page.locator('.filters-count').innerText()).toBe('100000 rows');
    expect(await rows().count()).toBeLessThan(40);
    expect(await page.locator('.rows').getAttribute('aria-rowcount')).toBe('100001');
    await page.locator('.rows').focus();
    await page.keyboard.press('End');
    await expect.poll(active).toMatch(/^100000\s/);
    await page.keyboard.press('PageUp');
    await page.keyboard.press('Home');
    await page.keyboard.press('ArrowDown');
    await expect.poll(active).toMatch(/^2\s/);
    await page.keyboard.press('Enter');
    await expect.poll(() => preview.calls()).toContain('openRun 2');
    expect(await page.evaluate('preview.asked')).toBeLessThan(2000);
    await expect.poll(() => page.locator('.row-picture').count()).toBeGreaterThan(3);
  });

  test('filters, searches and sorts', async () => {
    const page = await show(400, 300);
    const count = () => page.locator('.filters-count').innerText();
    await page.getByRole('combobox', { name: 'Outcome' }).selectOption('open');
    await expect.poll(count).toBe('99 rows');
    await page.getByRole('combobox', { name: 'Outcome' }).selectOption('wrong');
    await page.getByRole('combobox', { name: 'Map size' }).selectOption('4');
    await expect.poll(() => rows().first().innerText()).toMatch(/4 × 4[^]*wrong/);
    await page.getByRole('combobox', { name: 'Outcome' }).selectOption('all');
    await page.getByRole('combobox', { name: 'Map size' }).selectOption('');
    await page.getByRole('searchbox').fill('map-399');
    await expect.poll(count).toBe('1 row');
    await page.getByRole('searchbox').fill('');
    await expect.poll(count).toBe('400 rows');
    await page.getByRole('combobox', { name: 'Tests' }).selectOption('still');
    const tested = async (): Promise<number[]> =>
      (await page.locator('.rows-all .cell-kl').allInnerTexts()).map(Number);
    await expect.poll(async () => Math.max(...(await tested()))).toBeLessThan(0.01);
    await page.getByRole('button', { name: 'KL without' }).click();
    await expect.poll(async () => (await tested())[0]).toBeLessThan(0.0002);
    await page.getByRole('combobox', { name: 'Tests' }).selectOption('');
    await page.getByRole('button', { name: 'Tokens' }).click();
    await page.getByRole('button', { name: 'Tokens' }).click();
    await expect
      .poll(() => page.locator('.cell-tokens[aria-sort]').getAttribute('aria-sort'))
      .toBe('descending');
    const tokens = async (): Promise<number[]> =>
      (await page.locator('.rows-all .cell-tokens').allInnerTexts()).map(Number);
    await expect.poll(async () => (await tokens())[0]).toBeGreaterThan(75);
    expect(await tokens()).toEqual((await tokens()).toSorted((a, b) => b - a));
  });

  test('says how far it is, starts and stops, and gives the figures away', async () => {
    const page = await show(400, 130);
    const start = page.getByRole('button', { name: 'Evaluate' });
    await page.getByRole('radio', { name: 'the usual interventions' }).click();
    await page.getByLabel('first').fill('20');
    await start.click();
    await page.getByRole('radio', { name: 'chosen' }).click();
    await page.getByRole('checkbox', { name: 'the teacher’s selection' }).check();
    for (const name of ['noise', 'zeroed', 'markers']) await page.getByRole('checkbox', { name }).uncheck();
    await page.getByRole('checkbox', { name: 'with tests' }).check();
    await start.click();
    await page.getByRole('button', { name: 'LaTeX' }).click();
    await page.getByRole('button', { name: 'Save rows as CSV' }).click();
    expect(await preview.calls()).toEqual([
      'ready',
      'start {"passes":["own","zero","noise","swap","markers"],"tests":false,"limit":20}',
      'start {"passes":["own","swap","oracle"],"tests":true,"limit":20}',
      'exportFigures "latex" "clipboard"',
      'exportRows {"fed":"own","outcome":"all","text":"","sort":"line","down":false}',
    ]);
    const evaluation = { ...sampleTable(400, 130).evaluation!, running: true, secondsLeft: 340 };
    await preview.table(sampleTable(400, 130, { evaluation, version: 2 }), 400, 130, PICTURE);
    await expect.poll(() => page.locator('.evaluation-progress').innerText()).toContain('650 of 2000 done');
    await page.getByRole('button', { name: 'Stop' }).click();
    await expect.poll(() => preview.calls()).toContain('stop');
  });

  test('a file that is no samples file says so, and nothing can be started without trust', async () => {
    const page = await show(0, 0, { failure: 'This line is not JSON: in <b>x</b>.jsonl:3.' });
    await expect.poll(() => page.getByRole('alert').innerText()).toContain('<b>x</b>.jsonl:3');
    await page.getByRole('button', { name: 'Open the file as text' }).click();
    await expect.poll(() => preview.calls()).toContain('openLine 1');
    await preview.table(sampleTable(3, 0, { locked: 'Not trusted.' }), 3, 0, PICTURE);
    await expect.poll(() => page.getByRole('button', { name: 'Evaluate' }).isDisabled()).toBe(true);
  });

  for (const theme of Object.keys(BODY_CLASSES) as ThemeName[]) {
    test(`axe finds nothing in ${theme}`, async () => {
      const page = await show(60, 40, {}, theme);
      await expect.poll(() => rows().count()).toBeGreaterThan(5);
      expect(await axeFinds(page)).toEqual([]);
    });
  }
});
