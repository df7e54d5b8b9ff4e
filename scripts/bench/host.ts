/**
 * `npm run bench -- host`: what large traces ask of the extension host's thread. The runs are made here; `npm run build`
 * comes first, for the thread that reads large files.
 *
 * - turn: the longest time that nothing else could run in; other programs on the machine count too;
 * - held: what the host's heap and arrays have grown by when the trace is open.
 */

import { open, rm, stat } from 'node:fs/promises';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { RunStore } from '../../src/extension/run/store.ts';
import { TraceFiles } from '../../src/extension/trace/traceFiles.ts';
import { readArray, readBytes } from '../../src/trace/arrays.ts';
import type { ArrayRef } from '../../src/trace/schema.ts';
import { EXPORT_FORMS, exportTrace } from '../../src/traceFile/export.ts';
import type { OpenTrace } from '../../src/traceFile/openTrace.ts';
import { sampleRun } from '../../test/webview/sampleTrace.ts';
import { SAMPLE_CASES, type SampleCase } from './sampleSizes.ts';

const CASES: SampleCase[] = [SAMPLE_CASES['7b'], SAMPLE_CASES['3000']];

export async function benchHost(): Promise<void> {
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
  const store = new RunStore(folder, console.error);
  await store.save(run.trace);
  await timed('save beside a run', () => store.save(run.trace));
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
  for (const name of forms) await benchOpen(file(`${name}.ilvr.json`), name);
}

async function benchOpen(file: string, name: string): Promise<void> {
  const files = new TraceFiles({
    unpackWorker: fileURLToPath(new URL('../../dist/unpackWorker.cjs', import.meta.url)),
    warn: console.error,
  });
  globalThis.gc?.();
  const before = heldBytes();
  const opened = await timed(`open ${name}, ${((await stat(file)).size / 1e6).toFixed(1)} MB`, () =>
    files.openPath(file),
  );
  globalThis.gc?.();
  console.log(`    held ${((heldBytes() - before) / 1e6).toFixed(1)} MB`);
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
  await opened.close();
  await files.close();
}

async function timed<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
  const began = performance.now();
  let [longest, last] = [0, began];
  const beat = (): void => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  };
  const timer = setInterval(beat, 1);
  const result = await work();
  const took = performance.now() - began;
  beat();
  clearInterval(timer);
  console.log(`  ${name}: ${took.toFixed(0)} ms, longest turn ${longest.toFixed(0)} ms`);
  return result;
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
