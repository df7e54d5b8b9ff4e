/** The page of a training run in a real browser, under the policy of a webview; and its logic alone. */

import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { launchBrowser } from '../../scripts/host/browser.ts';
import { curvesOf, nearest, placeOf, rangeOf, tableRows, thinned } from '../../src/webview/logic/curve.ts';
import { selectedTokens, shared, tokenValues } from '../../src/webview/logic/selection.ts';
import { bundle, emptyPreview, hasChromium, type Preview } from './previewPage.ts';
import { sampleLook, sampleMetrics, sampleTraining } from './sampleTraining.ts';

describe('curves', () => {
  test('there is one for every loss that is named, from where it begins', () => {
    const [first, ...others] = sampleMetrics(3);
    const metrics = [{ ...first!, losses: { text: 1 } }, ...others];
    const curves = curvesOf(metrics, 0.9);
    expect(curves.map(({ title, steps }) => [title, steps])).toEqual([
      ['cross-entropy', [1]],
      ['cross-entropy', [2, 3]],
      ['misalignment', [2, 3]],
      ['gradient norm', [1, 2, 3]],
      ['learning rate', [1, 2, 3]],
    ]);
    expect(curves.at(-1)!.smooth).toEqual(curves.at(-1)!.values);
  });

  test('thinning keeps the extremes and the order', () => {
    const steps = Array.from({ length: 1000 }, (_, i) => i);
    const values = steps.map((i) => (i === 517 ? 9 : i === 23 ? -9 : 0));
    const points = thinned(steps, values, 50);
    expect(points.length).toBeLessThanOrEqual(100);
    expect(points).toContainEqual({ step: 517, value: 9 });
    expect(points).toContainEqual({ step: 23, value: -9 });
    expect(points.map(({ step }) => step)).toEqual(points.map(({ step }) => step).toSorted((a, b) => a - b));
    expect(thinned([1, 2], [3, 4], 50)).toEqual([
      { step: 1, value: 3 },
      { step: 2, value: 4 },
    ]);
  });

  test('the nearest step, the axis and the place on it are as worked out by hand', () => {
    expect([0, 4, 6, 99].map((step) => nearest([1, 5, 9], step))).toEqual([0, 1, 1, 2]);
    expect(nearest([], 3)).toBe(-1);
    expect(rangeOf([1, 2, 4], false)).toEqual({ min: 0, max: 4 });
    expect(placeOf(10, { min: 1, max: 100 }, true)).toBeCloseTo(0.5, 12);
    expect(placeOf(200, { min: 0, max: 100 }, false)).toBe(1);
    // A lone peak among hundreds is cut off.
    expect(rangeOf([...Array.from({ length: 300 }, () => 1), 1000], false).max).toBe(1);
    expect(
      tableRows(sampleMetrics(250), 100)
        .map(({ step }) => step)
        .at(-1),
    ).toBe(250);
    expect(tableRows(sampleMetrics(250), 100).length).toBeLessThanOrEqual(100);
  });
});

test('candidates of several tokens cover all of them, and what is left over has no value', () => {
  const [block] = sampleLook(0).watched.blocks;
  const grouped = { ...block!, groupSize: 5 };
  const values = tokenValues(grouped, [1, 2, 3, 4, 5, 6, 7]);
  expect(Array.from(values.subarray(0, 6))).toEqual([1, 1, 1, 1, 1, 2]);
  expect(values[35]).toBeNaN();
  expect([...selectedTokens(grouped, [1])]).toEqual([5, 6, 7, 8, 9]);
  const pick = (selected: number[]) => ({ cosines: [], probabilities: [], selected });
  expect(shared(pick([1, 2, 3]), pick([3, 9, 1]))).toBe(2);
});

describe.skipIf(!hasChromium)('training page in Chromium', () => {
  let browser: Browser;
  let preview: Preview;

  beforeAll(async () => {
    const [launched, files] = await Promise.all([launchBrowser(), bundle()]);
    browser = launched;
    preview = await emptyPreview(browser, files);
  });
  afterAll(() => browser.close());
  afterEach(() => expect(preview.problems).toEqual([]));

  const show = async (...args: Parameters<typeof sampleTraining>): Promise<Preview> => {
    await preview.open({ theme: 'dark', width: 1200, height: 900, of: 'training' });
    await preview.training('show', sampleTraining(...args), [0, 10, 20, 30].map(sampleLook));
    return preview;
  };
  const text = (selector: string) => preview.page.locator(selector).first().innerText();

  test('says how far the run is, and shows the newest look, live', async () => {
    const { page } = await show(20);
    const facts = ['running', 'step 20 of 600', '22.0 samples/s', '3 min 52 s left'];
    for (const fact of facts) await expect.poll(() => text('.facts')).toContain(fact);
    await expect.poll(() => page.locator('.selection').count()).toBe(3 * 9);
    await expect.poll(() => text('.timeline-step')).toContain('after step 20');
    const [more] = sampleMetrics(21).slice(20);
    await preview.training('change', { metrics: { from: 20, lines: [more!] }, looks: [0, 10, 20, 30] });
    await expect.poll(() => text('.facts')).toContain('step 21 of 600');
    await expect.poll(() => text('.timeline-step')).toContain('after step 30');
    const label = await page.locator('.selection-teacher canvas').first().getAttribute('aria-label');
    expect(label).toMatch(/Teacher, 8 targets, picks row \d, column \d;/);
    await expect.poll(() => text('.watched-caption')).toContain('selection, not attention');
  });

  test('by keyboard alone: earlier looks, the steps of the curves, another sample', async () => {
    const { page } = await show(30);
    const slider = page.getByRole('slider', { name: 'Step that is shown' });
    await slider.focus();
    await page.keyboard.press('ArrowLeft');
    await expect.poll(() => text('.timeline-step')).toContain('after step 20');
    expect(await slider.getAttribute('aria-valuetext')).toBe('after step 20');
    await page.getByRole('button', { name: 'Go live' }).press('Enter');
    await expect.poll(() => text('.timeline-step')).toContain('after step 30');

    await page.locator('.curve-list').focus();
    for (const key of ['Home', 'ArrowRight']) await page.keyboard.press(key);
    await expect
      .poll(() => page.locator('.curve-list [aria-live]').textContent())
      .toMatch(/^Step 2, cross-entropy \d/);
    await page.keyboard.press('Escape');
    await expect.poll(() => page.locator('.curve-cursor').count()).toBe(0);

    await page.getByLabel('Sample', { exact: true }).fill('7');
    await page.keyboard.press('Enter');
    await expect.poll(() => preview.calls()).toContain('watch {"sample":7,"every":10}');
  });

  test('offers what the state allows, and says why a run failed', async () => {
    const { page } = await show(12, {
      state: 'failed',
      error: 'The loss is not a finite number: in samples.jsonl:3.',
      hasPlace: true,
    });
    await expect
      .poll(() => page.getByRole('alert').innerText())
      .toContain('not a finite number: in samples.jsonl:3');
    await page.getByRole('button', { name: 'Open file' }).click();
    await page.getByRole('button', { name: 'Resume' }).click();
    await expect.poll(() => preview.calls()).toEqual(['ready', 'openError', 'resume']);
    await preview.training('change', { state: 'running', error: null, hasPlace: false });
    await expect.poll(() => page.getByRole('alert').count()).toBe(0);
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByRole('button', { name: 'Stop and keep' }).click();
    await expect.poll(() => preview.calls()).toEqual(['ready', 'openError', 'resume', 'pause', 'stop']);
  });

  test('says when most steps are left out, and what may help', async () => {
    const metrics = sampleMetrics(20).map((metric, i) => ({ ...metric, leftOut: i >= 8 }));
    const { page } = await show(20, { metrics });
    await expect
      .poll(() => text('.header .status-warning'))
      .toMatch(/^Of the last 20 steps 12 were left out/);
    expect(await text('.header .status-warning')).toContain('A lower learning rate');
    await show(20, {});
    await expect.poll(() => page.locator('.header .status-warning').count()).toBe(0);
  });

  test('without trust: buttons are off and say why, until trust is granted', async () => {
    const locked = 'This workspace is not trusted.';
    const { page } = await show(12, { state: 'failed', error: 'No.', hasPlace: true, locked });
    const off = ['Resume', 'Open config', 'Open file'].map((name) => page.getByRole('button', { name }));
    for (const button of off) await expect.poll(() => button.isDisabled()).toBe(true);
    await expect.poll(() => page.locator(`vscode-button[title="${locked}"]`).count()).toBe(2);
    for (const name of ['Sample', 'Steps between two looks; 0 for never'])
      expect(await page.getByLabel(name, { exact: true }).isDisabled()).toBe(true);
    await off[0]!.click({ force: true });
    await page.getByRole('status').filter({ hasText: locked }).getByRole('button').click();
    await expect.poll(() => preview.calls()).toEqual(['ready', 'manageTrust']);
    await preview.training('change', { locked: null });
    await off[0]!.click();
    await expect.poll(() => preview.calls()).toEqual(['ready', 'manageTrust', 'resume']);
  });

  test('a helper picture that cannot be shown is told, and takes no more room than another', async () => {
    await preview.open({ theme: 'dark', width: 1200, height: 900, of: 'training' });
    const look = sampleLook(0);
    for (const { picture } of look.watched.blocks) Object.assign(picture, { width: 1, height: 4_000_000 });
    await preview.training('show', sampleTraining(5, { looks: [0] }), [look]);
    const { page } = preview;
    await expect.poll(() => text('.watched .status-warning')).toMatch(/cannot be shown.*1 × 4000000/);
    const heights = await page
      .locator('.selection canvas')
      .evaluateAll((all) => all.map((canvas) => Number(canvas.getAttribute('height'))));
    expect(Math.max(...heights)).toBeLessThan(8000);
  });

  test('is a table for those who want one', async () => {
    const { page } = await show(30);
    await page.getByRole('checkbox', { name: 'as a table' }).click();
    await expect.poll(() => page.locator('.curve-table tbody tr').count()).toBe(30);
    await expect.poll(() => text('.curve-table tbody tr')).toMatch(/^30\s/);
  });
});
