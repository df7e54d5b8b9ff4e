/** Claims about what a list of runs shows: summaries, titles, and which settings are other than before. */

import { expect, test } from 'vitest';
import {
  pictureTitle,
  runBefore,
  runSummary,
  settingChanges,
  summaryOf,
  type RunSummary,
} from '../../../src/extension/run/summary.ts';
import { statedAnswer } from '../../../src/trace/answer.ts';
import { smallTrace } from '../../fixtures/smallTrace.ts';

const OLD = {
  id: 'old',
  createdAt: '2026-01-01T00:00:00.000Z',
  status: 'complete' as const,
  question: 'Which way?',
  pictures: ['map.png'],
};

test('a summary tells answer, verdict, model, device, weights and time', () => {
  const trace = smallTrace();
  trace.verdict = { right: false, expected: 'RUU', source: 'samples.jsonl' };
  trace.timings = [{ name: 'total', milliseconds: 1234 }];
  const summary = summaryOf(trace);
  expect(summary).toMatchObject({
    answer: statedAnswer(trace),
    verdict: trace.verdict,
    model: 'small',
    device: { provider: 'cpu', name: 'a processor' },
    weights: 'float32',
    milliseconds: 1234,
  });
  expect(runSummary.parse(JSON.parse(JSON.stringify(summary)))).toEqual(summary);
});

test('an answer without end is cut in lists', () => {
  const trace = smallTrace();
  for (const token of trace.tokens) token.text = '';
  trace.tokens[0]!.text = `\\boxed{${'A'.repeat(10_000)}}`;
  expect(summaryOf(trace).answer).toHaveLength(200);
});

test('a summary of an older version reads, and says nothing of what it lacks', () => {
  expect(runSummary.parse(OLD)).toEqual(OLD);
  expect(settingChanges(OLD, summaryOf(smallTrace()))).toEqual([]);
});

test('several pictures are named by the first and the number of others', () => {
  expect(pictureTitle([])).toBe('');
  expect(pictureTitle(['map-01.png'])).toBe('map-01.png');
  expect(pictureTitle(['map-01.png', 'a.png', 'b.png'])).toBe('map-01.png + 2');
});

test('settings that are other than before are named, those that are not are not', () => {
  const earlier = summaryOf(smallTrace());
  const trace = smallTrace();
  trace.settings = { ...trace.settings, temperature: 0.7, maxPixels: 1000 };
  trace.device = { ...trace.device, provider: 'webgpu' };
  expect(settingChanges(earlier, summaryOf(trace))).toEqual([
    { setting: 'device', value: 'webgpu' },
    { setting: 'temperature', value: 0.7 },
    { setting: 'maxPixels', value: 1000 },
  ]);
  expect(settingChanges(summaryOf(trace), earlier)).toContainEqual({
    setting: 'maxPixels',
    value: undefined,
  });
  expect(settingChanges(earlier, earlier)).toEqual([]);
});

test('the run before is the next older one about the same pictures', () => {
  const run = (id: string, ...pictures: string[]): RunSummary => ({ ...OLD, id, pictures });
  const runs = [run('new', 'a', 'b'), run('other', 'a'), run('before', 'a', 'b'), run('first', 'a', 'b')];
  expect(runBefore(runs, 0)?.id).toBe('before');
  expect(runBefore(runs, 1)).toBeUndefined();
  expect(runBefore(runs, 3)).toBeUndefined();
});
