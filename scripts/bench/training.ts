/**
 * `npm run bench -- training`: the speed of a training step as a share of the runtime's raw speed at the
 * same matrix products, measured in turn in one run. Times are the processor's for this process, so that
 * what else runs on the machine hardly counts; on an idle one they are the clock's. Garbage is collected on the
 * thread that computes, as in a run of training.
 *
 * Two steps: stage 1 with its latents, and the base phase, which trains the vision tower too.
 *
 *   --batch N    sequences in a batch (8)
 *   --rounds N   timed rounds; medians count, of shares too (25)
 *   --threads N  threads of the CPU (1: the trainer runs one session per core)
 *   --model DIR  checkpoint (the bundled one)
 */

import { parseArgs } from 'node:util';
import { seededNumbers } from '../../src/base/random.ts';
import { openCheckpoint, type Checkpoint } from '../../src/checkpoint/checkpoint.ts';
import { readTensor } from '../../src/checkpoint/formats/safetensors.ts';
import { drawGrid } from '../../src/mazes/grid.ts';
import { pixelsPerPatch } from '../../src/model/vision.ts';
import { GraphBuilder, type Node, type Value } from '../../src/onnx/graphBuilder.ts';
import { intsAttribute, Shapes, type Shape } from '../../src/onnx/shapes.ts';
import { floatTensor, intTensor, openSession, type RuntimeTensor } from '../../src/ort/session.ts';
import { sizeOf } from '../../src/tensor/array.ts';
import {
  baseGraph,
  BaseStudent,
  baseWeights,
  lengthOfLesson,
  sizeOfBatch,
  type BaseLesson,
} from '../../src/train/base/student.ts';
import { lossSize, lossTermsOf } from '../../src/train/recipe/lossTerms.ts';
import { GradientSum } from '../../src/train/parameters/gradientSum.ts';
import { AdamW, clipFactor, RELEASED_ADAMW } from '../../src/train/parameters/optimiser.ts';
import { readParameters, type ParameterSet } from '../../src/train/parameters/parameters.ts';
import { wholePart } from '../../src/train/graphs/parts.ts';
import { mapLabels } from '../../src/train/base/mapLabels.ts';
import { isHead } from '../../src/train/base/perception.ts';
import { sequenceOf, type Picture, type TrainingSample } from '../../src/train/data/sequence.ts';
import type { Lesson } from '../../src/train/recipe/student.ts';
import { lossGraph } from '../../src/train/recipe/studentGraphs.ts';
import { RELEASED_TRAINING, Trainer } from '../../src/train/recipe/trainer.ts';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    batch: { type: 'string', default: '8' },
    rounds: { type: 'string', default: '25' },
    threads: { type: 'string', default: '1' },
    model: { type: 'string', default: 'models/maze' },
  },
});
if (positionals.join() !== 'training') throw new Error('usage: npm run bench -- training [--batch N]');
const [batch, rounds, threads] = [options.batch, options.rounds, options.threads].map(Number);
const opened = await openCheckpoint(options.model);
await benchStage1(opened, batch!);
await benchBase(opened, batch!);

/** The student's graph: `sequences` of them, each with a latent block. */
async function benchStage1(checkpoint: Checkpoint, sequences: number): Promise<void> {
  const { config, weights } = checkpoint;
  const settings = { ...RELEASED_TRAINING, batchSize: sequences };
  const trainer = await Trainer.open(checkpoint, settings, { provider: 'cpu', threads: threads! });
  const lessons: Lesson[] = [];
  for (let i = 0; i < sequences; i++) lessons.push(await trainer.prepare(sampleOf(checkpoint, i)));
  const size = lossSize(
    wholePart(lessons.map(({ sequence }) => sequence)),
    lessons.map(({ sequence, targets }) => lossTermsOf(sequence, targets)),
    { isRead: false, intoFed: false },
  );
  const graph = lossGraph(config.text, weights, size);
  await report(
    `stage 1: ${sequences} sequences of ${lessons[0]!.sequence.ids.length} tokens`,
    graph,
    // Runs of training do not ask for the hidden states either.
    async () => (await trainer.learn(lessons, { hidden: false })).gradient,
    await AdamW.open(trainer.sets.student, settings.adamW),
  );
  await trainer.release();
}

/** Vision tower and language model: two sequences for each picture of 144 patches. */
async function benchBase(checkpoint: Checkpoint, sequences: number): Promise<void> {
  const { config, weights } = checkpoint;
  const parameters = await readParameters(baseWeights(config, weights, true), async (ref, name) =>
    isHead(name) ? new Float32Array(ref.length / 4) : readTensor(ref),
  );
  const runtime = { provider: 'cpu', threads: threads! } as const;
  const student = new BaseStudent(config, weights, parameters, 1, runtime);
  const lessons = Array.from({ length: Math.ceil(sequences / 2) }, (_, i) => baseLessonOf(checkpoint, i));
  const gradient = new GradientSum(parameters.zeros());
  const learn = async (): Promise<ParameterSet> => {
    gradient.clear();
    await student.learn(lessons, gradient, 1);
    return gradient.whole();
  };
  await report(
    `base phase: ${lessons.length} pictures, 2 sequences of ${lengthOfLesson(lessons[0]!)} tokens for each`,
    baseGraph(config, weights, sizeOfBatch(lessons), 1),
    learn,
    await AdamW.open(parameters, RELEASED_ADAMW),
  );
  await student.release();
}

/** Runs the graph's products alone, the step and the update in turn, and prints the medians. */
async function report(
  title: string,
  graph: GraphBuilder,
  learn: () => Promise<ParameterSet>,
  optimiser: AdamW,
): Promise<void> {
  const products = productsOf(graph);
  const raw = await openProducts(products);
  const times = { products: [] as number[], gradient: [] as number[], update: [] as number[] };
  for (let round = -1; round < rounds!; round++) {
    const start = processorTime();
    await raw.run();
    const multiplied = processorTime();
    const gradient = await learn();
    const learnt = processorTime();
    await optimiser.update(gradient, 1e-6, clipFactor(await gradient.norm(), 1));
    const updated = processorTime();
    if (round < 0) continue; // the first round opens sessions
    times.products.push(multiplied - start);
    times.gradient.push(learnt - multiplied);
    times.update.push(updated - learnt);
  }
  await raw.release();

  const operations = products.reduce((sum, each) => sum + each.operations, 0);
  const [multiply, step, update] = [times.products, times.gradient, times.update].map(median);
  const speed = (milliseconds: number): string => `${(operations / milliseconds / 1e6).toFixed(1)} GFLOP/s`;
  // By round: what slows the machine down for a while slows both down.
  const share = (of: (round: number) => number): string =>
    `${median(times.products.map((time, round) => (100 * time) / of(round))).toFixed(0)} %`;
  const gradientAt = (round: number): number => times.gradient[round]!;
  console.log(`${title}, ${threads} thread${threads === 1 ? '' : 's'}, ${opened.folder}`);
  console.log(`matrix products alone   ${multiply!.toFixed(0)} ms  ${speed(multiply!)}`);
  console.log(`forward and backward    ${step!.toFixed(0)} ms  ${speed(step!)}  ${share(gradientAt)}`);
  const whole = share((round) => gradientAt(round) + times.update[round]!);
  console.log(`with clipping and AdamW ${(step! + update!).toFixed(0)} ms  ${whole}`);
}

/** As the recipe's: a picture of 36 tokens, and after each of four moves a block. */
function sampleOf({ config }: Checkpoint, seed: number): TrainingSample {
  const random = seededNumbers(seed);
  const shape = [36, config.text.hiddenSize];
  const data = Float32Array.from({ length: sizeOf(shape) }, () => random() - 0.5);
  const side = 6 * config.vision.mergeSize;
  const picture: Picture = { grid: { height: side, width: side }, features: { shape, data } };
  const moves = ['right (2,1)', 'right (3,1)', 'down (3,2)', 'down (3,3)'];
  return {
    question: '<image>Find a safe path to the goal.',
    pictures: [picture],
    plan: [
      { type: 'text', content: 'Start (1,1), goal (3,3).\n' },
      ...moves.flatMap((move) => [
        { type: 'text' as const, content: `${move}\n` },
        { type: 'latent' as const, helper: picture },
      ]),
      { type: 'text', content: 'Answer: \\boxed{RRDD}' },
    ],
  };
}

/** A picture of noise, whose labels are a map's, and two questions about it. */
function baseLessonOf(checkpoint: Checkpoint, seed: number): BaseLesson {
  const { vision } = checkpoint.config;
  const { mergeSize } = vision;
  const random = seededNumbers(seed);
  const grid = { height: 6 * mergeSize, width: 6 * mergeSize };
  const pixels = new Float32Array(grid.height * grid.width * pixelsPerPatch(vision));
  const sequence = sequenceOf(checkpoint, {
    question: '<image> Find a safe path to the goal.',
    pictures: [{ grid }],
    plan: [{ type: 'text', content: 'right, right, down, down, right, down, down' }],
  });
  return {
    pixels: pixels.map(() => random() - 0.5),
    grid,
    labels: mapLabels(drawGrid(random, 4), grid, mergeSize),
    sequences: [sequence, sequence],
  };
}

/** A matrix as it lies in memory. */
interface Operand {
  shape: Shape;
  /** Which the runtime's product reads transposed; a Gemm has attributes for that. */
  transpose?: Node;
}

interface Product {
  node: Node;
  operands: Operand[];
  result: Shape;
  /** A multiplication and an addition per term. */
  operations: number;
}

/** Every Gemm and MatMul of a graph. */
function productsOf(graph: GraphBuilder): Product[] {
  const shapes = new Shapes(graph);
  const nodes = graph.neededNodes();
  const transposes = new Map(nodes.filter(swapsLastAxes).map((node) => [node.outputs[0]!, node]));
  return nodes
    .filter(({ op }) => op === 'Gemm' || op === 'MatMul')
    .map((node) => {
      const operands = [node.inputs[0]!, node.inputs[1]!].map((value): Operand => {
        const transpose = transposes.get(value);
        return transpose
          ? { shape: shapes.of(transpose.inputs[0]!), transpose }
          : { shape: shapes.of(value) };
      });
      const result = shapes.of(node.outputs[0]!);
      const terms = shapes.of(node.inputs[0]!).at(node.attributes['transA'] === 1 ? -2 : -1)!;
      return { node, operands, result, operations: 2 * sizeOf(result) * terms };
    });
}

/** The runtime makes such a node part of the product after it. */
function swapsLastAxes(node: Node): boolean {
  if (node.op !== 'Transpose') return false;
  const perm = intsAttribute(node, 'perm');
  return [...perm.slice(0, -2), perm.at(-1), perm.at(-2)].every((axis, i) => axis === i);
}

/**
 * A graph of these products and nothing else, each with inputs of its own, or the runtime would join equal ones. Whether
 * it has a Transpose before it or an attribute of Gemm, a transposed operand is the runtime's product's to read.
 */
async function openProducts(products: readonly Product[]) {
  const graph = new GraphBuilder('products');
  const first = graph.input('first', 'int64', [1, 1]);
  const feeds: Record<string, RuntimeTensor> = { first: intTensor([0], [1, 1]) };
  const random = seededNumbers(0);
  const input = (name: string, shape: Shape): Value => {
    const data = Float32Array.from({ length: sizeOf(shape) }, () => random() - 0.5);
    feeds[name] = floatTensor(data, shape);
    return graph.input(name, 'float32', shape);
  };
  products.forEach(({ node, operands, result }, i) => {
    const inputs = operands.map(({ shape, transpose }, side) => {
      const matrix = input(`x${i}.${side}`, shape);
      return transpose ? graph.op('Transpose', [matrix], transpose.attributes) : matrix;
    });
    const product = graph.op(node.op, inputs, node.attributes);
    // One number of each comes out: whole results would have to be copied.
    const flat = graph.reshape(product, [sizeOf(result)]);
    graph.output(`y${i}`, graph.op('Gather', [flat, first]), [1, 1]);
  });
  const session = await openSession(graph.build(), { provider: 'cpu', weightsFolder: '', threads: threads! });
  return { run: () => session.run(feeds), release: () => session.release() };
}

/** Milliseconds that this process has computed. */
function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
