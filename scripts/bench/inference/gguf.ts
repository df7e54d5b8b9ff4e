/**
 * Writes a GGUF file of a Qwen2 of any size with random weights, as llama.cpp's own program would have quantised it:
 * matrices in Q8_0 or Q4_0, the head, or the table that serves as head, of a Q4_0 file in Q6_K.
 *
 * Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Blocks are filled with random bytes and a scale that
 * gives numbers the deviation of a checkpoint's; llama.cpp takes the same time for any numbers.
 */

import { randomFillSync } from 'node:crypto';
import { open } from 'node:fs/promises';
import { toFloat16 } from '../../../src/tensor/float16.ts';
import type { TextSize } from '../../randomCheckpoint.ts';

export type GgufFormat = 'Q8_0' | 'Q4_0';

interface BlockType {
  /** ggml_type */
  id: number;
  numbers: number;
  bytes: number;
  /** What is not random: the scale, and its place. */
  scale?: { offset: number; value: number };
  /** Bytes of a Q6_K block that scale its parts. */
  partScales?: { offset: number; count: number; value: number };
}

const DEVIATION = 0.02;
const TYPES = {
  F32: { id: 0, numbers: 1, bytes: 4 },
  // Evenly drawn nibbles deviate by 4.6, bytes by 74, six bits by 18.5.
  Q4_0: { id: 2, numbers: 32, bytes: 18, scale: { offset: 0, value: DEVIATION / 4.6 } },
  Q8_0: { id: 8, numbers: 32, bytes: 34, scale: { offset: 0, value: DEVIATION / 74 } },
  Q6_K: {
    id: 14,
    numbers: 256,
    bytes: 210,
    scale: { offset: 208, value: DEVIATION / (18.5 * 8) },
    partScales: { offset: 192, count: 16, value: 8 },
  },
} satisfies Record<string, BlockType>;
const ALIGNMENT = 32;
const CHUNK_BLOCKS = 1 << 16;

interface GgufTensor {
  name: string;
  /** Of a row first, as ggml has it. */
  shape: number[];
  type: BlockType;
  /** Of norms: 1; of biases: 0. */
  value?: number;
}

/** @returns bytes of the file's tensors */
export async function writeGguf(file: string, size: TextSize, format: GgufFormat): Promise<number> {
  const tensors = tensorsOf(size, format);
  const handle = await open(file, 'w');
  try {
    const header = headerOf(size, tensors);
    await handle.write(header);
    let end = 0;
    for (const tensor of tensors) {
      await writeTensor((bytes) => handle.write(bytes), tensor);
      end += bytesOf(tensor);
      await handle.write(new Uint8Array(padding(end)));
      end += padding(end);
    }
    return end;
  } finally {
    await handle.close();
  }
}

function tensorsOf(size: TextSize, format: GgufFormat): GgufTensor[] {
  const { hidden: C, heads, kvHeads, feedForward: F, vocabulary, layers, tied } = size;
  const narrow = (C / heads) * kvHeads;
  const inner = TYPES[format];
  // llama-quantize: Q6_K for the head of a Q4_0 file, or Q8_0 where rows are no multiple of its blocks.
  const outer = format === 'Q8_0' || C % TYPES.Q6_K.numbers !== 0 ? TYPES.Q8_0 : TYPES.Q6_K;
  const tensors: GgufTensor[] = [];
  const matrix = (name: string, columns: number, rows: number, type: BlockType = inner): void => {
    tensors.push({ name: `${name}.weight`, shape: [columns, rows], type });
  };
  const vector = (name: string, length: number, value: number): void => {
    tensors.push({ name, shape: [length], type: TYPES.F32, value });
  };
  matrix('token_embd', C, vocabulary, tied ? outer : inner);
  for (let layer = 0; layer < layers; layer++) {
    const of = `blk.${layer}`;
    for (const norm of ['attn_norm', 'ffn_norm']) vector(`${of}.${norm}.weight`, C, 1);
    for (const [name, rows] of [
      ['attn_q', C],
      ['attn_k', narrow],
      ['attn_v', narrow],
    ] as const) {
      matrix(`${of}.${name}`, C, rows);
      vector(`${of}.${name}.bias`, rows, 0);
    }
    matrix(`${of}.attn_output`, C, C);
    matrix(`${of}.ffn_gate`, C, F);
    matrix(`${of}.ffn_up`, C, F);
    matrix(`${of}.ffn_down`, F, C);
  }
  vector('output_norm.weight', C, 1);
  if (!tied) matrix('output', C, vocabulary, outer);
  return tensors;
}

function headerOf(size: TextSize, tensors: readonly GgufTensor[]): Uint8Array {
  const writer = new Writer();
  const values: [string, number | string | readonly string[], ('u32' | 'f32')?][] = [
    ['general.architecture', 'qwen2'],
    ['qwen2.context_length', 32_768],
    ['qwen2.embedding_length', size.hidden],
    ['qwen2.block_count', size.layers],
    ['qwen2.feed_forward_length', size.feedForward],
    ['qwen2.attention.head_count', size.heads],
    ['qwen2.attention.head_count_kv', size.kvHeads],
    ['qwen2.attention.layer_norm_rms_epsilon', 1e-6, 'f32'],
    ['qwen2.rope.freq_base', 1e6, 'f32'],
    ['qwen2.vocab_size', size.vocabulary],
    // Ids alone are fed; llama.cpp wants a vocabulary all the same.
    ['tokenizer.ggml.model', 'gpt2'],
    ['tokenizer.ggml.pre', 'qwen2'],
    ['tokenizer.ggml.tokens', Array.from({ length: size.vocabulary }, (_, id) => `t${id}`)],
    ['tokenizer.ggml.merges', ['t 0']],
    ['tokenizer.ggml.eos_token_id', size.vocabulary - 1],
  ];
  writer.u32(0x46554747); // "GGUF"
  writer.u32(3);
  writer.u64(tensors.length);
  writer.u64(values.length);
  for (const [key, value, type = 'u32'] of values) {
    writer.text(key);
    if (typeof value === 'string') {
      writer.u32(8);
      writer.text(value);
    } else if (typeof value !== 'number') {
      writer.u32(9);
      writer.texts(value);
    } else if (type === 'f32') {
      writer.u32(6);
      writer.f32(value);
    } else {
      writer.u32(4);
      writer.u32(value);
    }
  }
  let offset = 0;
  for (const tensor of tensors) {
    writer.text(tensor.name);
    writer.u32(tensor.shape.length);
    for (const length of tensor.shape) writer.u64(length);
    writer.u32(tensor.type.id);
    writer.u64(offset);
    offset += bytesOf(tensor);
    offset += padding(offset);
  }
  return writer.padded();
}

function bytesOf({ shape, type }: GgufTensor): number {
  return (shape.reduce((product, length) => product * length, 1) / type.numbers) * type.bytes;
}

function padding(offset: number): number {
  return (ALIGNMENT - (offset % ALIGNMENT)) % ALIGNMENT;
}

async function writeTensor(
  write: (bytes: Uint8Array) => Promise<unknown>,
  tensor: GgufTensor,
): Promise<void> {
  const { type, value } = tensor;
  const total = bytesOf(tensor);
  const chunk =
    value === undefined
      ? randomBlocks(type, Math.min(CHUNK_BLOCKS, total / type.bytes))
      : new Uint8Array(new Float32Array(total / 4).fill(value).buffer);
  for (let left = total; left > 0; left -= chunk.length) await write(chunk.subarray(0, left));
}

function randomBlocks({ bytes, scale, partScales }: BlockType, count: number): Uint8Array {
  const blocks = randomFillSync(new Uint8Array(count * bytes));
  const half = new Uint8Array(toFloat16(Float32Array.of(scale!.value)).buffer);
  for (let start = 0; start < blocks.length; start += bytes) {
    blocks.set(half, start + scale!.offset);
    if (partScales === undefined) continue;
    const from = start + partScales.offset;
    blocks.fill(partScales.value, from, from + partScales.count);
  }
  return blocks;
}

/** Little-endian numbers and texts one after the other. */
class Writer {
  private readonly parts: Uint8Array[] = [];

  u32(value: number): void {
    this.parts.push(new Uint8Array(Uint32Array.of(value).buffer));
  }

  f32(value: number): void {
    this.parts.push(new Uint8Array(Float32Array.of(value).buffer));
  }

  u64(value: number): void {
    this.parts.push(new Uint8Array(BigUint64Array.of(BigInt(value)).buffer));
  }

  text(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.u64(bytes.length);
    this.parts.push(bytes);
  }

  texts(texts: readonly string[]): void {
    this.u32(8);
    this.u64(texts.length);
    for (const text of texts) this.text(text);
  }

  padded(): Uint8Array {
    const bytes = Buffer.concat(this.parts);
    return Buffer.concat([bytes, new Uint8Array(padding(bytes.length))]);
  }
}
