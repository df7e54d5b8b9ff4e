/**
 * `npm run bench -- training`: the speed of a training step as a share of the runtime's raw speed at the
 * same matrix products, measured in turn in one run, so that the machine's load falls on both.
 *
 *   --batch N    sequences in a batch (8)
 *   --rounds N   timed rounds; the median counts (7)
 *   --threads N  threads of the CPU (1: the trainer runs one session per core)
 *   --model DIR  checkpoint (the bundled one)
 */

import { parseArgs } from 'node:util';
import { seededNumbers } from '../src/base/random.ts';
import { openCheckpoint, type Checkpoint } from '../src/checkpoint/checkpoint.ts';
import { GraphBuilder, type Node, type Value } from '../src/onnx/graphBuilder.ts';
import { Shapes, type Shape } from '../src/onnx/shapes.ts';
import { floatTensor, intTensor, openSession, type RuntimeTensor } from '../src/ort/session.ts';
import { sizeOf } from '../src/tensor/array.ts';
import { lossSize, lossTermsOf } from '../src/train/lossTerms.ts';
import { clip } from '../src/train/optimiser.ts';
import { wholePart } from '../src/train/parts.ts';
import type { Picture, TrainingSample } from '../src/train/sequence.ts';
import type { Lesson } from '../src/train/student.ts';
import { lossGraph } from '../src/train/studentGraphs.ts';
import { RELEASED_TRAINING, Trainer } from '../src/train/trainer.ts';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    batch: { type: 'string', default: '8' },
    rounds: { type: 'string', default: '7' },
    threads: { type: 'string', default: '1' },
    model: { type: 'string', default: 'models/first-model' },
  },
});
if (positionals.join() !== 'training') throw new Error('usage: npm run bench -- training [--batch N]');
const [batch, rounds, threads] = [options.batch, options.rounds, options.threads].map(Number);
await benchTraining(await openCheckpoint(options.model), batch!, rounds!, threads!);

async function benchTraining(
  checkpoint: Checkpoint,
  batch: number,
  rounds: number,
  threads: number,
): Promise<void> {
  const settings = { ...RELEASED_TRAINING, batchSize: batch };
  const trainer = await Trainer.open(checkpoint, settings, { provider: 'cpu', threads });
  const lessons: Lesson[] = [];
  for (let i = 0; i < batch; i++) lessons.push(await trainer.prepare(sampleOf(checkpoint, i)));
  const size = lossSize(
    wholePart(lessons.map(({ sequence }) => sequence)),
    lessons.map(({ sequence, targets }) => lossTermsOf(sequence, targets)),
    false,
  );
  const graph = lossGraph(checkpoint.config.text, checkpoint.weights, size);
  const products = productsOf(graph);
  const raw = await openProducts(products, threads);

  const times = { products: [] as number[], gradient: [] as number[], update: [] as number[] };
  for (let round = -1; round < rounds; round++) {
    const start = performance.now();
    await raw.run();
    const multiplied = performance.now();
    const { gradient } = await trainer.learn(lessons);
    const learnt = performance.now();
    clip(gradient, 1);
    trainer.optimiser.update(gradient, 1e-6);
    const updated = performance.now();
    if (round < 0) continue; // the first round opens sessions
    times.products.push(multiplied - start);
    times.gradient.push(learnt - multiplied);
    times.update.push(updated - learnt);
  }
  await Promise.all([raw.release(), trainer.release()]);

  const operations = products.reduce((sum, product) => sum + operationsOf(product), 0);
  const [multiply, learn, update] = [times.products, times.gradient, times.update].map(median);
  const speed = (milliseconds: number): string => `${(operations / milliseconds / 1e6).toFixed(1)} GFLOP/s`;
  const share = (milliseconds: number): string => `${((100 * multiply!) / milliseconds).toFixed(0)} %`;
  console.log(
    `${batch} sequences of ${lessons[0]!.sequence.ids.length} tokens, ${threads} threads, ${checkpoint.folder}`,
  );
  console.log(`matrix products alone   ${multiply!.toFixed(0)} ms  ${speed(multiply!)}`);
  console.log(`forward and backward    ${learn!.toFixed(0)} ms  ${speed(learn!)}  ${share(learn!)}`);
  console.log(`with clipping and AdamW ${(learn! + update!).toFixed(0)} ms  ${share(learn! + update!)}`);
}

/** One picture of 36 tokens, two texts and a block. */
function sampleOf({ config }: Checkpoint, seed: number): TrainingSample {
  const random = seededNumbers(seed);
  const shape = [36, config.text.hiddenSize];
  const data = Float32Array.from({ length: sizeOf(shape) }, () => random() - 0.5);
  const side = 6 * config.vision.mergeSize;
  const picture: Picture = { grid: { height: side, width: side }, features: { shape, data } };
  return {
    question: '<image> Find a safe path to the goal.',
    pictures: [picture],
    plan: [
      { type: 'text', content: 'right, right, down, down' },
      { type: 'latent', helper: picture },
      { type: 'text', content: 'right, down, down' },
    ],
  };
}

interface Product {
  node: Node;
  a: Shape;
  b: Shape;
  result: Shape;
}

/** Every Gemm and MatMul of a graph. */
function productsOf(graph: GraphBuilder): Product[] {
  const shapes = new Shapes(graph);
  return graph
    .neededNodes()
    .filter(({ op }) => op === 'Gemm' || op === 'MatMul')
    .map((node) => {
      const [a, b] = [node.inputs[0]!, node.inputs[1]!].map((value) => shapes.of(value));
      return { node, a: a!, b: b!, result: shapes.of(node.outputs[0]!) };
    });
}

/** A multiplication and an addition per term. */
function operationsOf({ node, a, result }: Product): number {
  return 2 * sizeOf(result) * (node.attributes['transA'] === 1 ? a.at(-2)! : a.at(-1)!);
}

/** A graph of these products and nothing else, each with inputs of its own, or the runtime would join equal ones. */
async function openProducts(products: readonly Product[], threads: number) {
  const graph = new GraphBuilder('products');
  const first = graph.input('first', 'int64', [1, 1]);
  const feeds: Record<string, RuntimeTensor> = { first: intTensor([0], [1, 1]) };
  const random = seededNumbers(0);
  const input = (name: string, shape: Shape): Value => {
    const data = Float32Array.from({ length: sizeOf(shape) }, () => random() - 0.5);
    feeds[name] = floatTensor(data, shape);
    return graph.input(name, 'float32', shape);
  };
  products.forEach(({ node, a, b, result }, i) => {
    const product = graph.op(node.op, [input(`a${i}`, a), input(`b${i}`, b)], node.attributes);
    // One number of each comes out: whole results would have to be copied.
    const flat = graph.reshape(product, [sizeOf(result)]);
    graph.output(`y${i}`, graph.op('Gather', [flat, first]), [1, 1]);
  });
  const session = await openSession(graph.build(), { provider: 'cpu', weightsFolder: '', threads });
  return { run: () => session.run(feeds), release: () => session.release() };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
