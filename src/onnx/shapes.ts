/**
 * Static shapes of a graph's values, from the shapes of its inputs. Gradients need them: what was
 * broadcast is summed, what was reshaped is reshaped back.
 */

import { sizeOf } from '../tensor/array.ts';
import type { GraphBuilder, Node, Value } from './graphBuilder.ts';
import type { OpName } from './ops.ts';

export type Shape = readonly number[];

export class Shapes {
  private readonly graph: GraphBuilder;
  private readonly known = new Map<Value, Shape>();
  /** Nodes, inputs and initializers seen so far; a graph only grows. */
  private readonly seen = { nodes: 0, inputs: 0, initializers: 0 };

  constructor(graph: GraphBuilder) {
    this.graph = graph;
  }

  /** @throws Error if the shape depends on a length that is known at run time only */
  of(value: Value): Shape {
    if (!this.known.has(value)) this.readOn();
    const shape = this.known.get(value);
    if (shape === undefined) throw new Error(`the shape of ${value} is not static`);
    return shape;
  }

  private readOn(): void {
    const { graph, known, seen } = this;
    for (const { name, shape } of graph.initializers.slice(seen.initializers)) known.set(name, shape);
    for (const { name, shape } of graph.inputs.slice(seen.inputs)) {
      if (isStatic(shape)) known.set(name, shape);
    }
    for (const node of graph.nodes.slice(seen.nodes)) this.infer(node);
    seen.initializers = graph.initializers.length;
    seen.inputs = graph.inputs.length;
    seen.nodes = graph.nodes.length;
  }

  private infer(node: Node): void {
    const inputs = node.inputs.map((value) => (value === undefined ? [] : this.known.get(value)));
    if (!inputs.every((shape) => shape !== undefined)) return;
    const integers = (index: number): number[] => integersOf(this.graph, node.inputs[index]);
    const shapes = SHAPES[node.op]({ inputs, node, integers });
    node.outputs.forEach((value, i) => this.known.set(value, shapes[i]!));
  }
}

interface Inference {
  inputs: readonly Shape[];
  node: Node;
  /** The values of a constant input. */
  integers: (index: number) => number[];
}

type ShapeRule = (inference: Inference) => Shape[];

const broadcast: ShapeRule = ({ inputs }) => [inputs.reduce(broadcastShapes)];
const same: ShapeRule = ({ inputs }) => [inputs[0]!];

/** Reduced axes keep length 1. */
const reduce: ShapeRule = ({ inputs, integers }) => {
  const axes = integers(1).map((axis) => at(axis, inputs[0]!));
  return [inputs[0]!.map((length, i) => (axes.includes(i) ? 1 : length))];
};

const SHAPES: { [Op in OpName]: ShapeRule } = {
  Add: broadcast,
  Cast: same,
  Concat: ({ inputs, node }) => {
    const axis = at(intAttribute(node, 'axis', 0), inputs[0]!);
    const length = inputs.reduce((sum, shape) => sum + shape[axis]!, 0);
    return [inputs[0]!.with(axis, length)];
  },
  Div: broadcast,
  Erf: same,
  Exp: same,
  Expand: ({ inputs, integers }) => [broadcastShapes(inputs[0]!, integers(1))],
  Gather: ({ inputs: [data, indices], node }) => {
    const axis = at(intAttribute(node, 'axis', 0), data!);
    return [[...data!.slice(0, axis), ...indices!, ...data!.slice(axis + 1)]];
  },
  Gelu: same,
  Gemm: ({ inputs: [a, b], node }) => [
    [a![intAttribute(node, 'transA', 0)]!, b![1 - intAttribute(node, 'transB', 0)]!],
  ],
  Log: same,
  MatMul: ({ inputs: [a, b] }) => [
    [...broadcastShapes(a!.slice(0, -2), b!.slice(0, -2)), a!.at(-2)!, b!.at(-1)!],
  ],
  MatMulNBits: ({ inputs: [x, data] }) => [[...x!.slice(0, -1), data![0]!]],
  Mul: broadcast,
  Neg: same,
  ReduceMax: reduce,
  ReduceMean: reduce,
  ReduceSum: reduce,
  Reshape: ({ inputs: [from], integers }) => [reshaped(from!, integers(1))],
  RotaryEmbedding: same,
  ScatterND: same,
  Sigmoid: same,
  SimplifiedLayerNormalization: same,
  Softmax: same,
  Split: ({ inputs: [from], node, integers }) =>
    integers(1).map((length) => from!.with(at(intAttribute(node, 'axis', 0), from!), length)),
  Sqrt: same,
  Sub: broadcast,
  Transpose: ({ inputs: [from], node }) => [intsAttribute(node, 'perm').map((axis) => from![axis]!)],
};

/** An axis counted from the front; a negative one is counted from the end. */
export function at(axis: number, shape: Shape): number {
  return axis < 0 ? axis + shape.length : axis;
}

export function intAttribute(node: Node, name: string, fallback: number): number {
  const value = node.attributes[name];
  return typeof value === 'number' ? value : fallback;
}

export function intsAttribute(node: Node, name: string): readonly number[] {
  const value = node.attributes[name];
  if (!Array.isArray(value)) throw new Error(`${node.op} has no list ${name}`);
  return value as readonly number[];
}

export function floatAttribute(node: Node, name: string): number {
  const value = node.attributes[name];
  if (typeof value !== 'object' || !('float' in value)) throw new Error(`${node.op} has no number ${name}`);
  return value.float;
}

/** The values of a constant of int64. */
function integersOf(graph: GraphBuilder, value: Value | undefined): number[] {
  const content = graph.initializers.find(({ name }) => name === value)?.content;
  if (!(content instanceof BigInt64Array)) throw new Error(`${value} is not a constant`);
  return Array.from(content, Number);
}

/** Lengths of 1 stretch to the other's length; a shorter shape is filled with 1 in front. */
function broadcastShapes(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const [x, y] = [a[i - rank + a.length] ?? 1, b[i - rank + b.length] ?? 1];
    if (x !== y && x !== 1 && y !== 1) throw new Error(`shapes (${a.join()}) and (${b.join()}) do not fit`);
    return x === 1 ? y : x;
  });
}

/** 0 keeps a length, -1 is what is left. */
function reshaped(from: Shape, to: readonly number[]): Shape {
  const kept = to.map((length, i) => (length === 0 ? from[i]! : length));
  const left = -sizeOf(from) / sizeOf(kept);
  return kept.map((length) => (length === -1 ? left : length));
}

function isStatic(shape: readonly (number | string)[]): shape is Shape {
  return shape.every((length) => typeof length === 'number');
}
