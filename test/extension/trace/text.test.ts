/** Claims about traces as text: what hovers and the outline find by position. */

import { expect, test } from 'vitest';
import { pictureMass, traceLines } from '../../../src/extension/trace/text.ts';
import { stepsOf } from '../../../src/trace/steps.ts';
import { smallTrace } from '../../fixtures/smallTrace.ts';

test('every step has one line, numbered from 1', () => {
  const trace = smallTrace();
  const lines = traceLines(trace).filter(({ step }) => step !== undefined);
  expect(lines.map(({ number }) => number)).toEqual(stepsOf(trace).map((_, i) => i + 1));
  for (const { text } of lines) expect(text).not.toContain('\n');
});

test('a latent stands where its span says, with its mass', () => {
  const trace = smallTrace();
  for (const { text, latents } of traceLines(trace)) {
    for (const { latent, start, end } of latents) {
      expect(text.slice(start, end)).toBe(`${latent.index + 1}:${pictureMass(trace, latent).toFixed(2)}`);
    }
  }
  expect(traceLines(trace).flatMap(({ latents }) => latents)).toHaveLength(trace.latents.length);
});

test('a block line tells number, latents and end', () => {
  const [line] = traceLines(smallTrace()).filter(({ step }) => step?.kind === 'block');
  expect(line?.text).toMatch(
    /^ +\d+ {2}◆ block 1 · 2 latents · end forced after K · mass on image 0\.\d\d · 1:0/,
  );
});

test('the lines about the run are comments, also when the question has several lines', () => {
  const header = traceLines({ ...smallTrace('failed'), question: 'One\ntwo?' }).slice(0, 4);
  for (const { text } of header) expect(text).toMatch(/^# [^\n]*$/);
  expect(header[0]?.text).toBe('# One two?');
});

test('a running trace without tokens has a header and no steps', () => {
  const trace = { ...smallTrace('running'), tokens: [], blocks: [], latents: [] };
  expect(traceLines(trace).filter(({ step }) => step !== undefined)).toEqual([]);
});

test('the lines about the run say what was fed at the latents and what they reach, where that is special', () => {
  const trace = smallTrace();
  const header = (of: typeof trace): string =>
    traceLines(of)
      .map(({ text }) => text)
      .filter((text) => text.startsWith('#'))
      .join('\n');
  expect(header(trace)).not.toMatch(/control model|zeroed/);
  const special = {
    ...trace,
    model: { ...trace.model, latentReach: 'only' as const },
    settings: { ...trace.settings, intervention: 'zero' as const },
  };
  expect(header(special)).toMatch(/control model: after a block, only its latents/);
  expect(header(special)).toMatch(/latents forced, latents zeroed/);
});
