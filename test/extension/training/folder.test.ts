/** Claims about following a run's folder, whatever is being written into it. */

import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { TrainingFolder } from '../../../src/extension/training/folder.ts';
import { applyChange, type TrainingState } from '../../../src/protocol/training.ts';
import type { Metric } from '../../../src/watch/metrics.ts';
import { controlOf } from '../../../src/watch/status.ts';

const metric = (step: number, loss = 1 / step): Metric => ({
  step,
  losses: { ce: loss },
  gradientNorm: 1,
  learningRate: 1e-3,
  samplesPerSecond: 10,
  time: new Date(step * 1000).toISOString(),
});
const line = (step: number, loss?: number): string => `${JSON.stringify(metric(step, loss))}\n`;

/** A folder, and the state as a page that only hears of changes has it. */
function follow() {
  const folder = mkdtempSync(join(tmpdir(), 'ilvr-follow-'));
  const followed = new TrainingFolder(folder, (change) => {
    shown.state = applyChange(shown.state, structuredClone(change));
    shown.changes++;
  });
  const shown: { state: TrainingState; changes: number } = { state: followed.state, changes: 0 };
  const at = (name: string): string => join(folder, name);
  return { folder, followed, shown, at };
}

const status = (more: object) =>
  JSON.stringify({
    state: 'running',
    pid: process.pid,
    host: hostname(),
    config: '/x.train.json',
    device: 'cpu',
    steps: 9,
    time: '',
    ...more,
  });

test('lines come as they are written, a cut one when it is whole', async () => {
  const { followed, shown, at } = follow();
  writeFileSync(at('metrics.jsonl'), line(1) + line(2).slice(0, 20));
  await followed.refresh();
  expect(shown.state.metrics.map(({ step }) => step)).toEqual([1]);
  appendFileSync(at('metrics.jsonl'), line(2).slice(20) + line(3));
  await followed.refresh();
  expect(shown.state.metrics).toEqual([1, 2, 3].map((step) => metric(step)));
  const { changes } = shown;
  await followed.refresh();
  expect(shown.changes).toBe(changes);
});

test('a run that goes on from an earlier step has those lines anew, even if the file has grown past them', async () => {
  const { followed, shown, at } = follow();
  writeFileSync(at('metrics.jsonl'), line(1) + line(2) + line(3));
  await followed.refresh();
  writeFileSync(at('new'), line(1) + line(2, 7) + line(3, 7) + line(4));
  renameSync(at('new'), at('metrics.jsonl'));
  await followed.refresh();
  expect(shown.state.metrics.map(({ losses }) => losses['ce'])).toEqual([1, 7, 7, 1 / 4]);
});

test('a process that is gone shows as killed, an error with its place, and goes again', async () => {
  const { followed, shown, at } = follow();
  await followed.refresh();
  expect(shown.state.state).toBe('starting');
  writeFileSync(at('status.json'), status({}));
  await followed.refresh();
  expect(shown.state).toMatchObject({ state: 'running', steps: 9, device: 'cpu' });
  writeFileSync(at('status.json'), status({ pid: 2 ** 22 + 1 }));
  await followed.refresh();
  expect(shown.state.state).toBe('killed');
  writeFileSync(at('status.json'), status({ state: 'failed', error: 'No.', where: 'samples.jsonl:3' }));
  await followed.refresh();
  expect(shown.state).toMatchObject({ state: 'failed', error: 'No.', hasPlace: true });
  writeFileSync(at('status.json'), status({}));
  await followed.refresh();
  expect(shown.state.error).toBeUndefined();
});

test('what is asked keeps what was asked before, and chooses the looks that are listed', async () => {
  const { followed, shown, at } = follow();
  mkdirSync(at('watch'));
  for (const name of ['sample-0-step-10', 'sample-0-step-2', 'sample-3-step-4'])
    writeFileSync(at(`watch/${name}.json`), '{}');
  writeFileSync(at('config.json'), JSON.stringify({ given: {}, resolved: { batch: 2, steps: 5 } }));
  await followed.refresh();
  expect(shown.state).toMatchObject({ looks: [2, 10], watch: { sample: 0, every: 10 }, steps: 5 });
  await followed.ask({ watch: { sample: 3, every: 1 } });
  expect(shown.state.looks).toEqual([4]);
  await followed.ask({ want: 'pause' });
  const control = controlOf(readFileSync(at('control.json'), 'utf8'));
  expect(control).toEqual({ want: 'pause', watch: { sample: 3, every: 1 } });
});

const posix = test.skipIf(process.platform === 'win32');

posix(
  'a stranger’s folder of pipes and huge files is followed without waiting or filling the memory',
  async () => {
    const { followed, shown, at } = follow();
    for (const name of ['status.json', 'control.json', 'config.json']) execFileSync('mkfifo', [at(name)]);
    writeFileSync(at('metrics.jsonl'), line(1));
    truncateSync(at('metrics.jsonl'), 2 ** 40);
    await followed.refresh();
    expect(shown.state.metrics).toEqual([metric(1)]);
    // What follows the first line is no line, and is passed over a piece at a time.
    await followed.refresh();
    await followed.refresh();
    expect(shown.state.state).toBe('unknown');
  },
);

posix('a look or a picture that is no plain file, or too large, is refused by name', async () => {
  const { followed, at } = follow();
  mkdirSync(at('watch'));
  execFileSync('mkfifo', [at('watch/sample-0-step-1.json')]);
  writeFileSync(at('watch/sample-0-step-2.json'), '{}');
  truncateSync(at('watch/sample-0-step-2.json'), 2 ** 33);
  await expect(followed.look(1, 0)).rejects.toThrow(/a named pipe.*sample-0-step-1\.json/);
  await expect(followed.look(2, 0)).rejects.toThrow(/too large.*sample-0-step-2\.json/);
});

posix('a control file that is a link is refused, and what it names stays as it is', async () => {
  const { followed, at } = follow();
  writeFileSync(at('elsewhere'), 'mine');
  symlinkSync(at('elsewhere'), at('control.json'));
  await expect(followed.ask({ want: 'pause' })).rejects.toThrow(/found a link.*control\.json/);
  symlinkSync(at('nowhere'), at('dangling'));
  renameSync(at('dangling'), at('control.json'));
  await expect(followed.ask({ want: 'pause' })).rejects.toThrow(/found a link/);
  expect([existsSync(at('nowhere')), readFileSync(at('elsewhere'), 'utf8')]).toEqual([false, 'mine']);
});
