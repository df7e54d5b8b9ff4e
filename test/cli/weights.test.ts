/** Weights in few bits from the command line: chosen, told, listed, removed. */

import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openTrace } from '../../src/traceFile/openTrace.ts';
import { BUILT_ENGINE, EXAMPLES, ilvr } from '../fixtures/cli.ts';
import { scratchFolder } from '../fixtures/scratch.ts';

const MAP = join(EXAMPLES, 'map-01.png');
const run = (...args: string[]) => ilvr(args, BUILT_ENGINE);

it('reason packs them where it is told to, says so, and the trace knows; caches lists and removes them', async () => {
  const folder = await scratchFolder();
  const cache = ['--weights-cache', join(folder, 'cache')];
  const trace = join(folder, 'run.ilvr.json');
  const options = ['--device', 'cpu', '--weights', '8bit', '--max-tokens', '12', '--trace', trace];
  const { code, out, err } = await run('reason', MAP, ...options, ...cache);
  expect(code, err).toBe(0);
  expect(err).toContain('packing weights to 8 bits');
  expect(out).toMatch(
    /^weights {2}4\.69M · 8-bit · \d+ MB of .* free; float32 would take \d+ MB and be slower$/m,
  );
  expect((await openTrace(trace)).trace.model.weights).toBe('8bit');

  const listed = await run('caches', ...cache);
  const [row, total] = listed.out.split('\n');
  expect(row).toMatch(/^8bit +5 MB {2}maze \(.*models.maze\) {2}[0-9a-f-]+-8bit\.safetensors$/);
  expect(total).toMatch(/^5 MB in all, in /);
  const name = row!.split(' ').at(-1)!;
  const wrong = await run('caches', ...cache, '--remove', name, 'nothing.safetensors');
  expect([wrong.code, wrong.err]).toEqual([1, expect.stringContaining('no packed weights of this name')]);
  expect((await run('caches', ...cache, '--remove', name)).out).toBe(`removed ${name}, 5 MB\n`);
  expect(await readdir(join(folder, 'cache'))).toEqual([]);
  expect((await run('caches', ...cache)).out).toMatch(/^No packed weights in /);
});

it('compare-weights prints what changes in each layer, word and latent, and writes it as JSON', async () => {
  const folder = await scratchFolder();
  const json = join(folder, 'difference.json');
  const { code, out, err } = await run(
    'compare-weights',
    '--image',
    MAP,
    '--json',
    json,
    '--weights-cache',
    folder,
  );
  expect(code, err).toBe(0);
  expect(out).toMatch(/^weights {2}8-bit against float32$/m);
  expect(out).toMatch(/^ {4}6 +\d\.\d\d % +0\.0\d+ +0\.\d+$/m);
  expect(out).toMatch(/^words {4}KL \S+ nats on average/m);
  expect(out).toMatch(/^peaks {4}the same patch in \d+ of 16 maps$/m);
  const written = JSON.parse(readFileSync(json, 'utf8')) as { format: string; layers: unknown[] };
  expect([written.format, written.layers.length]).toEqual(['8bit', 6]);
  expect((await run('compare-weights')).code).toBe(2);
  const half = await run('compare-weights', '--image', MAP, '--weights', 'float16');
  expect([half.code, half.err]).toEqual([1, expect.stringContaining('float16 weights need a GPU')]);
});

it('results in other weights are not added to those in float32', async () => {
  const folder = await scratchFolder();
  const results = join(folder, 'results.jsonl');
  const options = ['--device', 'cpu', '--limit', '1', '--results', results, '--weights-cache', folder];
  const file = join(EXAMPLES, 'samples.jsonl');
  expect((await run('evaluate', file, ...options)).code).toBe(0);
  const other = await run('evaluate', file, ...options, '--weights', '4bit');
  expect([other.code, other.err]).toEqual([1, expect.stringMatching(/settings differ.*weights/s)]);
});

it('model tells what each format takes, for the pictures that are named', async () => {
  const small = await run('model', '--device', 'cpu', '--picture', '96x96');
  expect(small.code, small.err).toBe(0);
  expect(small.out).toMatch(/^chosen {3}4\.69M · float32 · \d+ MB of/m);
  expect(small.out).toMatch(/^→ +float32 .* fits$/m);
  expect(small.out).toMatch(/^ +float16 .* a GPU only/m);
  expect((await run('model', '--picture', 'large')).code).toBe(2);
});
