/**
 * `npm run bench -- host`: what large traces ask of the extension host. The runs are made here; `npm run build` comes first,
 * for the process that reads large files. Each file is opened by a process of its own, which stands for the host.
 *
 * - turn: the longest time that nothing else could run in, and how long the process computed in the longest such time;
 *   the first counts other programs on the machine, too;
 * - memory: the most that the process took of the machine's, above what it took before;
 * - beside a run: what the manifest's saves take of the time of a run, here a minute's, and of the processor; with
 *   `--saves` that alone.
 */

import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { RunStore } from '../../src/extension/run/store.ts';
import { TraceFiles } from '../../src/extension/trace/traceFiles.ts';
import { nextTurn } from '../../src/base/turn.ts';
import { pack } from '../../src/protocol/pack.ts';
import { inParts } from '../../src/protocol/traceParts.ts';
import { readArray, readBytes } from '../../src/trace/arrays.ts';
import { applyEvent, startTrace } from '../../src/trace/events.ts';
import type { ArrayRef, Trace } from '../../src/trace/schema.ts';
import { EXPORT_FORMS, exportTrace } from '../../src/traceFile/export.ts';
import type { OpenTrace } from '../../src/traceFile/openTrace.ts';
import { eventsOf } from '../../test/webview/replay.ts';
import { sampleRun } from '../../test/webview/sampleTrace.ts';
import { SAMPLE_CASES, type SampleCase } from './sampleSizes.ts';

const CASES: SampleCase[] = [SAMPLE_CASES['7b'], SAMPLE_CASES['3000']];

const RUN_MS = 60_000;

const { values: options } = parseArgs({
  allowPositionals: true,
  options: { open: { type: 'string' }, saves: { type: 'boolean', default: false } },
});

export async function benchHost(): Promise<void> {
  if (options.open !== undefined) return benchOpen(options.open);
  const folder = mkdtempSync(path.join(tmpdir(), 'ilvr-bench-'));
  try {
    for (const { name, size } of CASES) {
      console.log(`\n${name}`);
      await benchRun(sampleRun(size), folder);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function benchRun(run: OpenTrace, folder: string): Promise<void> {
  const file = (name: string): string => path.join(folder, name);
  if (options.saves) return benchSaves(run.trace, folder);
  const store = new RunStore(folder, console.error);
  await store.save(run.trace);
  await timed('save beside a run', () => store.save(run.trace));
  await benchSaves(run.trace, folder);
  for (const form of EXPORT_FORMS) {
    const [written] = await timed(`export as ${form}`, () =>
      exportTrace(run, file(form === 'npz' ? 'run.npz' : `${form}.ilvr.json`), { form }),
    );
    console.log(`    ${((await stat(written!)).size / 1e6).toFixed(1)} MB`);
  }
  const forms = ['pair', 'json'];
  // Of more steps it would be larger than can be read.
  if (run.trace.latents.length < 100) {
    await writeVersion1(run, file('first.ilvr.json'));
    forms.push('first');
  }
  for (const name of forms) await openInProcess(file(`${name}.ilvr.json`));
}

/** A run of a minute whose events come as fast as its tokens would; saves are scheduled as the window does. */
async function benchSaves(trace: Trace, folder: string): Promise<void> {
  const store = new RunStore(folder, console.error);
  const events = eventsOf({ ...trace, id: 'beside', status: 'running' });
  const [start, ...rest] = events;
  if (start?.type !== 'start') return;
  const growing = startTrace(start);
  let [count, inSaves, computed] = [0, 0, 0];
  const save = store.save.bind(store);
  store.save = async (...args) => {
    const [began, cpu] = [performance.now(), process.cpuUsage()];
    await save(...args);
    count++;
    inSaves += performance.now() - began;
    computed += cpuMs(cpu);
  };
  const began = performance.now();
  while (performance.now() - began < RUN_MS) {
    const due = Math.floor((rest.length * (performance.now() - began)) / RUN_MS);
    for (const event of rest.splice(0, Math.max(0, due - (events.length - 1 - rest.length)))) {
      applyEvent(growing, event);
      store.schedule(growing);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const took = performance.now() - began;
  store.dispose();
  console.log(
    `  beside a run: ${count} saves take ${share(inSaves, took)} of its time, and the processor for ${share(computed, took)}`,
  );
}

const share = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(1)} %`;

/** In a process of its own, whose memory is that of what it opens. */
function openInProcess(file: string): Promise<void> {
  const child = spawn(
    process.execPath,
    ['--expose-gc', '--import', 'tsx', 'scripts/bench.ts', 'host', '--open', file],
    { stdio: 'inherit' },
  );
  return new Promise((resolve) => child.once('close', () => resolve()));
}

async function benchOpen(file: string): Promise<void> {
  const files = new TraceFiles({
    unpackWorker: fileURLToPath(new URL('../../dist/unpackWorker.cjs', import.meta.url)),
    warn: console.error,
  });
  globalThis.gc?.();
  const [held, taken] = [heldBytes(), process.memoryUsage.rss()];
  let most = 0;
  const watch = setInterval(() => (most = Math.max(most, process.memoryUsage.rss() - taken)), 5);
  const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
  const opened = await timed(`open ${path.basename(file)}, ${megabytes((await stat(file)).size)}`, () =>
    files.openPath(file),
  );
  globalThis.gc?.();
  console.log(`    held ${megabytes(heldBytes() - held)}`);
  const { trace, reader } = opened;
  const layer = trace.model.layers >> 1;
  const all = { from: 0, to: trace.latents.length };
  const one = { from: 0, to: 1 };
  await timed('  slices of all latents', () =>
    reader.read({ family: { of: 'visual', layer, heads: 'mean' }, ...all }),
  );
  await timed('  all latents, largest of all layers and heads', () =>
    reader.read({ family: { of: 'visual', layer: 'max', heads: 'max' }, ...all }),
  );
  await timed('  what every word pays to a latent', () =>
    reader.read({ family: { of: 'paid', layer, to: { latent: 0 }, count: trace.tokens.length }, ...one }),
  );
  // What the panel is sent of it; VS Code writes it as JSON.
  await timed('  its messages to the panel', async () => {
    const { head, parts } = inParts(trace);
    for (const message of [head, ...parts]) {
      JSON.stringify(pack(message).message);
      await nextTurn();
    }
  });
  await opened.close();
  await files.close();
  clearInterval(watch);
  console.log(`    memory: at most ${megabytes(most)} above idle`);
}

async function timed<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
  const began = performance.now();
  let [longest, last] = [0, began];
  let [mostComputed, cpu] = [0, process.cpuUsage()];
  const beat = (): void => {
    longest = Math.max(longest, performance.now() - last);
    mostComputed = Math.max(mostComputed, cpuMs(cpu));
    last = performance.now();
    cpu = process.cpuUsage();
  };
  const timer = setInterval(beat, 1);
  const result = await work();
  const took = performance.now() - began;
  beat();
  clearInterval(timer);
  const ms = (value: number): string => `${value.toFixed(0)} ms`;
  console.log(`  ${name}: ${ms(took)}, longest turn ${ms(longest)} (computing ${ms(mostComputed)})`);
  return result;
}

/** Milliseconds that all threads of this process have computed since. */
function cpuMs(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1000;
}

function heldBytes(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** The run as version 1 had it: every array in float32 and base64, words over all keys. */
async function writeVersion1({ trace, container }: OpenTrace, file: string): Promise<void> {
  const { pictures, tokens, latents, arrays: _, ...rest } = trace;
  const base64 = (shape: number[], data: Float32Array): object => ({
    dtype: 'F32',
    shape,
    data: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64'),
  });
  const array = async (ref: ArrayRef): Promise<object> =>
    base64(ref.shape, (await readArray(container, ref)).data);
  const handle = await open(file, 'w');
  const list = async <Item>(
    name: string,
    items: Item[],
    json: (item: Item) => Promise<object>,
  ): Promise<void> => {
    for (const [i, item] of items.entries()) {
      await handle.writeFile(`${i === 0 ? `,"${name}":[` : ','}${JSON.stringify(await json(item))}`);
    }
    await handle.writeFile(']');
  };
  await handle.writeFile(JSON.stringify({ ...rest, version: 1 }).slice(0, -1));
  await list('pictures', pictures, async (picture) => ({
    ...picture,
    png: Buffer.from(await readBytes(container, picture.png)).toString('base64'),
  }));
  await list('tokens', tokens, async ({ looks: __, attention, ...token }) => {
    if (attention === undefined) return token;
    const [layers, keys] = [trace.model.layers, token.position + 1];
    const values = new Float32Array(layers * keys).fill(1 / keys);
    return { ...token, attention: base64([layers, keys], values) };
  });
  await list('latents', latents, async ({ mean: __, ...latent }) => ({
    ...latent,
    vector: await array(latent.vector),
    attention: await array(latent.attention),
    comparisons: await Promise.all(
      latent.comparisons.map(async ({ similarity, selection, ...comparison }) => ({
        ...comparison,
        similarity: await array(similarity),
        selection: {
          ...selection,
          cosines: await array(selection.cosines),
          probabilities: await array(selection.probabilities),
        },
      })),
    ),
  }));
  await handle.writeFile('}');
  await handle.close();
}
