import { describe, expect, test } from 'vitest';
import { declaredTying, parseModelConfig } from '../../src/checkpoint/config.ts';
import { parseGenerationConfig, parseProcessorConfig } from '../../src/checkpoint/defaults.ts';
import { golden, goldenJson, haveGoldens } from './goldens.ts';
import { expectUserError } from './support.ts';

/** The settings of the 3B model, as far as they matter. */
const qwen3B = {
  architectures: ['Qwen2_5_VLForConditionalGeneration'],
  hidden_size: 2048,
  num_hidden_layers: 36,
  num_attention_heads: 16,
  num_key_value_heads: 2,
  intermediate_size: 11008,
  vocab_size: 151936,
  rms_norm_eps: 1e-6,
  rope_theta: 1e6,
  rope_scaling: { type: 'mrope', mrope_section: [16, 24, 24] },
  max_position_embeddings: 128000,
  tie_word_embeddings: true,
  use_sliding_window: false,
  image_token_id: 151655,
  vision_start_token_id: 151652,
  vision_end_token_id: 151653,
  vision_config: {
    depth: 32,
    hidden_size: 1280,
    num_heads: 16,
    intermediate_size: 3420,
    out_hidden_size: 2048,
    in_chans: 3,
  },
};

function vision(change: object): object {
  return { vision_config: { ...qwen3B.vision_config, ...change } };
}

function parseGeneration(json: unknown, config?: unknown): unknown {
  return parseGenerationConfig(json, 'generation_config.json', config);
}

function parseProcessor(json: unknown): unknown {
  return parseProcessorConfig(json, 'preprocessor_config.json', 'qwen2.5-vl');
}

function parseGolden(folder: string): unknown {
  return parseModelConfig(goldenJson(folder, 'config.json'), golden(folder));
}

describe('config.json', () => {
  test('of the 3B model', () => {
    const config = parseModelConfig(qwen3B, 'config.json');
    expect(config.text).toMatchObject({
      headSize: 128,
      kvHeads: 2,
      mropeSection: [16, 24, 24],
      tiedEmbeddings: true,
    });
    expect(config.vision).toMatchObject({
      fullAttentionBlocks: [7, 15, 23, 31],
      windowSize: 112,
      patchSize: 14,
      mergeSize: 2,
    });
    expect(config.tokens.latent).toBeUndefined();
    expect(config.latentSize).toBe(8);
  });

  test('of a control model says what its latents reach; of any other, nothing', async () => {
    const reachOf = (change: object) => parseModelConfig({ ...qwen3B, ...change }, 'config.json').latentReach;
    expect(reachOf({ latent_reach: 'only' })).toBe('only');
    expect(reachOf({ latent_reach: 'none' })).toBe('none');
    expect(parseModelConfig(qwen3B, 'config.json')).not.toHaveProperty('latentReach');
    await expectUserError(
      () => reachOf({ latent_reach: 'all' }),
      'latent_reach',
      '"only" or "none"',
      '"all"',
      'config.json',
    );
  });

  test.each<[string, object, string]>([
    ['another architecture', { architectures: ['LlamaForCausalLM'] }, 'LlamaForCausalLM'],
    ['no architecture and no type', { architectures: undefined }, 'Qwen2_5_VL'],
    ['a type of another model', { architectures: null, model_type: 'qwen2_vl' }, '"qwen2_vl"'],
    ['a missing setting', { hidden_size: undefined }, 'hidden_size'],
    ['a setting of the wrong type', { vocab_size: '151936' }, '"151936"'],
    ['an absurd size', { num_hidden_layers: 1e9 }, 'num_hidden_layers'],
    ['a negative size', { hidden_size: -1 }, 'hidden_size'],
    ['heads that do not divide', { num_attention_heads: 15 }, 'num_attention_heads'],
    ['key heads that do not divide', { num_key_value_heads: 3 }, 'num_key_value_heads'],
    ['mrope that does not add up', { rope_scaling: { mrope_section: [16, 24, 25] } }, 'mrope_section'],
    ['no mrope', { rope_scaling: null }, 'mrope_section'],
    ['YaRN', { rope_scaling: { type: 'yarn', mrope_section: [16, 24, 24] } }, 'yarn'],
    ['a sliding window', { use_sliding_window: true }, 'sliding'],
    ['an image id beyond the vocabulary', { image_token_id: 151936 }, '151936'],
    ['one latent id of three', { latent_token_id: 5 }, 'latent_start_id'],
    ['a vision width unlike the text', vision({ out_hidden_size: 3584 }), 'out_hidden_size'],
    ['a window smaller than a token', vision({ window_size: 14 }), 'window_size'],
    ['a vision tower without depth', vision({ depth: undefined }), 'depth'],
  ])('is refused for %s', async (_, change, words) => {
    await expectUserError(
      () => parseModelConfig({ ...qwen3B, ...change }, 'config.json'),
      words,
      'config.json',
    );
  });

  test.each([null, [], 'text', 3])('is refused if it is %j', async (json) => {
    await expectUserError(() => parseModelConfig(json, 'config.json'), 'config.json');
  });

  test.skipIf(!haveGoldens)('means the same flat and nested', () => {
    expect(parseGolden('nested')).toEqual(parseGolden('flat'));
    expect(parseGolden('bin')).toEqual(parseGolden('flat'));
  });

  test.skipIf(!haveGoldens)('of the small checkpoints', () => {
    const tied = parseModelConfig(goldenJson('tied', 'config.json'), 'tied');
    expect(tied).toMatchObject({ latentSize: 4, text: { headSize: 16, tiedEmbeddings: true } });
    expect(tied.tokens).toEqual({
      imagePad: 612,
      visionStart: 609,
      visionEnd: 610,
      latent: { pad: 614, start: 615, end: 616 },
    });
  });
});

test.each([
  [{ tie_word_embeddings: true }, true],
  [{ text_config: { tie_word_embeddings: false } }, false],
  [{ tie_word_embeddings: false, text_config: { tie_word_embeddings: true } }, true],
  [{ tie_word_embeddings: true, text_config: { tie_word_embeddings: false } }, true],
  [{ tie_word_embeddings: null, text_config: { tie_word_embeddings: false } }, false],
  [{ tie_word_embeddings: null, text_config: null }, undefined],
  [{ text_config: {} }, undefined],
])('%j ties the embeddings: %s', (json, tied) => expect(declaredTying(json)).toBe(tied));

describe('generation_config.json', () => {
  test('holds one end token or several', () => {
    expect(parseGeneration({ eos_token_id: 5 })).toEqual({ eosIds: [5], repetitionPenalty: 1 });
    expect(
      parseGeneration({
        eos_token_id: [5, 6],
        pad_token_id: 7,
        repetition_penalty: 1.05,
        temperature: 0.1,
        top_p: 0.5,
      }),
    ).toEqual({
      eosIds: [5, 6],
      padId: 7,
      repetitionPenalty: 1.05,
      temperature: 0.1,
      topP: 0.5,
    });
  });
  test('is completed from config.json', async () => {
    expect(parseGeneration(undefined, { eos_token_id: 3 })).toMatchObject({ eosIds: [3] });
    expect(parseGeneration({}, { text_config: { eos_token_id: 4 } })).toMatchObject({ eosIds: [4] });
    await expectUserError(() => parseGeneration(undefined, {}), 'eos_token_id');
  });
  test('is refused with a wrong setting', async () => {
    await expectUserError(() => parseGeneration({ eos_token_id: 'x' }), 'a token id or a list', '"x"');
    await expectUserError(
      () => parseGeneration({ eos_token_id: 1, repetition_penalty: 0 }),
      'repetition_penalty',
    );
  });
});

describe('preprocessor_config.json', () => {
  test('defaults to the budget of Qwen2-VL', () => {
    expect(parseProcessor({})).toMatchObject({
      minPixels: 3136,
      maxPixels: 12845056,
      patchSize: 14,
      mergeSize: 2,
      rescaleFactor: 1 / 255,
    });
  });
  test('spells the budget in two ways', () => {
    expect(parseProcessor({ size: { shortest_edge: 100, longest_edge: 200 } })).toMatchObject({
      minPixels: 100,
      maxPixels: 200,
    });
    expect(parseProcessor({ min_pixels: 5, size: { shortest_edge: 100, longest_edge: 200 } })).toMatchObject({
      minPixels: 5,
      maxPixels: 200,
    });
  });
  test.each<[object, string]>([
    [{ min_pixels: 10, max_pixels: 5 }, 'min_pixels'],
    [{ resample: 2 }, 'bicubic'],
    [{ do_resize: false }, 'do_resize'],
    [{ image_mean: [0.5] }, 'three numbers'],
    [{ image_std: [1, 1, 0] }, 'image_std'],
    [{ patch_size: 0 }, 'patch_size'],
  ])('is refused with %j', async (json, words) => expectUserError(() => parseProcessor(json), words));
});
