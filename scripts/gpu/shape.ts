/** One shape of `npm run check:gpu`, in a process of its own: makes the weights, measures, prints a line of JSON. */

import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { seededNumbers } from '../../src/base/random.ts';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { Model } from '../../src/inference/model.ts';
import { pixelsPerPatch } from '../../src/model/vision.ts';
import { GraphBuilder } from '../../src/onnx/graphBuilder.ts';
import { floatTensor, openSession } from '../../src/ort/session.ts';
import { inFormat } from '../../src/quantise/inFormat.ts';
import { matricesOf, rowsOf } from '../../src/quantise/matrices.ts';
import { formatOf, isScheme, packedBytes } from '../../src/quantise/schemes.ts';
import { BYTES } from '../../src/tensor/dtype.ts';
import type { Device } from '../../src/tensor/device.ts';
import type { WeightFormat } from '../../src/tensor/weightFormat.ts';
import { makeRandomCheckpoint } from '../randomCheckpoint.ts';

export interface ShapeFigures {
  /** Milliseconds of a token, head included; with all attention, and without. */
  decode: number;
  blind: number;
  /** Bytes a second, of a sum over the device's memory. */
  bandwidth: number;
  /** Bytes that a token reads. */
  weights: number;
  /** Tokens a second. */
  prefill: number;
  /** Milliseconds of a picture. */
  tower: number;
  /** Bytes of this process in main memory; the runtime does not say what it takes of the device's own. */
  peak: number;
}

interface Task {
  shape: string;
  layers: number;
  device: Device;
  folder: string;
  weights: WeightFormat;
  quick: boolean;
}

const task = JSON.parse(process.argv[2]!) as Task;
const [PROMPT, TOKENS, SIDE, FLOATS] = task.quick ? [8, 2, 2, 2 ** 18] : [512, 24, 28, 2 ** 25];
console.log(JSON.stringify(await figures(task)));
process.exit(0);

async function figures({ shape, layers, device, folder, weights }: Task): Promise<ShapeFigures> {
  const bandwidth = await bandwidthOf(device);
  await makeRandomCheckpoint(shape, folder, { layers, blocks: task.quick ? 1 : 8 });
  const checkpoint = await inFormat(await openCheckpoint(folder), weights, {
    folder,
    worker: resolve('dist/packWorker.cjs'),
    threads: availableParallelism(),
  });
  const model = await Model.open(checkpoint, device);
  const tower = await towerOf(model);
  const cache = model.newCache();
  const ids = Array.from({ length: PROMPT }, (_, i) => 100 + i);
  const { embeddings, positions } = await model.embedPrompt(ids, []);
  const started = performance.now();
  await model.prefill(cache, embeddings, positions);
  const prefill = (1000 * PROMPT) / (performance.now() - started);
  const times: [captured: number[], blind: number[]] = [[], []];
  for (let i = 0; i < 2 * TOKENS; i++) {
    const start = performance.now();
    const at = cache.length;
    const input = await model.embed([1000 + i]);
    const { hidden } = await model.step(cache, input, [[at, at, at]], i % 2 === 0 ? {} : { rows: [] });
    await model.logits(hidden);
    times[i % 2]!.push(performance.now() - start);
  }
  const [decode, blind] = times.map(median) as [number, number];
  const peak = process.resourceUsage().maxRSS * 1024;
  return { decode, blind, bandwidth, weights: readBytes(checkpoint.config, weights), prefill, tower, peak };
}

/** Milliseconds of a picture of SIDE × SIDE tokens; the first, which compiles kernels, does not count. */
async function towerOf(model: Model): Promise<number> {
  const { vision } = model.checkpoint.config;
  const side = SIDE * vision.mergeSize;
  const random = seededNumbers(0);
  const pixels = Float32Array.from({ length: side ** 2 * pixelsPerPatch(vision) }, () => 2 * random() - 1);
  let start = 0;
  for (let round = 0; round < 2; round++) {
    start = performance.now();
    await model.encodeImage(pixels, { height: side, width: side });
  }
  return performance.now() - start;
}

/** A sum of all numbers of a large tensor that lies on the device: each is read once. */
async function bandwidthOf(device: Device): Promise<number> {
  const rows = 1024;
  const shape = [rows, FLOATS / rows];
  const graph = new GraphBuilder('bandwidth');
  const x = graph.input('x', 'float32', shape);
  graph.output('sum', graph.op('ReduceSum', [x, graph.ints([1])], { keepdims: 0 }), [rows]);
  const copy = new GraphBuilder('copy');
  copy.output('y', copy.op('Neg', [copy.input('x', 'float32', shape)]), shape);
  const options = { provider: device, weightsFolder: '' };
  const [reader, writer] = [
    await openSession(graph.build(), options),
    await openSession(copy.build(), { ...options, keepOnDevice: ['y'] }),
  ];
  const { y } = await writer.run({ x: floatTensor(new Float32Array(FLOATS), shape) });
  const times: number[] = [];
  for (let round = 0; round < 12; round++) {
    const start = performance.now();
    await reader.run({ x: y! });
    times.push(performance.now() - start);
  }
  y!.dispose();
  await Promise.all([reader.release(), writer.release()]);
  return (FLOATS * BYTES.F32) / (Math.min(...times) / 1000);
}

/** Matrices of the decoder and the head, once each. */
function readBytes(config: Parameters<typeof matricesOf>[0], format: WeightFormat): number {
  return matricesOf(config)
    .filter(({ part }) => part !== 'vision')
    .reduce((sum, matrix) => {
      const numbers = rowsOf(matrix) * matrix.columns;
      if (isScheme(format))
        return sum + packedBytes(formatOf(format, matrix.part), rowsOf(matrix), matrix.columns);
      return sum + numbers * (format === 'float16' ? BYTES.F16 : BYTES.F32);
    }, 0);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
