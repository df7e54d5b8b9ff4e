/**
 * config.json in one shape, whichever release of transformers wrote it: flat (up to 4.5x, language model
 * settings at the top) or nested (`text_config`, `rope_parameters`). Keys that we do not know are ignored;
 * settings that would change the arithmetic in a way we do not implement are refused by name.
 */
import { z } from 'zod';
import { UserError } from '../base/errors.ts';
import { BASES } from '../model/bases/all.ts';
import type { BaseName } from '../model/bases/name.ts';
import type { ModelConfig, SpecialTokens, TextConfig } from '../model/config.ts';
import { CHECKPOINT_BASES, findBase } from './bases/all.ts';
import { count, ensure, size } from './bases/base.ts';
import { baseOfArchitecture } from './families.ts';
import { parseWith, show } from './json.ts';

/** K of the released ILVR code, for configs that do not say. */
const DEFAULT_LATENT_SIZE = 8;

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
  attention_bias: z.literal(false, 'false: other biases of attention are not supported').nullish(),
  use_sliding_window: z
    .literal(false, 'false: attention in a sliding window is not supported')
    .default(false),
});

const Top = z.object({
  text_config: z.looseObject({}).optional(),
  vision_config: z.looseObject({}),
  tie_word_embeddings: z.boolean().optional(),
  image_token_id: id,
  vision_start_token_id: id,
  vision_end_token_id: id,
  latent_token_id: id.nullish(),
  /** SwimBird's name of the same. */
  latent_id: id.nullish(),
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
  const { architecture, base } = architectureOf(object, inner, where);
  // A nested file may keep the ids of special tokens in either place.
  const top = parseWith(Top, { ...inner, ...object }, where);
  const text = parseText({ ...object, ...inner }, base, top.tie_word_embeddings ?? false, where);
  const visionWhere = `${where}, vision_config`;
  const vision = CHECKPOINT_BASES[base].vision(top.vision_config, visionWhere);
  ensure(
    vision.outputSize === text.hiddenSize,
    `out_hidden_size = hidden_size of the text model, ${text.hiddenSize}`,
    `${vision.outputSize}`,
    visionWhere,
  );
  const levels = vision.deepstackBlocks?.length ?? 0;
  ensure(
    levels <= text.layers,
    `at most num_hidden_layers, ${text.layers}, of deepstack_visual_indexes`,
    `${levels}`,
    visionWhere,
  );
  const tokens = parseTokens(top, text.vocabularySize, where);
  const latentSize = top.latent_size ?? DEFAULT_LATENT_SIZE;
  const latentReach = top.latent_reach ?? undefined;
  return {
    architecture,
    text: levels > 0 ? { ...text, deepstackLayers: levels } : text,
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

/** Some releases write `architectures` into text_config only, or leave it out; then the type says what it is. */
function architectureOf(
  top: Record<string, unknown>,
  text: Record<string, unknown>,
  where: string,
): { architecture: string; base: BaseName } {
  const firstOf = ({ architectures }: Record<string, unknown>): unknown =>
    Array.isArray(architectures) ? architectures[0] : (architectures ?? undefined);
  const named = firstOf(top);
  const name = named ?? firstOf(text);
  const base = typeof name === 'string' ? baseOfArchitecture(name) : undefined;
  if (base !== undefined) return { architecture: name as string, base };
  const types = [top['model_type'], text['model_type']];
  const typed = findBase(({ modelTypes }) => types.some((type) => modelTypes.includes(type as string)));
  if (named === undefined && typed !== undefined)
    return { architecture: CHECKPOINT_BASES[typed].architecture, base: typed };
  const bases = Object.values(CHECKPOINT_BASES);
  const labels = Object.values(BASES).map(({ label }) => label);
  throw new UserError({
    problem: 'this kind of model is not supported',
    expected: bases.map(({ architecture }) => `"architectures": ["${architecture}"]`).join(' or '),
    found: show(name ?? top['model_type']),
    where,
    remedy: `Open a ${labels.join(' or ')} checkpoint or one trained from it (ILVR).`,
  });
}

function parseText(json: unknown, base: BaseName, tiedEmbeddings: boolean, where: string): TextConfig {
  const text = parseWith(Text, json, where);
  const defaults = CHECKPOINT_BASES[base].text;
  const rope = text.rope_parameters ?? text.rope_scaling;
  const headSize = text.head_dim ?? text.hidden_size / text.num_attention_heads;
  const config: TextConfig = {
    base,
    hiddenSize: text.hidden_size,
    layers: text.num_hidden_layers,
    heads: text.num_attention_heads,
    kvHeads: text.num_key_value_heads,
    headSize,
    feedForwardSize: text.intermediate_size,
    vocabularySize: text.vocab_size,
    normEpsilon: text.rms_norm_eps,
    ropeTheta: text.rope_theta ?? rope?.rope_theta ?? defaults.ropeTheta,
    mropeSection: rope?.mrope_section ?? defaults.mropeSection ?? [0, 0, 0],
    maxPositions: text.max_position_embeddings,
    tiedEmbeddings,
  };
  checkText(config, rope?.rope_type ?? rope?.type ?? 'default', where);
  return config;
}

function checkText(text: TextConfig, ropeType: string, where: string): void {
  const { hiddenSize, heads, kvHeads, headSize, mropeSection } = text;
  const frequencies = mropeSection[0] + mropeSection[1] + mropeSection[2];
  ensure(
    Number.isInteger(headSize),
    'num_attention_heads to divide hidden_size, or head_dim',
    `${heads} heads, ${hiddenSize}`,
    where,
  );
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

function parseTokens(top: z.infer<typeof Top>, vocabularySize: number, where: string): SpecialTokens {
  const tokens: SpecialTokens = {
    imagePad: top.image_token_id,
    visionStart: top.vision_start_token_id,
    visionEnd: top.vision_end_token_id,
  };
  const [pad, start, end] = [top.latent_token_id ?? top.latent_id, top.latent_start_id, top.latent_end_id];
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
