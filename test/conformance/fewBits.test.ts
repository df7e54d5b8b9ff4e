/** Conformance in few bits: passes for what was packed rightly, and fails for a scale that is not. */

import { open } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { runConformance } from '../../src/conformance/conformance.ts';
import { readStoredTensors } from '../../src/checkpoint/formats/safetensors.ts';
import { rememberSound } from '../../src/quantise/cache.ts';
import { listCaches } from '../../src/quantise/cacheList.ts';
import type { WeightFormat } from '../../src/tensor/weightFormat.ts';
import { referenceAnswers } from '../fixtures/paths.ts';
import { scratchFolder } from '../fixtures/scratch.ts';

const CASES = '^(forward/flat/(windows|text-only)|generate/flat/forced-two-blocks)$';

async function run(weights: WeightFormat, folder: string) {
  const lines: string[] = [];
  const onCase = (line: string): void => void lines.push(line);
  const packing = { folder };
  const counts = await runConformance({
    dir: referenceAnswers,
    device: 'cpu',
    weights,
    packing,
    filter: CASES,
    onCase,
  });
  return { ...counts, lines };
}

/** Multiplies the scales of a matrix in the cache, which still counts as sound. */
async function scale(folder: string, matrix: string, factor: number): Promise<void> {
  const { file } = (await listCaches(folder))[0]!;
  const tensors = await readStoredTensors(file);
  const name = [...tensors.keys()].find((each) => each.includes(matrix) && each.endsWith('.scales'))!;
  const { offset, length } = tensors.get(name)!;
  const handle = await open(file, 'r+');
  const bytes = Buffer.alloc(length);
  await handle.read(bytes, 0, length, offset);
  for (let i = 0; i < length; i += 4) bytes.writeFloatLE(bytes.readFloatLE(i) * factor, i);
  await handle.write(bytes, 0, length, offset);
  await handle.close();
  await rememberSound(file);
}

describe.each<[WeightFormat, number]>([
  ['8bit', 1.5],
  ['4bit', 2],
])('the answers in %s', (format, factor) => {
  it('come out of weights as they are packed, not of those with a wrong scale in one matrix', async () => {
    const folder = await scratchFolder();
    const right = await run(format, folder);
    expect(right.lines[0]).toMatch(
      /^The answers are of float32 weights, these are \S+: distances up to 4 % of features/,
    );
    expect([right.passed, right.failed], right.lines.join('\n')).toEqual([3, 0]);
    await scale(folder, 'layers.0.gate_up', factor);
    const wrong = await run(format, folder);
    expect([wrong.passed, wrong.failed], wrong.lines.join('\n')).toEqual([0, 3]);
  });
});
