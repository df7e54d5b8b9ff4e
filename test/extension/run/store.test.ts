/** Claims about kept runs: saving while they grow, reading back, forgetting the oldest. */

import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { markInterrupted, RunStore } from '../../../src/extension/run/store.ts';
import { readArray } from '../../../src/trace/arrays.ts';
import { applyEvent, startTrace } from '../../../src/trace/events.ts';
import type { Trace } from '../../../src/trace/schema.ts';
import { openTrace, OpenTrace } from '../../../src/traceFile/openTrace.ts';
import { smallArrays, smallEvents, smallRun, smallTrace } from '../../fixtures/smallTrace.ts';

let folder: string;
let failures: unknown[];
let store: RunStore;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ilvr-runs-'));
  failures = [];
  store = new RunStore(folder, (error) => failures.push(error));
});

afterEach(async () => {
  store.dispose();
  await rm(folder, { recursive: true, force: true });
});

function run(id: string, status: Trace['status'] = 'complete'): Trace {
  return { ...smallTrace(status), id };
}

/** The arrays are the engine's to write. */
async function save(trace: Trace): Promise<void> {
  await writeFile(await store.prepareArrays(trace.id), smallArrays());
  await store.save(trace);
}

async function read(id: string): Promise<OpenTrace> {
  return openTrace(await store.find(id));
}

test('a saved run reads back equal, with its arrays, and is listed', async () => {
  await save(run('one'));
  const open = await read('one');
  expect(open.trace).toEqual(run('one'));
  const picture = await open.picture(open.trace.pictures[0]!);
  expect(picture.png.subarray(1, 4)).toEqual(Uint8Array.from(Buffer.from('PNG')));
  await open.close();
  expect((await store.list()).map(({ id }) => id)).toEqual(['one']);
});

test('a growing run is on disk soon after it is scheduled', async () => {
  store.schedule(run('growing', 'running'));
  await expect.poll(() => readdir(folder)).toContain('growing.ilvr.json');
  expect(failures).toEqual([]);
});

test('a run that grows while it is saved is not saved again before its time', async () => {
  const busy = run('busy', 'running');
  const long = { ...busy, tokens: Array.from({ length: 4000 }, () => busy.tokens[0]!) };
  const saves = vi.spyOn(store, 'save');
  for (const until = Date.now() + 400; Date.now() < until; await setTimeout(2)) store.schedule(long);
  expect(saves).toHaveBeenCalledTimes(1);
  await store.flush();
  expect(saves).toHaveBeenCalledTimes(2);
  expect(failures).toEqual([]);
});

test('a run whose window closed reads back as failed, with its latents', async () => {
  await save(run('cut', 'running'));
  const { trace, container } = await read('cut');
  await container.close();
  markInterrupted(trace);
  expect(trace.status).toBe('failed');
  expect(trace.failure).toMatch(/had not ended/);
  expect(trace.latents.length).toBeGreaterThan(0);
  expect(trace.blocks.every(({ ended }) => ended !== 'running')).toBe(true);
});

test('flush saves what waits', async () => {
  await save(run('waiting', 'running'));
  const grown = { ...run('waiting', 'running'), question: 'Grown?' };
  store.schedule(grown);
  await store.flush();
  expect(await readFile(await store.find('waiting'), 'utf8')).toContain('"question":"Grown?"');
});

test('twenty runs are kept, the oldest are deleted', async () => {
  for (let i = 0; i < 22; i++) {
    await save(run(`run-${i}`));
    const seconds = 1_700_000_000 + i;
    await utimes(join(folder, `run-${i}.ilvr.json`), seconds, seconds);
  }
  await save(run('last'));
  const ids = (await store.list()).map(({ id }) => id);
  expect(ids).toHaveLength(20);
  expect(ids).toContain('last');
  expect(ids).not.toContain('run-0');
  const files = await readdir(folder);
  expect(files.filter((name) => name.startsWith('run-0.'))).toEqual([]);
  expect(files).toHaveLength(60);
});

test('an id that names a path is refused', async () => {
  await expect(store.find('../secret')).rejects.toThrow(/This is no run/);
  expect(() => store.arraysOf('../secret')).toThrow(/This is no run/);
});

test('a run that is no longer kept is refused by name', async () => {
  await expect(store.find('gone')).rejects.toThrow(/no longer kept/);
});

test('a damaged summary does not hide the other runs', async () => {
  await store.save(run('whole'));
  await writeFile(join(folder, 'half.summary.json'), '{"id":');
  expect((await store.list()).map(({ id }) => id)).toEqual(['whole']);
});

test('arrays of a run that never got a manifest go when they are old, not while it may begin', async () => {
  await writeFile(await store.prepareArrays('fresh'), '');
  await writeFile(await store.prepareArrays('old'), '');
  await utimes(store.arraysOf('old'), 1_700_000_000, 1_700_000_000);
  await save(run('whole'));
  const names = await readdir(folder);
  expect(names).toContain('fresh.ilvr.bin');
  expect(names).not.toContain('old.ilvr.bin');
});

test('what a run wrote that never began is deleted', async () => {
  await writeFile(await store.prepareArrays('refused'), '');
  await store.discard('refused');
  expect(await readdir(folder)).toEqual([]);
});

test('a run that grows while it is saved is kept as it was at one moment', async () => {
  await writeFile(await store.prepareArrays('small'), smallArrays());
  const [start, ...rest] = smallEvents();
  if (start?.type !== 'start') throw new Error('the first event opens the trace');
  const growing = startTrace(start);
  const states: Trace[] = [];
  const saves: Promise<void>[] = [];
  for (const event of rest) {
    applyEvent(growing, event);
    states.push(structuredClone(growing));
    saves.push(store.save(growing));
    await setImmediate();
  }
  // While later events come, earlier saves are under way.
  for (const saved of saves) {
    await saved;
    const { trace, container } = await read('small');
    await container.close();
    expect(states).toContainEqual(trace);
  }
});

test('a name stays with its run while it is saved again, and an empty one takes it away', async () => {
  await save(run('named', 'running'));
  await store.rename('named', '  the good one  ');
  await save(run('named'));
  const nameOf = async (): Promise<string | undefined> => (await store.list())[0]?.name;
  expect(await nameOf()).toBe('the good one');
  await store.rename('named', '');
  expect(await nameOf()).toBeUndefined();
});

test('a run that is not kept cannot be renamed', async () => {
  await expect(store.rename('gone', 'x')).rejects.toThrow(/no longer kept/);
});

test('a summary that an older version wrote is listed, and its run can be renamed', async () => {
  await save(run('old'));
  const { createdAt, status, question } = run('old');
  const old = { id: 'old', createdAt, status, question, pictures: ['map.png'] };
  await writeFile(join(folder, 'old.summary.json'), JSON.stringify(old));
  expect(await store.list()).toEqual([old]);
  await store.rename('old', 'first');
  expect(await store.list()).toEqual([{ ...old, name: 'first' }]);
});

test('a discarded run leaves none of its three files, and listeners are told', async () => {
  let told = 0;
  store.onDidChange(() => told++);
  await save(run('unwanted'));
  expect(await store.has('unwanted')).toBe(true);
  expect(told).toBe(1);
  await store.discard('unwanted');
  expect(await readdir(folder)).toEqual([]);
  expect(await store.has('unwanted')).toBe(false);
  expect(told).toBe(2);
});

test('a trace from elsewhere is kept once, as a run of its own that reads back equal', async () => {
  const file = smallRun();
  const id = await store.keep(file, 'from a file');
  expect(await store.keep(smallRun(), 'another name')).toBe(id);
  const kept = await read(id);
  expect(kept.trace).toEqual({ ...file.trace, id });
  const [one, other] = [kept, file].map(({ trace, container }) =>
    readArray(container, trace.latents[0]!.vector),
  );
  expect((await one!).data).toEqual((await other!).data);
  await kept.close();
  expect(await store.list()).toMatchObject([{ id, name: 'from a file' }]);
  // What is kept is an ordinary run: exported and opened again it is itself.
  const exported = new OpenTrace({ ...file.trace, id }, file.container);
  expect(await store.keep(exported, 'exported')).toBe(id);
  expect(await store.list()).toHaveLength(1);
});

test('the file of a kept run is that run, and one that only says so is another', async () => {
  await save(run('small'));
  expect(await store.keep(smallRun(), 'exported')).toBe('small');
  const forged = smallRun();
  forged.trace.question = 'Which other way?';
  expect(await store.keep(forged, 'forged')).not.toBe('small');
  expect(await store.list()).toHaveLength(2);
  const open = await read('small');
  expect(open.trace.question).toBe(smallTrace().question);
  await open.close();
});

test('a window to come knows what a samples file said of a run’s picture, until the run is deleted', async () => {
  const sample = {
    source: 'samples.jsonl',
    question: 'Which way?',
    pictures: 1,
    truth: { map: [[1 as const, 2 as const]], answer: undefined },
  };
  await store.keepSample('small', { ...sample, helpers: ['not kept'] } as typeof sample);
  await save(run('small'));
  const next = new RunStore(folder, () => undefined);
  expect(await next.sampleOf('small')).toStrictEqual({ ...sample, truth: { map: [[1, 2]] } });
  expect(await next.sampleOf('other')).toBeUndefined();
  await next.discard('small');
  expect(await readdir(folder)).toEqual([]);
});

test('ids of others are no paths', async () => {
  await writeFile(join(folder, 'x.ilvr.json'), '{}');
  const inner = new RunStore(join(folder, 'inner'), () => undefined);
  expect(await inner.has('../x')).toBe(false);
});
