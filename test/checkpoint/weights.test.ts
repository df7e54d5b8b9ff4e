import { describe, expect, test } from 'vitest';
import { checkpointFingerprint, checkpointHash } from '../../src/checkpoint/hash.ts';
import { openSafetensors } from '../../src/checkpoint/formats/tensorFile.ts';
import { readTensor } from '../../src/checkpoint/formats/safetensors.ts';
import { canonicalName } from '../../src/checkpoint/names.ts';
import { openWeights } from '../../src/checkpoint/weights.ts';
import { CancelledError } from '../../src/base/errors.ts';
import { golden, haveGoldens } from './goldens.ts';
import { expectUserError, folderOf, safetensors } from './support.ts';

const one = (name: string, shape = [2], dtype = 'F32'): Uint8Array =>
  safetensors(
    { [name]: { dtype, shape, data_offsets: [0, shape.reduce((a, b) => a * b, dtype === 'F32' ? 4 : 1)] } },
    shape.reduce((a, b) => a * b, dtype === 'F32' ? 4 : 1),
  );

const indexed = (weight_map: unknown): Record<string, object> => ({
  'model.safetensors.index.json': { weight_map },
});

const model = async (data: number[], config = '{}'): Promise<{ folder: string; weightFiles: string[] }> => {
  const bytes = safetensors({ x: { dtype: 'U8', shape: [2], data_offsets: [0, 2] } }, Uint8Array.from(data));
  const folder = await folderOf({ 'config.json': config, 'model.safetensors': bytes });
  return { folder, weightFiles: [`${folder}/model.safetensors`] };
};

test.each([
  ['model.visual.merger.ln_q.weight', 'visual.merger.ln_q.weight'],
  ['model.language_model.layers.0.mlp.up_proj.weight', 'model.layers.0.mlp.up_proj.weight'],
  ['model.language_model.embed_tokens.weight', 'model.embed_tokens.weight'],
  ['model.layers.0.mlp.up_proj.weight', 'model.layers.0.mlp.up_proj.weight'],
  ['visual.patch_embed.proj.weight', 'visual.patch_embed.proj.weight'],
  ['lm_head.weight', 'lm_head.weight'],
])('%s is called %s', (name, canonical) => expect(canonicalName(name)).toBe(canonical));

describe('weights of a folder', () => {
  test('are found in shards', async () => {
    const folder = await folderOf({
      'a.safetensors': one('x'),
      'b.safetensors': one('model.visual.y'),
      'model.safetensors.index.json': {
        weight_map: { x: 'a.safetensors', 'model.visual.y': 'b.safetensors' },
      },
    });
    const weights = await openWeights(folder, { tied: false });
    expect(weights.names).toEqual(['visual.y', 'x']);
    expect(weights.files.length).toBe(2);
    expect(weights.parameterCount).toBe(4);
    expect(weights.get('x', [2]).length).toBe(8);
  });

  test('share the output matrix if tied', async () => {
    const folder = await folderOf({ 'model.safetensors': one('model.embed_tokens.weight', [3, 2]) });
    const tied = await openWeights(folder, { tied: true });
    expect(tied.get('lm_head.weight', [3, 2])).toEqual(tied.get('model.embed_tokens.weight', [3, 2]));
    expect(await openWeights(folder, { tied: undefined })).toMatchObject({ tied: true });
    const untied = await openWeights(folder, { tied: false });
    await expectUserError(() => untied.get('lm_head.weight', [3, 2]), 'tie_word_embeddings');
  });

  test('are refused if missing or of another shape or type', async () => {
    const weights = await openWeights(await folderOf({ 'model.safetensors': one('x') }), { tied: false });
    await expectUserError(() => weights.get('y', [2]), 'no weight y');
    await expectUserError(() => weights.get('x', [2, 1]), '[2,1]', '[2]', 'model.safetensors');
    const bytes = await folderOf({ 'model.safetensors': one('x', [2], 'I8') });
    await expectUserError(async () => openWeights(bytes, { tied: false }), 'F32, F16 or BF16');
  });

  test.each<[string, Record<string, object | Uint8Array | string>, string]>([
    ['there are none', {}, 'no weights'],
    ['a shard is missing', indexed({ x: 'a-2.safetensors' }), 'a-2.safetensors is missing'],
    ['the index leaves the folder', indexed({ x: '../a.safetensors' }), '../a.safetensors'],
    ['the index leaves it on Windows', indexed({ x: '..\\a.safetensors' }), 'plain name'],
    ['the index names an absolute path', indexed({ x: '/etc/a.safetensors' }), '/etc/a'],
    ['the index names something else', indexed({ x: 'config.json' }), 'plain name'],
    ['the index has no map', indexed(undefined), 'weight_map'],
    ['the index is no JSON', { 'model.safetensors.index.json': '{' }, 'JSON'],
    ['there is only an adapter', { 'adapter_config.json': {} }, 'adapter'],
    ['shards have no index', { 'pytorch_model-00001-of-00002.bin': 'x' }, 'the index of either'],
    ['a .bin file is none', { 'pytorch_model.bin': 'x' }, 'not a sound zip archive'],
    [
      'a name is there in both spellings',
      {
        'model.safetensors': safetensors(
          '{"visual.x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"model.visual.x":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}',
          8,
        ),
      },
      'twice',
    ],
  ])('are refused if %s', async (_, files, words) => {
    const folder = await folderOf(files);
    await expectUserError(async () => openWeights(folder, { tied: false }), words);
  });
});

describe('identity', () => {
  test('the hash depends on content alone', async () => {
    expect(await checkpointHash(await model([1, 2]))).toBe(await checkpointHash(await model([1, 2])));
    expect(await checkpointHash(await model([1, 2]))).not.toBe(await checkpointHash(await model([1, 3])));
    expect(await checkpointHash(await model([1, 2]))).not.toBe(
      await checkpointHash(await model([1, 2], '{ }')),
    );
  });
  test('the fingerprint depends on config and headers, not on values', async () => {
    expect(await checkpointFingerprint(await model([1, 2]))).toBe(
      await checkpointFingerprint(await model([1, 3])),
    );
    expect(await checkpointFingerprint(await model([1, 2]))).not.toBe(
      await checkpointFingerprint(await model([1, 2], '{ }')),
    );
  });
  test('hashing reports progress and stops when asked', async () => {
    const seen: [number, number][] = [];
    const files = await model([1, 2]);
    await checkpointHash(files, { onProgress: (done, total) => seen.push([done, total]) });
    expect(seen.at(-1)![0]).toBe(seen.at(-1)![1]);
    await expect(checkpointHash(files, { signal: AbortSignal.abort() })).rejects.toThrow(CancelledError);
  });
});

describe.skipIf(!haveGoldens)('the reference checkpoints', () => {
  test('flat and nested hold the same weights under the same names', async () => {
    const [flat, nested] = await Promise.all(
      ['flat', 'nested'].map(async (name) => openWeights(golden(name), { tied: false })),
    );
    expect(nested!.names).toEqual(flat!.names);
    const stored = await openSafetensors(golden('flat', 'model.safetensors'));
    for (const name of flat!.names) {
      const { shape } = stored.info(name);
      expect(await readTensor(nested!.get(name, shape))).toEqual(await readTensor(flat!.get(name, shape)));
    }
  });
  test('tied is bfloat16 in seven shards', async () => {
    const weights = await openWeights(golden('tied'), { tied: true });
    expect(weights).toMatchObject({ dtype: 'BF16' });
    expect(weights.files.length).toBe(7);
    expect(weights.get('lm_head.weight', [640, 96]).file).toContain('.safetensors');
    expect(weights.get('visual.patch_embed.proj.weight', [64, 3, 2, 14, 14]).dtype).toBe('BF16');
  });
});
