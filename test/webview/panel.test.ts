/** The panel in a real browser, under the policy of a webview. Skipped, visibly, without a Chromium. */

import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { openingOf } from '../../src/trace/opening.ts';
import type { Query } from '../../src/trace/queries.ts';
import type { Trace } from '../../src/trace/schema.ts';
import { stepsOf } from '../../src/trace/steps.ts';
import { OpenTrace } from '../../src/traceFile/openTrace.ts';
import { axeFinds } from './axe.ts';
import { bundle, emptyPreview, hasChromium, type Preview } from './previewPage.ts';
import { launchBrowser } from '../../scripts/host/browser.ts';
import { sampleRun } from './sampleTrace.ts';
import type { ThemeName } from './themes.ts';

const SIZE = { width: 1200, height: 800 };

describe.skipIf(!hasChromium)('panel in Chromium', () => {
  const run = sampleRun();
  const { trace } = run;
  /** The same run, with something else in its manifest. */
  const changed = (changes: Partial<Trace>): OpenTrace =>
    new OpenTrace({ ...trace, ...changes }, run.container);
  /** The latent that looks at the picture most: what a reader begins with. */
  const most = openingOf(trace).latent();
  let browser: Browser;
  let preview: Preview;

  beforeAll(async () => {
    const [launched, files] = await Promise.all([launchBrowser(), bundle()]);
    browser = launched;
    preview = await emptyPreview(browser, files);
  });
  afterAll(() => browser.close());
  afterEach(() => expect(preview.problems).toEqual([]));

  const open = async (size = SIZE, theme: ThemeName = 'dark'): Promise<Preview> => {
    await preview.open({ theme, ...size });
    return preview;
  };
  const show = async (shown: OpenTrace = run, size = SIZE, theme: ThemeName = 'dark'): Promise<Preview> => {
    await open(size, theme);
    await preview.show(shown);
    await preview.page.locator('.colour-bar-title').waitFor({ state: 'attached' });
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
    await expect
      .poll(() => page.locator('.step-number').allInnerTexts())
      .toEqual(['1', '2', '3', '4', '5', '6', '7', '8']);
    await expect.poll(() => page.locator('.facts').innerText()).toContain('3 blocks × 4 latents');
    const layer = openingOf(trace).layer() + 1;
    await expect
      .poll(() => page.locator('.caption').innerText())
      .toContain(`layer ${layer} of 4, mean of 3 heads. It shows`);
    await expect
      .poll(() => page.locator('.caption').innerText())
      .toContain('Of all layers this one looks most');
  });

  test('the answer stands in the header, and whether it is right', async () => {
    const { page } = await show(
      changed({ verdict: { right: false, expected: 'RDD', source: 'samples.jsonl' } }),
    );
    await expect
      .poll(() => page.locator('.answer').innerText())
      .toBe('Answer RRD ✗ wrong, expected RDD (samples.jsonl)');
    await preview.show(changed({ verdict: { right: true, source: 'samples.jsonl' } }));
    await expect.poll(() => page.locator('.answer').innerText()).toBe('Answer RRD ✓ right (samples.jsonl)');
  });

  test('after a run the latent that looks most is selected, and its block is in sight', async () => {
    const { page } = await open({ width: 1200, height: 560 });
    await preview.host('show', undefined, { canRun: true });
    await preview.replay(run, 1000);
    const selected = page.locator('[aria-pressed="true"][id^="latent-"]');
    await expect.poll(() => selected.getAttribute('id')).toBe(`latent-${most}`);
    const isSeen = () =>
      page.evaluate(() => {
        const list = document.querySelector('.step-list')!.getBoundingClientRect();
        const block = document.querySelector('.step-block[data-selected="true"]')!.getBoundingClientRect();
        return block.top >= list.top - 1 && block.bottom <= list.bottom + 1;
      });
    await expect.poll(isSeen).toBe(true);
  });

  test('says above the steps what is to be known of the settings, as text', async () => {
    const notes = ['Not used: num_beams 4.', 'Not used: <b id="markup">x</b>.'];
    const { page } = await open();
    await preview.show(changed({ settings: { ...trace.settings, notes } }));
    await expect.poll(() => page.getByRole('note').allInnerTexts()).toEqual(notes);
    expect(await page.locator('#markup').count()).toBe(0);
  });

  test('is usable by keyboard alone', async () => {
    const { page } = await show();
    await page.locator('#latent-0').click();
    await press('ArrowRight');
    await expect.poll(title).toContain('Block 1, latent 2');
    await press('ArrowDown');
    await expect.poll(title).toContain('Token');
    await press('ArrowDown', '[', '}');
    await expect.poll(title).toContain('Block 2, latent 2');
    const layer = openingOf(trace).layer();
    await expect
      .poll(() => page.locator('.caption').innerText())
      .toContain(`layer ${layer} of 4, max of 3 heads`);
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

  test('heat, readings, contour and scale are one key away, and said in words', async () => {
    const { page } = await show();
    const checked = (label: string) =>
      page.getByRole('radiogroup', { name: label }).locator('[aria-checked="true"]').innerText();
    const caption = () => page.locator('.caption').innerText();
    await expect.poll(caption).toContain('fewest patches with 50 % of the mass');
    await press('h');
    await expect.poll(() => checked('Draw')).toBe('Heat');
    await press('r');
    await expect.poll(caption).toContain('less than its mean over all latents of the run');
    await press('m');
    await expect.poll(() => checked('Show')).toBe('masked');
    await press('m');
    await expect.poll(() => checked('Show')).toBe('all');
    await press('c');
    await expect.poll(caption).not.toContain('Outlined');
    await press('s');
    await expect.poll(() => page.locator('.colour-bar-scope').innerText()).toContain('this block');
    const heard = () => page.locator('[aria-live]').innerText();
    await expect.poll(heard).toContain('scale of this block');
    await press('[');
    await expect.poll(heard).toMatch(/^layer \d of 4\. Block/);
  });

  test('while P is held the picture stands alone, and comes back with its map', async () => {
    const { page } = await show();
    const pixels = () =>
      page.locator('#stage-picture').evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());
    await page.waitForFunction(() => document.querySelector('.thumbnail') !== null);
    const before = await pixels();
    await page.keyboard.down('p');
    await expect.poll(pixels).not.toBe(before);
    await page.keyboard.up('p');
    await expect.poll(pixels).toBe(before);
    await page.getByRole('button', { name: 'Hold: picture only' }).focus();
    await page.keyboard.down('Space');
    await expect.poll(pixels).not.toBe(before);
    await page.keyboard.up('Space');
    await expect.poll(pixels).toBe(before);
  });

  test('pointing at a latent shows its map large without selecting it, until a key is pressed', async () => {
    const { page } = await show();
    await page.locator('#latent-0').click();
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

  test('pointing at a word moves nothing, and says that its scale is its own', async () => {
    const { page } = await show();
    const places = () =>
      page.evaluate(() =>
        ['#stage-picture', '.colour-bar-strip', '.controls', '.caption', '.legend', '.span-box'].map(
          (selector) => JSON.stringify(document.querySelector(selector)!.getBoundingClientRect()),
        ),
      );
    // Until the slices are there the legend is a line shorter.
    await expect.poll(() => page.locator('.legend').innerText()).toContain('up to');
    const before = await places();
    await page.locator('#token-3').hover();
    await expect.poll(title).toContain('Token');
    await expect.poll(() => page.locator('.colour-bar-scope').innerText()).toContain('this token alone');
    expect((await places()).slice(3)).toEqual(before.slice(3));
    expect((await places())[0]).toBe(before[0]);
    await press('2');
    await page.mouse.move(5, 5);
    await expect.poll(title).toContain('Block');
  });

  test('the layers’ slider tells what speaks for each, by pointer and by keys', async () => {
    const { page } = await show();
    await page.locator('.layer-bar').nth(1).hover({ force: true });
    const { mass } = openingOf(trace).layers()[1]!;
    await expect
      .poll(() => page.locator('.tip').innerText())
      .toMatch(
        new RegExp(`^Layer 2: visual mass ${mass.toFixed(2)} · entropy .* bits · largest patch the same`),
      );
    const slider = page.getByRole('slider', { name: 'Layer' });
    await slider.focus();
    await press('Home');
    await expect.poll(() => slider.getAttribute('aria-valuetext')).toContain('Layer 1: visual mass');
    await press('ArrowRight');
    await expect.poll(() => page.locator('.caption').innerText()).toContain('layer 2 of 4');
  });

  test('the span chart reads out what is pointed at, and a click on a marker selects its neighbour', async () => {
    const { page } = await show();
    const chart = page.locator('.chart');
    const box = (await chart.boundingBox())!;
    const x = (token: number) => box.x + 50 + ((token + 0.5) / trace.tokens.length) * (box.width - 100);
    const block = trace.blocks[1]!;
    await page.mouse.move(x(block.startToken + 3), box.y + 30);
    await expect
      .poll(() => page.locator('.span-value').innerText())
      .toMatch(/^block 2, latent 3: mass 0\.\d\d, entropy/);
    await page.mouse.click(x(block.endToken!), box.y + 30);
    await expect.poll(title).toContain('Block 2, latent 4');
  });

  test('the sources are read and selected by keys, and shared anew without the prompt', async () => {
    const { page } = await show();
    await page.getByRole('tab', { name: 'Sources' }).click();
    const chart = page.getByRole('slider', { name: /Attention by source/ });
    await chart.focus();
    await press('Home');
    await expect
      .poll(() => chart.getAttribute('aria-valuetext'))
      .toMatch(/^“Start”: pictures .* prompt text/);
    const before = trace.tokens.slice(0, trace.latents[0]!.token);
    for (const { looks } of before) if (looks !== undefined) await press('ArrowRight');
    await press('Enter');
    await expect.poll(title).toContain('Block 1, latent 1');
    await page.getByRole('radio', { name: 'Without prompt text' }).click();
    await expect.poll(() => page.locator('.area').count()).toBe(3);
    expect(await chart.getAttribute('aria-valuetext')).not.toContain('prompt');
  });

  test('an analysis is computed, stopped and computed again; its patches are marked in the picture', async () => {
    const { page } = await show();
    await page.getByRole('tab', { name: 'Lens' }).click();
    await page.getByRole('button', { name: 'Compute' }).click();
    await expect.poll(() => page.locator('.analysis-head').innerText()).toContain('Layer 3 of 8');
    await expect.poll(() => page.locator('.lens tbody tr').count()).toBe(trace.model.layers + 1);
    await page.getByRole('button', { name: 'Cancel' }).click();
    await expect.poll(() => page.locator('.analysis-head').innerText()).toContain('Stopped');
    const picture = () => page.locator('#stage-picture').screenshot();
    const before = await picture();
    await page.getByRole('button', { name: 'layer 2' }).hover();
    await expect.poll(async () => (await picture()).equals(before)).toBe(false);
  });

  test('figures and charts are saved, the same bytes when saved again, and copied', async () => {
    const { page } = await show();
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    const count = () => page.evaluate<number>('window.preview.saved.length');
    const take = async (name: string) => {
      await page.getByRole('button', { name: 'Save figure' }).click();
      await page.getByRole('button', { name, exact: true }).click();
    };
    const save = async (name: string) => {
      const before = await count();
      await take(name);
      await expect.poll(count, { timeout: 8000 }).toBe(before + 1);
      // As one text: an array of a million numbers takes seconds on its way here.
      const saved = await page.evaluate<string>(
        'window.preview.saved.at(-1).reduce((text, byte) => text + String.fromCharCode(byte), "")',
      );
      return Buffer.from(saved, 'latin1');
    };
    for (const kind of ['SVG', 'PNG']) {
      for (const what of ['This map', 'The block’s row', 'Chart: Span']) {
        const first = await save(`Save as ${kind}: ${what}`);
        expect((await save(`Save as ${kind}: ${what}`)).equals(first)).toBe(true);
        expect(first.subarray(0, 4).toString('latin1')).toBe(kind === 'SVG' ? '<svg' : '\x89PNG');
      }
    }
    const [, ...rows] = (await save('Save as CSV: Chart: Span')).toString().trimEnd().split('\r\n');
    const layer = openingOf(trace).layer();
    const at = trace.latents[0]!.token;
    const { data } = trace.tokens[at]!.looks!;
    const row = rows.find((line) => line.startsWith(`${at + 1},latent`))!.split(',');
    expect(row.slice(5).map(Number)).toEqual([data[layer * 6], data[layer * 6 + 4]]);

    await take('Copy as PNG: This map');
    const copied = () =>
      page.evaluate(async () => {
        const [item] = await navigator.clipboard.read();
        const bytes = new Uint8Array(await (await item!.getType('image/png')).arrayBuffer());
        return [...bytes.subarray(1, 4)].map((byte) => String.fromCharCode(byte)).join('');
      });
    await expect.poll(copied, { timeout: 8000 }).toBe('PNG');
  });

  test('the menu of figures takes the focus and gives it back', async () => {
    const { page } = await show();
    const opener = page.getByRole('button', { name: 'Save figure' });
    const menu = page.locator('.figure-menu');
    const focused = () => page.evaluate(() => document.activeElement?.getAttribute('aria-label'));
    for (const leave of ['Escape', 'Close']) {
      await opener.focus();
      await page.keyboard.press('Enter');
      await expect.poll(focused).toBe('Close');
      if (leave === 'Escape') await page.keyboard.press('Escape');
      else await page.keyboard.press('Enter');
      await expect.poll(() => menu.isVisible()).toBe(false);
      expect(await focused()).toBe('Save figure');
    }
  });

  test('a viewer without a model says what computes an analysis', async () => {
    await open();
    await preview.show(run, { canRun: false });
    await preview.page.getByRole('tab', { name: 'PCA' }).click();
    await expect
      .poll(() => preview.page.locator('.analysis-head').innerText())
      .toContain('ilvr analyse TRACE pca --save');
  });

  test('the evidence is dragged, closed and opened, and the next panel begins alike', async () => {
    const { page } = await show();
    const height = async () => Math.round((await preview.page.locator('.evidence').boundingBox())!.height);
    const before = await height();
    const edge = (await page.locator('.edge').boundingBox())!;
    await page.mouse.move(edge.x + 200, edge.y + 2);
    await page.mouse.down();
    await page.mouse.move(edge.x + 200, edge.y - 58, { steps: 3 });
    await page.mouse.up();
    await expect.poll(height).toBe(before + 60);
    await page.locator('.edge').focus();
    await press('ArrowDown');
    await expect.poll(height).toBe(before + 36);
    await page.getByRole('button', { name: /Hide/ }).click();
    await expect.poll(height).toBeLessThan(40);
    await page.getByRole('tab', { name: 'Timing' }).click();
    await expect.poll(height).toBe(before + 36);
    await press('h');
    const remembered = () =>
      page.evaluate(
        () => (window as unknown as { preview: { remembered?: { law: string } } }).preview.remembered,
      );
    await expect.poll(async () => (await remembered())?.law).toBe('heat');
    const preferences = await remembered();
    await open();
    await preview.show(run, { canRun: true, preferences });
    await expect.poll(height).toBe(before + 36);
    await expect
      .poll(() => preview.page.getByRole('radio', { name: 'Heat' }).getAttribute('aria-checked'))
      .toBe('true');
  });

  describe('whatever the size', () => {
    const sizes = [
      { width: 1200, height: 400 },
      { width: 830, height: 400 },
      { width: 1000, height: 700 },
      { width: 320, height: 400 },
      { width: 1920, height: 1000 },
    ];
    for (const size of sizes) {
      test(`nothing lies on anything else at ${size.width} × ${size.height}`, async () => {
        const { page } = await show(run, size);
        for (const wanted of ['', 'Show ▴']) {
          const button = page.getByRole('button', { name: wanted });
          if (wanted !== '' && (await button.count()) > 0) await button.click();
          await expect.poll(() => overlaps(page)).toEqual([]);
          const picture = (await page.locator('#stage-picture').boundingBox())!;
          expect(picture.height).toBeGreaterThan(80);
          await expect
            .poll(() => page.evaluate(() => document.documentElement.scrollWidth))
            .toBeLessThanOrEqual(size.width);
        }
      });
    }
  });

  describe('for everyone', () => {
    /** Every rule in one theme; in the others those that depend on colours. */
    const violations = async (within?: string): Promise<string[]> => {
      const found = await axeFinds(preview.page, within);
      for (const theme of ['light', 'hc-dark', 'hc-light'] as const) {
        await preview.dress(theme);
        const more = await axeFinds(preview.page, within, COLOUR_RULES);
        found.push(...more.map((text) => `${theme}: ${text}`));
      }
      await preview.dress('dark');
      return found;
    };

    test('axe finds nothing in any theme', async () => {
      const { page } = await show(changed({ verdict: { right: true, source: 'samples.jsonl' } }));
      expect(await violations()).toEqual([]);
      await page.locator('#token-2').click();
      await preview.host('keep', [
        'attention',
        'causality',
        'dependence',
        'faithfulness',
        'lens',
        'pca',
        'relevance',
        'similarity',
      ]);
      for (const name of await page.getByRole('tab').allInnerTexts()) {
        await page.getByRole('tab', { name }).click();
        expect(await violations('.evidence')).toEqual([]);
      }
      await page.getByText('More', { exact: true }).click();
      expect(await violations()).toEqual([]);
      for (const popover of ['Save figure', 'Keyboard shortcuts']) {
        await page.getByRole('button', { name: popover }).click();
        expect(await violations(':popover-open')).toEqual([]);
        await page.getByRole('button', { name: 'Close' }).click();
      }
    });
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
    await expect.poll(() => page.locator('.meter[data-on="true"]').count()).toBe(12);
    // Many words read alike: each is named with its step and what stands around it.
    await expect.poll(() => page.locator('.ranking .word').first().innerText()).toMatch(/^step \d: /);
  });

  test('a run appears event by event, and stays as a partial trace when its engine dies', async () => {
    const { page } = await open();
    await preview.host('show', undefined, { canRun: true, progress: 'Loading the model…' });
    await page.getByText('Loading the model…').waitFor();
    await preview.replay(run, 40);
    await preview.host('progress', null);
    await page.getByText('Running:').waitFor();
    await expect.poll(() => page.locator('.thumbnail').count()).toBeGreaterThan(0);
    await preview.host('finish', 'failed', 'The engine ended with code 139.');
    await page.getByText('The engine ended with code 139.').waitFor();
    await expect.poll(() => page.locator('.status').innerText()).toContain('Partial trace');
  });

  test('the reader’s choices survive a reload', async () => {
    const { page } = await show();
    await page.locator('#latent-0').click();
    await press('ArrowRight', '3');
    await expect.poll(() => page.locator('.colour-bar-title').innerText()).toBe('cosine');
    await page.waitForFunction('JSON.stringify(window.preview.state).includes("similarity")');
    await preview.reload();
    await preview.show(run, { canRun: true });
    await expect.poll(title).toContain('Block 1, latent 2');
    await expect.poll(() => page.locator('.colour-bar-title').innerText()).toBe('cosine');
  });

  describe('while slices are read', () => {
    const opening = openingOf(trace).layer();
    /** A layer that is neither shown at first nor read ahead. */
    const far = trace.model.layers - 1 - opening > 1 ? trace.model.layers - 1 : 0;
    const isAt =
      (layer: number) =>
      ({ family }: Query): boolean =>
        family.of === 'visual' && family.layer === layer;
    const slider = () => preview.page.getByRole('slider', { name: 'Layer' });
    const seen = () =>
      preview.page.evaluate(() => ({
        stage: document.querySelector<HTMLCanvasElement>('#stage-picture')!.toDataURL(),
        small: [...document.querySelectorAll<HTMLCanvasElement>('.row-maps')].map((canvas) =>
          canvas.toDataURL(),
        ),
        names: [...document.querySelectorAll('.thumbnail')].map((map) => map.getAttribute('aria-label')),
      }));
    const caption = () => preview.page.locator('.caption').innerText();
    const busy = () => preview.page.locator('.stage').getAttribute('aria-busy');

    /** The panel, drawn, with the focus on the slider of layers. */
    const ready = async () => {
      await show();
      await preview.page.waitForFunction(
        () => document.querySelector('.thumbnail[aria-label*="largest"]') !== null,
      );
      await preview.page.waitForTimeout(600);
      await slider().focus();
    };

    test('the last picture stays as it was until those of the new view are there', async () => {
      await ready();
      const before = await seen();
      preview.arrays.holds = isAt(far);
      await press(far === 0 ? 'Home' : 'End');
      await expect.poll(busy).toBe('true');
      expect(await seen()).toEqual(before);
      expect(await caption()).toContain(`layer ${opening + 1} of 4`);
      preview.arrays.release();
      await expect.poll(caption).toContain(`layer ${far + 1} of 4`);
      await expect.poll(busy).toBe('false');
      const after = await seen();
      expect(after.stage).not.toBe(before.stage);
      expect(after.names.every((name) => name!.includes('largest'))).toBe(true);
    });

    test('what is drawn otherwise follows at once', async () => {
      await ready();
      preview.arrays.holds = isAt(far);
      await press(far === 0 ? 'Home' : 'End', 'h');
      await expect
        .poll(() => preview.page.getByRole('radio', { name: 'Heat' }).getAttribute('aria-checked'))
        .toBe('true');
      expect(await caption()).toContain(`layer ${opening + 1} of 4`);
    });

    test('a request that nobody waits for any more is cancelled', async () => {
      await ready();
      preview.arrays.holds = isAt(far);
      await press(far === 0 ? 'Home' : 'End');
      await expect.poll(() => preview.arrays.asked).toContain(`visual layer ${far} 0-12`);
      await preview.page
        .getByRole('radiogroup', { name: 'Layer' })
        .getByRole('radio', { name: 'mean' })
        .click();
      await expect.poll(() => preview.arrays.cancelled).toContain(`visual layer ${far} 0-12`);
      await expect.poll(caption).toContain('mean of 4 layers');
    });

    test('a slice that cannot be read is told, the view stays, and another can be chosen', async () => {
      await ready();
      preview.arrays.fails = isAt(far);
      await press(far === 0 ? 'Home' : 'End');
      await expect
        .poll(() => preview.page.getByRole('alert').allInnerTexts())
        .toContainEqual(expect.stringContaining('The arrays of this trace are damaged'));
      expect(await caption()).toContain(`layer ${opening + 1} of 4`);
      await press('2');
      await expect
        .poll(() => preview.page.locator('.colour-bar-title').innerText())
        .toBe('selection probability');
    });

    test('a trace sent again, with its verdict, is drawn without asking for anything', async () => {
      await ready();
      const asked = preview.arrays.asked.length;
      await preview.show(changed({ verdict: { right: true, source: 'samples.jsonl' } }));
      await expect.poll(() => preview.page.locator('.answer').innerText()).toContain('✓ right');
      expect(await caption()).toContain(`layer ${opening + 1} of 4`);
      expect(preview.arrays.asked).toHaveLength(asked);
    });
  });

  describe('a run of a thousand steps', () => {
    const long = sampleRun({ blocks: 200, latents: 2, lines: 4, helpers: 0 });
    const isInSight = (id: string) =>
      preview.page.evaluate((wanted) => {
        const list = document.querySelector('.step-list')!.getBoundingClientRect();
        const box = document.getElementById(wanted)?.getBoundingClientRect();
        return box !== undefined && box.top >= list.top - 1 && box.bottom <= list.bottom + 1;
      }, id);
    const focus = () => preview.page.evaluate(() => document.activeElement?.id);

    test('has only those near what is seen in the page, each with its place among all', async () => {
      const { page } = await show(long);
      await expect.poll(() => page.locator('.step').count()).toBeGreaterThan(4);
      expect(await page.locator('.step').count()).toBeLessThan(60);
      expect(await page.locator('.thumbnail').count()).toBeLessThan(60);
      await expect.poll(() => page.locator('.step').first().getAttribute('aria-setsize')).toBe('1002');
      // The list grows as its rows are measured.
      const atTheEnd = async (): Promise<string | null> => {
        await page.locator('.step-list').evaluate((list) => list.scrollTo(0, list.scrollHeight));
        return page.locator('.step').last().getAttribute('aria-posinset');
      };
      await expect.poll(atTheEnd).toBe('1002');
      expect(await page.locator('.step').count()).toBeLessThan(60);
    });

    test('is walked by keys, and the selection is in sight and has the focus', async () => {
      const { page } = await show(long);
      await page.locator('.step-list').evaluate((list) => list.scrollTo(0, 0));
      await page.locator('#token-0').click();
      await page.locator('#token-0').focus();
      for (let i = 0; i < 40; i++) await press('ArrowDown');
      // The last of them is drawn when its slice has come.
      const last = stepsOf(long.trace)[40]!;
      const selected =
        last.kind === 'text'
          ? `token-${last.first}`
          : `latent-${long.trace.latents.indexOf(last.latents[0]!)}`;
      await expect.poll(focus).toBe(selected);
      await expect.poll(() => isInSight(selected)).toBe(true);
      // Scrolled away, it is still what the keyboard goes on from.
      await page.locator('.step-list').evaluate((list) => list.scrollTo(0, list.scrollHeight));
      await page.waitForTimeout(500);
      expect(await focus()).toBe(selected);
      await press('ArrowDown');
      await expect.poll(focus).not.toBe(selected);
      const next = await focus();
      expect(next).toMatch(/^(token|latent)-/);
      await expect.poll(() => isInSight(next!)).toBe(true);
    });

    test('goes to a latent far away where it is asked to', async () => {
      const { page } = await show(long);
      await preview.host('select', 350);
      await expect.poll(title).toContain('Block 176, latent 1');
      await expect.poll(() => isInSight('latent-350')).toBe(true);
      await expect.poll(() => page.locator('#latent-350').getAttribute('aria-pressed')).toBe('true');
    });
  });

  test('buttons call the host, and its refusals are shown', async () => {
    const { page } = await show();
    await page.getByRole('button', { name: 'Run again' }).click();
    await page.getByRole('button', { name: 'Export…' }).click();
    await preview.show(run, { canRun: false });
    await page.getByRole('button', { name: 'From here on…' }).click();
    await page.getByRole('button', { name: 'Open as text' }).click();
    await page.getByRole('alert').waitFor();
    await expect.poll(() => page.getByRole('button', { name: 'Run again' }).count()).toBe(0);
    const calls = (await preview.calls()).filter((name) => name !== 'remember');
    expect(calls).toEqual(['ready', 'runAgain', 'exportTrace', 'branch', 'openAsText']);
  });

  test('of several runs the one shown is told, and the others are asked for by key', async () => {
    const { page } = await show();
    await preview.show(run, { canRun: true, history: { at: 1, of: 3 } });
    const runs = page.getByRole('group', { name: 'Runs in this panel' });
    await expect.poll(() => runs.getByRole('status').textContent()).toBe('2 of 3');
    for (const name of ['Earlier run', 'Later run']) {
      await runs.getByRole('button', { name }).focus();
      await page.keyboard.press('Enter');
    }
    await page.getByRole('button', { name: 'Edit question…' }).click();
    const calls = (await preview.calls()).filter((name) => name !== 'remember');
    expect(calls).toEqual(['ready', 'showOther', 'showOther', 'askAgain']);
  });

  test('without trust nothing can be run, and the panel says why', async () => {
    const { page } = await show();
    const locked = 'This workspace is not trusted.';
    await preview.show(run, { canRun: true, locked });
    for (const name of ['Run again', 'Add helper images…'])
      await expect.poll(() => page.getByRole('button', { name }).isDisabled()).toBe(true);
    await expect.poll(() => page.getByRole('status').allInnerTexts()).toContain(locked);
    await page.getByRole('button', { name: 'Export…' }).click();
    await expect.poll(() => preview.calls()).toEqual(['ready', 'exportTrace']);
    await preview.show(run, { canRun: false, locked });
    await expect.poll(() => page.getByRole('button', { name: 'Run again' }).count()).toBe(0);
    expect(await page.getByRole('button', { name: 'From here on…' }).isDisabled()).toBe(true);
  });

  test('a picture that cannot be shown is told, and its maps are there all the same', async () => {
    const { page } = await show();
    const [input, ...helpers] = trace.pictures;
    const tall = { ...input!, width: 1, height: 4_000_000 };
    await preview.show(changed({ id: 'tall', pictures: [tall, ...helpers] }), { canRun: false });
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

/** Pairs of parts that lie on each other, as far as what scrolls lets them be seen. */
function overlaps(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const parts = [
      '.header',
      '.step-list',
      '.legend',
      '.toolbar',
      '.stage-frame',
      '.colour-bar-ends',
      '.controls',
      '.caption',
      '.readout',
      '.evidence',
    ];
    const seen = (selector: string): DOMRect => {
      let { left, top, right, bottom } = document.querySelector(selector)!.getBoundingClientRect();
      for (let at = document.querySelector(selector)!.parentElement; at !== null; at = at.parentElement) {
        if (getComputedStyle(at).overflowY === 'visible' || at === document.body) continue;
        const clip = at.getBoundingClientRect();
        left = Math.max(left, clip.left);
        top = Math.max(top, clip.top);
        right = Math.min(right, clip.right);
        bottom = Math.min(bottom, clip.bottom);
      }
      return new DOMRect(left, top, Math.max(0, right - left), Math.max(0, bottom - top));
    };
    const boxes = parts.map((selector) => ({ selector, box: seen(selector) }));
    return boxes.flatMap(({ selector, box: a }, i) =>
      boxes.slice(i + 1).flatMap(({ selector: other, box: b }) => {
        const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        return across > 1 && down > 1 ? [`${selector} on ${other}`] : [];
      }),
    );
  });
}

/** Of axe's rules that are on, those whose outcome depends on colours. */
const COLOUR_RULES = ['color-contrast', 'link-in-text-block'];
