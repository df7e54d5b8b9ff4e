/**
 * config.json in one shape, whichever release of transformers wrote it: flat (up to 4.5x, language model
 * settings at the top) or nested (`text_config`, `rope_parameters`). Keys that we do not know are ignored;
 * settings that would change the arithmetic in a way we do not implement are refused by name.
 */
import { z } from 'zod';
import { UserError } from '../base/errors.ts';
import type { ModelConfig, SpecialTokens, TextConfig, VisionConfig } from '../model/config.ts';
import { isFamilyArchitecture } from './families.ts';
import { parseWith, show } from './json.ts';

/** The one architecture that ../model builds; other names of it are in ./families.ts. */
export const SUPPORTED_ARCHITECTURE = 'Qwen2_5_VLForConditionalGeneration';

/** K of the released ILVR code, for configs that do not say. */
const DEFAULT_LATENT_SIZE = 8;

/** The vision tower's own constants; they stand in the reference's code, not in its config. */
const VISION_NORM_EPSILON = 1e-6;
const VISION_ROPE_THETA = 10_000;

/** Generous bounds, so that a hostile config cannot make us build a graph without end. */
const size = z.int().positive().max(1_000_000);
const count = z.int().positive().max(1_000);
const id = z.int().nonnegative().max(10_000_000);
const small = z.number().positive().max(1);

const Rope = z
  .object({
    mrope_section: z.tuple([count, count, count], 'three positive whole numbers'),
    rope_theta: z.number().positive().optional(),
    rope_type: z.string().optional(),
    type: z.string().optional(),
  })
  .nullish();

const Text = z.object({
  hidden_size: size,
  num_hidden_layers: count,
  num_attention_heads: count,
  num_key_value_heads: count,
  head_dim: count.nullish(),
  intermediate_size: size,
  vocab_size: z.int().positive().max(10_000_000),
  rms_norm_eps: small,
  rope_theta: z.number().positive().optional(),
  rope_scaling: Rope,
  rope_parameters: Rope,
  max_position_embeddings: z.int().positive(),
  hidden_act: z.literal('silu').default('silu'),
  use_sliding_window: z
    .literal(false, 'false: attention in a sliding window is not supported')
    .default(false),
});

const Vision = z.object({
  depth: count,
  hidden_size: size,
  num_heads: count,
  intermediate_size: size,
  out_hidden_size: size,
  in_channels: z.literal(3).optional(),
  in_chans: z.literal(3).optional(),
  patch_size: count.default(14),
  temporal_patch_size: count.default(2),
  spatial_merge_size: count.default(2),
  window_size: size.default(112),
  fullatt_block_indexes: z.array(z.int().nonnegative()).default([7, 15, 23, 31]),
  hidden_act: z.literal('silu').default('silu'),
});

const Top = z.object({
  text_config: z.looseObject({}).optional(),
  vision_config: z.looseObject({}),
  tie_word_embeddings: z.boolean().optional(),
  image_token_id: id,
  vision_start_token_id: id,
  vision_end_token_id: id,
  latent_token_id: id.nullish(),
  latent_start_id: id.nullish(),
  latent_end_id: id.nullish(),
  latent_size: count.nullish(),
  /** Ours, not the release's: see ../model/latentReach.ts. */
  latent_reach: z.enum(['only', 'none'], 'latent_reach "only" or "none", or no such key').nullish(),
});

/**
 * @param json content of config.json
 * @param where its path, for messages
 * @throws UserError naming the setting that is missing, wrong or not supported
 */
export function parseModelConfig(json: unknown, where: string): ModelConfig {
  const object = parseWith(z.looseObject({}), json, where);
  const inner = parseWith(z.looseObject({}).nullish(), object['text_config'], where) ?? {};
  const architecture = architectureOf(object, inner, where);
  // A nested file may keep the ids of special tokens in either place.
  const top = parseWith(Top, { ...inner, ...object }, where);
  const text = parseText({ ...object, ...inner }, top.tie_word_embeddings ?? false, where);
  const vision = parseVision(top.vision_config, text.hiddenSize, where);
  const tokens = parseTokens(top, text.vocabularySize, where);
  const latentSize = top.latent_size ?? DEFAULT_LATENT_SIZE;
  const latentReach = top.latent_reach ?? undefined;
  return {
    architecture,
    text,
    vision,
    tokens,
    latentSize,
    ...(latentReach !== undefined && { latentReach }),
  };
}

/**
 * Whether config.json says that input and output embeddings are one matrix, at the top or in its text_config;
 * undefined if it does not say, as transformers leaves out what is its own default, and that default has
 * changed. Then the weights decide.
 */
export function declaredTying(json: unknown): boolean | undefined {
  const Tying = z.object({ tie_word_embeddings: z.boolean().nullish() });
  const { data } = Tying.extend({ text_config: Tying.nullish() }).safeParse(json);
  const said = [data?.tie_word_embeddings, data?.text_config?.tie_word_embeddings];
  return said.includes(true) ? true : said.includes(false) ? false : undefined;
}

/** Model types of transformers, of the whole and of its language model. */
const MODEL_TYPES: unknown[] = ['qwen2_5_vl', 'qwen2_5_vl_text'];

/** Some releases write `architectures` into text_config only, or leave it out; then the type says what it is. */
function architectureOf(top: Record<string, unknown>, text: Record<string, unknown>, where: string): string {
  const firstOf = ({ architectures }: Record<string, unknown>): unknown =>
    Array.isArray(architectures) ? architectures[0] : (architectures ?? undefined);
  const isKnown = (name: unknown): name is string =>
    name === SUPPORTED_ARCHITECTURE || isFamilyArchitecture(name);
  const [named, inText] = [firstOf(top), firstOf(text)];
  if (isKnown(named)) return named;
  if (named === undefined && isKnown(inText)) return inText;
  if (named === undefined && [top, text].some((part) => MODEL_TYPES.includes(part['model_type'])))
    return SUPPORTED_ARCHITECTURE;
  throw new UserError({
    problem: 'this kind of model is not supported',
    expected: `"architectures": ["${SUPPORTED_ARCHITECTURE}"]`,
    found: show(named ?? inText ?? top['model_type']),
    where,
    remedy: 'Open a Qwen2.5-VL checkpoint or one trained from it (ILVR).',
  });
}

function parseText(json: unknown, tiedEmbeddings: boolean, where: string): TextConfig {
  const text = parseWith(Text, json, where);
  const rope = text.rope_parameters ?? text.rope_scaling;
  const headSize = text.head_dim ?? text.hidden_size / text.num_attention_heads;
  const config: TextConfig = {
    hiddenSize: text.hidden_size,
    layers: text.num_hidden_layers,
    heads: text.num_attention_heads,
    kvHeads: text.num_key_value_heads,
    headSize,
    feedForwardSize: text.intermediate_size,
    vocabularySize: text.vocab_size,
    normEpsilon: text.rms_norm_eps,
    ropeTheta: text.rope_theta ?? rope?.rope_theta ?? 1_000_000,
    mropeSection: rope?.mrope_section ?? [0, 0, 0],
    maxPositions: text.max_position_embeddings,
    tiedEmbeddings,
  };
  checkText(config, rope?.rope_type ?? rope?.type ?? 'default', where);
  return config;
}

function checkText(text: TextConfig, ropeType: string, where: string): void {
  const { hiddenSize, heads, kvHeads, headSize, mropeSection } = text;
  const frequencies = mropeSection[0] + mropeSection[1] + mropeSection[2];
  const split = Number.isInteger(headSize) && headSize * heads === hiddenSize;
  ensure(split, 'num_attention_heads × head size = hidden_size', `${heads} heads, ${hiddenSize}`, where);
  ensure(headSize % 2 === 0, 'an even head size', `${headSize}`, where);
  ensure(
    heads % kvHeads === 0,
    'num_key_value_heads to divide num_attention_heads',
    `${kvHeads} and ${heads}`,
    where,
  );
  ensure(
    frequencies === headSize / 2,
    `mrope_section to add up to half the head size, ${headSize / 2}`,
    show(mropeSection),
    where,
  );
  ensure(['default', 'mrope'].includes(ropeType), 'rope type "default" or "mrope"', show(ropeType), where);
}

function parseVision(json: unknown, textSize: number, where: string): VisionConfig {
  const vision = parseWith(Vision, json, `${where}, vision_config`);
  const config: VisionConfig = {
    depth: vision.depth,
    hiddenSize: vision.hidden_size,
    heads: vision.num_heads,
    feedForwardSize: vision.intermediate_size,
    outputSize: vision.out_hidden_size,
    inChannels: 3,
    patchSize: vision.patch_size,
    temporalPatchSize: vision.temporal_patch_size,
    mergeSize: vision.spatial_merge_size,
    windowSize: vision.window_size,
    // Defaults name blocks of the full-size tower; a shallower one just has fewer of them.
    fullAttentionBlocks: vision.fullatt_block_indexes.filter((block) => block < vision.depth),
    normEpsilon: VISION_NORM_EPSILON,
    ropeTheta: VISION_ROPE_THETA,
  };
  checkVision(config, textSize, `${where}, vision_config`);
  return config;
}

function checkVision(vision: VisionConfig, textSize: number, where: string): void {
  const { hiddenSize, heads, patchSize, mergeSize, windowSize, outputSize } = vision;
  ensure(
    hiddenSize % (4 * heads) === 0,
    'num_heads × 4 to divide hidden_size',
    `${heads} heads, ${hiddenSize}`,
    where,
  );
  ensure(
    outputSize === textSize,
    `out_hidden_size = hidden_size of the text model, ${textSize}`,
    `${outputSize}`,
    where,
  );
  ensure(
    windowSize >= patchSize * mergeSize,
    `window_size of at least one merged token, ${patchSize * mergeSize}`,
    `${windowSize}`,
    where,
  );
}

function parseTokens(top: z.infer<typeof Top>, vocabularySize: number, where: string): SpecialTokens {
  const tokens: SpecialTokens = {
    imagePad: top.image_token_id,
    visionStart: top.vision_start_token_id,
    visionEnd: top.vision_end_token_id,
  };
  const [pad, start, end] = [top.latent_token_id, top.latent_start_id, top.latent_end_id];
  const known = [pad, start, end].filter((token) => token != null).length;
  const rule = 'all or none of latent_token_id, latent_start_id and latent_end_id';
  ensure(known === 0 || known === 3, rule, show([pad, start, end]), where);
  if (pad != null && start != null && end != null) tokens.latent = { pad, start, end };
  for (const token of [
    tokens.imagePad,
    tokens.visionStart,
    tokens.visionEnd,
    ...Object.values(tokens.latent ?? {}),
  ]) {
    ensure(token < vocabularySize, `token ids below vocab_size, ${vocabularySize}`, `${token}`, where);
  }
  return tokens;
}

function ensure(condition: boolean, expected: string, found: string, where: string): void {
  if (condition) return;
  throw new UserError({
    problem: 'the settings of the model contradict each other or are not supported',
    expected,
    found,
    where,
    remedy: 'Compare the file with the one that the makers of the model published.',
  });
}
