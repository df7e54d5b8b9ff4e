/**
 * The two small configs beside config.json: how the makers decode (generation_config.json) and how
 * pictures become patches (preprocessor_config.json, or processor_config.json of transformers 5).
 */
import { z } from 'zod';
import { UserError } from '../base/errors.ts';
import type { GenerationDefaults, ProcessorConfig } from '../model/config.ts';
import type { BaseName } from '../model/bases/name.ts';
import { CHECKPOINT_BASES } from './bases/all.ts';
import { readGenerationRules } from './generationRules.ts';
import { parseWith } from './json.ts';

const id = z.int().nonnegative();
const ids = z.union([id.transform((one) => [one]), z.array(id)], 'a token id or a list of them');

const Generation = z.object({
  eos_token_id: ids.nullish(),
  pad_token_id: id.nullish(),
  repetition_penalty: z.number().positive().nullish(),
  temperature: z.number().nonnegative().nullish(),
  top_p: z.number().min(0).max(1).nullish(),
});

/**
 * @param json content of generation_config.json; undefined if there is none
 * @param where its path, for messages
 * @param modelConfig content of config.json, which names the end token when the former does not
 * @throws UserError naming a wrong setting, or if neither file has an end token
 */
export function parseGenerationConfig(
  json: unknown,
  where: string,
  modelConfig?: unknown,
): GenerationDefaults {
  const own = parseWith(Generation, json ?? {}, where);
  const fallback = modelDefaults(modelConfig);
  const eosIds = own.eos_token_id ?? fallback.eos_token_id ?? [];
  const padId = own.pad_token_id ?? fallback.pad_token_id;
  if (eosIds.length === 0) {
    throw new UserError({
      problem: 'the checkpoint does not say which token ends an answer',
      expected: '"eos_token_id"',
      where,
      remedy: 'Add it to generation_config.json; for Qwen2.5-VL it is [151645, 151643].',
    });
  }
  return {
    eosIds,
    repetitionPenalty: own.repetition_penalty ?? 1,
    ...(padId != null && { padId }),
    ...(own.temperature != null && { temperature: own.temperature }),
    ...(own.top_p != null && { topP: own.top_p }),
    ...readGenerationRules(json ?? {}),
  };
}

/** The two ids as config.json may hold them, at the top or in its text_config; lenient, being a fallback. */
function modelDefaults(modelConfig: unknown): z.infer<typeof Generation> {
  const Loose = Generation.pick({ eos_token_id: true, pad_token_id: true });
  const WithText = Loose.extend({ text_config: Loose.nullish() });
  const parsed = WithText.safeParse(modelConfig ?? {});
  return parsed.success ? { ...parsed.data.text_config, ...parsed.data } : {};
}

// A picture is enlarged to the lower bound, so that one limits memory: 50 megapixels make 1.2 GB of patches.
const minimum = z.int().positive().max(50_000_000).nullish();
const maximum = z.int().positive().nullish();
const side = z.int().positive().max(1_000);
const triple = z.tuple([z.number(), z.number(), z.number()], 'three numbers');
const on = z.literal(true, 'true: leaving this step out is not supported').nullish();

const Processor = z.object({
  min_pixels: minimum,
  max_pixels: maximum,
  size: z.object({ shortest_edge: minimum, longest_edge: maximum }).nullish(),
  patch_size: side.nullish(),
  temporal_patch_size: z.int().positive().max(16).default(2),
  merge_size: side.default(2),
  image_mean: triple.nullish(),
  image_std: z.tuple([z.number().positive(), z.number().positive(), z.number().positive()]).nullish(),
  rescale_factor: z
    .number()
    .positive()
    .default(1 / 255),
  resample: z.literal(3, '3 (bicubic)').nullish(),
  do_resize: on,
  do_rescale: on,
  do_normalize: on,
});

/**
 * @param json content of preprocessor_config.json; undefined gives the processor's own defaults
 * @param where its path, for messages
 * @param base whose defaults they are
 * @throws UserError naming a wrong setting
 */
export function parseProcessorConfig(json: unknown, where: string, base: BaseName): ProcessorConfig {
  const defaults = CHECKPOINT_BASES[base].processor;
  const parsed = parseWith(Processor, json ?? {}, where);
  // `size` is the newer spelling; where both stand, the reference lets min_pixels and max_pixels win.
  const minPixels = parsed.min_pixels ?? parsed.size?.shortest_edge ?? defaults.minPixels;
  const maxPixels = parsed.max_pixels ?? parsed.size?.longest_edge ?? defaults.maxPixels;
  if (minPixels > maxPixels) {
    throw new UserError({
      problem: 'the pixel budget of the image processor is empty',
      expected: 'min_pixels of at most max_pixels',
      found: `${minPixels} and ${maxPixels}`,
      where,
    });
  }
  return {
    minPixels,
    maxPixels,
    patchSize: parsed.patch_size ?? defaults.patchSize,
    temporalPatchSize: parsed.temporal_patch_size,
    mergeSize: parsed.merge_size,
    mean: parsed.image_mean ?? defaults.mean,
    std: parsed.image_std ?? defaults.std,
    rescaleFactor: parsed.rescale_factor,
  };
}
