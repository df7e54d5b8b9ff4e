/** The config file of a training run. What it leaves out is as in the release. */

import path from 'node:path';
import { z } from 'zod';
import { faultIn } from '../../base/faults.ts';
import { messageOf, UserError } from '../../base/errors.ts';
import { readText } from '../../checkpoint/json.ts';
import { PLAN_FORMS, QUESTION_KINDS, WORDINGS } from '../../mazes/questions.ts';
import { SPLITS } from '../../mazes/split.ts';
import { MAP_DEFAULTS } from '../../mazes/stream.ts';
import { WORLD_FORMS, WORLD_QUESTIONS } from '../../worlds/questions.ts';
import { WORLD_DEFAULTS } from '../../worlds/stream.ts';
import { DYNAMICS } from '../../worlds/world.ts';
import type { BaseSettings } from '../base/learner.ts';
import { LORA_TARGETS, RELEASED_LORA } from '../recipe/lora.ts';
import { RELEASED_ADAMW } from '../parameters/optimiser.ts';
import { TARGET_RULES } from '../recipe/targets.ts';
import { RELEASED_TRAINING, type TrainingSettings } from '../recipe/trainer.ts';

const whole = (least: number) => z.number().int().min(least);
const share = z.number().min(0).max(1);

const MapSettings = z.strictObject({
  seed: whole(0).default(MAP_DEFAULTS.seed),
  sizes: z.array(z.number()).default([...MAP_DEFAULTS.sizes]),
  split: z.enum(SPLITS).default(MAP_DEFAULTS.split),
  questions: z.array(z.enum(QUESTION_KINDS)).default([...MAP_DEFAULTS.questions]),
  wording: z.enum(WORDINGS).default(MAP_DEFAULTS.wording),
  alternate: z.array(z.enum(QUESTION_KINDS)).default([...MAP_DEFAULTS.alternate]),
  form: z.enum(PLAN_FORMS).default('latents'),
  style: z.union([z.number(), z.literal('varied')]).default(MAP_DEFAULTS.style),
  minMoves: z.union([whole(1), z.array(whole(1)).min(1)]).default(1),
  /** Pictures of many figures beside each map, for the perception head; stages perception and base only. */
  galleries: whole(0).max(16).default(0),
  /** Their sizes, in turn; those of the maps if not given. */
  gallerySizes: z.array(z.number()).min(1).optional(),
});

const listOf = <T extends z.ZodType>(each: T) => z.array(each).min(1);

const WorldSettings = z.strictObject({
  seed: whole(0).default(WORLD_DEFAULTS.seed),
  sizes: listOf(z.number()).default([...WORLD_DEFAULTS.sizes]),
  dynamics: listOf(z.enum(DYNAMICS)).default([...WORLD_DEFAULTS.dynamics]),
  split: z.enum(SPLITS).default(WORLD_DEFAULTS.split),
  moves: listOf(whole(0)).default([...WORLD_DEFAULTS.moves]),
  alike: whole(1).default(WORLD_DEFAULTS.alike),
  walks: whole(1).default(WORLD_DEFAULTS.walks),
  against: share.optional(),
  questions: listOf(z.enum(WORLD_QUESTIONS)).default([...WORLD_DEFAULTS.questions]),
  form: z.enum(WORLD_FORMS).default(WORLD_DEFAULTS.form),
  style: z.union([listOf(whole(0)), z.literal('varied')]).default('varied'),
  cell: whole(1).optional(),
});

const Lora = z.strictObject({
  rank: whole(1).default(RELEASED_LORA.rank),
  alpha: z.number().positive().default(RELEASED_LORA.alpha),
  dropout: z.number().min(0).lt(1).default(RELEASED_LORA.dropout),
  targets: z
    .array(z.enum(LORA_TARGETS))
    .min(1)
    .default([...RELEASED_LORA.targets]),
});

const Settings = z.strictObject({
  /** Hugging Face folder to begin with, or a run: its newest checkpoint then. */
  model: z.string().min(1),
  /** Adapter of it to begin with, or a run that trained one: merged into the weights, or with `lora` trained on. */
  adapter: z.string().min(1).optional(),
  /** A samples file, or maps or worlds drawn as they are needed. */
  data: z.union([
    z.string().min(1),
    z.strictObject({ generator: MapSettings }),
    z.strictObject({ worlds: WorldSettings }),
  ]),
  /** Folder that the paths to pictures in a samples file count from; the file's own if not given. */
  pictures: z.string().min(1).optional(),
  /** Folder for metrics and checkpoints. */
  run: z.string().min(1),
  /** 'perception' and 'base' come before the recipe: see ../base. */
  stage: z.literal(['perception', 'base', 1, 2]).default(RELEASED_TRAINING.stage),
  steps: whole(1),
  /** Samples in a step, in the base phase maps; they accumulate. */
  batch: whole(1).default(8),
  /** Most of them in one run of the graph. */
  microBatch: whole(1).default(8),
  /** What lengths are rounded up to, so that few graphs serve all: smaller where all samples are of one length. */
  rounding: z
    .strictObject({ opening: whole(1), text: whole(1), past: whole(1) })
    .default(RELEASED_TRAINING.rounding),
  /** Threads that share a step's samples, each on a core of its own; 1 is the run's own, on all cores or on the GPU. */
  workers: whole(1).max(64).default(1),
  /** The vision tower in stages 1 and 2; before them it is always trained. */
  vision: z.enum(['frozen', 'trained']).default(RELEASED_TRAINING.vision),
  /** Of the loss of perception beside language, in the base phase. */
  perceptionWeight: z.number().min(0).default(0.5),
  schedule: z.enum(['constant', 'linear', 'cosine']).default(RELEASED_TRAINING.schedule.shape),
  learningRate: z.number().positive().default(RELEASED_TRAINING.schedule.peak),
  warmupSteps: whole(0).default(RELEASED_TRAINING.schedule.warmupSteps),
  beta1: share.default(RELEASED_ADAMW.beta1),
  beta2: share.default(RELEASED_ADAMW.beta2),
  epsilon: z.number().positive().default(RELEASED_ADAMW.epsilon),
  weightDecay: z.number().min(0).default(RELEASED_ADAMW.weightDecay),
  clip: z.number().positive().default(RELEASED_TRAINING.clip),
  /** Steps whose gradient is longer than this are left out: one that explodes undoes hours. None if absent. */
  skipAbove: z.number().positive().optional(),
  teacherDecay: z.union([share, z.literal('frozen')]).default(RELEASED_TRAINING.teacherDecay),
  /** K; if absent, the model's own. */
  latentSize: whole(1).optional(),
  /** Makes a control model, whose answer can depend on its latents alone or not at all; stage 2 only. */
  latentReach: z.enum(['only', 'none']).optional(),
  coverage: share.default(RELEASED_TRAINING.coverage),
  temperature: z.number().positive().default(RELEASED_TRAINING.temperature),
  /** What supervises the latents of stage 1; anything but 'selected' is for comparison. */
  targets: z.enum(TARGET_RULES).default(RELEASED_TRAINING.targets),
  /** Length of the targets where they are fed; their own if absent. */
  targetLength: z.number().positive().optional(),
  /** Passes of stage 1 that feed the student's own latents in place of the targets. */
  ownPasses: whole(0).default(0),
  /** Stage 1: alignment counts by how much a target differs from that at its place in the block before. */
  weighChanges: z.boolean().default(false),
  noise: z.number().min(0).default(RELEASED_TRAINING.noise),
  seed: whole(0).default(RELEASED_TRAINING.seed),
  /** Trains an adapter in place of the weights; {} has the release's settings. */
  lora: Lora.optional(),
  checkpointEvery: whole(1).default(100),
  /** A sample, counted from 0, that is looked at every few steps (0: never); nothing depends on it. */
  watch: z
    .strictObject({ sample: whole(0).default(0), every: whole(0).default(10) })
    .default({ sample: 0, every: 10 }),
});

const Config = Settings.refine(({ stage, lora }) => lora === undefined || typeof stage === 'number', {
  path: ['lora'],
  message: 'no adapter before stage 1',
})
  .refine(({ stage, adapter }) => adapter === undefined || typeof stage === 'number', {
    path: ['adapter'],
    message: 'no adapter before stage 1',
  })
  .refine(({ vision, lora }) => vision === 'frozen' || lora === undefined, {
    path: ['vision'],
    message: '"frozen" beside "lora": an adapter of the language model holds no weights of the tower',
  });

/** A config as a run stored it, with what was no setting yet when it did so at its default. */
export function completed(stored: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const names = Object.keys(Settings.shape).filter((name) => name in stored);
  const { data } = Settings.safeParse(Object.fromEntries(names.map((name) => [name, stored[name]])));
  return { ...stored, ...data };
}

/** Complete, with absolute paths. */
export type RunConfig = z.output<typeof Config>;

interface GivenConfig {
  /** As the file has it. */
  given: unknown;
  config: RunConfig;
}

/**
 * Reads a config file; its paths are relative to its folder.
 * @throws UserError naming the setting that is unknown or wrong, with its line where that can be told
 */
export async function readConfig(file: string): Promise<GivenConfig> {
  const text = await readText(file);
  const given = parseJson(text, file);
  const result = Config.safeParse(given);
  if (!result.success) throw invalid(result.error, given, text, file);
  const absolute = (where: string): string => path.resolve(path.dirname(file), where);
  const { data, pictures, model, adapter, run } = result.data;
  return {
    given,
    config: {
      ...result.data,
      model: absolute(model),
      ...(adapter !== undefined && { adapter: absolute(adapter) }),
      ...(pictures !== undefined && { pictures: absolute(pictures) }),
      run: absolute(run),
      data: typeof data === 'string' ? absolute(data) : data,
    },
  };
}

/** JSON Schema of a config file, for editors. */
export function trainingConfigJsonSchema(): object {
  return { title: 'ILVR training run', ...z.toJSONSchema(Config, { io: 'input' }) };
}

/** The settings as the trainer takes them. */
export function trainingSettings(config: RunConfig): TrainingSettings {
  const { schedule, learningRate, warmupSteps, steps, clip, teacherDecay, microBatch } = config;
  const stage = config.stage === 2 ? 2 : 1;
  const {
    beta1,
    beta2,
    epsilon,
    weightDecay,
    coverage,
    temperature,
    targets,
    noise,
    seed,
    vision,
    lora,
    rounding,
    targetLength,
    ownPasses,
    weighChanges,
    skipAbove,
  } = config;
  return {
    ...RELEASED_TRAINING,
    stage,
    schedule: { shape: schedule, peak: learningRate, warmupSteps, steps },
    adamW: { ...RELEASED_ADAMW, beta1, beta2, epsilon, weightDecay },
    clip,
    teacherDecay,
    coverage,
    temperature,
    targets,
    noise,
    seed,
    vision,
    rounding,
    ownPasses,
    weighChanges,
    ...(targetLength !== undefined && { targetLength }),
    ...(skipAbove !== undefined && { skipAbove }),
    batchSize: microBatch,
    ...(lora !== undefined && { lora }),
  };
}

/** The settings of the phases before stage 1. */
export function baseSettings(config: RunConfig): BaseSettings {
  const { data, seed, stage, perceptionWeight, microBatch } = config;
  return { data, seed, withText: stage === 'base', perceptionWeight, batchSize: microBatch };
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UserError({ problem: 'The config is not JSON', found: messageOf(error), where: file });
  }
}

function invalid(error: z.ZodError, given: unknown, text: string, file: string): UserError {
  const { issue, expected, found } = faultIn(error, given);
  const keys = issue.code === 'unrecognized_keys' ? issue.keys : undefined;
  const name = keys?.[0] ?? issue.path.map(String).at(-1);
  const setting = [...issue.path, ...(keys === undefined ? [] : [keys.join(', ')])].join('.');
  return new UserError({
    problem:
      keys === undefined ? `The setting "${setting}" cannot be used` : `There is no setting "${setting}"`,
    ...(keys === undefined && { expected, found }),
    where: `${file}${lineOf(text, name)}`,
    remedy: keys === undefined ? 'Mend it in the config.' : 'Take it out, or check its spelling.',
  });
}

/** ":12" for the first line that has the key. */
function lineOf(text: string, key: string | undefined): string {
  const index =
    key === undefined ? -1 : text.split('\n').findIndex((line) => line.includes(JSON.stringify(key)));
  return index < 0 ? '' : `:${index + 1}`;
}
