/**
 * Writes a Qwen2 of any size with random weights as people load it with transformers.js in q4: matrices in blocks of 32
 * with 4 bits and no zeros (its scripts/quantize.py), the table in float32, and the runtime's fused attention and norms
 * and accuracy level 4 as onnxruntime-genai exports them. With plain operators or no level, as its own script leaves it,
 * it would be slower.
 */

import { randomFillSync } from 'node:crypto';
import { mkdir, open, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { ATTRIBUTE_TYPE, ELEMENT_TYPE, encodeModel, EXTERNAL, IR_VERSION } from '../../../src/onnx/proto.ts';
import type { TextSize } from '../../randomCheckpoint.ts';

const BLOCK = 32;
const DATA_FILE = 'model_q4.onnx_data';
/** Positions that angles are stored for. */
const CONTEXT = 4096;
const OWN = 'com.microsoft';
const CHUNK = 1 << 22;
/** As transformers.js wants it to be called. */
const BATCH = 'batch_size';

type Attributes = Record<string, number | { float: number }>;

/** @param folder gets config.json and onnx/model_q4.onnx with its data beside */
export async function writeOnnxExport(folder: string, size: TextSize): Promise<void> {
  await mkdir(join(folder, 'onnx'), { recursive: true });
  const handle = await open(join(folder, 'onnx', DATA_FILE), 'w');
  try {
    const graph = new Export(size, handle);
    await graph.build();
    await writeFile(join(folder, 'onnx', 'model_q4.onnx'), graph.encode());
  } finally {
    await handle.close();
  }
  const { hidden, heads, kvHeads, layers, feedForward, vocabulary, tied } = size;
  await writeFile(
    join(folder, 'config.json'),
    JSON.stringify({
      model_type: 'qwen2',
      architectures: ['Qwen2ForCausalLM'],
      hidden_size: hidden,
      num_attention_heads: heads,
      num_key_value_heads: kvHeads,
      num_hidden_layers: layers,
      intermediate_size: feedForward,
      vocab_size: vocabulary,
      tie_word_embeddings: tied,
      eos_token_id: vocabulary - 1,
    }),
  );
}

class Export {
  private readonly size: TextSize;
  private readonly handle: FileHandle;
  private readonly nodes: object[] = [];
  private readonly initializers: object[] = [];
  private readonly inputs: object[] = [];
  private readonly outputs: object[] = [];
  private end = 0;
  private count = 0;

  constructor(size: TextSize, handle: FileHandle) {
    this.size = size;
    this.handle = handle;
  }

  encode(): Uint8Array {
    const { nodes: node, initializers: initializer, inputs: input, outputs: output } = this;
    return encodeModel({
      irVersion: IR_VERSION,
      producerName: 'bench',
      graph: { name: 'model', node, initializer, input, output },
      opsetImport: [
        { domain: '', version: 21 },
        { domain: OWN, version: 1 },
      ],
    });
  }

  async build(): Promise<void> {
    const { hidden: C, heads, layers, vocabulary, kvHeads } = this.size;
    const d = C / heads;
    this.inputs.push(
      value('input_ids', 'int64', [BATCH, 'S']),
      value('attention_mask', 'int64', [BATCH, 'T']),
    );
    const lengths = this.lengths();
    const angles = await this.angles(d);
    const table = await this.random('table', 'float32', [vocabulary, C]);
    let x = this.node('Gather', [table, 'input_ids']);
    let normed = this.node('SimplifiedLayerNormalization', [x, await this.ones(C)], {
      axis: -1,
      epsilon: { float: 1e-6 },
    });
    for (let layer = 0; layer < layers; layer++) {
      const attention = await this.attention(layer, normed, lengths, angles);
      [x, normed] = await this.skipNorm(x, attention);
      [x, normed] = await this.skipNorm(x, await this.feedForward(layer, normed));
      for (const side of ['key', 'value']) {
        const shape = (length: string): unknown[] => [BATCH, kvHeads, length, d];
        this.inputs.push(value(`past_key_values.${layer}.${side}`, 'float32', shape('P')));
        this.outputs.push(value(`present.${layer}.${side}`, 'float32', shape('T')));
      }
    }
    const last = this.small('last', 'int64', BigInt64Array.of(-1n), [1]);
    await this.matrix('head', this.node('Gather', [normed, last], { axis: 1 }), vocabulary, C, 'logits');
    this.outputs.unshift(value('logits', 'float32', [BATCH, 1, vocabulary]));
  }

  /** As the fused attention wants them: past and new positions less one, and of the longest. */
  private lengths(): [string, string] {
    const one = this.small('one', 'int64', BigInt64Array.of(1n), [1]);
    const sum = this.node('ReduceSum', ['attention_mask', one], { keepdims: 0 });
    const less = this.node('Sub', [sum, one]);
    const total = this.node('Gather', [
      this.node('Shape', ['attention_mask']),
      this.small('axis', 'int64', BigInt64Array.of(1n), []),
    ]);
    const cast = (from: string): string => this.node('Cast', [from], { to: ELEMENT_TYPE.int32 });
    return [cast(less), cast(total)];
  }

  private async angles(d: number): Promise<[string, string]> {
    const turned = (of: (angle: number) => number): Float32Array =>
      Float32Array.from({ length: (CONTEXT * d) / 2 }, (_, i) => {
        const pair = i % (d / 2);
        return of(Math.floor(i / (d / 2)) * 1e6 ** ((-2 * pair) / d));
      });
    const shape = [CONTEXT, d / 2];
    return [
      this.small('cos', 'float32', turned(Math.cos), shape),
      this.small('sin', 'float32', turned(Math.sin), shape),
    ];
  }

  private async attention(
    layer: number,
    x: string,
    lengths: readonly string[],
    angles: readonly string[],
  ): Promise<string> {
    const { hidden: C, heads, kvHeads } = this.size;
    const narrow = (C / heads) * kvHeads;
    const projected: string[] = [];
    for (const [name, rows] of [
      ['q', C],
      ['k', narrow],
      ['v', narrow],
    ] as const) {
      const product = await this.matrix(`${layer}.${name}`, x, rows, C);
      const bias = this.small(`${layer}.${name}.bias`, 'float32', new Float32Array(rows), [rows]);
      projected.push(this.node('Add', [product, bias]));
    }
    const past = ['key', 'value'].map((side) => `past_key_values.${layer}.${side}`);
    const mixed = this.node(
      'GroupQueryAttention',
      [...projected, ...past, ...lengths, ...angles],
      { num_heads: heads, kv_num_heads: kvHeads, do_rotary: 1 },
      [this.fresh(), `present.${layer}.key`, `present.${layer}.value`],
    );
    return this.matrix(`${layer}.o`, mixed, C, C);
  }

  private async feedForward(layer: number, x: string): Promise<string> {
    const { hidden: C, feedForward: F } = this.size;
    const gate = await this.matrix(`${layer}.gate`, x, F, C);
    const up = await this.matrix(`${layer}.up`, x, F, C);
    const activated = this.node('Mul', [gate, this.node('Sigmoid', [gate])]);
    return this.matrix(`${layer}.down`, this.node('Mul', [activated, up]), C, F);
  }

  /** @returns x + added, and its norm */
  private async skipNorm(x: string, added: string): Promise<[string, string]> {
    const [sum, normed] = [this.fresh(), this.fresh()];
    const inputs = [x, added, await this.ones(this.size.hidden)];
    this.node('SkipSimplifiedLayerNormalization', inputs, { epsilon: { float: 1e-6 } }, [
      normed,
      '',
      '',
      sum,
    ]);
    return [sum, normed];
  }

  private async matrix(
    name: string,
    x: string,
    rows: number,
    columns: number,
    output = this.fresh(),
  ): Promise<string> {
    const blocks = columns / BLOCK;
    const data = await this.random(`${name}.data`, 'U8', [rows, blocks, BLOCK / 2]);
    const scales = await this.random(`${name}.scales`, 'float32', [rows * blocks]);
    const attributes = { K: columns, N: rows, bits: 4, block_size: BLOCK, accuracy_level: 4 };
    return this.node('MatMulNBits', [x, data, scales], attributes, [output]);
  }

  private async ones(length: number): Promise<string> {
    return this.small(this.fresh(), 'float32', new Float32Array(length).fill(1), [length]);
  }

  private node(op: string, input: string[], attributes: Attributes = {}, output = [this.fresh()]): string {
    const domain = OWN_OPS.has(op) ? OWN : '';
    const attribute = Object.entries(attributes).map(([name, set]) =>
      typeof set === 'number'
        ? { name, i: set, type: ATTRIBUTE_TYPE.int }
        : { name, f: set.float, type: ATTRIBUTE_TYPE.float },
    );
    this.nodes.push({ input, output, name: this.fresh(), opType: op, attribute, domain });
    return output[0]!;
  }

  private small(
    name: string,
    type: 'float32' | 'int64',
    data: Float32Array | BigInt64Array,
    dims: number[],
  ): string {
    const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    this.initializers.push({ name, dims, dataType: ELEMENT_TYPE[type], rawData });
    return name;
  }

  /** Bytes, or numbers around 0.02 / 4.6: a scale that gives evenly drawn nibbles a deviation of 0.02. */
  private async random(name: string, type: 'U8' | 'float32', dims: number[]): Promise<string> {
    const numbers = dims.reduce((product, length) => product * length, 1);
    const length = numbers * (type === 'U8' ? 1 : 4);
    const chunk = randomFillSync(new Uint8Array(Math.min(length, CHUNK)));
    const bytes =
      type === 'U8'
        ? chunk
        : new Uint8Array(Float32Array.from(chunk, (byte) => (byte / 128) * (0.02 / 4.6)).buffer);
    for (let left = length; left > 0; left -= bytes.length) await this.handle.write(bytes.subarray(0, left));
    const entries = { location: DATA_FILE, offset: this.end, length };
    this.initializers.push({
      name,
      dims,
      dataType: ELEMENT_TYPE[type],
      externalData: Object.entries(entries).map(([key, entry]) => ({ key, value: String(entry) })),
      dataLocation: EXTERNAL,
    });
    this.end += length;
    return name;
  }

  private fresh(): string {
    return `n${this.count++}`;
  }
}

const OWN_OPS = new Set(['MatMulNBits', 'GroupQueryAttention', 'SkipSimplifiedLayerNormalization']);

function value(name: string, type: 'float32' | 'int64', shape: unknown[]): object {
  const dim = shape.map((length) =>
    typeof length === 'number' ? { dimValue: length } : { dimParam: length },
  );
  return { name, type: { tensorType: { elemType: ELEMENT_TYPE[type], shape: { dim } } } };
}
