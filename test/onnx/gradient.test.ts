/** Every gradient rule against central differences: one line per claim. */

import { describe, expect, it } from 'vitest';
import * as math from '../../src/onnx/arithmetic.ts';
import { gradients } from '../../src/onnx/gradient.ts';
import { GraphBuilder, type Value } from '../../src/onnx/graphBuilder.ts';
import { OPS } from '../../src/onnx/ops.ts';
import { Shapes } from '../../src/onnx/shapes.ts';
import { floats, floatTensor, intTensor, openSession, type Provider } from '../../src/ort/session.ts';
import { sizeOf } from '../../src/tensor/array.ts';
import { seededNumbers } from '../../src/base/random.ts';
import { foldSums } from '../../src/onnx/foldSums.ts';
import { foldViews } from '../../src/onnx/foldViews.ts';
import { gated } from '../../src/model/layers.ts';
import { crossEntropy } from '../../src/onnx/losses.ts';
import { DEVICES } from './devices.ts';

/** Shapes of the inputs whose gradients are checked, and what is made of them. */
type Claim = [shapes: string, formula: (graph: GraphBuilder, ...x: Value[]) => Value, options?: Options];

interface Options {
  /** Inputs lie in (low, low + 2). */
  low?: number;
  /** An index column (R, 1), the formula's last input. */
  column?: number[];
}

const norm = { axis: -1, epsilon: { float: 1e-3 } };
const adding = { reduction: { text: 'add' } };
const positive = { low: 0.5 };
const twice = { column: [2, 0, 2] };

// prettier-ignore
const CLAIMS: Record<string, Claim> = {
  'Add of equal shapes': ['2×3 2×3', math.add],
  'Add of a row to a matrix': ['2×3 3', math.add],
  'Add of a column to a matrix': ['2×1 2×3', math.add],
  'Add of a value to itself': ['2×3', (graph, x) => math.add(graph, x, x)],
  'Concat along the first axis': ['2×3 1×3', (graph, a, b) => graph.op('Concat', [a, b], { axis: 0 })],
  'Concat along the last axis': ['2×3 2×1', (graph, a, b) => graph.op('Concat', [a, b], { axis: -1 })],
  'Concat of more parts than a kernel binds': ['9', (graph, x) => graph.op('Concat', new Array<Value>(17).fill(x), { axis: 0 })],
  'Div': ['2×3 2×3', math.div, positive],
  'Div by a column': ['2×3 2×1', math.div, positive],
  'Erf': ['2×3', math.erf],
  'Exp': ['2×3', math.exp],
  'Expand': ['2×1', (graph, x) => math.expand(graph, x, [4, 2, 3])],
  'Gather of rows, one of them twice': ['4×3', (graph, x, column) => graph.op('Gather', [x, column]), twice],
  'Gather of numbers, one of them twice': ['4', (graph, x, column) => graph.op('Gather', [x, column]), twice],
  'Gelu': ['2×3', (graph, x) => graph.op('Gelu', [x])],
  'Gemm': ['2×3 3×4', (graph, a, b) => math.gemm(graph, a, false, b, false)],
  'Gemm, first matrix transposed': ['3×2 3×4', (graph, a, b) => math.gemm(graph, a, true, b, false)],
  'Gemm, second matrix transposed': ['2×3 4×3', (graph, a, b) => math.gemm(graph, a, false, b, true)],
  'Gemm, both transposed': ['3×2 4×3', (graph, a, b) => math.gemm(graph, a, true, b, true)],
  'Gemm of its own result, as in a recurrence': ['2×3 3×3 3', (graph, a, b, c) => [1, 2, 3].reduce((x) => graph.op('Gemm', [x, b, c], { transB: 1 }), a)],
  'Gemm with a bias': ['2×3 4×3 4', (graph, a, b, c) => graph.op('Gemm', [a, b, c], { transB: 1 })],
  'Log': ['2×3', math.log, positive],
  'MatMul': ['2×3 3×4', math.matMul],
  'MatMul of stacks': ['2×2×3 2×3×2', math.matMul],
  'MatMul of a stack with one matrix': ['2×2×3 3×2', math.matMul],
  'MatMul of two stacks with the same one': ['2×2×3 2×1×3 2×3×2', (graph, a, b, c) => concatRows(graph, math.matMul(graph, a, c), math.matMul(graph, b, c))],
  'MatMul with a matrix that is multiplied elsewhere too': ['2×3 3×3', (graph, a, b) => math.mul(graph, math.matMul(graph, math.matMul(graph, a, b), math.exp(graph, b)), math.matMul(graph, a, b))],
  'Mul': ['2×3 2×3', math.mul],
  'Mul by a row': ['2×3 3', math.mul],
  'Mul of a value by itself': ['2×3', (graph, x) => math.mul(graph, x, x)],
  'Neg': ['2×3', math.neg],
  'ReduceMax, where it shifts log Σ exp': ['2×3', logSumExp],
  'ReduceMean': ['2×3', (graph, x) => math.mean(graph, x, [-1])],
  'ReduceSum over two axes': ['2×3×2', (graph, x) => math.sum(graph, x, [0, 2])],
  'Reshape': ['2×3', (graph, x) => graph.reshape(x, [3, -1])],
  'RotaryEmbedding': ['1×2×8', rotated],
  'ScatterND that adds': ['4×3 3×3', (graph, data, rows, column) => graph.op('ScatterND', [data, column, rows], adding), twice],
  'Sigmoid': ['2×3', math.sigmoid],
  'SimplifiedLayerNormalization': ['3×4 4', (graph, x, w) => graph.op('SimplifiedLayerNormalization', [x, w], norm)],
  'Softmax that weighs the rows of a matrix': ['2×2×4 2×4×3', (graph, x, v) => math.matMul(graph, graph.op('Softmax', [x], { axis: -1 }), v)],
  'Softmax that weighs, in another shape': ['2×2×4 4×3', (graph, x, v) => math.matMul(graph, graph.reshape(graph.op('Softmax', [x], { axis: -1 }), [4, 4]), v)],
  'SwiGLU': ['2×3 2×3', gated],
  'Cross-entropy': ['2×4', crossEntropy, { column: [1, 6] }],
  'Softmax': ['2×4', (graph, x) => graph.op('Softmax', [x], { axis: -1 })],
  'Split': ['2×3', (graph, x) => math.mul(graph, ...halves(graph, x))],
  'Split of which one part is used': ['2×3', (graph, x) => halves(graph, x)[1]],
  'Split into more parts than a kernel binds': ['17', (graph, x) => math.exp(graph, math.split(graph, x, new Array(17).fill(1), 0)[11]!)],
  'Sqrt': ['2×3', math.sqrt, positive],
  'Sub of a row from a matrix': ['2×3 3', math.sub],
  'Transpose': ['2×3×2', (graph, x) => graph.transpose(x, [2, 0, 1])],
};

function concatRows(graph: GraphBuilder, a: Value, b: Value): Value {
  return graph.op('Concat', [a, b], { axis: 1 });
}

/** (2, 3) → its first column and the other two. */
function halves(graph: GraphBuilder, x: Value): [Value, Value] {
  return graph.ops('Split', [x, graph.ints([1, 2])], 2, { axis: 1 }) as [Value, Value];
}

function logSumExp(graph: GraphBuilder, x: Value): Value {
  const top = math.max(graph, x, [-1]);
  return math.add(
    graph,
    math.log(graph, math.sum(graph, math.exp(graph, math.sub(graph, x, top)), [-1])),
    top,
  );
}

/** Two heads of 4, angles of 0.3 and 0.7 times the position. */
function rotated(graph: GraphBuilder, x: Value): Value {
  const [cos, sin] = [Math.cos, Math.sin].map((f) =>
    graph.op(
      'Concat',
      [0.3, 0.7, 0.6, 1.4].map((angle) => graph.reshape(graph.scalar(f(angle)), [1, 1])),
      { axis: 1 },
    ),
  );
  const angles = [cos!, sin!].map((value) => graph.reshape(value, [1, 2, 2]));
  return graph.op('RotaryEmbedding', [x, ...angles], { num_heads: 2 });
}

/** Step of the central differences; y of these formulas is of order 1, so rounding adds about 1e-5. */
const STEP = 1e-2;
const TOLERANCE = 5e-4;

/** Largest difference between the graph's gradients and central differences, over the largest gradient. */
async function worstError([shapesText, formula, options = {}]: Claim, device: Provider): Promise<number> {
  const { low = -1, column } = options;
  const shapes = shapesText.split(' ').map((text) => text.split('×').map(Number));
  const random = seededNumbers(1);
  const draw = (shape: number[], least: number): Float32Array =>
    Float32Array.from({ length: sizeOf(shape) }, () => least + 2 * random());
  const graph = new GraphBuilder('claim');
  const x = shapes.map((shape, i) => graph.input(`x${i}`, 'float32', shape));
  const indices = column === undefined ? [] : [graph.input('column', 'int64', [column.length, 1])];
  const y = formula(graph, ...x, ...indices);
  const shape = [...new Shapes(graph).of(y)];
  const weights = graph.input('weights', 'float32', shape);
  const loss = math.sum(graph, graph.reshape(math.mul(graph, y, weights), [-1]), [0]);
  graph.output('y', y, shape);
  gradients(graph, loss, x).forEach((value, i) => graph.output(`g${i}`, value, shapes[i]!));

  const values = shapes.map((each) => draw(each, low));
  const scale = draw(shape, -1);
  const feeds = () => ({
    ...Object.fromEntries(values.map((data, i) => [`x${i}`, floatTensor(data, shapes[i]!)])),
    ...(column && { column: intTensor(column, [column.length, 1]) }),
    weights: floatTensor(scale, shape),
  });
  const session = await openSession(graph.build(), { provider: device, weightsFolder: '' });
  const weighted = async (): Promise<number> =>
    floats((await session.run(feeds()))['y']).reduce((total, value, i) => total + value * scale[i]!, 0);
  try {
    const result = await session.run(feeds());
    let [worst, largest] = [0, 0];
    for (const [input, data] of values.entries()) {
      const gradient = floats(result[`g${input}`]);
      for (const [i, value] of data.entries()) {
        const slope: number[] = [];
        for (const sign of [1, -1]) {
          data[i] = value + sign * STEP;
          slope.push(await weighted());
        }
        const width = Math.fround(value + STEP) - Math.fround(value - STEP);
        data[i] = value;
        worst = Math.max(worst, Math.abs((slope[0]! - slope[1]!) / width - gradient[i]!));
        largest = Math.max(largest, Math.abs(gradient[i]!));
      }
    }
    return worst / largest;
  } finally {
    await session.release();
  }
}

for (const { device, available } of DEVICES) {
  describe.skipIf(!available)(`gradients on ${device} equal central differences`, () => {
    it.each(Object.entries(CLAIMS))('%s', async (_name, claim) => {
      expect(await worstError(claim, device)).toBeLessThan(TOLERANCE);
    });
  });
}

it('every operator has a claim, but for those whose derivative is never wanted', () => {
  const named = Object.keys(CLAIMS).map((name) => name.split(/\W/)[0]);
  expect(Object.keys(OPS).filter((op) => !named.includes(op))).toEqual(['Cast', 'MatMulNBits']);
});

it('a matrix in blocks of few bits says that it has no gradient', () => {
  const graph = new GraphBuilder('blocks');
  const x = graph.input('x', 'float32', [1, 32]);
  const [data, scales] = [graph.input('data', 'float32', [4, 1, 32]), graph.input('scales', 'float32', [4])];
  const y = graph.op('MatMulNBits', [x, data, scales], { K: 32, N: 4, bits: 8, block_size: 32 });
  expect(() => gradients(graph, math.sum(graph, y, [0, 1]), [x])).toThrow('have no gradient');
});

it('a value that the loss does not depend on has gradient zero', async () => {
  const graph = new GraphBuilder('unused');
  const [used, unused] = ['used', 'unused'].map((name) => graph.input(name, 'float32', [2]));
  const [gradient] = gradients(graph, math.sum(graph, used!, [0]), [unused!]);
  graph.output('gradient', gradient!, [2]);
  const session = await openSession(graph.build(), { provider: 'cpu', weightsFolder: '' });
  const two = floatTensor(new Float32Array(2), [2]);
  expect([...floats((await session.run({ used: two, unused: two }))['gradient'])]).toEqual([0, 0]);
  await session.release();
});

it('a product that is added to a matrix is one node, and its sum the same', async () => {
  const build = (fold: boolean): GraphBuilder => {
    const graph = new GraphBuilder('sum');
    const [a, b, c] = ['a', 'b', 'c'].map((name) => graph.input(name, 'float32', [2, 2]));
    const product = math.gemm(graph, a!, false, b!, true);
    graph.output('sum', math.add(graph, math.add(graph, c!, product), product), [2, 2]);
    graph.output('once', math.add(graph, c!, math.gemm(graph, b!, false, a!, false)), [2, 2]);
    if (fold) foldSums(graph);
    return graph;
  };
  // The first product is used twice and stays.
  expect(
    build(true)
      .neededNodes()
      .map(({ op }) => op),
  ).toEqual(['Gemm', 'Add', 'Add', 'Gemm']);
  const results = [];
  for (const fold of [false, true]) {
    const session = await openSession(build(fold).build(), { provider: 'cpu', weightsFolder: '' });
    const matrix = (...values: number[]) => floatTensor(Float32Array.from(values), [2, 2]);
    const result = await session.run({ a: matrix(1, 2, 3, 4), b: matrix(5, 6, 7, 8), c: matrix(1, 1, 2, 2) });
    results.push([...floats(result['sum']), ...floats(result['once'])]);
    await session.release();
  }
  expect(results[1]).toEqual(results[0]);
  expect(results[1]!.slice(4)).toEqual([24, 35, 33, 48]);
});

it('views of views are one node, those that change nothing none, and the numbers the same', async () => {
  const build = (fold: boolean): GraphBuilder => {
    const graph = new GraphBuilder('views');
    const x = graph.input('x', 'float32', [2, 6]);
    const again = graph.reshape(graph.reshape(math.neg(graph, x), [2, 2, 3]), [0, -1, 1]);
    graph.output('reshaped', math.neg(graph, graph.reshape(again, [2, 6, 1])), [2, 6, 1]);
    const turned = graph.transpose(graph.transpose(graph.reshape(x, [1, 2, 6]), [2, 0, 1]), [2, 0, 1]);
    graph.output('turned', turned, [2, 6, 1]);
    const back = graph.transpose(graph.transpose(x, [1, 0]), [1, 0]);
    graph.output('back', math.neg(graph, back), [2, 6]);
    if (fold) foldViews(graph);
    return graph;
  };
  const ops = build(true)
    .neededNodes()
    .map(({ op }) => op);
  expect(ops).toEqual(['Neg', 'Reshape', 'Neg', 'Reshape', 'Transpose', 'Neg']);
  const results = [];
  for (const fold of [false, true]) {
    const session = await openSession(build(fold).build(), { provider: 'cpu', weightsFolder: '' });
    const x = floatTensor(
      new Float32Array(12).map((_, i) => i),
      [2, 6],
    );
    const result = await session.run({ x });
    results.push(['reshaped', 'turned', 'back'].map((name) => [...floats(result[name])]));
    await session.release();
  }
  expect(results[1]).toEqual(results[0]);
});

it('outputs are written where the caller wants them', async () => {
  const graph = new GraphBuilder('place');
  const x = graph.input('x', 'float32', [2]);
  graph.output('y', math.neg(graph, x), [2]);
  graph.output('same', x, [2]);
  const session = await openSession(graph.build(), { provider: 'cpu', weightsFolder: '' });
  const place = new Float32Array(4);
  const result = await session.run(
    { x: floatTensor(Float32Array.of(1, 2), [2]) },
    { y: floatTensor(place.subarray(1, 3), [2]) },
  );
  expect([...place]).toEqual([0, -1, -2, 0]);
  expect([...floats(result['same'])]).toEqual([1, 2]);
  await session.release();
});

it('names of the builder and of its callers cannot collide', () => {
  expect(() => new GraphBuilder('x').input('%Add_0', 'float32', [1])).toThrow("the builder's own");
});
