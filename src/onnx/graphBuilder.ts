/**
 * Builds ONNX graphs, one node after another. It knows the file format and nothing of models.
 * Weights are references into checkpoint files: the graph of a 16 GB model is a few hundred kilobytes.
 */

import type { WeightRef } from '../tensor/dtype.ts';
import { OPS, OPSETS, type AttributeValue, type OpName } from './ops.ts';
import { ATTRIBUTE_TYPE, ELEMENT_TYPE, encodeModel, EXTERNAL, IR_VERSION } from './proto.ts';

/** A tensor in the graph; only a builder makes them. */
export type Value = string & { readonly brand: 'onnx value' };

/** A number is a fixed length, a string the name of one that is known at run time only. */
export type Dimension = number | string;

type Attributes = Record<string, AttributeValue>;

export class GraphBuilder {
  private readonly name: string;
  private readonly nodes: object[] = [];
  private readonly initializers: object[] = [];
  private readonly inputs: object[] = [];
  private readonly outputs: object[] = [];
  private readonly shared = new Map<string, Value>();
  private serial = 0;

  constructor(name: string) {
    this.name = name;
  }

  input(name: string, type: 'float32' | 'int64', shape: Dimension[]): Value {
    this.inputs.push(valueInfo(name, type, shape));
    return name as Value;
  }

  /** Gives `value` the public name `name`. */
  output(name: string, value: Value, shape: Dimension[]): void {
    // Reshape to the same shape is free, renames a value, and unlike Identity stays on WebGPU.
    this.nodes.push(node('Reshape', [value, this.ints(shape.map(() => 0))], [name], {}));
    this.outputs.push(valueInfo(name, 'float32', shape));
  }

  /** One node with one result. */
  op(name: OpName, inputs: (Value | undefined)[], attributes: Attributes = {}): Value {
    return this.ops(name, inputs, 1, attributes)[0]!;
  }

  /** One node with several results. A missing optional input is undefined. */
  ops(name: OpName, inputs: (Value | undefined)[], results: number, attributes: Attributes = {}): Value[] {
    const outputs = Array.from({ length: results }, () => this.fresh(name));
    this.nodes.push(node(name, inputs, outputs, attributes));
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
      const name = this.fresh('weight');
      this.initializers.push({
        name,
        dims: shape,
        dataType: ELEMENT_TYPE[ref.dtype],
        dataLocation: EXTERNAL,
        externalData: [
          { key: 'location', value: ref.location ?? ref.file.split(/[\\/]/).at(-1)! },
          { key: 'offset', value: String(ref.offset) },
          { key: 'length', value: String(ref.length) },
        ],
      });
      return ref.dtype === 'F32' ? name : this.op('Cast', [name], { to: ELEMENT_TYPE.F32 });
    });
  }

  /** A constant of int64, for shapes, axes and indices. */
  ints(values: number[]): Value {
    return this.once(`ints ${values.join()}`, () => {
      const bytes = new BigInt64Array(values.map(BigInt));
      return this.constant('int64', [values.length], new Uint8Array(bytes.buffer));
    });
  }

  /** A scalar constant of float32. */
  scalar(value: number): Value {
    return this.once(`scalar ${value}`, () =>
      this.constant('float32', [], new Uint8Array(new Float32Array([value]).buffer)),
    );
  }

  reshape(value: Value, shape: number[]): Value {
    return this.op('Reshape', [value, this.ints(shape)]);
  }

  transpose(value: Value, perm: number[]): Value {
    return this.op('Transpose', [value], { perm });
  }

  /** The finished model file. */
  build(): Uint8Array {
    return encodeModel({
      irVersion: IR_VERSION,
      producerName: 'ilvr-inspector',
      opsetImport: OPSETS,
      graph: {
        name: this.name,
        node: this.nodes,
        initializer: this.initializers,
        input: this.inputs,
        output: this.outputs,
      },
    });
  }

  private constant(type: 'float32' | 'int64', dims: number[], rawData: Uint8Array): Value {
    const name = this.fresh('constant');
    this.initializers.push({ name, dims, dataType: ELEMENT_TYPE[type], rawData });
    return name;
  }

  private once(key: string, make: () => Value): Value {
    const value = this.shared.get(key) ?? make();
    this.shared.set(key, value);
    return value;
  }

  private fresh(stem: string): Value {
    return `${stem}_${this.serial++}` as Value;
  }
}

function valueInfo(name: string, type: 'float32' | 'int64', shape: Dimension[]): object {
  const dim = shape.map((length) =>
    typeof length === 'number' ? { dimValue: length } : { dimParam: length },
  );
  return { name, type: { tensorType: { elemType: ELEMENT_TYPE[type], shape: { dim } } } };
}

function node(op: OpName, inputs: (Value | undefined)[], outputs: string[], attributes: Attributes): object {
  return {
    name: outputs[0],
    opType: op,
    domain: OPS[op],
    input: inputs.map((value) => value ?? ''),
    output: outputs,
    attribute: Object.entries(attributes).map(([name, value]) => ({ name, ...attribute(value) })),
  };
}

function attribute(value: AttributeValue): object {
  if (typeof value === 'number') return { type: ATTRIBUTE_TYPE.int, i: value };
  if ('float' in value) return { type: ATTRIBUTE_TYPE.float, f: value.float };
  return { type: ATTRIBUTE_TYPE.ints, ints: value };
}
