/**
 * Builds ONNX graphs, one node after another. It knows the file format and nothing of models.
 * Weights are references into checkpoint files: the graph of a 16 GB model is a few hundred kilobytes.
 *
 * Nodes are kept as data until `build`, so that ./shapes.ts and ./gradient.ts can read a graph.
 */

import type { StoredRef, WeightRef } from '../tensor/dtype.ts';
import { OPS, OPSETS, type AttributeValue, type OpName } from './ops.ts';
import { ATTRIBUTE_TYPE, ELEMENT_TYPE, encodeModel, EXTERNAL, IR_VERSION } from './proto.ts';

/** A tensor in the graph; only a builder makes them. */
export type Value = string & { readonly brand: 'onnx value' };

/** A number is a fixed length, a string the name of one that is known at run time only. */
type Dimension = number | string;

type Attributes = Readonly<Record<string, AttributeValue>>;

export interface Node {
  op: OpName;
  /** A missing optional input is undefined. */
  inputs: readonly (Value | undefined)[];
  outputs: readonly Value[];
  attributes: Attributes;
}

interface Port {
  name: Value;
  type: 'float32' | 'int64';
  shape: readonly Dimension[];
}

interface Initializer {
  name: Value;
  shape: readonly number[];
  content: Float32Array | BigInt64Array | StoredRef;
}

/** Names that callers give may not begin with it: equal names would silently be one value. */
const GENERATED = '%';

/** A value's gradient by a formula of its own, where going back node by node would cost more. */
interface Formula {
  inputs: readonly Value[];
  /** The gradients of `inputs` from that of the value. */
  gradients: (g: Value) => Value[];
}

interface GraphOptions {
  /** The name of the input that a weight becomes; undefined for one that stays in its file. */
  trainable?: (ref: WeightRef) => string | undefined;
}

export class GraphBuilder {
  nodes: Node[] = [];
  readonly inputs: Port[] = [];
  readonly initializers: Initializer[] = [];
  private readonly name: string;
  private readonly options: GraphOptions;
  private readonly outputs: Port[] = [];
  /** By value; see ./gradient.ts. */
  readonly formulas = new Map<Value, Formula>();
  /** Public names of values that the file knows by these alone. */
  private readonly renamed = new Map<Value, Value>();
  private readonly shared = new Map<string, Value>();
  private serial = 0;

  constructor(name: string, options: GraphOptions = {}) {
    this.name = name;
    this.options = options;
  }

  input(name: string, type: 'float32' | 'int64', shape: readonly Dimension[]): Value {
    const value = publicName(name);
    this.inputs.push({ name: value, type, shape });
    return value;
  }

  /** Gives `value` the public name `name`. */
  output(name: string, value: Value, shape: readonly Dimension[]): void {
    const result = publicName(name);
    const isComputed = this.nodes.some(({ outputs }) => outputs.includes(value));
    if (isComputed && !this.renamed.has(value)) {
      this.renamed.set(value, result);
    } else {
      // Reshape to the same shape copies, and unlike Identity stays on WebGPU.
      const inputs = [value, this.ints(shape.map(() => 0))];
      this.nodes.push({ op: 'Reshape', inputs, outputs: [result], attributes: {} });
    }
    this.outputs.push({ name: result, type: 'float32', shape });
  }

  /** One node with one result. */
  op(name: OpName, inputs: readonly (Value | undefined)[], attributes: Attributes = {}): Value {
    return this.ops(name, inputs, 1, attributes)[0]!;
  }

  /** One node with several results. */
  ops(
    op: OpName,
    inputs: readonly (Value | undefined)[],
    results: number,
    attributes: Attributes = {},
  ): Value[] {
    const outputs = Array.from({ length: results }, () => this.fresh(op));
    this.nodes.push({ op, inputs, outputs, attributes });
    return outputs;
  }

  /**
   * A checkpoint's tensor as float32. bfloat16 and float16 are widened when the session is opened
   * (the runtime folds a Cast of a constant), so that all arithmetic is float32.
   * @param shape another shape of the same bytes
   */
  weight(ref: WeightRef, shape: number[] = ref.shape): Value {
    const key = `${ref.file}:${ref.offset}:${shape.join()}`;
    return this.once(key, () => {
      const input = this.options.trainable?.(ref);
      if (input !== undefined) return this.input(input, 'float32', shape);
      const name = this.fresh('weight');
      this.initializers.push({ name, shape, content: ref });
      return ref.dtype === 'F32' ? name : this.op('Cast', [name], { to: ELEMENT_TYPE.F32 });
    });
  }

  /** Rows of a table in a checkpoint as float32. They are widened after they are taken: a whole table can be gigabytes. */
  rowsOf(table: WeightRef, ids: Value): Value {
    if (table.dtype === 'F32' || this.options.trainable?.(table) !== undefined)
      return this.op('Gather', [this.weight(table), ids]);
    return this.op('Cast', [this.op('Gather', [this.stored(table), ids])], { to: ELEMENT_TYPE.F32 });
  }

  /** A checkpoint's tensor as float16, narrowed when the session is opened unless it is stored so. */
  halfWeight(ref: WeightRef): Value {
    return this.once(`half ${ref.file}:${ref.offset}`, () =>
      ref.dtype === 'F16' ? this.stored(ref) : this.half(this.stored(ref)),
    );
  }

  /** The value in float16. */
  half(value: Value): Value {
    return this.op('Cast', [value], { to: ELEMENT_TYPE.F16 });
  }

  /** The value in float32. */
  single(value: Value): Value {
    return this.op('Cast', [value], { to: ELEMENT_TYPE.F32 });
  }

  /** A tensor as its file has it: what an operator reads that knows the format, such as MatMulNBits. */
  stored(ref: StoredRef): Value {
    return this.once(`stored ${ref.file}:${ref.offset}`, () => {
      const name = this.fresh('stored');
      this.initializers.push({ name, shape: ref.shape, content: ref });
      return name;
    });
  }

  /** A constant of int64, for shapes, axes and indices. */
  ints(values: readonly number[]): Value {
    return this.once(`ints ${values.join()}`, () =>
      this.constant([values.length], BigInt64Array.from(values, BigInt)),
    );
  }

  /** A scalar constant of float32. */
  scalar(value: number): Value {
    return this.once(`scalar ${value}`, () => this.constant([], new Float32Array([value])));
  }

  reshape(value: Value, shape: readonly number[]): Value {
    return this.op('Reshape', [value, this.ints(shape)]);
  }

  transpose(value: Value, perm: number[]): Value {
    return this.op('Transpose', [value], { perm });
  }

  /** Whether the value has a public name, by which callers read it. */
  isOutput(value: Value): boolean {
    return this.renamed.has(value);
  }

  /** The nodes that an output needs; the others are left out of the file. */
  neededNodes(): Node[] {
    const needed = new Set<Value | undefined>(this.outputs.map(({ name }) => name));
    for (const value of this.renamed.keys()) needed.add(value);
    const kept = this.nodes.toReversed().filter((node) => {
      const isNeeded = node.outputs.some((value) => needed.has(value));
      if (isNeeded) for (const value of node.inputs) needed.add(value);
      return isNeeded;
    });
    return kept.toReversed();
  }

  /** The finished model file. */
  build(): Uint8Array {
    return encodeModel({
      irVersion: IR_VERSION,
      producerName: 'ilvr-inspector',
      opsetImport: OPSETS,
      graph: {
        name: this.name,
        node: this.neededNodes().map((node) => encodeNode(this.withPublicNames(node))),
        initializer: this.initializers.map(encodeInitializer),
        input: this.inputs.map(encodePort),
        output: this.outputs.map(encodePort),
      },
    });
  }

  private withPublicNames({ op, inputs, outputs, attributes }: Node): Node {
    const nameOf = (value: Value): Value => this.renamed.get(value) ?? value;
    return {
      op,
      inputs: inputs.map((value) => value && nameOf(value)),
      outputs: outputs.map(nameOf),
      attributes,
    };
  }

  private constant(shape: readonly number[], content: Float32Array | BigInt64Array): Value {
    const name = this.fresh('constant');
    this.initializers.push({ name, shape, content });
    return name;
  }

  private once(key: string, make: () => Value): Value {
    const value = this.shared.get(key) ?? make();
    this.shared.set(key, value);
    return value;
  }

  private fresh(stem: string): Value {
    return `${GENERATED}${stem}_${this.serial++}` as Value;
  }
}

function publicName(name: string): Value {
  if (name.startsWith(GENERATED)) throw new Error(`names with ${GENERATED} are the builder's own: ${name}`);
  return name as Value;
}

function encodePort({ name, type, shape }: Port): object {
  const dim = shape.map((length) =>
    typeof length === 'number' ? { dimValue: length } : { dimParam: length },
  );
  return { name, type: { tensorType: { elemType: ELEMENT_TYPE[type], shape: { dim } } } };
}

function encodeInitializer({ name, shape, content }: Initializer): object {
  if (ArrayBuffer.isView(content)) {
    const dataType = content instanceof Float32Array ? ELEMENT_TYPE.float32 : ELEMENT_TYPE.int64;
    return { name, dims: shape, dataType, rawData: new Uint8Array(content.buffer) };
  }
  return {
    name,
    dims: shape,
    dataType: ELEMENT_TYPE[content.dtype],
    dataLocation: EXTERNAL,
    externalData: [
      { key: 'location', value: content.location ?? content.file.split(/[\\/]/).at(-1)! },
      { key: 'offset', value: String(content.offset) },
      { key: 'length', value: String(content.length) },
    ],
  };
}

function encodeNode({ op, inputs, outputs, attributes }: Node): object {
  return {
    name: outputs[0],
    opType: op,
    domain: OPS[op],
    input: inputs.map((value) => value ?? ''),
    output: outputs,
    attribute: Object.entries(attributes).map(([name, value]) => ({ name, ...encodeAttribute(value) })),
  };
}

function encodeAttribute(value: AttributeValue): object {
  if (typeof value === 'number') return { type: ATTRIBUTE_TYPE.int, i: value };
  if ('float' in value) return { type: ATTRIBUTE_TYPE.float, f: value.float };
  if ('text' in value) return { type: ATTRIBUTE_TYPE.text, s: value.text };
  return { type: ATTRIBUTE_TYPE.ints, ints: value };
}
