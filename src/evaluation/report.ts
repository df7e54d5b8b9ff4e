/**
 * A report of what a checkpoint's latents carry, as one HTML page: no script, nothing from elsewhere, all that is not
 * written here is text. The same results give the same bytes: its date is that of the results.
 */

import { createHash } from 'node:crypto';
import {
  couldShowLoss,
  effectsOf,
  FEWEST_DIFFERING,
  hasNoLatents,
  sentence,
  SIGNIFICANCE,
  tooFewRight,
  type Effect,
  type FedResults,
} from './comparison.ts';
import { FED_NAMES, type Fed } from './fed.ts';
import { figuresOf, sizesOf, type Chance } from './figures.ts';
import { html, Markup, type Filling } from './html.ts';
import { paperTable } from './paperTable.ts';
import { shareChart, type ChanceLine } from './reportChart.ts';
import { REPORT_STYLE } from './reportStyle.ts';
import type { ResultsHeader, SampleResult } from './results.ts';
import { settingName, settingText } from './settings.ts';
import { accuracy, percent, points, probability } from './words.ts';

export interface ReportData {
  /** File name of the samples, and how many of them there are and were asked. */
  samples: { name: string; count: number; done: number; unusable: number };
  header: ResultsHeader;
  /** As the engine describes it, name and value. */
  model: readonly (readonly [string, string])[];
  passes: readonly FedResults[];
  chance: Chance;
  controls: readonly Control[];
  /** Why there are no controls. */
  noControls?: string;
  examples: readonly Example[];
  /** That makes this page again. */
  command: string;
  version: string;
}

/** A model of which it is known what its latents do, on the same samples. */
export interface Control {
  name: string;
  /** Whether its answers depend on its latents alone, or cannot depend on them. */
  carries: boolean;
  passes: readonly FedResults[];
}

export interface Example {
  /** Of the sample. */
  title: string;
  why: string;
  question: string;
  truth: string;
  text: string;
  result: SampleResult;
  outcomes: readonly { fed: Fed; right: boolean; answer: string }[];
  /** Figures as SVG, made by us. */
  figures: readonly string[];
}

export function reportHtml(data: ReportData): string {
  const { header, samples, version } = data;
  const name = header.made?.name ?? header.model.slice(0, 12);
  // In one piece: the policy names its content by hash.
  const style = new Markup(`<style>${REPORT_STYLE}</style>`);
  const hash = createHash('sha256').update(REPORT_STYLE).digest('base64');
  const policy = `default-src 'none'; style-src 'sha256-${hash}'; img-src data:`;
  return `<!doctype html>
${
  html`<html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta http-equiv="Content-Security-Policy" content="${new Markup(policy)}" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta name="color-scheme" content="light dark" />
      <meta name="generator" content="ILVR Inspector ${version}" />
      <title>What the latents of ${name} carry</title>
      ${style}
    </head>
    <body>
      <main>
        <header>
          <h1>What the latents of ${name} carry</h1>
          <p class="by">
            ${samples.done} of ${samples.count} samples of ${samples.name} · ${dateOf(header)} · ILVR
            Inspector ${version}
          </p>
        </header>
        ${abstract(data)} ${results(data)} ${controls(data)} ${examples(data)} ${method(data)}
      </main>
    </body>
  </html>`.source
}
`;
}

function dateOf({ made }: ResultsHeader): string {
  return made?.at.slice(0, 10) ?? 'of an unknown date';
}

function abstract({ passes, samples }: ReportData): Markup {
  const own = passes.find(({ fed }) => fed === 'own')?.results ?? [];
  const effects = effectsOf(passes).filter((effect) => effect.samples > 0);
  return html`<section class="abstract" aria-label="Summary">
    <p>
      With its own latents the model is right on ${accuracy(figuresOf(own).all)}.
      ${samples.done < samples.count && html`Not all samples are done: all figures are of those that are.`}
      ${hasNoLatents(passes) ? 'It made no latents, so there was nothing to replace.' : verdictOf(effects)}
    </p>
    <ul>
      ${effects.map((effect) => html`<li>${sentence(effect)}</li> `)}
    </ul>
  </section>`;
}

/** By the rule that stands in the methods. @param effects over some samples each */
function verdictOf(effects: readonly Effect[]): string {
  if (effects.length === 0) return 'Nothing was fed in their place, so nothing is known of what they carry.';
  const worse = effects.filter(({ p, difference }) => p < SIGNIFICANCE && difference < 0);
  if (worse.length === effects.length) {
    return 'Whatever was fed in place of its latents, fewer answers are right, by more than chance explains: its answers depend on what the latents hold.';
  }
  if (worse.length > 0) {
    return `Fewer answers are right, by more than chance explains, with latents ${worse.map(({ fed }) => FED_NAMES[fed]).join(', ')}; not with the others. What is fed then matters, which need not mean that the latents carry the answer.`;
  }
  const testable = effects.filter(({ counts }) => couldShowLoss(counts));
  if (testable.length === 0)
    return `Whether it needs what its latents hold stays open: ${tooFewRight(effects[0]!.counts)}. ${changedText(effects)}`;
  const widest = Math.min(...testable.map(({ low }) => low));
  return `No replacement of its latents made answers wrong by more than chance explains: these samples show no need for what they hold. A loss of up to ${points(widest).replace('−', '')} points is within the intervals. ${changedText(effects)}`;
}

/** What the right answers alone do not tell. */
function changedText(effects: readonly Effect[]): string {
  const shares = effects.toSorted((a, b) => a.changed / a.samples - b.changed / b.samples);
  const [least, most] = [shares[0]!, shares.at(-1)!].map(
    ({ changed, samples }) => `${changed} of ${samples}`,
  );
  const what = effects.length === 1 ? 'The replacement' : 'Each replacement';
  if (least === most) return `${what} changed ${least} answers, right or wrong.`;
  return `Between ${least} and ${most} answers changed, right or wrong.`;
}

function results({ passes, chance }: ReportData): Markup {
  const rows = passes.map(({ fed, results: found }) => ({ fed, share: figuresOf(found).all }));
  const { heads, rows: cells } = paperTable(passes);
  const effects = effectsOf(passes).filter(({ samples }) => samples > 0);
  // What the table for a paper says of differences stands in a table of its own, beside the pairs.
  const own = heads.indexOf('difference');
  const split = own < 0 ? heads.length : own;
  const compared = cells.filter((row) => row[split] !== undefined && row[split] !== '');
  return html`<section>
    <h2>Right answers</h2>
    <figure class="chart">
      ${shareChart(rows, linesOf(chance))}
      <figcaption>
        <b>Figure 1.</b> Share of right answers by what is fed at the latents, with Wilson’s 95 %
        interval.${chanceText(chance)}
      </figcaption>
    </figure>
    ${table(
      1,
      heads.slice(0, split),
      cells.map((row) => row.slice(0, split)),
      hasMaps(passes) ? 'Right answers in all and per map size.' : 'Right answers.',
    )}
    ${
      compared.length > 0 &&
      table(
        2,
        [
          'latents',
          'both',
          'own only',
          'these only',
          'neither',
          'difference',
          '95 % interval',
          'p',
          'changed',
        ],
        effects.map(({ fed, counts }, i) => [
          FED_NAMES[fed],
          ...[counts.both, counts.onlyA, counts.onlyB, counts.neither].map(String),
          ...compared[i]!.slice(split),
        ]),
        'The same samples with its own latents and with these: how many are right with both, with one only and with neither; the difference in points; McNemar’s test; texts that read differently.',
      )
    }
    ${otherReadings(passes)}
  </section>`;
}

function linesOf({ maps, answer }: Chance): ChanceLine[] {
  if (maps !== undefined) {
    return [
      { share: maps.randomWalk, name: 'random walk' },
      { share: maps.majority.share, name: 'same plan' },
    ];
  }
  return answer === undefined ? [] : [{ share: answer.share, name: 'most frequent answer' }];
}

function chanceText({ maps, answer }: Chance): string {
  if (maps !== undefined) {
    const { randomWalk, majority } = maps;
    return ` Dashed: what needs no model, a random walk that stops at the goal (${percent(randomWalk)}) and the best fixed plan, ${majority.moves} (${percent(majority.share)}).`;
  }
  return answer === undefined
    ? ''
    : ` Dashed: the most frequent answer, “${answer.answer.slice(0, 40)}”, always (${percent(answer.share)}).`;
}

function otherReadings(passes: readonly FedResults[]): Filling {
  const own = passes.find(({ fed }) => fed === 'own');
  if (own === undefined) return undefined;
  const { strict, released, notAnswered } = figuresOf(own.results);
  const sentences = [
    ...(strict === undefined ? [] : [`By the strict parser, ${accuracy(strict)} are right.`]),
    ...(released === undefined ? [] : [`By the released code’s reading, ${accuracy(released)} are right.`]),
    ...(notAnswered === 0 ? [] : [`${notAnswered} have no answer and count as wrong.`]),
  ];
  return sentences.length > 0 && html`<p class="note">With its own latents: ${sentences.join(' ')}</p>`;
}

function controls({ controls: all, noControls }: ReportData): Markup {
  return html`<section>
    <h2>Controls</h2>
    <p>
      The same replacements in two models of which it is known what their latents do: in one the answer can
      depend on picture and question through its latents alone, in the other it cannot depend on them. A test
      that does not tell the two apart says nothing.
    </p>
    ${noControls !== undefined && html`<p class="note">${noControls}</p>`}
    ${
      all.length > 0 &&
      table(
        3,
        ['control', 'latents', 'right', 'difference', 'p', 'texts changed', 'as expected'],
        all.flatMap(controlRows),
        'The controls on these samples. Expected: the carrying one falls under every replacement (p below 0.05), the bypassed one writes the same texts.',
      )
    }
  </section>`;
}

function controlRows({ name, carries, passes }: Control): string[][] {
  const effects = new Map(effectsOf(passes).map((effect) => [effect.fed as Fed, effect]));
  return passes.map(({ fed, results: found }) => {
    const { right, of } = figuresOf(found).all;
    const effect = effects.get(fed);
    const head = [name, FED_NAMES[fed], `${right}/${of}`];
    if (effect === undefined) return [...head, '', '', '', ''];
    const { counts, difference, p, changed, samples } = effect;
    const holds = carries ? p < SIGNIFICANCE && difference < 0 : changed === 0;
    return [
      ...head,
      points(difference),
      probability(p).replace(/^= /, ''),
      `${changed}/${samples}`,
      holds ? 'yes' : carries && !couldShowLoss(counts) ? 'too few right answers to tell' : 'no',
    ];
  });
}

function examples({ examples: all }: ReportData): Filling {
  return (
    all.length > 0 &&
    html`<section>
      <h2>Examples</h2>
      <p>
        Runs made again with all that is looked at. A map says where a latent looks, and nothing of whether
        that matters for the answer.
      </p>
      ${all.map(
        ({ title, why, question, truth, text, result, outcomes, figures }) =>
          html`<article>
            <h3>${title} <small>${why}</small></h3>
            <dl>
              <dt>Question</dt>
              <dd>${question}</dd>
              <dt>Truth</dt>
              <dd>${truth}</dd>
              <dt>Text</dt>
              <dd><pre>${text}</pre></dd>
              <dt>Outcome</dt>
              <dd>${result.success ? 'right' : 'wrong'}: ${result.error ?? result.verdict}</dd>
              ${
                outcomes.length > 1 &&
                html`<dt>Replaced</dt>
                  <dd>
                    ${outcomes.map(({ fed, right, answer }) => `${FED_NAMES[fed]}: ${answer || 'nothing'} (${right ? 'right' : 'wrong'})`).join('; ')}
                  </dd>`
              }
            </dl>
            ${figures.map((figure) => html`<figure class="maps">${new Markup(figure)}</figure> `)}
          </article> `,
      )}
    </section>`
  );
}

function method({ header, samples, model, passes, command, version }: ReportData): Markup {
  const tests = effectsOf(passes).length;
  const facts: (readonly [string, string])[] = [
    ...model,
    ['fingerprint', header.model],
    ['samples', `${samples.name}, sha256 ${header.samples}`],
    ['cannot be asked', String(samples.unusable)],
    ...Object.entries(header.settings).map(([key, value]): [string, string] => [
      settingName(key),
      settingText(key, value),
    ]),
    ['evaluated', header.made?.at ?? 'unknown'],
    ['by', `ILVR Inspector ${header.made?.version ?? version}`],
  ];
  return html`<section>
    <h2>Method</h2>
    <p>
      <b>Interventions.</b> At each latent something else is fed than the model’s own hidden state: zeros;
      Gaussian noise of its norm; the latents of the sample
      before${hasMaps(passes) && ' of the same map size'}; or nothing, the blocks’ markers alone. All else is
      the same, seed and decoding too.
    </p>
    <p>
      <b>Intervals.</b> Of a share, Wilson’s score interval (1927). Of a difference on the same samples,
      Newcombe’s method 10 (1998). Both are of 95 %.
    </p>
    <p>
      <b>Test.</b> McNemar’s exact test: of the samples on which two passes differ, each is a fair coin. A
      replacement is said to matter where p is below
      ${SIGNIFICANCE}${tests > 1 && `; ${tests} tests are made and none is corrected for that`}. With fewer
      than ${FEWEST_DIFFERING} right answers p cannot fall below that, even if all of them are lost: then the
      test decides nothing.
    </p>
    <p>
      <b>What this cannot show.</b> That no difference is seen does not show that there is none: read the
      interval. That a replacement hurts does not show that the latents carry a picture of anything: what is
      fed may be far from all the model was trained on. These samples say nothing of others.
    </p>
    <h2>Settings</h2>
    <dl class="facts">
      ${facts.map(
        ([key, value]) =>
          html`<dt>${key}</dt>
            <dd>${value}</dd> `,
      )}
    </dl>
    <p>This page is made again by</p>
    <pre>${command}</pre>
  </section>`;
}

function hasMaps(passes: readonly FedResults[]): boolean {
  return sizesOf(passes.flatMap(({ results: found }) => found)).length > 0;
}

function table(
  number: number,
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  caption: string,
): Markup {
  return html`<div class="table" tabindex="0" role="region" aria-label="Table ${number}">
    <table>
      <caption>
        <b>Table ${number}.</b>
        ${caption}
      </caption>
      <thead>
        <tr>
          ${heads.map((head) => html`<th scope="col">${head}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          ([first, ...cells]) =>
            html`<tr>
              <th scope="row">${first}</th>
              ${cells.map((cell) => html`<td>${cell}</td>`)}
            </tr> `,
        )}
      </tbody>
    </table>
  </div>`;
}
