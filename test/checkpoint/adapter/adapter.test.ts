import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { openAdapter } from '../../../src/checkpoint/adapter/adapter.ts';
import { openCheckpoint } from '../../../src/checkpoint/checkpoint.ts';
import { largestDifference } from '../../../src/conformance/check.ts';
import { Model } from '../../../src/inference/model.ts';
import { golden, haveGoldens } from '../goldens.ts';
import { expectUserError, folderOf, randomSource, safetensors } from '../support.ts';
import { torchFile } from '../torch.ts';

const CONFIG = {
  peft_type: 'LORA',
  base_model_name_or_path: 'org/base-model',
  r: 2,
  lora_alpha: 8,
  bias: 'none',
  target_modules: ['q_proj', 'v_proj', 'qkv', '0', 'lm_head'],
};
const Q = 'model.layers.0.self_attn.q_proj';

/** The bytes of a safetensors file with these float32 matrices. */
function matrices(shapes: Record<string, number[]>, values: (i: number) => number = () => 0): Uint8Array {
  let offset = 0;
  const header: Record<string, object> = {};
  for (const [name, shape] of Object.entries(shapes)) {
    const length = shape.reduce((product, n) => product * n, 4);
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, (offset += length)] };
  }
  const data = Float32Array.from({ length: offset / 4 }, (_, i) => values(i));
  return safetensors(header, new Uint8Array(data.buffer));
}

/** A and B of modules, under PEFT's names. */
function factors(modules: Record<string, [out: number, inSize: number]>, rank = 2): Record<string, number[]> {
  return Object.fromEntries(
    Object.entries(modules).flatMap(([module, [out, inSize]]) => [
      [`base_model.model.${module}.lora_A.weight`, [rank, inSize]],
      [`base_model.model.${module}.lora_B.weight`, [out, rank]],
    ]),
  );
}

async function adapterOf(config: object, tensors: Record<string, number[]> | Uint8Array): Promise<string> {
  return folderOf({
    'adapter_config.json': { ...CONFIG, ...config },
    'adapter_model.safetensors': tensors instanceof Uint8Array ? tensors : matrices(tensors),
  });
}

const simple = factors({ [Q]: [4, 6] });

describe('an adapter', () => {
  test.each<[string, object, number]>([
    ['α / r', {}, 4],
    ['α / √r if rank-stabilised', { use_rslora: true }, 8 / Math.SQRT2],
    ['its own α by the end of its name', { alpha_pattern: { k_proj: 1, q_proj: 6 } }, 3],
    ['its own α by a pattern', { alpha_pattern: { 'layers\\.[01]\\..*_proj': 2 } }, 1],
    ['the rest if a pattern is only part of a name', { alpha_pattern: { _proj: 1 } }, 4],
    ['its own rank', { r: 64, rank_pattern: { 'self_attn.q_proj': 2 } }, 4],
  ])('scales a matrix by %s', async (_, config, scale) => {
    const { additions } = await openAdapter(await adapterOf(config, simple));
    expect([...additions.keys()]).toEqual([`${Q}.weight`]);
    expect(additions.get(`${Q}.weight`)).toMatchObject({ scale, a: { shape: [2, 6] }, b: { shape: [4, 2] } });
  });

  test.each([
    [Q, ['q_proj']],
    ['model.language_model.layers.0.self_attn.q_proj', '.*language_model.*\\.(q_proj|v_proj)'],
    [Q, '.*language_model.*\\.(q_proj|v_proj)'],
    ['model.visual.blocks.3.attn.qkv', '.*visual.*'],
    ['visual.merger.mlp.0', ['merger.mlp.0']],
    ['lm_head', 'all-linear'],
  ])('may name %s and target %j', async (module, target_modules) => {
    const { additions } = await openAdapter(
      await adapterOf({ target_modules }, factors({ [module]: [4, 6] })),
    );
    expect(additions.size).toBe(1);
  });

  test("may be stored as PyTorch's .bin, as PEFT did before 0.6", async () => {
    const shapes = Object.entries(simple);
    const folder = await folderOf({
      'adapter_config.json': CONFIG,
      'adapter_model.bin': torchFile(
        Object.fromEntries(
          shapes.map(([name, shape], i) => [name, { key: `${i}`, shape, elements: shape[0]! * shape[1]! }]),
        ),
        Object.fromEntries(shapes.map(([, shape], i) => [i, new Uint8Array(4 * shape[0]! * shape[1]!)])),
      ),
    });
    const { additions, file } = await openAdapter(folder);
    expect(path.basename(file)).toBe('adapter_model.bin');
    expect(additions.get(`${Q}.weight`)).toMatchObject({ a: { shape: [2, 6] }, b: { shape: [4, 2] } });
  });

  test('is another one with other values or another α', async () => {
    const fingerprints = await Promise.all(
      [
        adapterOf({}, simple),
        adapterOf(
          {},
          matrices(simple, (i) => i),
        ),
        adapterOf({ lora_alpha: 9 }, simple),
      ].map(async (folder) => (await openAdapter(await folder)).fingerprint),
    );
    expect(new Set(fingerprints).size).toBe(3);
  });

  test.each<[string, object, Record<string, number[]>, string]>([
    ['it is of another kind', { peft_type: 'IA3' }, simple, 'LORA'],
    ['it trains biases', { bias: 'all' }, simple, 'biases'],
    ['it uses DoRA', { use_dora: true }, simple, 'use_dora'],
    ['it uses something newer', { use_magic: true }, simple, 'use_magic'],
    ['it is stored transposed', { fan_in_fan_out: true }, simple, 'fan_in_fan_out'],
    ['it changes its base model', { init_lora_weights: 'pissa_niter_4' }, simple, 'pissa_niter_4'],
    ['it holds magnitudes', {}, { ...simple, [`base_model.model.${Q}.lora_magnitude_vector`]: [4] }, 'DoRA'],
    [
      'it trains rows of the embedding',
      { trainable_token_indices: { embed_tokens: [7] } },
      simple,
      'trainable_token_indices',
    ],
    [
      'it holds rows of the embedding',
      {},
      { ...simple, 'base_model.model.model.embed_tokens.token_adapter.trainable_tokens_delta': [1, 6] },
      'cannot be applied',
    ],
    [
      'it holds a weight twice',
      {},
      {
        ...simple,
        'base_model.model.lm_head.weight': [4, 6],
        'base_model.model.lm_head.base_layer.weight': [4, 6],
      },
      'twice',
    ],
    [
      'it adapts an embedding',
      {},
      { 'base_model.model.model.embed_tokens.lora_embedding_A': [2, 6] },
      'cannot be applied',
    ],
    ['it adapts a convolution', {}, factors({ 'visual.patch_embed.proj': [4, 6] }), 'patch_embed'],
    ['it is empty', {}, {}, 'empty'],
    ['B is missing', {}, { [`${Q}.lora_A.weight`]: [2, 6] }, 'lora_A only'],
    ['A is there twice', {}, { ...simple, [`${Q}.lora_A.default.weight`]: [2, 6] }, 'twice'],
    ['the rank is another', { r: 3 }, simple, '[3, in]'],
    ['A is no matrix', {}, { [`${Q}.lora_A.weight`]: [2], [`${Q}.lora_B.weight`]: [4, 2] }, 'A [2]'],
    ['a module is not named', { target_modules: ['v_proj'] }, simple, 'does not name'],
    ['a pattern of its scale is none', { alpha_pattern: { '(': 1 } }, simple, 'pattern'],
    ['the rank is none', { r: 0 }, simple, '"r"'],
  ])('is refused if %s', async (_, config, tensors, words) => {
    await expectUserError(async () => openAdapter(await adapterOf(config, tensors)), words);
  });

  test('is refused in bounded time if its pattern never ends', async () => {
    const hostile = { alpha_pattern: { '(([a-z._0-9]+)*)*!': 1 } };
    const started = performance.now();
    await expectUserError(
      async () => openAdapter(await adapterOf(hostile, simple)),
      'no end after 3 seconds',
    );
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  test('is refused if the folder is none', async () => {
    await expectUserError(async () => openAdapter(await folderOf({})), 'holds no adapter', 'no such file');
    const model = await folderOf({ 'config.json': {} });
    await expectUserError(async () => openAdapter(model), 'a model of its own');
  });

  test('opened as a model says which model it belongs to', async () => {
    const folder = await adapterOf({}, simple);
    await expectUserError(async () => openCheckpoint(folder), 'an adapter', 'org/base-model');
  });
});

/** A copy of flat/ whose matrices are W + scale · B A, computed here. */
async function merged(
  changes: Map<string, { a: Float32Array; b: Float32Array; scale: number }>,
): Promise<string> {
  const folder = path.join(await folderOf({}), 'merged');
  await mkdir(folder);
  await cp(golden('flat'), folder, { recursive: true });
  const file = path.join(folder, 'model.safetensors');
  const bytes = await readFile(golden('flat', 'model.safetensors'));
  const headerLength = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + headerLength)) as Record<
    string,
    { shape: number[]; data_offsets: [number, number] }
  >;
  for (const [name, { a, b, scale }] of changes) {
    const { shape, data_offsets } = header[name]!;
    const [out, inSize] = shape as [number, number];
    const rank = a.length / inSize;
    for (let row = 0; row < out; row++) {
      for (let column = 0; column < inSize; column++) {
        let sum = 0;
        for (let i = 0; i < rank; i++) sum += b[row * rank + i]! * a[i * inSize + column]!;
        const at = 8 + headerLength + data_offsets[0] + 4 * (row * inSize + column);
        bytes.writeFloatLE(bytes.readFloatLE(at) + scale * sum, at);
      }
    }
  }
  await rm(file, { force: true });
  await writeFile(file, bytes);
  return folder;
}

describe.skipIf(!haveGoldens)('with the reference model', () => {
  test('gives what the merged weights give, in the vision tower and the output matrix too', async () => {
    const base = await openCheckpoint(golden('flat'));
    const { hiddenSize: C } = base.config.vision;
    const { hiddenSize, vocabularySize } = base.config.text;
    const wide = C * base.config.vision.mergeSize ** 2;
    const sizes: Record<string, [out: number, inSize: number]> = {
      'visual.blocks.0.attn.qkv': [3 * C, C],
      'visual.merger.mlp.0': [wide, wide],
      lm_head: [vocabularySize, hiddenSize],
    };
    const random = randomSource(5);
    const changes = new Map<string, { a: Float32Array; b: Float32Array; scale: number }>();
    const values: number[] = [];
    for (const [module, [out, inSize]] of Object.entries(sizes)) {
      const a = Float32Array.from({ length: 2 * inSize }, () => random() - 0.5);
      const b = Float32Array.from({ length: 2 * out }, () => (random() - 0.5) / 10);
      changes.set(`${module}.weight`, { a, b, scale: 4 });
      for (const list of [a, b]) for (const value of list) values.push(value);
    }
    const adapter = await adapterOf(
      {},
      matrices(factors(sizes), (i) => values[i]!),
    );
    const models = await Promise.all([
      Model.open(await openCheckpoint(golden('flat'), { adapter }), 'cpu'),
      Model.open(await openCheckpoint(await merged(changes)), 'cpu'),
      Model.open(base, 'cpu'),
    ]);
    const pixels = Float32Array.from({ length: 64 * 1176 }, () => random() * 2 - 1);
    const outputs = await Promise.all(
      models.map(async (model) => ({
        features: (await model.encodeImage(pixels, { height: 8, width: 8 })).data,
        logits: (await model.logits({ shape: [1, hiddenSize], data: pixels.slice(0, hiddenSize) })).data,
      })),
    );
    const [adapted, expected, plain] = outputs as [
      (typeof outputs)[0],
      (typeof outputs)[0],
      (typeof outputs)[0],
    ];
    for (const key of ['features', 'logits'] as const) {
      expect(largestDifference(adapted[key], expected[key])).toBeLessThan(1e-4);
      expect(largestDifference(adapted[key], plain[key])).toBeGreaterThan(1e-2);
    }
    await Promise.all(models.map((model) => model.release()));
  });

  test('changes the identity, not the count of parameters', async () => {
    const [plain, adapted] = await Promise.all([
      openCheckpoint(golden('flat')),
      openCheckpoint(golden('flat'), { adapter: golden('lora') }),
    ]);
    expect(adapted.adapter).toMatchObject({ name: 'lora', rank: 4, alpha: 8 });
    expect(adapted.adapter!.additions.size).toBe(7 * adapted.config.text.layers);
    expect(adapted.fingerprint).not.toBe(plain.fingerprint);
    expect(adapted.parameterCount).toBe(plain.parameterCount);
  });

  test('is refused for a model of another size', async () => {
    const adapter = golden('lora');
    await expectUserError(
      async () => openCheckpoint(golden('tied'), { adapter }),
      'does not fit',
      'trained for',
    );
  });
});
