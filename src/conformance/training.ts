/** Training: what the teacher selects, losses and gradients of both stages, and sequences of AdamW steps. */

import * as z from 'zod';
import { UserError } from '../base/errors.ts';
import type { Model } from '../inference/model.ts';
import type { ParameterSet } from '../train/parameters/parameters.ts';
import { EXACT } from '../train/graphs/parts.ts';
import { RELEASED_ADAMW } from '../train/parameters/optimiser.ts';
import { sequenceOf, type Picture, type PlanStep, type TrainingSample } from '../train/data/sequence.ts';
import { learnSamples } from '../train/recipe/learner.ts';
import { RELEASED_TRAINING, Trainer, type TrainingSettings } from '../train/recipe/trainer.ts';
import { openState, trainStep, type Stage } from '../train/step.ts';
import { listOf, tensorCase, type Answers, type StoredTensors } from './answers.ts';
import { caseRounding, compare, same, toleranceOf, type Check, type Measure, type NotRun } from './check.ts';
import { forwardCase, type OpenModel } from './inference.ts';

const LOSS_TOLERANCE = 1e-4;
const GRADIENT_TOLERANCE = 1e-3;
const VECTOR_TOLERANCE = 1e-3;
const STEP_TOLERANCE = 1e-3;

const ids = z.array(z.int());

const trainingCase = z.looseObject({
  name: z.string(),
  text_input: z.string(),
  image_input: z.array(z.string()),
  sequence_plan: z.array(
    z.union([
      z.looseObject({ type: z.literal('text'), content: z.string() }),
      z.looseObject({ type: z.literal('latent'), helper_image: z.string() }),
    ]),
  ),
  input_ids: ids,
  labels: ids,
  image_grid_thw: z.array(ids),
  helper_grid_thw: z.array(ids),
  /** The teacher's choice per block. */
  selected: z.array(ids),
  /** Absent where there is no block. */
  target_positions: ids.optional(),
  ce: z.number(),
  alignment: z.number(),
  loss: z.number(),
  gradient_norm: z.number(),
  stage2_loss: z.number(),
  stage2_gradient_norm: z.number(),
  rounding: caseRounding,
});

type TrainingCase = z.output<typeof trainingCase>;

const referenceStep = z.looseObject({
  lr: z.number(),
  /** By sample: cross-entropy, alignment. */
  losses: listOf(z.tuple([z.number(), z.number()])),
  gradient_norm: z.number(),
});

type ReferenceStep = z.output<typeof referenceStep>;

const stepsFile = z.looseObject({
  settings: z.looseObject({
    lr: z.number(),
    warmup_steps: z.int(),
    steps: z.int(),
    betas: z.tuple([z.number(), z.number()]),
    eps: z.number(),
    weight_decay: z.number(),
    clip: z.number(),
    schedule: z.enum(['constant', 'linear', 'cosine']),
    samples: listOf(z.string()),
  }),
  frozen: listOf(referenceStep),
  ema_0_9: listOf(referenceStep),
});

type StepsFile = z.output<typeof stepsFile>;

/** training/SOURCE answers, computed with the checkpoint of that name. */
export async function trainingChecks(
  answers: Answers,
  open: OpenModel,
  source: string,
): Promise<(Check | NotRun)[]> {
  const cases = await answers.cases(`training/${source}`, trainingCase);
  return cases.flatMap((item) => {
    const path = `training/${source}/${item.name}`;
    return tensorCase(answers, path, path, async (expected) => {
      const model = await open(source);
      const sample = await readSample(answers, model, item);
      const stored = await withStoredFeatures(answers, model, source, item, sample);
      return [
        ...compareSequence(model, sample, item),
        ...(await compareStage1(model, sample, item, expected)),
        ...(await compareStage2(model, stored, item, expected)),
      ];
    });
  });
}

/** training/SOURCE/steps.json: sequences of steps over the cases, with a teacher that stays and one that follows. */
export async function stepChecks(answers: Answers, open: OpenModel, source: string): Promise<Check[]> {
  const cases = await answers.cases(`training/${source}`, trainingCase);
  const steps = await answers.json(`training/${source}/steps.json`, stepsFile);
  const sequence = (name: 'frozen' | 'ema_0_9', teacherDecay: number | 'frozen'): Check => ({
    name: `training/${source}/steps/${name}`,
    run: async () => compareSteps(answers, await open(source), cases, steps, steps[name], teacherDecay),
  });
  return [sequence('frozen', 'frozen'), sequence('ema_0_9', 0.9)];
}

async function readSample(answers: Answers, model: Model, item: TrainingCase): Promise<TrainingSample> {
  const picture = async (name: string): Promise<Picture> => {
    const { grid, pixelValues } = await answers.picture(name, model.checkpoint.processor);
    return { grid, features: await model.encodeImage(pixelValues, grid) };
  };
  const pictures: Picture[] = [];
  for (const name of item.image_input) pictures.push(await picture(name));
  const plan: PlanStep[] = [];
  for (const step of item.sequence_plan)
    plan.push(step.type === 'text' ? step : { type: 'latent', helper: await picture(step.helper_image) });
  return { question: item.text_input, pictures, plan };
}

function compareSequence(model: Model, sample: TrainingSample, item: TrainingCase): Measure[] {
  const { ids, labels } = sequenceOf(model.checkpoint, sample);
  const helpers = sample.plan.flatMap((step) => (step.type === 'latent' ? [step.helper!] : []));
  const grids = (pictures: readonly Picture[]): number[][] =>
    pictures.map(({ grid }) => [1, grid.height, grid.width]);
  return [
    compare('input_ids', ids, item.input_ids),
    compare('labels', labels, item.labels),
    same('image_grid_thw', grids(sample.pictures), item.image_grid_thw),
    same('helper_grid_thw', grids(helpers), item.helper_grid_thw),
  ];
}

async function compareStage1(
  model: Model,
  sample: TrainingSample,
  item: TrainingCase,
  expected: StoredTensors,
): Promise<Measure[]> {
  return withTrainer(model, settingsOf(1), async (trainer) => {
    const sequence = sequenceOf(model.checkpoint, sample);
    const { context, blocks } = await trainer.teacher.supervise(sequence, sample);
    const targets = blocks.map((block) => block.targets);
    const { losses, gradient } = await trainer.learn([{ sample, sequence, targets }]);
    const { ce, alignment } = losses[0]!;
    const positions = blocks.flatMap(({ selected }, i) => selected.map((_, k) => sequence.blocks[i]! + k));
    const vectors = [
      ['context_query_u', context],
      ['targets', Float32Array.from(targets.flat().flatMap((target) => [...target]))],
      ...blocks.map((block, i) => [`similarity.${i}`, block.cosines] as const),
    ] as const;
    return [
      same(
        'selected',
        blocks.map(({ selected }) => selected),
        item.selected,
      ),
      compare('target_positions', positions, item.target_positions ?? []),
      // Without latent blocks nobody needs them.
      ...(await compareVectors(
        vectors.filter(([name]) => blocks.length > 0 || expected.has(name)),
        expected,
        item,
      )),
      ...figures(item, LOSS_TOLERANCE, { ce, alignment, loss: ce + alignment }),
      ...figures(item, GRADIENT_TOLERANCE, { gradient_norm: await gradient.norm() }),
      ...(await compareGradients(gradient, 'grad.', expected, item)),
    ];
  });
}

async function compareStage2(
  model: Model,
  sample: TrainingSample,
  item: TrainingCase,
  expected: StoredTensors,
): Promise<Measure[]> {
  return withTrainer(model, settingsOf(2), async (trainer) => {
    const { losses, gradient } = await trainer.learn([await trainer.prepare(sample)]);
    const { ce, hidden } = losses[0]!;
    const states = Float32Array.from(hidden.flatMap((state) => [...state]));
    return [
      ...figures(item, LOSS_TOLERANCE, { stage2_loss: ce }),
      ...figures(item, GRADIENT_TOLERANCE, { stage2_gradient_norm: await gradient.norm() }),
      ...(await compareVectors([['stage2.hidden', states]], expected, item)),
      ...(await compareGradients(gradient, 'stage2.grad.', expected, item)),
    ];
  });
}

/**
 * The sample with the reference's own features of its pictures, where forward/ stored them. Two correct
 * vision towers differ by about 5e-6 in float32, and the latent recurrence amplifies that a
 * thousandfold (docs/log.md); forward/ and stage 1 check our features.
 */
async function withStoredFeatures(
  answers: Answers,
  model: Model,
  source: string,
  item: TrainingCase,
  sample: TrainingSample,
): Promise<TrainingSample> {
  const stored = await storedFeatures(answers, model, source);
  const pictures = sample.pictures.map(({ grid, features }, i) => ({
    grid,
    features: { ...features, data: stored.get(item.image_input[i]!) ?? features.data },
  }));
  return { ...sample, pictures };
}

/** Merged features by picture, from the forward/ answers of a checkpoint. */
async function storedFeatures(
  answers: Answers,
  model: Model,
  source: string,
): Promise<Map<string, Float32Array>> {
  const { mergeSize, outputSize } = model.checkpoint.config.vision;
  const stored = new Map<string, Float32Array>();
  if (!(await answers.has(`forward/${source}`))) return stored;
  const cases = await answers.cases(`forward/${source}`, forwardCase);
  for (const { name, images, image_grid_thw: grids } of cases) {
    const file = await answers.tensors(`forward/${source}/${name}.safetensors`);
    if (images.length === 0) continue;
    const features = await file.float32('image_features');
    let read = 0;
    for (const [i, image] of images.entries()) {
      const [, height = 0, width = 0] = grids[i]!;
      const length = ((height * width) / mergeSize ** 2) * outputSize;
      stored.set(image, features.subarray(read, read + length));
      read += length;
    }
  }
  return stored;
}

async function compareSteps(
  answers: Answers,
  model: Model,
  cases: readonly TrainingCase[],
  { settings }: StepsFile,
  expected: readonly ReferenceStep[],
  teacherDecay: number | 'frozen',
): Promise<Measure[]> {
  const samples: TrainingSample[] = [];
  for (const name of settings.samples) {
    const item = cases.find((each) => each.name === name);
    if (item === undefined) throw new UserError({ problem: `There is no case ${name} to train on` });
    samples.push(await readSample(answers, model, item));
  }
  const { lr, warmup_steps, steps, schedule, betas, eps, weight_decay } = settings;
  const training: TrainingSettings = {
    ...settingsOf(1),
    schedule: { shape: schedule, peak: lr, warmupSteps: warmup_steps, steps },
    adamW: { ...RELEASED_ADAMW, beta1: betas[0], beta2: betas[1], epsilon: eps, weightDecay: weight_decay },
    clip: settings.clip,
    teacherDecay,
  };
  return withTrainer(model, training, async (trainer) => {
    const drawn = samples.map((sample, position) => ({
      position,
      where: settings.samples[position]!,
      sample,
    }));
    const learn = (step: number) => learnSamples(trainer, drawn, step, 1 / drawn.length);
    const state = await openState(trainer.sets, training.adamW);
    const measures = [same('steps', expected.length, steps)];
    for (const [i, step] of expected.entries()) {
      const report = await trainStep(state, learn, training);
      const losses = report.losses.flatMap(({ ce, alignment }) => [ce, alignment]);
      measures.push(
        relative(`learning rate of step ${i}`, [report.learningRate], [step.lr], STEP_TOLERANCE),
        relative(`losses of step ${i}`, losses, step.losses.flat(), STEP_TOLERANCE),
        relative(`gradient norm of step ${i}`, [report.gradientNorm], [step.gradient_norm], STEP_TOLERANCE),
      );
    }
    await state.optimiser.release();
    return measures;
  });
}

/**
 * The reference's settings: no noise, the teacher as it was. Lengths are the samples' own, because stage 2
 * magnifies even the order of sums (docs/log.md); that rounding them changes no number is tested elsewhere.
 */
function settingsOf(stage: Stage): TrainingSettings {
  return { ...RELEASED_TRAINING, stage, noise: 0, teacherDecay: 'frozen', rounding: EXACT };
}

async function withTrainer<T>(
  model: Model,
  settings: TrainingSettings,
  use: (trainer: Trainer) => Promise<T>,
): Promise<T> {
  const trainer = await Trainer.open(model.checkpoint, settings, { provider: model.provider });
  try {
    return await use(trainer);
  } finally {
    await trainer.release();
  }
}

async function compareVectors(
  vectors: readonly (readonly [name: string, actual: Float32Array])[],
  expected: StoredTensors,
  { rounding }: TrainingCase,
): Promise<Measure[]> {
  return Promise.all(
    vectors.map(async ([name, actual]) =>
      compare(name, actual, await expected.float32(name), toleranceOf(VECTOR_TOLERANCE, rounding, name)),
    ),
  );
}

/** The stored gradients, each against its largest entry. @throws UserError if there are none */
async function compareGradients(
  gradient: ParameterSet,
  prefix: string,
  expected: StoredTensors,
  { rounding }: TrainingCase,
): Promise<Measure[]> {
  const names = expected.names.filter((name) => name.startsWith(prefix));
  if (names.length === 0)
    throw new UserError({ problem: 'A reference answer is missing', expected: `tensors ${prefix}…` });
  const tolerance = toleranceOf(GRADIENT_TOLERANCE, rounding, prefix.replace(/\.$/, ''));
  return Promise.all(
    names.map(async (name) => {
      const slot = gradient.slots.find((each) => `${prefix}${each.name}` === name);
      const actual = slot === undefined ? new Float32Array() : await gradient.read(slot);
      return againstLargest(name, actual, await expected.float32(name), tolerance);
    }),
  );
}

/** Gradients are measured against the tensor's largest entry. */
function againstLargest(
  what: string,
  actual: Float32Array,
  expected: Float32Array,
  tolerance: number,
): Measure {
  const largest = expected.reduce((top, value) => Math.max(top, Math.abs(value)), 0);
  const measure = compare(what, actual, expected, tolerance);
  return { ...measure, error: measure.error / largest };
}

type Figure = 'ce' | 'alignment' | 'loss' | 'gradient_norm' | 'stage2_loss' | 'stage2_gradient_norm';

function figures(item: TrainingCase, usual: number, ours: Partial<Record<Figure, number>>): Measure[] {
  return (Object.entries(ours) as [Figure, number][]).map(([name, value]) =>
    relative(name, [value], [item[name]], toleranceOf(usual, item.rounding, name)),
  );
}

/** Each number against its own size; a reference of zero against 1. */
function relative(
  what: string,
  actual: readonly number[],
  expected: readonly number[],
  tolerance: number,
): Measure {
  const size = expected.map((value) => (value === 0 ? 1 : Math.abs(value)));
  const scaled = (values: readonly number[]): number[] => values.map((value, i) => value / size[i]!);
  return compare(what, scaled(actual), scaled(expected), tolerance);
}
