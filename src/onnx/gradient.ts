/**
 * Reverse mode over our own graphs: appends to a graph the nodes that compute the gradient of a
 * scalar, so that forward and backward are one ONNX graph. Rules emit operators with kernels on CPU
 * and WebGPU only.
 *
 * One walk back over the nodes. Each rule turns the gradients of a node's results into those of its
 * inputs; where a value is used several times the contributions are added. A matrix that several
 * products read (a weight that is applied at every step of a recurrence) gets one product of their
 * stacked rows instead: the sum of the products would move the whole matrix once per step.
 */

import {
  add,
  div,
  erf,
  exp,
  expand,
  gemm,
  matMul,
  mul,
  neg,
  rows,
  scatterAdd,
  split,
  sqrt,
  sub,
  sum,
  zeros,
} from './arithmetic.ts';
import { sizeOf } from '../tensor/array.ts';
import type { GraphBuilder, Node, Value } from './graphBuilder.ts';
import type { OpName } from './ops.ts';
import { at, floatAttribute, intAttribute, intsAttribute, Shapes, type Shape } from './shapes.ts';

/**
 * @param loss one number, of static shape
 * @param wrt inputs or inner values
 * @returns the gradient of each of `wrt`, of its shape
 */
export function gradients(graph: GraphBuilder, loss: Value, wrt: readonly Value[]): Value[] {
  const shapes = new Shapes(graph);
  const forward = [...graph.nodes];
  const varying = dependents(forward, wrt);
  const users = usersOf(forward);
  const sums = new Sums(graph, shapes);
  sums.add(loss, expand(graph, graph.scalar(1), shapes.of(loss)));

  for (const node of forward.toReversed()) {
    if (!node.outputs.some((value) => sums.has(value) && varying.has(value))) continue;
    const g = node.outputs.map((value) => sums.of(value));
    const formula = graph.formulas.get(node.outputs[0]!);
    const contributions =
      formula?.gradients(g[0]!) ?? GRADIENTS[node.op](new Step(graph, shapes, node, g, users, sums));
    (formula ?? node).inputs.forEach((value, i) => {
      if (value === undefined || !varying.has(value)) return;
      const contribution = contributions[i];
      if (contribution !== undefined) sums.add(value, contribution);
    });
  }
  return wrt.map((value) => sums.of(value));
}

/** leftᵀ right, not computed yet. left (…, n, p) and right (…, n, q) have one shape but for the last axis. */
interface Product {
  left: Value;
  right: Value;
}

/** What has come together of each value's gradient. */
class Sums {
  private readonly graph: GraphBuilder;
  private readonly shapes: Shapes;
  private readonly totals = new Map<Value, Value>();
  private readonly products = new Map<Value, Product[]>();

  constructor(graph: GraphBuilder, shapes: Shapes) {
    this.graph = graph;
    this.shapes = shapes;
  }

  has(value: Value): boolean {
    return this.totals.has(value) || this.products.has(value);
  }

  add(value: Value, contribution: Value | Product): void {
    if (typeof contribution === 'object') {
      this.products.set(value, [...(this.products.get(value) ?? []), contribution]);
      return;
    }
    const others = this.totals.get(value);
    this.totals.set(value, others === undefined ? contribution : add(this.graph, others, contribution));
  }

  /** The whole sum, once all uses of the value have been walked over; zeros without any. */
  of(value: Value): Value {
    const products = this.products.get(value);
    this.products.delete(value);
    if (products !== undefined) this.add(value, this.productOf(products));
    return this.totals.get(value) ?? zeros(this.graph, this.shapes.of(value));
  }

  private productOf(products: readonly Product[]): Value {
    const { graph } = this;
    const rank = this.shapes.of(products[0]!.left).length;
    const stack = (parts: Value[]): Value =>
      parts.length === 1 ? parts[0]! : graph.op('Concat', parts, { axis: rank - 2 });
    const [left, right] = [
      stack(products.map((each) => each.left)),
      stack(products.map((each) => each.right)),
    ];
    if (rank === 2) return gemm(graph, left, true, right, false);
    const [p, q] = [left, right].map((value) => this.shapes.of(value).at(-1)!);
    // Transposed is the narrower one, or else the result: the runtime's products read wide ones slowly that way.
    if (p! <= q!) return matMul(graph, this.swapped(left), right);
    return this.swapped(matMul(graph, this.swapped(right), left));
  }

  private swapped(value: Value): Value {
    return swapLastAxes(this.graph, value, this.shapes.of(value));
  }
}

function usersOf(nodes: readonly Node[]): Map<Value, Node[]> {
  const users = new Map<Value, Node[]>();
  for (const node of nodes) {
    for (const value of node.inputs)
      if (value !== undefined) users.set(value, [...(users.get(value) ?? []), node]);
  }
  return users;
}

/** The values that depend on any of `sources`, themselves included. */
function dependents(nodes: readonly Node[], sources: readonly Value[]): Set<Value> {
  const varying = new Set(sources);
  for (const { inputs, outputs } of nodes) {
    if (inputs.some((value) => value !== undefined && varying.has(value))) {
      for (const value of outputs) varying.add(value);
    }
  }
  return varying;
}

/** One node on the way back: what its rule needs to see. */
class Step {
  readonly graph: GraphBuilder;
  readonly node: Node;
  /** Inputs; a missing optional one must not be read. */
  readonly x: Value[];
  /** Results. */
  readonly y: readonly Value[];
  /** Gradients of the results. */
  readonly g: readonly Value[];
  private readonly shapes: Shapes;
  private readonly users: ReadonlyMap<Value, readonly Node[]>;
  private readonly sums: Sums;

  constructor(
    graph: GraphBuilder,
    shapes: Shapes,
    node: Node,
    g: readonly Value[],
    users: ReadonlyMap<Value, readonly Node[]>,
    sums: Sums,
  ) {
    this.graph = graph;
    this.shapes = shapes;
    this.node = node;
    this.x = node.inputs as Value[];
    this.y = node.outputs;
    this.g = g;
    this.users = users;
    this.sums = sums;
  }

  /** A function of its own, so that rules can take it out. */
  readonly shape = (value: Value): Shape => this.shapes.of(value);

  /** Undoes broadcasting: sums over the axes that `like` does not have or has with length 1. */
  sumTo(gradient: Value, like: Value): Value {
    const [from, to] = [this.shape(gradient), this.shape(like)];
    if (from.join() === to.join()) return gradient;
    const missing = from.length - to.length;
    const axes = [...from.keys()].filter((i) => i < missing || to[i - missing] !== from[i]);
    return this.graph.reshape(sum(this.graph, gradient, axes), to);
  }

  /** The only node that reads the value, if there is but one. */
  readonly onlyUser = (value: Value): Node | undefined => {
    const users = this.users.get(value);
    return users?.length === 1 ? users[0] : undefined;
  };

  /** The gradient of a value that comes after this node; undefined if the loss does not depend on it. */
  readonly gradientOf = (value: Value): Value | undefined =>
    this.sums.has(value) ? this.sums.of(value) : undefined;

  /** Both inputs of an element-wise operator, each summed to its own shape. */
  sumToInputs(first: Value, second: Value): Value[] {
    return [this.sumTo(first, this.x[0]!), this.sumTo(second, this.x[1]!)];
  }
}

/**
 * Gradients of a node's inputs, in order. Undefined, or beyond the list's end: there is none, and none flows.
 * A rule may return more than is asked for; `build` leaves out what nothing uses.
 */
type GradientRule = (step: Step) => (Value | Product | undefined)[];

/** For an input or operator whose derivative is never wanted: `why` is for the reader. */
const stops =
  (_why: string): GradientRule =>
  () => [];

const GRADIENTS: { [Op in OpName]: GradientRule } = {
  // y = a + b: ∂a = g, ∂b = g
  Add: (step) => step.sumToInputs(step.g[0]!, step.g[0]!),

  Cast: stops('only widens stored weights, which are frozen'),

  // y = [x₁ … xₙ]: ∂xᵢ = the part of g where xᵢ stands
  Concat: ({ graph, node, x, g, shape }) => {
    const axis = at(intAttribute(node, 'axis', 0), shape(x[0]!));
    const lengths = x.map((value) => shape(value)[axis]!);
    return split(graph, g[0]!, lengths, axis);
  },

  // y = a / b: ∂a = g / b, ∂b = -g y / b
  Div: (step) => {
    const { graph, x, y, g } = step;
    const overB = div(graph, g[0]!, x[1]!);
    return step.sumToInputs(overB, neg(graph, mul(graph, overB, y[0]!)));
  },

  // y = erf(x): ∂x = g · 2/√π · exp(-x²)
  Erf: ({ graph, x, g }) => {
    const bell = exp(graph, neg(graph, mul(graph, x[0]!, x[0]!)));
    return [mul(graph, g[0]!, mul(graph, bell, 2 / Math.sqrt(Math.PI)))];
  },

  // y = exp(x): ∂x = g y
  Exp: ({ graph, y, g }) => [mul(graph, g[0]!, y[0]!)],

  // y repeats x: ∂x = Σ g over the repetitions
  Expand: (step) => [step.sumTo(step.g[0]!, step.x[0]!)],

  // y = rows of x: ∂x = zeros with g's rows added where they came from
  Gather: ({ graph, node, x, g, shape }) => {
    const [data, indices] = [shape(x[0]!), shape(x[1]!)];
    if (intAttribute(node, 'axis', 0) !== 0 || indices.at(-1) !== 1)
      throw new Error('the gradient of Gather needs axis 0 and indices of shape (…, 1)');
    const updates = graph.reshape(g[0]!, [...indices.slice(0, -1), ...data.slice(1)]);
    return [scatterAdd(graph, zeros(graph, data), x[1]!, updates)];
  },

  // y = x Φ(x): ∂x = g (Φ(x) + x φ(x)), Φ the normal distribution and φ its density
  Gelu: ({ graph, node, x, g }) => {
    if ('approximate' in node.attributes) throw new Error('an approximate Gelu has no gradient here');
    const phi = mul(
      graph,
      exp(graph, mul(graph, mul(graph, x[0]!, x[0]!), -0.5)),
      1 / Math.sqrt(2 * Math.PI),
    );
    const Phi = mul(graph, add(graph, erf(graph, mul(graph, x[0]!, Math.SQRT1_2)), 1), 0.5);
    return [mul(graph, g[0]!, add(graph, Phi, mul(graph, x[0]!, phi)))];
  },

  // y = A B + c, where A = a or aᵀ and B = b or bᵀ: ∂A = g Bᵀ, ∂B = Aᵀ g, ∂c = Σ g
  Gemm: (step) => {
    const { graph, node, x, g } = step;
    const [a, b, c] = x;
    const [transA, transB] = [intAttribute(node, 'transA', 0) === 1, intAttribute(node, 'transB', 0) === 1];
    const rowsOfA = transA ? graph.transpose(a!, [1, 0]) : a!;
    return [
      transA ? gemm(graph, b!, transB, g[0]!, true) : gemm(graph, g[0]!, false, b!, !transB),
      transB ? { left: g[0]!, right: rowsOfA } : { left: rowsOfA, right: g[0]! },
      c === undefined ? undefined : step.sumTo(g[0]!, c),
    ];
  },

  // y = ln x: ∂x = g / x
  Log: ({ graph, x, g }) => [div(graph, g[0]!, x[0]!)],

  // y = a b: ∂a = g bᵀ, ∂b = aᵀ g
  MatMulNBits: () => {
    throw new Error('matrices in blocks of few bits have no gradient; open the checkpoint in float32');
  },

  MatMul: (step) => {
    const { graph, x, g } = step;
    const [a, b] = x as [Value, Value];
    const transposed = (value: Value): Value => swapLastAxes(graph, value, step.shape(value));
    const stacks = [a, b].map((value) => step.shape(value).slice(0, -2).join());
    return [
      step.sumTo(matMul(graph, g[0]!, transposed(b)), a),
      stacks[0] === stacks[1]
        ? { left: a, right: g[0]! }
        : step.sumTo(matMul(graph, transposed(a), g[0]!), b),
    ];
  },

  // y = a · b: ∂a = g b, ∂b = g a
  Mul: (step) => {
    const { graph, x, g } = step;
    return step.sumToInputs(mul(graph, g[0]!, x[1]!), mul(graph, g[0]!, x[0]!));
  },

  // y = -x: ∂x = -g
  Neg: ({ graph, g }) => [neg(graph, g[0]!)],

  ReduceMax: stops('only shifts exponents; what is subtracted before exp is added after log'),

  // y = mean x: ∂x = g / n everywhere
  ReduceMean: ({ graph, x, y, g, shape }) => {
    const count = sizeOf(shape(x[0]!)) / sizeOf(shape(y[0]!));
    return [expand(graph, mul(graph, g[0]!, 1 / count), shape(x[0]!))];
  },

  // y = Σ x: ∂x = g everywhere
  ReduceSum: ({ graph, x, g, shape }) => [expand(graph, g[0]!, shape(x[0]!))],

  // y is x in another shape: ∂x is g in x's
  Reshape: ({ graph, x, g, shape }) => [graph.reshape(g[0]!, shape(x[0]!))],

  // y = x turned by the angles: ∂x = g turned back. Angles are positions, not trained.
  RotaryEmbedding: ({ graph, node, x, g }) => [
    graph.op('RotaryEmbedding', [g[0], x[1], neg(graph, x[2]!)], node.attributes),
  ],

  // y = x with rows of u added: ∂x = g, ∂u = the rows of g
  ScatterND: ({ graph, x, g, shape }) => [
    g[0],
    undefined,
    graph.reshape(rows(graph, g[0]!, x[1]!, shape(x[0]!).slice(1)), shape(x[2]!)),
  ],

  // y = σ(x): ∂x = g y (1 - y)
  Sigmoid: ({ graph, y, g }) => [mul(graph, g[0]!, mul(graph, y[0]!, sub(graph, 1, y[0]!)))],

  // y = z w, z = x / r, r = √(mean x² + ε): ∂w = Σ g z, ∂x = (g w - z mean(g w z)) / r.
  // r is computed again: the node's own second result is wrong on WebGPU. Means are products with a column of 1 / n.
  SimplifiedLayerNormalization: (step) => {
    const { graph, node, x, g } = step;
    const shape = step.shape(x[0]!);
    const n = shape.at(-1)!;
    const [rowsOfX, rowsOfG] = [x[0]!, g[0]!].map((value) => graph.reshape(value, [-1, n]));
    const nths = expand(graph, graph.scalar(1 / n), [n, 1]);
    const epsilon = expand(graph, graph.scalar(floatAttribute(node, 'epsilon')), [1, 1]);
    const square = graph.op('Gemm', [mul(graph, rowsOfX!, rowsOfX!), nths, epsilon]); // (N, 1)
    const r = sqrt(graph, square);
    const z = div(graph, rowsOfX!, r);
    const gz = mul(graph, rowsOfG!, z);
    const along = gemm(graph, gz, false, mul(graph, graph.reshape(x[1]!, [n, 1]), nths), false); // (N, 1)
    const across = sub(graph, mul(graph, rowsOfG!, x[1]!), mul(graph, z, along));
    return [
      graph.reshape(div(graph, across, r), shape),
      graph.reshape(sum(graph, gz, [0]), step.shape(x[1]!)),
    ];
  },

  // y = softmax x over the last axis: ∂x = y (g - Σ g y)
  Softmax: (step) => {
    const { graph, y, g } = step;
    return [mul(graph, y[0]!, sub(graph, g[0]!, alongRows(step)))];
  },

  // [y₁ … yₙ] = x: ∂x = [g₁ … gₙ]
  Split: ({ graph, node, g }) => [graph.op('Concat', g, { axis: intAttribute(node, 'axis', 0) })],

  // y = √x: ∂x = g / (2 y)
  Sqrt: ({ graph, y, g }) => [div(graph, mul(graph, g[0]!, 0.5), y[0]!)],

  // y = a - b: ∂a = g, ∂b = -g
  Sub: (step) => step.sumToInputs(step.g[0]!, neg(step.graph, step.g[0]!)),

  // y = x with axes permuted: ∂x = g with axes permuted back
  Transpose: ({ graph, node, g }) => {
    const perm = intsAttribute(node, 'perm');
    return [
      graph.transpose(
        g[0]!,
        [...perm.keys()].map((axis) => perm.indexOf(axis)),
      ),
    ];
  },
};

/**
 * Σ g y over the last axis of y. Where y does nothing but weigh the rows of a matrix, m = y v, that is
 * Σ ∂m m, and m has fewer columns: an attention's output against its probabilities.
 */
function alongRows({ graph, y, g, shape, onlyUser, gradientOf }: Step): Value {
  const [first] = y;
  const axes = shape(first!);
  let value = first!;
  let user = onlyUser(value);
  while (user?.op === 'Reshape' && shape(user.outputs[0]!).at(-1) === axes.at(-1)) {
    value = user.outputs[0]!;
    user = onlyUser(value);
  }
  if (user?.op === 'MatMul' && user.inputs[0] === value && user.inputs[1] !== value) {
    const mixed = user.outputs[0]!;
    const gradient = gradientOf(mixed);
    const sameRows = shape(mixed).slice(0, -1).join() === shape(value).slice(0, -1).join();
    if (gradient !== undefined && sameRows && shape(mixed).at(-1)! < axes.at(-1)!)
      return graph.reshape(sum(graph, mul(graph, gradient, mixed), [-1]), [...axes.slice(0, -1), 1]);
  }
  return sum(graph, mul(graph, g[0]!, first!), [-1]);
}

function swapLastAxes(graph: GraphBuilder, value: Value, shape: Shape): Value {
  const axes = [...shape.keys()];
  return graph.transpose(value, [...axes.slice(0, -2), axes.at(-1)!, axes.at(-2)!]);
}
