/** Claims about traces as text: what hovers and the outline find by position. */

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { pictureMass, traceLines } from '../../../src/extension/trace/text.ts';
import { stepsOf } from '../../../src/trace/steps.ts';
import { hostile } from '../../fixtures/paths.ts';
import { fromFile } from '../../fixtures/reopened.ts';
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
    /^ +\d+ {2}◆ block 1 · 2 latents · of fixed length · mass on image 0\.\d\d · 1:0/,
  );
});

test('the lines about the run are comments, also when the question has several lines', () => {
  const header = traceLines({ ...smallTrace('failed'), question: 'One\ntwo?' }).slice(0, 4);
  for (const { text } of header) expect(text).toMatch(/^# [^\n]*$/);
  expect(header[0]?.text).toBe('# One two?');
});

test('the answer stands above the steps, and whether it is right', () => {
  const verdict = { right: false, expected: 'DR', source: 'samples.jsonl' };
  const texts = traceLines({ ...smallTrace(), verdict }).map(({ text }) => text);
  expect(texts).toContain('# answer RD · wrong (samples.jsonl)');
  expect(traceLines(smallTrace('running')).some(({ text }) => text.startsWith('# answer'))).toBe(false);
});

test('every name stands on one line, so that each step is where hovers and outline look for it', () => {
  const lines = 'a\r\nb\rc\u2028d\u0085e\vf\n';
  const trace = structuredClone(smallTrace('failed'));
  trace.question = lines;
  trace.failure = lines;
  trace.model.name = trace.device.name = lines;
  trace.pictures[0]!.name = lines;
  trace.tokens[0]!.text = `x${lines}y`;
  const shown = traceLines(trace).map(({ text }) => text);
  for (const text of shown) expect(text).not.toMatch(/[\n\r\u0085\u2028\u2029]/);
  expect(shown.slice(0, 2)).toEqual([
    '# a b c d e f ',
    '# a b c d e f · 0.0 M parameters, F32 · cpu (a b c d e f )',
  ]);
  const document = shown.join('\n').split('\n');
  for (const [row, { text }] of traceLines(trace).entries()) expect(document[row]).toBe(text);
});

const LINES = hostile('lines.ilvr.json');
test.runIf(existsSync(LINES))('so does the handed trace with line ends in its names', async () => {
  const { trace } = await fromFile(await readFile(LINES, 'utf8'), LINES);
  expect(trace.model.name).toContain('\n');
  const lines = traceLines(trace);
  const document = lines.map(({ text }) => text).join('\n');
  expect(document.split(/\r\n|\n|\r/)).toEqual(lines.map(({ text }) => text));
  expect(lines[0]!.text).toBe('# q line two three');
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
  expect(header(special)).toMatch(/, latents zeroed · .* · latents forced/);
});

test('the model says what its weights were computed in, where that is not float32', () => {
  const trace = smallTrace();
  const headOf = (weights: '8bit' | 'float32'): string =>
    traceLines({ ...trace, model: { ...trace.model, weights } })
      .map(({ text }) => text)
      .find((text) => text.startsWith(`# ${trace.model.name}`))!;
  expect(headOf('8bit')).toContain(`${trace.model.dtype} computed in 8-bit · `);
  expect(headOf('float32')).toContain(`${trace.model.dtype} · `);
});
