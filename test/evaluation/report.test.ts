/** A report: its figures and verdicts, what is foreign in it, and how it opens in a browser. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { launchBrowser } from '../../scripts/host/browser.ts';
import { USUAL } from '../../src/evaluation/fed.ts';
import { html } from '../../src/evaluation/html.ts';
import { reportHtml, type ReportData } from '../../src/evaluation/report.ts';
import type { SampleResult } from '../../src/evaluation/results.ts';
import { temporaryFolder } from '../fixtures/cli.ts';
import { hasChromium } from '../webview/previewPage.ts';

const HOSTILE = `<img src=x onerror="alert(1)"><script>alert(2)</script>'"&\u202e`;

/** @param rights of each pass in the order of what is fed: samples that are right, of 20 */
function data(rights: readonly number[], more: Partial<ReportData> = {}): ReportData {
  const passes = USUAL.slice(0, rights.length).map((fed, pass) => ({
    fed,
    results: Array.from({ length: 20 }, (_, i): SampleResult => {
      const success = i < rights[pass]!;
      return {
        line: i + 1,
        size: 3 + (i % 2),
        text: success ? 'right' : `wrong ${fed}`,
        answer: success ? 'RD' : HOSTILE,
        verdict: '',
        success,
        blocks: 1,
        latents: 8,
        tokens: 5,
        milliseconds: 1,
      };
    }),
  }));
  return {
    samples: { name: HOSTILE, count: 20, done: 20, unusable: 0 },
    header: {
      format: 'ilvr-results',
      version: 1,
      samples: 'a'.repeat(64),
      model: 'b'.repeat(64),
      provider: 'cpu',
      settings: { latents: 'forced', question: HOSTILE },
      made: { at: '2026-11-30T09:36:14.740Z', version: '1.2.3', name: HOSTILE },
    },
    model: [['model', HOSTILE]],
    passes,
    chance: { sizes: new Map(), answer: { answer: HOSTILE, share: 0.2 } },
    controls: [{ name: 'carrying', carries: true, passes }],
    examples: [
      {
        title: HOSTILE,
        why: 'the first',
        question: HOSTILE,
        truth: HOSTILE,
        text: HOSTILE,
        result: passes[0]!.results[0]!,
        outcomes: [{ fed: 'zero', right: false, answer: HOSTILE }],
        figures: ['<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"></svg>'],
      },
    ],
    command: `ilvr report '${HOSTILE}'`,
    version: '1.2.3',
    ...more,
  };
}

/** Text of the page as a reader sees it, roughly. */
const textOf = (page: string): string =>
  page
    .replaceAll(/<style>[^]*?<\/style>|<[^>]+>/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .replaceAll('&lt;', '<');

describe('a report', () => {
  it('says what the latents carry, by its own rule', () => {
    const says = (rights: readonly number[]): string => textOf(reportHtml(data(rights)));
    expect(says([18, 2, 3, 2, 1])).toContain('its answers depend on what the latents hold');
    expect(says([18, 18, 17, 18, 18])).toMatch(
      /these samples show no need for what they hold\. A loss of up to \d+\.\d points/,
    );
    // However many are lost, two right answers can never be too many for chance; six can.
    const open = says([2, 0, 0, 0, 0]);
    expect(open).toMatch(/stays open: too few answers are right .* \(2; it takes 6 that become wrong\)/);
    expect(open).toContain('Each replacement changed 20 of 20 answers, right or wrong.');
    expect(open).not.toContain('show no need');
    expect(says([5, 0])).toContain('too few answers are right');
    expect(says([6, 0])).toContain('its answers depend on what the latents hold');
    expect(says([6, 6])).toContain('show no need');
    expect(says([18, 2, 18, 18, 18])).toContain('with latents zeroed; not with the others');
    expect(says([18])).toContain('Nothing was fed in their place');
    // The figures of the command line: 18 of 20 and Wilson's interval.
    expect(says([18, 2])).toContain('right on 18 of 20 = 90.0 % (95 % interval 69.9 to 97.2 %)');
    expect(says([18, 2])).toMatch(/zeroed 2 16 0 2 −80\.0 −\d+\.\d to −\d+\.\d < 0\.001 18\/20/);
  });

  it('speaks of sizes of maps only where there are maps, and of no pass that was not begun', () => {
    const maps = data([18, 2, 3, 2, 1]);
    expect(textOf(reportHtml(maps))).toMatch(
      /per map size.* the latents of the sample before of the same map size;/,
    );
    const [own, ...others] = maps.passes.map(({ fed, results }) => ({
      fed,
      results: results.map((result) => {
        const { size, ...rest } = result;
        expect(size).toBeDefined();
        return rest;
      }),
    }));
    const page = textOf(
      reportHtml({ ...maps, passes: [own!, { fed: 'swap', results: [] }, ...others.slice(0, 1)] }),
    );
    expect(page).toMatch(/Right answers\. .* the latents of the sample before; or nothing/);
    expect(page).not.toContain('map size');
    expect(page).not.toContain('of 0 answers');
  });

  it('is the same for the same results, and holds foreign text as text only', () => {
    const page = reportHtml(data([18, 2, 3, 2, 1]));
    expect(reportHtml(data([18, 2, 3, 2, 1]))).toBe(page);
    expect(page).not.toMatch(/<script|<img|onerror="|\u202e/);
    expect(page).toContain('&lt;script&gt;alert(2)&lt;/script&gt;&#39;&quot;&amp;\\u202e');
    expect(html`<b>${['<', html`<i>${'&'}</i>`]}</b>${undefined}${false}${0}`.source).toBe(
      '<b>&lt;<i>&amp;</i></b>0',
    );
  });

  it.skipIf(!hasChromium)(
    'opens from a file, asks for nothing, and fits any width',
    { timeout: 30_000 },
    async () => {
      const file = join(temporaryFolder(), 'report.html');
      writeFileSync(file, reportHtml(data([18, 2, 3, 2, 1])));
      const browser = await launchBrowser();
      const page = await browser.newPage({ viewport: { width: 360, height: 700 } });
      const problems: string[] = [];
      page.on('console', (message) => problems.push(message.text()));
      page.on('pageerror', (error) => problems.push(error.message));
      page.on('request', (request) => {
        if (!request.url().startsWith('file:')) problems.push(request.url());
      });
      await page.goto(pathToFileURL(file).href);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
      // The style has been taken: its policy names it.
      expect(await page.evaluate('getComputedStyle(document.querySelector("main")).maxWidth')).toBe('736px');
      expect(problems).toEqual([]);
      await browser.close();
    },
  );
});
