/**
 * Checkpoints that think in latents by another protocol than ILVR's. Such a protocol is told by the names of
 * tokens and the fields of config.json, never by ids: an id that is a pad in one project is a start in another.
 * Run as ILVR it would give maps that mean nothing, so it runs as a plain model or not at all.
 */

import type { ModelConfig } from '../model/config.ts';
import { isRecord } from './json.ts';
import type { Tokenizer } from './text/tokenizer.ts';

export interface ForeignProtocol {
  /** The project, or "unknown". */
  name: string;
  /** What told it. */
  evidence: string;
  /** What a run as a plain model does not do. */
  leftOut: string;
}

interface Family {
  name: string;
  architecture?: string;
  /** Keys of config.json that no other project writes. */
  fields: readonly string[];
  /** Tokens that no other project adds. */
  tokens: readonly string[];
  leftOut: string;
}

const NOTHING_FED = 'its latent tokens are ordinary ones, and no hidden state is fed back';

const FAMILIES: Family[] = [
  {
    name: 'Monet',
    fields: [],
    tokens: ['<abs_vis_token>', '<abs_vis_token_pad>'],
    leftOut: NOTHING_FED,
  },
  {
    name: 'LVR',
    architecture: 'QwenWithLVR',
    fields: ['lvr_id', 'lvr_start_id', 'lvr_head', 'loss_lvr_fct'],
    tokens: ['<|lvr|>', '<|lvr_start|>'],
    leftOut: `${NOTHING_FED}, through its head or as it is`,
  },
  {
    name: 'SkiLa',
    architecture: 'SkiLa',
    fields: ['skila_id', 'sketch_start_id', 'sketch_token_num'],
    tokens: ['<|skila|>', '<|sketch_start|>'],
    leftOut: NOTHING_FED,
  },
  { name: 'Laser', fields: [], tokens: ['<|laser|>', '<|laser_start|>'], leftOut: NOTHING_FED },
  {
    name: 'SwimBird',
    fields: ['max_latent_token'],
    tokens: ['<|latent|>'],
    leftOut: NOTHING_FED,
  },
  {
    name: 'CoVT',
    fields: [],
    tokens: ['<|sam_pad|>', '<|dino_pad|>', '<|depth_pad|>', '<|anchor_start|>'],
    leftOut: 'its visual tokens are ordinary ones, and the decoders that show what they hold do not run',
  },
];

/** In the order pad, start, end. */
export const ILVR_TOKENS = ['<|latent_pad|>', '<|latent_start|>', '<|latent_end|>'] as const;

/** The families that give their checkpoints an architecture of their own, which is Qwen2.5-VL's but for the protocol. */
export function isForeignArchitecture(name: unknown): boolean {
  return FAMILIES.some(({ architecture }) => architecture !== undefined && architecture === name);
}

/** What it means for a run, as a sentence. */
export function describeProtocol({ name, evidence, leftOut }: ForeignProtocol): string {
  const whose =
    name === 'unknown' ? 'This checkpoint has latents of an unknown kind' : `This is a ${name} checkpoint`;
  return `${whose} (${evidence}). Its latent protocol is not supported yet, so it can only run as a plain Qwen2.5-VL: ${leftOut}.`;
}

/**
 * The protocol of a checkpoint that is not ILVR's; undefined for ILVR's, or for a model without latents.
 * @param json content of config.json
 */
export function foreignProtocol(
  json: unknown,
  { architecture, tokens: { latent } }: Pick<ModelConfig, 'architecture' | 'tokens'>,
  tokenizer: Pick<Tokenizer, 'idOf' | 'tokenText'>,
): ForeignProtocol | undefined {
  const byName = FAMILIES.find((family) => family.architecture === architecture);
  if (byName !== undefined) return protocolOf(byName, `architecture ${architecture}`);
  const names = latent && [latent.pad, latent.start, latent.end].map((id) => tokenizer.tokenText(id));
  // Where config.json gives ids, only the tokens that they stand for count.
  const has = (token: string): boolean => names?.includes(token) ?? tokenizer.idOf(token) !== undefined;
  const isIlvr = ILVR_TOKENS.every((token, i) => (names === undefined ? has(token) : names[i] === token));
  if (names !== undefined && isIlvr) return mirage(json);
  for (const family of FAMILIES) {
    const field = family.fields.find((key) => settingOf(json, key) !== undefined);
    if (field !== undefined) return protocolOf(family, `"${field}" in config.json`);
    const token = family.tokens.find(has);
    if (token !== undefined) return protocolOf(family, `the token ${token}`);
  }
  if (isIlvr) return mirage(json);
  if (names === undefined) return undefined;
  return { name: 'unknown', evidence: `the latent tokens ${names.join(', ')}`, leftOut: NOTHING_FED };
}

/** A setting of config.json, at the top or in its text_config; null is none. */
function settingOf(json: unknown, key: string): unknown {
  const parts = isRecord(json) ? [json, json['text_config']].filter(isRecord) : [];
  return parts.map((part) => part[key]).find((value) => value !== undefined && value !== null);
}

function protocolOf({ name, leftOut }: Family, evidence: string): ForeignProtocol {
  return { name, evidence, leftOut };
}

/**
 * ILVR began as Mirage: tokens and fields are the same. But ILVR's released training knows one stage, and what
 * Mirage publishes has been through its second.
 */
function mirage(json: unknown): ForeignProtocol | undefined {
  if (settingOf(json, 'stage') !== 'stage2' || settingOf(json, 'compress_strategy') === undefined)
    return undefined;
  return {
    name: 'Mirage',
    evidence: '"stage": "stage2" in config.json',
    leftOut: `${NOTHING_FED}. If it is ILVR's after all, write {"protocol": "ilvr"} into a file ilvr.json beside its config.json`,
  };
}
