/** Folders as people have them open with the numbers that transformers gives, or say what they are. */
import { cp, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { openAdapter } from '../../src/checkpoint/adapter/adapter.ts';
import { exportCheckpoint } from '../../src/checkpoint/exportCheckpoint.ts';
import { largestDifference } from '../../src/conformance/check.ts';
import {
  adapterFolder,
  EMBEDDING,
  factorsOf,
  HEAD,
  logitsOf,
  merged,
  randomTensor,
  smallFolder,
  type Json,
  type Parts,
  type Tensors,
} from '../fixtures/smallCheckpoint.ts';
import { caseFile, expectUpstreamLogits, haveCases } from './cases.ts';
import { FUZZ_ROUNDS, mutate, mutateValue, seededRandom } from '../fixtures/random.ts';
import { UserError } from '../../src/base/errors.ts';
import { expectUserError, folderOf } from './support.ts';

const handed = describe.runIf(haveCases);

/** Claims that two folders, or a folder with an adapter, give the same logits. */
async function expectSame(folder: string, other: string, adapter?: string): Promise<void> {
  const [one, two] = [await logitsOf(folder, adapter), await logitsOf(other)];
  expect(one.shape).toEqual(two.shape);
  expect(largestDifference(one.data, two.data)).toBeLessThan(1e-4);
}

function tie(top: boolean | undefined, text: boolean | undefined): (parts: Parts) => void {
  return ({ config }) => {
    delete config['tie_word_embeddings'];
    if (top !== undefined) config['tie_word_embeddings'] = top;
    config['text_config'] = text === undefined ? {} : { tie_word_embeddings: text };
  };
}

describe('input and output embeddings', () => {
  const own = smallFolder();
  const shared = smallFolder(({ tensors }) => tensors.set(HEAD, tensors.get(EMBEDDING)!));

  // What transformers 5.24 does with each, from running it.
  test.each([
    [true, true],
    [true, false],
    [true, undefined],
    [false, true],
    [undefined, true],
  ])('tied at the top (%s) or in text_config (%s)', async (top, text) => {
    const none = await smallFolder((parts) => {
      tie(top, text)(parts);
      parts.tensors.delete(HEAD);
    });
    expect(await openCheckpoint(none)).toMatchObject({
      config: { text: { tiedEmbeddings: true } },
      notes: [],
    });
    await expectSame(none, await shared);
    const same = await smallFolder((parts) => {
      tie(top, text)(parts);
      parts.tensors.set(HEAD, parts.tensors.get(EMBEDDING)!);
    });
    expect(await openCheckpoint(same)).toMatchObject({
      config: { text: { tiedEmbeddings: true } },
      notes: [],
    });
    const stored = await smallFolder(tie(top, text));
    await expectSame(stored, await own);
    const { config, notes } = await openCheckpoint(stored);
    expect(config.text.tiedEmbeddings).toBe(false);
    expect(notes.join()).toContain('one of its own');
  });

  test.each([
    [false, false],
    [false, undefined],
    [undefined, false],
  ])('untied (%s, %s) need a stored output matrix', async (top, text) => {
    const none = await smallFolder((parts) => {
      tie(top, text)(parts);
      parts.tensors.delete(HEAD);
    });
    await expectUserError(async () => logitsOf(none), 'lm_head.weight', 'tie_word_embeddings');
  });

  test('are kept apart by an export, although the config says that they are one', async () => {
    const stored = await smallFolder(tie(true, true));
    const target = path.join(await folderOf({}), 'export');
    await exportCheckpoint(await openCheckpoint(stored), target, { dtype: 'float32' });
    await expectSame(target, await own);
  });
});

handed('input and output embeddings of the handed cases', () => {
  test.each([
    ['01-tied-config-own-head', 'tie-True-True-own'],
    ['03-tied-in-text-config-only', 'tie-False-True-none'],
    ['16-index-names-absent-tied-head', 'index-phantom'],
  ])('%s', async (name, folder) => {
    await expectUpstreamLogits(caseFile(name, folder), caseFile(name, 'expected-logits.safetensors'));
  });
});

describe('an index of shards', () => {
  /** Splits the weights in two; the index gets these names more. */
  async function sharded(promised: Record<string, string>, change: (parts: Parts) => void): Promise<string> {
    let tensors: Tensors = new Map();
    const folder = await smallFolder((parts) => {
      change(parts);
      ({ tensors } = parts);
    });
    const [first, second] = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
    const whole = path.join(folder, 'model.safetensors');
    await rename(whole, path.join(folder, second));
    const other = await smallFolder(({ tensors: all }) => {
      for (const name of all.keys()) if (name !== EMBEDDING) all.delete(name);
    });
    await rename(path.join(other, 'model.safetensors'), path.join(folder, first));
    const map = Object.fromEntries([...tensors.keys()].map((name) => [name, second]));
    await writeFile(
      `${whole}.index.json`,
      JSON.stringify({ weight_map: { ...map, [EMBEDDING]: first, ...promised } }),
    );
    return folder;
  }

  test('may promise a tied output matrix that no shard has', async () => {
    const folder = await sharded({ [HEAD]: 'model-00001-of-00002.safetensors' }, (parts) => {
      tie(true, undefined)(parts);
      parts.tensors.delete(HEAD);
    });
    const shared = await smallFolder(({ tensors }) => tensors.set(HEAD, tensors.get(EMBEDDING)!));
    await expectSame(folder, shared);
  });

  test('may promise what the model does not need, and name the wrong shard', async () => {
    const promised = {
      'visual.rotary_pos_emb.inv_freq': 'model-00001-of-00002.safetensors',
      'model.norm.weight': 'model-00001-of-00002.safetensors',
    };
    await expectSame(await sharded(promised, () => undefined), await smallFolder());
  });

  test('that promises what the model needs is believed only so far', async () => {
    const folder = await sharded({ 'model.norm.weight': 'model-00001-of-00002.safetensors' }, (parts) =>
      parts.tensors.delete('model.norm.weight'),
    );
    await expectUserError(async () => logitsOf(folder), 'no weight model.norm.weight', 'all files');
  });
});

describe('the kind of model', () => {
  const nested = (config: Json): void => {
    const { architectures: _, ...rest } = config;
    for (const key of Object.keys(config)) delete config[key];
    const { vision_config, ...text } = rest;
    Object.assign(config, { model_type: 'qwen2_5_vl', vision_config, text_config: text });
  };
  test.each<[string, (config: Json) => void]>([
    [
      'from architectures in text_config',
      (config) => {
        nested(config);
        (config['text_config'] as Json)['architectures'] = ['Qwen2_5_VLForConditionalGeneration'];
        delete config['model_type'];
        (config['text_config'] as Json)['model_type'] = 'something';
      },
    ],
    ['from the model type', nested],
    [
      'from the model type of text_config',
      (config) => {
        nested(config);
        delete config['model_type'];
        (config['text_config'] as Json)['model_type'] = 'qwen2_5_vl_text';
      },
    ],
    ['where architectures are null', (config) => (config['architectures'] = null)],
    ['where architectures are empty', (config) => (config['architectures'] = [])],
  ])('is known %s', async (_, change) => {
    const folder = await smallFolder(({ config }) => change(config));
    await expectSame(folder, await smallFolder());
  });

  test.each<[string, Json]>([
    ['"qwen2_vl"', { architectures: null, model_type: 'qwen2_vl' }],
    ['nothing', { architectures: undefined, model_type: undefined }],
    ['"LlavaForConditionalGeneration"', { architectures: ['LlavaForConditionalGeneration'] }],
  ])('is refused by its name, %s', async (name, change) => {
    const folder = await smallFolder(({ config }) => Object.assign(config, change));
    await expectUserError(async () => openCheckpoint(folder), 'not supported', `found ${name}`);
  });
});

handed('the handed case of architectures in text_config', () => {
  test('opens', async () => {
    const name = '04-architectures-in-text-config';
    await expectUpstreamLogits(caseFile(name, 'v457-resized'), caseFile(name, 'expected-logits.safetensors'));
  });
});

describe("numbers that Python's JSON has", () => {
  test('are read where nothing depends on them', async () => {
    const folder = await smallFolder(({ config, files }) => {
      Object.assign(config, { latent_loss_weight: Infinity, threshold: Number.NaN, bound: -Infinity });
      files['preprocessor_config.json'] = '{"min_pixels": 28000, "max_pixels": 28300, "scale": NaN}';
      files['generation_config.json'] = '{"eos_token_id": [482, 480], "guidance": Infinity}';
      files['tokenizer_config.json'] = '{"model_max_length": Infinity}';
    });
    await expectSame(folder, await smallFolder());
  });

  test.each<[string, Json, string]>([
    ['rope_theta', { rope_theta: Infinity }, 'found Infinity'],
    ['rms_norm_eps', { rms_norm_eps: Number.NaN }, 'found NaN'],
    ['hidden_size', { hidden_size: Number.NaN }, 'found NaN'],
  ])('are refused as %s', async (key, change, words) => {
    const folder = await smallFolder(({ config }) => Object.assign(config, change));
    await expectUserError(async () => openCheckpoint(folder), key, words);
  });
});

handed('the handed case of NaN and Infinity', () => {
  test('opens', async () => {
    const name = '19-json-infinity';
    await expectUpstreamLogits(caseFile(name, 'json-inf'), caseFile(name, 'expected-logits.safetensors'));
  });
});

describe('a quantised checkpoint', () => {
  const method = (config: Json): ((parts: Parts) => void) => {
    return (parts) => Object.assign(parts.config, config);
  };
  test.each<[string, string, (parts: Parts) => void]>([
    ['AWQ, 4 bits', 'at the top', method({ quantization_config: { quant_method: 'awq', bits: 4 } })],
    [
      'GPTQ, 8 bits',
      'in text_config',
      method({ text_config: { quantization_config: { quant_method: 'gptq', bits: 8 } } }),
    ],
    [
      'bitsandbytes, 4 bits',
      'in words of its own',
      method({ quantization_config: { quant_method: 'bitsandbytes', load_in_4bit: true } }),
    ],
    [
      'bitsandbytes, 8 bits',
      'without its name',
      method({ quantization_config: { load_in_8bit: true, llm_int8_threshold: 6 } }),
    ],
    ['FP8', 'as DeepSeek does', method({ quantization_config: { quant_method: 'fp8' } })],
    [
      'compressed-tensors',
      'in the older place',
      method({ compression_config: { quant_method: 'compressed-tensors' } }),
    ],
    ['MLX, 4 bits', 'as MLX does', method({ quantization: { group_size: 64, bits: 4 } })],
    ['hqq', 'by a name that is not known here', method({ quantization_config: { quant_method: 'hqq' } })],
  ])('is named: %s %s', async (name, _, change) => {
    const folder = await smallFolder(change);
    await expectUserError(
      async () => openCheckpoint(folder),
      `quantised (${name})`,
      'config.json',
      'Open the model that it was made from',
    );
  });

  test.each([{}, null])('is not what a config with %j means', async (quantization_config) => {
    await openCheckpoint(await smallFolder(({ config }) => Object.assign(config, { quantization_config })));
  });

  const Q = 'model.layers.0.self_attn.q_proj';
  test.each<[string, string, string, number[]]>([
    ['AWQ or GPTQ', `${Q}.qweight`, 'I32', [4, 2]],
    ['GPTQ', `${Q}.g_idx`, 'I32', [4]],
    ['bitsandbytes', `${Q}.weight.absmax`, 'F32', [4]],
    ['bitsandbytes', `${Q}.weight.quant_state.bitsandbytes__nf4`, 'U8', [4]],
    ['bitsandbytes', `${Q}.SCB`, 'F32', [4]],
    ['compressed-tensors', `${Q}.weight_packed`, 'I32', [4, 2]],
    ['FP8', `${Q}.weight`, 'F8_E4M3', [4, 2]],
    ['FP8', `${Q}.weight`, 'F8_E5M2FNUZ', [4, 2]],
    ['FP4', `${Q}.weight`, 'F4', [4, 2]],
    ['MLX', `${Q}.weight`, 'U32', [4, 2]],
    ['integers', 'visual.blocks.0.attn.qkv.weight', 'I8', [4, 2]],
  ])('is told by its tensors alone: %s (%s)', async (name, tensor, dtype, shape) => {
    const folder = await smallFolder();
    await addTensor(path.join(folder, 'model.safetensors'), tensor, dtype, shape);
    await expectUserError(
      async () => openCheckpoint(folder),
      `quantised (${name})`,
      tensor,
      'Open the model that it was made from',
    );
  });

  test('in GGUF is named as well', async () => {
    const folder = await smallFolder();
    await rename(path.join(folder, 'model.safetensors'), path.join(folder, 'model-Q4_K_M.gguf'));
    await expectUserError(async () => openCheckpoint(folder), 'model-Q4_K_M.gguf', 'quantised');
  });
});

const BYTES: Partial<Record<string, number>> = { F4: 0.5, F32: 4, I32: 4, U32: 4 };

/** Puts a tensor of zeros into a file, in place of one of the same name. */
async function addTensor(file: string, name: string, dtype: string, shape: number[]): Promise<void> {
  const bytes = await readFile(file);
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + length)) as Record<
    string,
    { data_offsets: number[] }
  >;
  const end = bytes.length - 8 - length;
  const size = shape.reduce((product, n) => product * n, BYTES[dtype] ?? 1);
  const old = header[name];
  // A tensor that is replaced leaves its bytes to another name.
  if (old !== undefined) header['unused.bias'] = old;
  const text = Buffer.from(
    JSON.stringify({ ...header, [name]: { dtype, shape, data_offsets: [end, end + size] } }),
  );
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(text.length));
  await writeFile(file, Buffer.concat([prefix, text, bytes.subarray(8 + length), Buffer.alloc(size)]));
}

handed('the handed quantised folder', () => {
  test('is named by its config, and by its tensors without it', async () => {
    const folder = path.join(await folderOf({}), 'awq');
    await cp(caseFile('11-awq-message', 'q-awq'), folder, { recursive: true });
    await expectUserError(async () => openCheckpoint(folder), 'quantised (AWQ, 4 bits)');
    const file = path.join(folder, 'config.json');
    const { quantization_config: _, ...config } = JSON.parse(await readFile(file, 'utf8')) as Json;
    await rm(file, { force: true });
    await writeFile(file, JSON.stringify(config));
    await expectUserError(async () => openCheckpoint(folder), 'quantised (AWQ or GPTQ)', '.qweight');
  });
});

const POINTER = `version https://git-lfs.github.com/spec/v1\noid sha256:${'ab'.repeat(32)}\nsize 3968658944\n`;

describe('a Git LFS pointer', () => {
  test.each([
    'config.json',
    'generation_config.json',
    'preprocessor_config.json',
    'tokenizer.json',
    'tokenizer_config.json',
    'chat_template.jinja',
    'model.safetensors',
  ])('in place of %s is named', async (name) => {
    const folder = await smallFolder();
    await writeFile(path.join(folder, name), POINTER);
    await expectUserError(
      async () => openCheckpoint(folder),
      'Git LFS pointer',
      name,
      '3,968,658,944 bytes',
      'git lfs pull',
    );
  });

  test.each([
    ['pytorch_model.bin', {}],
    ['model.safetensors.index.json', {}],
    ['pytorch_model.bin.index.json', {}],
    [
      'model-00001-of-00001.safetensors',
      { 'model.safetensors.index.json': { weight_map: { x: 'model-00001-of-00001.safetensors' } } },
    ],
    ['vocab.json', { 'merges.txt': '' }],
  ])('in place of %s is named', async (name, files) => {
    const folder = await smallFolder((parts) => {
      if (name === 'vocab.json') delete parts.files['tokenizer.json'];
    });
    if (name !== 'vocab.json') await rm(path.join(folder, 'model.safetensors'));
    for (const [beside, content] of Object.entries(files))
      await writeFile(
        path.join(folder, beside),
        typeof content === 'string' ? content : JSON.stringify(content),
      );
    await writeFile(path.join(folder, name), POINTER);
    await expectUserError(async () => openCheckpoint(folder), 'Git LFS pointer', name, 'git lfs pull');
  });

  test.each(['adapter_config.json', 'adapter_model.safetensors'])(
    "in place of an adapter's %s is named",
    async (name) => {
      const folder = await adapterFolder({ tensors: factorsOf(1, 'lm_head', 512, 32) });
      await writeFile(path.join(folder, name), POINTER);
      await expectUserError(async () => openAdapter(folder), 'Git LFS pointer', name, 'git lfs pull');
    },
  );
});

handed('the handed LFS pointer', () => {
  test('is named', async () => {
    const folder = caseFile('13-lfs-pointer', 'lfs');
    await expectUserError(
      async () => openCheckpoint(folder),
      'Git LFS pointer',
      'model.safetensors',
      'git lfs pull',
    );
  });
});

describe('a checkpoint without tensors', () => {
  const EMPTY = Buffer.from([2, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x7d]);
  test.each<[string, Record<string, Uint8Array | object>]>([
    ['in one file', { 'model.safetensors': EMPTY }],
    [
      'in shards',
      {
        'model.safetensors.index.json': { weight_map: { x: 'a.safetensors' } },
        'a.safetensors': EMPTY,
      },
    ],
    ['by its index', { 'model.safetensors.index.json': { weight_map: {} } }],
  ])('%s is refused', async (_, files) => {
    const folder = await smallFolder();
    await rm(path.join(folder, 'model.safetensors'));
    for (const [name, content] of Object.entries(files))
      await writeFile(
        path.join(folder, name),
        content instanceof Uint8Array ? content : JSON.stringify(content),
      );
    await expectUserError(async () => openCheckpoint(folder), 'no weights', 'without a tensor');
  });
});

describe('an adapter', () => {
  const rows = 512;
  const width = 32;
  const base = (name: string): string => `base_model.model.${name}`;
  const newer = { head: base('lm_head.weight'), embedding: base('model.language_model.embed_tokens.weight') };
  const q = 'model.layers.1.self_attn.q_proj';
  const onQ = factorsOf(20, 'model.language_model.layers.1.self_attn.q_proj', width, width);
  const onHead = factorsOf(30, 'lm_head', rows, width);
  const tied = ({ config, tensors }: Parts): void => {
    config['tie_word_embeddings'] = true;
    tensors.delete(HEAD);
  };
  const mergeQ = ({ tensors }: Parts): void => {
    tensors.set(`${q}.weight`, merged(tensors.get(`${q}.weight`)!, onQ, 2));
  };

  test('of the output matrix is applied, as PEFT saves it', async () => {
    const saved = randomTensor(40, [rows, width]);
    const adapter = await adapterFolder({
      config: { target_modules: ['q_proj', 'lm_head'] },
      tensors: new Map([...onQ, ...onHead, [base('lm_head.base_layer.weight'), saved]]),
    });
    const expected = await smallFolder((parts) => {
      mergeQ(parts);
      parts.tensors.set(HEAD, merged(saved, onHead, 2));
    });
    await expectSame(await smallFolder(), expected, adapter);
    // Where the model shares the matrix, the adapter changes one end of it only.
    await expectSame(await smallFolder(tied), expected, adapter);
  });

  test('of a shared output matrix leaves the embedding as it is', async () => {
    const adapter = await adapterFolder({ config: { target_modules: ['lm_head'] }, tensors: onHead });
    const expected = await smallFolder(({ tensors }) =>
      tensors.set(HEAD, merged(tensors.get(EMBEDDING)!, onHead, 2)),
    );
    await expectSame(await smallFolder(tied), expected, adapter);
  });

  test.each<[string, number, Json]>([
    ['of more tokens', 520, {}],
    ['of as many tokens', rows, { modules_to_save: ['embed_tokens', 'lm_head'] }],
  ])('with embeddings %s is applied', async (_, count, config) => {
    const [embedding, head] = [randomTensor(50, [count, width]), randomTensor(51, [count, width])];
    const adapter = await adapterFolder({
      config: { target_modules: ['q_proj'], ...config },
      tensors: new Map([...onQ, [newer.embedding, embedding], [newer.head, head]]),
    });
    const expected = await smallFolder((parts) => {
      mergeQ(parts);
      parts.config['vocab_size'] = count;
      parts.tensors.set(EMBEDDING, embedding).set(HEAD, head);
    });
    await expectSame(await smallFolder(), expected, adapter);
    await expectSame(await smallFolder(tied), expected, adapter);

    const checkpoint = await openCheckpoint(await smallFolder(), { adapter });
    expect(checkpoint.config.text.vocabularySize).toBe(count);
    const target = path.join(await folderOf({}), 'export');
    await exportCheckpoint(checkpoint, target, { dtype: 'float32' });
    await expectSame(target, expected);
  });

  test('with an embedding alone leaves a shared output matrix as it is', async () => {
    const embedding = randomTensor(52, [rows, width]);
    const adapter = await adapterFolder({
      config: { target_modules: ['q_proj'], modules_to_save: ['embed_tokens'] },
      tensors: new Map([...onQ, [newer.embedding, embedding]]),
    });
    const expected = await smallFolder((parts) => {
      mergeQ(parts);
      parts.tensors.set(HEAD, parts.tensors.get(EMBEDDING)!).set(EMBEDDING, embedding);
    });
    await expectSame(await smallFolder(tied), expected, adapter);
  });

  test('with other modules trained whole is applied', async () => {
    const norm = randomTensor(53, [width], 2);
    const bias = randomTensor(54, [width]);
    const adapter = await adapterFolder({
      config: { target_modules: ['q_proj'], modules_to_save: ['norm'] },
      tensors: new Map([
        ...onQ,
        [base('model.language_model.norm.modules_to_save.default.weight'), norm],
        [base('model.language_model.layers.1.self_attn.q_proj.base_layer.bias'), bias],
      ]),
    });
    const expected = await smallFolder((parts) => {
      mergeQ(parts);
      parts.tensors.set('model.norm.weight', norm).set(`${q}.bias`, bias);
    });
    await expectSame(await smallFolder(), expected, adapter);
  });

  test('brings its own tokenizer, if new tokens were trained', async () => {
    const tokens = JSON.parse(
      await readFile(path.join(await smallFolder(), 'tokenizer.json'), 'utf8'),
    ) as Json;
    const added = [
      ...(tokens['added_tokens'] as Json[]),
      { id: 513, content: '<|new|>', special: true, normalized: false },
    ];
    const adapter = await adapterFolder({
      config: { target_modules: ['q_proj'] },
      tensors: new Map([
        ...onQ,
        [newer.embedding, randomTensor(55, [520, width])],
        [newer.head, randomTensor(56, [520, width])],
      ]),
      files: {
        'tokenizer.json': { ...tokens, added_tokens: added },
        'chat_template.jinja':
          'Say: {% for m in messages %}{% for c in m.content %}{{ c.text }}{% endfor %}{% endfor %}',
      },
    });
    const checkpoint = await openCheckpoint(await smallFolder(), { adapter });
    expect(checkpoint.tokenizer.encode('<|new|>')).toEqual([513]);
    expect(checkpoint.chatTemplate.render({ parts: [{ type: 'text', text: 'Hi' }] })).toBe('Say: Hi');
    const target = path.join(await folderOf({}), 'export');
    await exportCheckpoint(checkpoint, target, { dtype: 'float32' });
    expect((await openCheckpoint(target)).tokenizer.encode('<|new|>')).toEqual([513]);
  });

  test.each<[string, string, number[], string]>([
    ['of another width', newer.embedding, [520, 31], '[520,31]'],
    ['of a module with another size', base('model.language_model.norm.weight'), [31], '[31]'],
    ['that the model does not have', base('lvr_head.0.weight'), [4, 4], 'no such weight'],
  ])('with a whole weight %s is refused', async (_, name, shape, words) => {
    const adapter = await adapterFolder({
      config: { target_modules: ['q_proj'] },
      tensors: new Map([...onQ, [name, randomTensor(57, shape)]]),
    });
    const folder = await smallFolder();
    await expectUserError(async () => openCheckpoint(folder, { adapter }), 'does not fit', words);
  });

  test.each([
    String.raw`(?s:.*(?P<part>self_attn|mlp)\.(?:q_proj|up_proj))\Z`,
    String.raw`.*\.q_proj\Z`,
    String.raw`(?x) .* \. q_proj # in words`,
    String.raw`(?>.*)q_proj`,
    '(',
  ])("whose target is Python's pattern %s has the modules of its tensors", async (target_modules) => {
    const adapter = await adapterFolder({ config: { target_modules }, tensors: onQ });
    await expectSame(await smallFolder(), await smallFolder(mergeQ), adapter);
  });

  test.each<[string, Json, number]>([
    ['a named group', { alpha_pattern: { [String.raw`(?P<x>q)_proj`]: 6 } }, 3],
    ['the end of a text', { alpha_pattern: { [String.raw`self_attn\.q_proj\Z`]: 6 } }, 3],
    ['its start', { alpha_pattern: { [String.raw`\Amodel.*q_proj`]: 6 } }, 3],
    ['flags', { alpha_pattern: { [String.raw`(?s:.*)\.q_proj`]: 6 } }, 3],
    ['a named group again', { alpha_pattern: { [String.raw`(?P<a>[qk])_proj|(?P<b>l).(?P=b)`]: 6 } }, 3],
    ['a repetition up to a number', { alpha_pattern: { 'q{,2}_proj': 6 } }, 3],
    ['another module first', { alpha_pattern: { [String.raw`(?P<x>k)_proj`]: 6 } }, 2],
    ['a rank that only Python can find', { rank_pattern: { '(?>q)_proj': 2 }, r: 64 }, 2],
  ])("has the scale of Python's pattern with %s", async (_, config, scale) => {
    const adapter = await adapterFolder({ config: { target_modules: ['q_proj'], ...config }, tensors: onQ });
    const { additions } = await openAdapter(adapter);
    expect(additions.get(`${q}.weight`)!.scale).toBe(scale);
  });

  test('is refused if only Python can find its scale', async () => {
    const config = { target_modules: ['q_proj'], alpha_pattern: { '(?>q)_proj': 6 } };
    const adapter = await adapterFolder({ config, tensors: onQ });
    await expectUserError(async () => openAdapter(adapter), 'alpha_pattern', 'merge_and_unload');
  });
});

handed('adapters of the handed cases', () => {
  test.each([
    ['15-adapter-lora-on-lm_head', 'ad-lmhead'],
    ['26-adapter-python-regex', 'ad-py-regex'],
  ])('%s', async (name, adapter) => {
    await expectUpstreamLogits(
      caseFile('base-model'),
      caseFile(name, 'expected-logits.safetensors'),
      caseFile(name, adapter),
    );
  });

  test('29-adapter-embeddings has the rows of its tokens', async () => {
    const adapter = caseFile('29-adapter-embeddings', 'ad-emb-saved');
    const { data, shape } = await logitsOf(caseFile('base-model'), adapter);
    expect(shape[1]).toBe(520);
    expect(data.every(Number.isFinite)).toBe(true);
  });
});

describe('a folder one level too high', () => {
  const revision = '0123abc';
  async function inside(...folders: string[]): Promise<string> {
    const root = await folderOf({});
    const model = await smallFolder();
    for (const folder of folders) {
      await mkdir(path.join(root, path.dirname(folder)), { recursive: true });
      await cp(model, path.join(root, folder), { recursive: true });
    }
    return root;
  }

  async function refused(folder: string): Promise<{ message: string; instead?: object }> {
    const error: unknown = await openCheckpoint(folder).catch((thrown: unknown) => thrown);
    const { message, details } = error as { message: string; details: { instead?: object } };
    return { message, ...(details.instead && { instead: details.instead }) };
  }

  test.each([
    ['the root of a model in the cache', ''],
    ['its snapshots', 'snapshots'],
  ])('as %s names the snapshot that refs/main names', async (_, opened) => {
    const root = await inside(`models--o--n/snapshots/${revision}`, 'models--o--n/snapshots/0000older');
    const model = path.join(root, 'models--o--n');
    await mkdir(path.join(model, 'refs'));
    await writeFile(path.join(model, 'refs', 'main'), `${revision}\n`);
    const { message, instead } = await refused(path.join(model, opened));
    const folder = path.join(model, 'snapshots', revision);
    expect(instead).toEqual({ kind: 'model', folder });
    expect(message).toContain(folder);
    expect(message).not.toContain('0000older');
    await openCheckpoint(folder);
    expect((await refused(root)).instead).toEqual({ kind: 'model', folder });
  });

  test('as the cache itself names its models and offers none', async () => {
    const root = await inside('hub/models--o--a/snapshots/1', 'hub/models--o--b/snapshots/2');
    const { message, instead } = await refused(root);
    expect(message).toContain('models--o--a');
    expect(message).toContain('models--o--b');
    expect(instead).toBeUndefined();
  });

  test("as a trainer's output offers the last checkpoint", async () => {
    const root = await inside('run/checkpoint-40', 'run/checkpoint-200', 'run/checkpoint-1000');
    await mkdir(path.join(root, 'run', 'logs'));
    const run = path.join(root, 'run');
    const { message, instead } = await refused(run);
    expect(instead).toEqual({ kind: 'model', folder: path.join(run, 'checkpoint-1000') });
    expect(message).toContain('checkpoint-40, checkpoint-200, checkpoint-1000');
  });

  test('of an adapter names it, opened as an adapter or as a model', async () => {
    const root = await folderOf({ 'README.md': '' });
    const adapter = await adapterFolder({ tensors: factorsOf(1, 'lm_head', 512, 32) });
    const policy = path.join(root, 'policy');
    await cp(adapter, policy, { recursive: true });
    expect(await refused(root)).toMatchObject({ instead: { kind: 'adapter', folder: policy } });
    await expectUserError(async () => openAdapter(root), 'holds no adapter itself', `Choose ${policy}.`);
    await openAdapter(policy);
  });

  test('is not guessed from a hostile refs/main', async () => {
    const root = await inside('models--o--n/snapshots/a', 'models--o--n/snapshots/b');
    await mkdir(path.join(root, 'models--o--n', 'refs'));
    await writeFile(path.join(root, 'models--o--n', 'refs', 'main'), '../../../../etc');
    expect((await refused(root)).instead).toBeUndefined();
  });
});

handed('folders of the handed case that are one level too high', () => {
  const at = (...names: string[]): string => caseFile('28-wrong-level-folders', ...names);
  test.each([
    [
      ['hub-cache-root', 'models--org--Tiny'],
      ['snapshots', '0123abc'],
    ],
    [['trainer-output'], ['checkpoint-40']],
    [['named-adapter'], ['policy']],
  ])('%s', async (opened, meant) => {
    await expectUserError(async () => openCheckpoint(at(...opened)), at(...opened, ...meant));
  });
  test('an adapter opened as one', async () => {
    await expectUserError(async () => openAdapter(at('named-adapter')), at('named-adapter', 'policy'));
  });
});

describe('a folder is opened or refused whatever happened to', () => {
  /** Claims that `open` gives something or throws a `UserError`. */
  async function expectAnswer(open: () => Promise<unknown>): Promise<void> {
    await open().catch((error: unknown) => expect(error).toBeInstanceOf(UserError));
  }

  test('its config (fuzz)', async () => {
    const random = seededRandom(51);
    const folder = await smallFolder(({ config }) =>
      Object.assign(config, {
        stage: 'stage1',
        compress_strategy: 'average',
        quantization_config: {},
        text_config: { architectures: [], tie_word_embeddings: true, model_type: 'qwen2_5_vl_text' },
      }),
    );
    const file = path.join(folder, 'config.json');
    const text = await readFile(file, 'utf8');
    for (let round = 0; round < FUZZ_ROUNDS / 20; round++) {
      const config = JSON.parse(text) as Json;
      mutateValue(config, random);
      await writeFile(file, JSON.stringify(config));
      await expectAnswer(async () => openCheckpoint(folder));
      await writeFile(file, mutate(text, random));
      await expectAnswer(async () => openCheckpoint(folder));
    }
  });

  test("an adapter's config (fuzz)", async () => {
    const random = seededRandom(52);
    const folder = await adapterFolder({
      config: {
        target_modules: ['q_proj'],
        rank_pattern: { q_proj: 2 },
        alpha_pattern: { [String.raw`(?P<x>q)_proj\Z`]: 3, '(?s:.*)k{,3}': 2 },
        modules_to_save: null,
        init_lora_weights: true,
      },
      tensors: factorsOf(60, 'model.layers.0.self_attn.q_proj', 32, 32),
    });
    const file = path.join(folder, 'adapter_config.json');
    const text = await readFile(file, 'utf8');
    for (let round = 0; round < FUZZ_ROUNDS / 10; round++) {
      const config = JSON.parse(text) as Json;
      mutateValue(config, random);
      await writeFile(file, JSON.stringify(config));
      await expectAnswer(async () => openAdapter(folder));
      await writeFile(file, mutate(text, random));
      await expectAnswer(async () => openAdapter(folder));
    }
  });
});
