/**
 * What generation_config.json says beyond end tokens, penalty and temperature: the rules that a run obeys
 * (../inference/logitRules.ts), and the settings that it does not, which are said aloud.
 *
 * Such a file may hold any of transformers' settings. One that is at a value without effect is not worth a word.
 */
import { z } from 'zod';
import type { DrawRules, GenerationDefaults, ScoreRules } from '../model/config.ts';
import { show } from './json.ts';

const id = z.int().nonnegative();
const ids = z.array(id);
/** Python's models use -1 for "none" in lists of ids; it bans nothing. */
const looseIds = z.array(z.int()).transform((list) => list.filter((one) => one >= 0));
const count = z.int().positive();
const share = z.number().gt(0).max(1);
const bias = z.union([z.number(), z.literal(-Infinity)]);

type Schemas<Rules> = { [Name in keyof Required<Rules>]: z.ZodType<NonNullable<Rules[Name]>> };

const SCORES: Schemas<Omit<ScoreRules, 'repetition_penalty'>> = {
  sequence_bias: z.array(z.tuple([ids.min(1), bias])),
  encoder_repetition_penalty: z.number().positive(),
  no_repeat_ngram_size: count,
  encoder_no_repeat_ngram_size: count,
  bad_words_ids: z.array(ids.min(1)),
  min_length: count,
  min_new_tokens: count,
  forced_eos_token_id: z.union([id.transform((one) => [one]), ids.min(1)]),
  exponential_decay_length_penalty: z.tuple([z.int().nonnegative(), z.number().positive()]),
  suppress_tokens: looseIds,
  begin_suppress_tokens: looseIds,
};

const DRAWS: Schemas<Omit<DrawRules, 'temperature' | 'top_p'>> = {
  top_h: share,
  top_k: count,
  min_p: share,
  typical_p: share,
  epsilon_cutoff: share,
  eta_cutoff: share,
};

/** Read elsewhere, or without effect on which tokens one answer to one question has. */
const SILENT = new Set(
  `eos_token_id pad_token_id bos_token_id decoder_start_token_id forced_bos_token_id repetition_penalty do_sample
  temperature top_p _from_model_config _commit_hash transformers_version use_cache cache_implementation cache_config
  return_legacy_cache prefill_chunk_size compile_config disable_compile low_memory output_attentions
  output_hidden_states output_scores output_logits return_dict_in_generate is_assistant num_assistant_tokens
  num_assistant_tokens_schedule assistant_confidence_threshold assistant_early_exit assistant_lookbehind
  target_lookbehind prompt_lookup_num_tokens max_matching_ngram_size renormalize_logits length_penalty early_stopping
  diversity_penalty`.split(/\s+/),
);

/** Numbers at which a setting does nothing; 0 does nothing anywhere but in these. */
const NEUTRAL: Readonly<Record<string, number>> = {
  encoder_repetition_penalty: 1,
  typical_p: 1,
  epsilon_cutoff: 1,
  eta_cutoff: 1,
  num_beams: 1,
  num_beam_groups: 1,
  num_return_sequences: 1,
  guidance_scale: 1,
};

/** As many as anyone would read, of a file that may hold anything. */
const MAX_IGNORED = 20;

/** Rules that stand in a model's config.json, where older releases of transformers put them; they are not read there. */
export function strayRules(config: unknown): string[] {
  if (typeof config !== 'object' || config === null) return [];
  return Object.entries(config)
    .filter(([name, value]) => Object.hasOwn(SCORES, name) && !doesNothing(name, value))
    .map(([name]) => name);
}

/** @param json content of generation_config.json */
export function readGenerationRules(
  json: object,
): Pick<GenerationDefaults, 'samples' | 'scoreRules' | 'drawRules' | 'ignored'> {
  const ignored: NonNullable<GenerationDefaults['ignored']> = [];
  const scoreRules: Record<string, unknown> = {};
  const drawRules: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(json) as [string, unknown][]) {
    if (SILENT.has(name) || doesNothing(name, value)) continue;
    const [rules, schema] = Object.hasOwn(SCORES, name)
      ? [scoreRules, SCORES[name as keyof typeof SCORES]]
      : [drawRules, Object.hasOwn(DRAWS, name) ? DRAWS[name as keyof typeof DRAWS] : undefined];
    const parsed = schema?.safeParse(value);
    if (parsed?.success) rules[name] = parsed.data;
    else if (ignored.length < MAX_IGNORED) ignored.push({ name: name.slice(0, 60), value: show(value) });
  }
  return {
    ...(Reflect.get(json, 'do_sample') === true && { samples: true }),
    ...(Object.keys(scoreRules).length > 0 && { scoreRules }),
    ...(Object.keys(drawRules).length > 0 && { drawRules }),
    ...(ignored.length > 0 && { ignored }),
  };
}

function doesNothing(name: string, value: unknown): boolean {
  if (value === null || value === false || value === '') return true;
  if (typeof value === 'object') return Object.keys(value).length === 0;
  return value === 0 || value === NEUTRAL[name];
}
