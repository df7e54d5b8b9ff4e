/**
 * A step of the recipe: the teacher selects, the student learns, the optimiser moves the weights, the
 * teacher follows. Pictures come as features, or as patches where the vision tower is trained too.
 */

import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { readMerged, withoutAdapter } from '../checkpoint/mergeAdapter.ts';
import { normalNumbers, seededNumbers } from '../base/random.ts';
import { RELEASED_SELECTION } from '../model/selection.ts';
import type { WeightSource } from '../model/weightSource.ts';
import type { WeightRef } from '../tensor/dtype.ts';
import type { Runtime } from './sessions.ts';
import { learnInBatches } from './batches.ts';
import { initialFactors, maskNumbers, storedFactors, withFactors, type LoraSettings } from './lora.ts';
import { GradientSum } from './gradientSum.ts';
import { AdamW, clipFactor, RELEASED_ADAMW, type AdamWSettings } from './optimiser.ts';
import { resident } from './parameterBuffers.ts';
import { readParameters, type ParameterSet } from './parameters.ts';
import { ROUNDED, type Rounding } from './parts.ts';
import { learningRate, type Schedule } from './schedule.ts';
import { sequenceOf, type AnySample } from './sequence.ts';
import { Student, type LearnSettings, type Lesson, type Losses, type Stage } from './student.ts';
import { languageModelWeights } from './studentGraphs.ts';
import type { TargetRule } from './targets.ts';
import { Teacher, type BlockTargets } from './teacher.ts';
import { TrainedTower, towerWeights } from './trainedTower.ts';

export interface TrainingSettings {
  stage: Stage;
  schedule: Schedule;
  adamW: AdamWSettings;
  /** Largest norm of the gradient. */
  clip: number;
  /** Of the teacher's moving average; 'frozen' keeps the model that training began with. */
  teacherDecay: number | 'frozen';
  /** K* covers this much of the candidates' probability, but is at most K. */
  coverage: number;
  temperature: number;
  /** What supervises the latents; anything but 'selected' is for comparison. */
  targets: TargetRule;
  /** Standard deviation of what is added to the targets that are aligned with. */
  noise: number;
  /** Most samples in one run of the graph; the rest of a step's samples accumulates. */
  batchSize: number;
  /** Of the lengths that the student's graphs are built for. */
  rounding: Rounding;
  seed: number;
  /** Whether the vision tower is learnt with the language model; the teacher then averages both. */
  vision: 'frozen' | 'trained';
  /** Learns an adapter and leaves the weights as they are. */
  lora?: LoraSettings;
}

/** What is learnt and where its gradient goes; all in one residence. */
interface Sets {
  parameters: ParameterSet;
  /** The teacher's copy. */
  teacher: ParameterSet;
  /** Weights that are not learnt; none without an adapter. */
  frozen: ParameterSet;
  gradient: ParameterSet;
}

/** The paper's settings; the released code has the same, but for its teacher, which never moves. */
export const RELEASED_TRAINING: TrainingSettings = {
  stage: 1,
  schedule: { shape: 'constant', peak: 1e-5, warmupSteps: 10, steps: 1 },
  adamW: RELEASED_ADAMW,
  clip: 1,
  teacherDecay: 0.999,
  ...RELEASED_SELECTION,
  targets: 'selected',
  noise: 0.01,
  batchSize: 1,
  rounding: ROUNDED,
  seed: 0,
  vision: 'frozen',
};

export interface StepReport {
  learningRate: number;
  /** Before clipping. */
  gradientNorm: number;
  /** By sample, in the order given. */
  losses: Losses[];
}

export class Trainer {
  readonly student: Student;
  readonly teacher: Teacher;
  readonly settings: TrainingSettings;
  /** Of the last `learn`; looking at a sample writes into it too. */
  readonly gradient: GradientSum;
  private readonly checkpoint: Checkpoint;
  private readonly frozen: ParameterSet;
  private readonly noise: () => number;
  private readonly dropout: () => number;
  private opened: Promise<AdamW> | undefined;

  private constructor(checkpoint: Checkpoint, settings: TrainingSettings, sets: Sets, runtime: Runtime) {
    const { parameters, teacher, frozen } = sets;
    const { config } = checkpoint;
    const { coverage, temperature, targets, noise, seed, lora } = settings;
    const selection = { coverage, temperature, targets, count: config.latentSize };
    const normal = normalNumbers(seed);
    this.checkpoint = checkpoint;
    this.settings = settings;
    const weights = weightsOf(checkpoint, lora);
    const towerOf = (set: ParameterSet): TrainedTower | undefined =>
      settings.vision === 'frozen'
        ? undefined
        : new TrainedTower(config.vision, weights, set, settings.batchSize, runtime);
    const tower = towerOf(parameters);
    this.student = new Student(config, weights, parameters, frozen, runtime, settings.rounding, tower);
    const teacherWeights = weightsOf(checkpoint, lora && { ...lora, dropout: 0 });
    const teacherTower = towerOf(teacher);
    this.teacher = new Teacher(config, teacherWeights, teacher, frozen, selection, runtime, teacherTower);
    this.frozen = frozen;
    this.gradient = new GradientSum(sets.gradient);
    this.noise = () => (noise === 0 ? 0 : noise * normal());
    this.dropout = maskNumbers(lora?.dropout ?? 0, seededNumbers(~seed));
  }

  /**
   * Reads what is trained as float32 to where the runtime computes. An adapter that the checkpoint was opened with is
   * merged into the weights or, with `lora`, trained further.
   * @throws UserError if `lora` has other settings than that adapter
   */
  static async open(checkpoint: Checkpoint, settings: TrainingSettings, runtime: Runtime): Promise<Trainer> {
    const { lora, vision } = settings;
    const source = weightsOf(checkpoint, lora);
    const { refs, frozen } = languageModelWeights(checkpoint.config.text, source);
    const tower = vision === 'trained' ? towerWeights(checkpoint.config.vision, source) : [];
    const first = firstValues(checkpoint, settings, refs.keys());
    const parameters = await resident(await readParameters(new Map([...refs, ...tower]), first), runtime);
    const sets: Sets = {
      parameters,
      teacher: await parameters.copy(),
      frozen: await resident(await readParameters(frozen), runtime),
      gradient: await parameters.zeros(),
    };
    return new Trainer(checkpoint, settings, sets, runtime);
  }

  /** The optimiser of `step`; a run has its own (./run/step.ts), so it is made when first asked for. */
  optimiser(): Promise<AdamW> {
    return (this.opened ??= AdamW.open(this.student.parameters, this.settings.adamW));
  }

  /** One update by the mean gradient of the samples. */
  async step(samples: readonly AnySample[]): Promise<StepReport> {
    const lessons: Lesson[] = [];
    for (const sample of samples) lessons.push(await this.prepare(sample));
    const { losses, gradient } = await this.learn(lessons);
    const { schedule, clip, stage, teacherDecay } = this.settings;
    const optimiser = await this.optimiser();
    const gradientNorm = await gradient.norm();
    const rate = learningRate(schedule, optimiser.steps);
    await optimiser.update(gradient, rate, clipFactor(gradientNorm, clip));
    if (stage === 1 && teacherDecay !== 'frozen')
      await this.teacher.parameters.blend(this.student.parameters, teacherDecay, 1 - teacherDecay);
    return { learningRate: rate, gradientNorm, losses };
  }

  /** The sample as the student reads it, and what the teacher as it is now selects. */
  async prepare(sample: AnySample): Promise<Lesson> {
    const sequence = sequenceOf(this.checkpoint, sample);
    if (this.settings.stage === 2) return { sample, sequence, targets: [] };
    const { blocks } = await this.teacher.supervise(sequence, sample);
    return { sample, sequence, targets: blocks.map(({ targets }) => targets) };
  }

  /**
   * Losses, and the gradient, which the next call overwrites.
   * @param options what is not as the trainer's settings say; the gradient is the mean's otherwise
   */
  async learn(
    lessons: readonly Lesson[],
    options: Partial<LearnSettings> = {},
  ): Promise<{ losses: Losses[]; gradient: ParameterSet }> {
    const { stage, batchSize } = this.settings;
    const { noise, dropout } = this;
    const usual = { stage, batchSize, scale: 1 / lessons.length, noise, dropout, hidden: true };
    const losses = await learnInBatches(this.student, lessons, { ...usual, ...options }, this.gradient);
    return { losses, gradient: await this.gradient.whole() };
  }

  /**
   * What the teacher selects for a sample, and the K latents of each block as the student has them now, read
   * as the stage reads it (1: with the targets given, 2: with its own latents fed back). Nothing is learnt.
   */
  async observe(sample: AnySample): Promise<{ blocks: BlockTargets[]; latents: Float32Array[][] }> {
    const sequence = sequenceOf(this.checkpoint, sample);
    const { blocks } = await this.teacher.supervise(sequence, sample);
    const lesson = { sample, sequence, targets: blocks.map(({ targets }) => targets) };
    // Of a step's own graphs, so that none is built for looking alone; the gradient comes out as nothing.
    const unchanged = { noise: () => 0, dropout: () => 1, hidden: true };
    const batches = { stage: this.settings.stage, batchSize: 1, scale: 0, ...unchanged };
    const [losses] = await learnInBatches(this.student, [lesson], batches, this.gradient);
    const { latentSize } = this.checkpoint.config;
    const latents = sequence.blocks.map((pad) => losses!.hidden.slice(pad - 1, pad - 1 + latentSize));
    return { blocks, latents };
  }

  async release(): Promise<void> {
    await Promise.all([this.student.release(), this.teacher.release()]);
    await (await this.opened)?.release();
    await this.gradient.release();
    for (const set of [this.teacher.parameters, this.frozen, this.student.parameters]) await set.release();
  }
}

/** @throws UserError, see storedFactors */
export function checkAdapter(checkpoint: Checkpoint, settings: TrainingSettings): void {
  const source = weightsOf(checkpoint, settings.lora);
  firstValues(checkpoint, settings, languageModelWeights(checkpoint.config.text, source).refs.keys());
}

function weightsOf({ weights }: Checkpoint, lora: LoraSettings | undefined): WeightSource {
  const own = withoutAdapter(weights);
  return lora === undefined ? own : withFactors(own, lora);
}

/** How each tensor that is trained begins. @param learnt names of the language model's or the new factors */
function firstValues(
  { weights, adapter }: Checkpoint,
  { lora, seed }: TrainingSettings,
  learnt: Iterable<string>,
): (ref: WeightRef, name: string) => Promise<Float32Array> {
  if (lora === undefined) return (ref, name) => readMerged(weights.get(name, ref.shape));
  return adapter === undefined ? initialFactors(seed) : storedFactors(adapter, lora, learnt);
}
