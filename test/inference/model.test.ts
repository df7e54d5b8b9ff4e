import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { largestDifference } from '../../src/conformance/check.ts';
import { processImage } from '../../src/checkpoint/pixels/image.ts';
import { Model } from '../../src/inference/model.ts';
import type { NumericArray } from '../../src/tensor/array.ts';
import type { Position } from '../../src/model/positions.ts';
import { bundledModel, exampleImage } from '../fixtures/paths.ts';

const checkpoint = await openCheckpoint(bundledModel);
const { layers, heads } = checkpoint.config.text;
let model: Model;

beforeAll(async () => {
  model = await Model.open(checkpoint, 'cpu');
});
afterAll(() => model.release());

/** A sequence longer than a prefill chunk, with nothing special about it. */
async function longSequence(length: number): Promise<{ embeddings: NumericArray; positions: Position[] }> {
  const ids = Array.from({ length }, (_, i) => (i * 37) % 400);
  return { embeddings: await model.embed(ids), positions: ids.map((_, i) => [i, i, i] as const) };
}

function rows({ shape, data }: NumericArray, first: number, end: number): NumericArray {
  const width = shape[1]!;
  return { shape: [end - first, width], data: data.slice(first * width, end * width) };
}

describe('reading a sequence step by step', () => {
  it('gives the same states and attention as reading it at once, across merges of the cache', async () => {
    const { embeddings, positions } = await longSequence(150);
    const whole = await model.prefill(model.newCache(), embeddings, positions);
    const cache = model.newCache();
    await model.prefill(cache, rows(embeddings, 0, 10), positions.slice(0, 10));
    let last = whole;
    for (let i = 10; i < 150; i++)
      last = await model.step(cache, rows(embeddings, i, i + 1), [positions[i]!]);
    expect(cache.length).toBe(150);
    expect(largestDifference(last.hidden.data, rows(whole.hidden, 149, 150).data)).toBeLessThan(1e-4);
    expect(last.attention.shape).toEqual([layers, heads, 1, 150]);
    expect(largestDifference(last.attention.data, whole.attention.data)).toBeLessThan(1e-5);
  });

  it('does not depend on where the prompt is cut into chunks', async () => {
    const { embeddings, positions } = await longSequence(300); // more than one chunk of 256
    const chunked = await model.prefill(model.newCache(), embeddings, positions);
    const once = await model.step(model.newCache(), embeddings, positions);
    expect(largestDifference(chunked.hidden.data, once.hidden.data)).toBeLessThan(1e-4);
  });
});

it('every attention row sums to 1 over all keys', async () => {
  const { embeddings, positions } = await longSequence(40);
  const { attention } = await model.step(model.newCache(), embeddings, positions, { rows: [0, 7, 39] });
  for (let row = 0; row < attention.data.length; row += 40) {
    const sum = attention.data.subarray(row, row + 40).reduce((total, value) => total + value, 0);
    expect(Math.abs(sum - 1)).toBeLessThan(1e-5);
  }
});

it('no position attends to a later one', async () => {
  const { embeddings, positions } = await longSequence(20);
  const { attention } = await model.step(model.newCache(), embeddings, positions, { rows: [5] });
  for (let row = 0; row < attention.data.length; row += 20) {
    expect(Math.max(...attention.data.subarray(row + 6, row + 20))).toBe(0);
  }
});

it('two equal pictures have equal features, whatever came before', async () => {
  const image = await processImage(readFileSync(exampleImage), 'map', model.checkpoint.processor);
  const { grid } = image;
  const first = await model.encodeImage(image.pixelValues, grid);
  await model.encodeImage(
    image.pixelValues.map((value) => -value),
    grid,
  );
  expect((await model.encodeImage(image.pixelValues, grid)).data).toEqual(first.data);
});
