/**
 * What a checkpoint says about itself, in one shape for all of its file layouts.
 * Field names follow the paper and Hugging Face; ids are token ids. No I/O here: ../checkpoint reads files.
 */

import type { BaseName } from './bases/name.ts';
import type { LatentHead } from './latentHead.ts';
import type { LatentReach } from './latentReach.ts';
import type { Protocol } from './protocol.ts';

/** Language model: pre-norm decoder with grouped-query attention, M-RoPE and SwiGLU. */
export interface TextConfig {
  base: BaseName;
  hiddenSize: number;
  layers: number;
  heads: number;
  kvHeads: number;
  headSize: number;
  feedForwardSize: number;
  vocabularySize: number;
  normEpsilon: number;
  ropeTheta: number;
  /** DeepStack: after so many layers, the first ones, a level of the pictures' features is added at their places. */
  deepstackLayers?: number;
  /** Frequencies per axis (temporal, height, width); they add up to headSize / 2. */
  mropeSection: [number, number, number];
  maxPositions: number;
  tiedEmbeddings: boolean;
}

/** Vision tower: attention, full or in windows, 2-D RoPE, then a patch merger. */
export interface VisionConfig {
  base: BaseName;
  depth: number;
  hiddenSize: number;
  heads: number;
  feedForwardSize: number;
  /** Width of a merged token: the text model's hidden size. */
  outputSize: number;
  inChannels: number;
  patchSize: number;
  temporalPatchSize: number;
  /** Patches per side that the merger joins into one token. */
  mergeSize: number;
  /** Side of an attention window in pixels. */
  windowSize: number;
  fullAttentionBlocks: number[];
  /** DeepStack: the blocks, ascending, after which a level of features is taken besides those of the last. */
  deepstackBlocks?: number[];
  /** Vectors of a square table of learned positions; absent where there is none. */
  positionTable?: number;
  normEpsilon: number;
  ropeTheta: number;
}

/** Ids that mark pictures and latent blocks in the token sequence. */
export interface SpecialTokens {
  imagePad: number;
  visionStart: number;
  visionEnd: number;
  /** Undefined for a plain base model that knows no latent blocks. */
  latent?: { pad: number; start: number; end: number };
}

export interface ModelConfig {
  /** First entry of `architectures`. */
  architecture: string;
  text: TextConfig;
  vision: VisionConfig;
  tokens: SpecialTokens;
  /** How it thinks in latents; absent for a model that only writes. */
  protocol?: Protocol;
  /** What latents go through before they are fed; absent where they are fed as they are. */
  latentHead?: LatentHead;
  /** K: vectors fed back per latent block (`latent_size`). */
  latentSize: number;
  /** What latents reach in a control model (`latent_reach`); absent for an ordinary one. */
  latentReach?: LatentReach;
}

/** The config with another number of latents in a full block. */
export function withLatentSize(config: ModelConfig, latentSize: number): ModelConfig {
  const { protocol } = config;
  return { ...config, latentSize, ...(protocol && { protocol: { ...protocol, count: latentSize } }) };
}

/** `generation_config.json`: what the checkpoint's makers decode with. */
export interface GenerationDefaults {
  eosIds: number[];
  padId?: number;
  repetitionPenalty: number;
  /** Whether they draw tokens (`do_sample`) rather than take the likeliest. */
  samples?: boolean;
  temperature?: number;
  topP?: number;
  /** What a run obeys besides; see ../inference/logitRules.ts. */
  scoreRules?: ScoreRules;
  /** The same for tokens that are drawn. */
  drawRules?: DrawRules;
  /** Settings that a run does not obey, with their values in short. */
  ignored?: { name: string; value: string }[];
}

/** Rules on the scores of every choice, under their names in `generation_config.json`. */
export interface ScoreRules {
  sequence_bias?: [ids: number[], bias: number][];
  encoder_repetition_penalty?: number;
  repetition_penalty?: number;
  no_repeat_ngram_size?: number;
  encoder_no_repeat_ngram_size?: number;
  bad_words_ids?: number[][];
  min_length?: number;
  min_new_tokens?: number;
  forced_eos_token_id?: number[];
  exponential_decay_length_penalty?: [start: number, factor: number];
  suppress_tokens?: number[];
  begin_suppress_tokens?: number[];
}

/** Rules on what a token is drawn from, in the same way. */
export interface DrawRules {
  temperature?: number;
  top_h?: number;
  top_k?: number;
  top_p?: number;
  min_p?: number;
  typical_p?: number;
  epsilon_cutoff?: number;
  eta_cutoff?: number;
}

/** `preprocessor_config.json`: how pixels become patches. */
export interface ProcessorConfig {
  minPixels: number;
  maxPixels: number;
  patchSize: number;
  temporalPatchSize: number;
  mergeSize: number;
  /** Per channel R, G, B. */
  mean: [number, number, number];
  std: [number, number, number];
  /** Usually 1/255. */
  rescaleFactor: number;
}
