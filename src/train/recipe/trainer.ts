/**
 * Teacher and student of the recipe: the one selects, the other learns. The step that moves the weights with what is
 * learnt is in ../step.ts. Pictures come as features, or as patches where the vision tower is trained too.
 */

import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import { readMerged, withoutAdapter } from '../../checkpoint/adapter/merge.ts';
import { hashOf, normalNumbers, seededNumbers } from '../../base/random.ts';
import { RELEASED_SELECTION } from '../../model/selection.ts';
import type { WeightSource } from '../../model/weightSource.ts';
import type { WeightRef } from '../../tensor/dtype.ts';
import type { Runtime } from '../../ort/session.ts';
import { initialFactors, maskNumbers, storedFactors, withFactors, type LoraSettings } from './lora.ts';
import { GradientSum } from '../parameters/gradientSum.ts';
import { RELEASED_ADAMW } from '../parameters/optimiser.ts';
import { resident } from '../parameters/buffers.ts';
import { readParameters, type AdamWSettings, type ParameterSet } from '../parameters/parameters.ts';
import { ROUNDED, type Rounding } from '../graphs/parts.ts';
import type { LearntSets, StepSettings } from '../step.ts';
import { sequenceOf, type AnySample } from '../data/sequence.ts';
import type { LessonLosses } from './lossTerms.ts';
import { Student, type Lesson } from './student.ts';
import { languageModelWeights } from './studentGraphs.ts';
import type { TargetRule } from './targets.ts';
import { Teacher, type BlockTargets } from './teacher.ts';
import { TrainedTower, towerWeights } from './trainedTower.ts';

export interface TrainingSettings extends StepSettings {
  adamW: AdamWSettings;
  /** K* covers this much of the candidates' probability, but is at most K. */
  coverage: number;
  temperature: number;
  /** What supervises the latents; anything but 'selected' is for comparison. */
  targets: TargetRule;
  /**
   * Length of the targets where they are fed in place of latents, as the release has it their own. A tower's features may be
   * ten times as long as the states that the model feeds itself later (docs/log.md).
   */
  targetLength?: number | undefined;
  /** Passes of stage 1 in which latents are fed with what the student thinks there, in place of the targets; the release has none. */
  ownPasses?: number | undefined;
  /** Whether alignment counts by what changed since the block before; the release counts all alike. */
  weighChanges?: boolean | undefined;
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

interface LearnOptions {
  /** Steps before this one. Noise and dropout are a function of seed, step and share, so that a resumed run needs no state. */
  step: number;
  /** Position of the first sample in the run's endless sequence. */
  share: number;
  /** Of each lesson's gradient. */
  scale: number;
  /** Whether hidden states are wanted: beside losses they are much to fetch from a GPU. */
  hidden: boolean;
}

export class Trainer {
  readonly student: Student;
  readonly teacher: Teacher;
  readonly settings: TrainingSettings;
  /** Of the last `learn`; looking at a sample writes into it too. */
  readonly gradient: GradientSum;
  private readonly checkpoint: Checkpoint;
  private readonly frozen: ParameterSet;

  private constructor(checkpoint: Checkpoint, settings: TrainingSettings, sets: Sets, runtime: Runtime) {
    const { parameters, teacher, frozen } = sets;
    const { config } = checkpoint;
    const { coverage, temperature, targets, lora } = settings;
    const selection = { coverage, temperature, targets, count: config.latentSize };
    this.checkpoint = checkpoint;
    this.settings = settings;
    const weights = weightsOf(checkpoint, lora);
    const towerOf = (set: ParameterSet): TrainedTower | undefined =>
      settings.vision === 'frozen'
        ? undefined
        : new TrainedTower(config.vision, weights, set, settings.batchSize, runtime);
    const tower = towerOf(parameters);
    this.student = new Student(config, weights, parameters, frozen, settings, runtime, tower);
    const teacherWeights = weightsOf(checkpoint, lora && { ...lora, dropout: 0 });
    const teacherTower = towerOf(teacher);
    this.teacher = new Teacher(config, teacherWeights, teacher, frozen, selection, runtime, teacherTower);
    this.frozen = frozen;
    this.gradient = new GradientSum(sets.gradient);
  }

  /**
   * Reads what is trained as float32 to where the runtime computes. An adapter that the checkpoint was opened with is
   * merged into the weights or, with `lora`, trained further.
   * @throws UserError if `lora` has other settings than that adapter
   */
  static async open(checkpoint: Checkpoint, settings: TrainingSettings, runtime: Runtime): Promise<Trainer> {
    const { lora, vision } = settings;
    const source = weightsOf(checkpoint, lora);
    const { learnt, frozen } = languageModelWeights(checkpoint.config.text, source);
    const tower = vision === 'trained' ? towerWeights(checkpoint.config.vision, source) : [];
    const first = firstValues(checkpoint, settings, learnt.keys());
    const parameters = await resident(await readParameters(new Map([...learnt, ...tower]), first), runtime);
    const sets: Sets = {
      parameters,
      teacher: await parameters.copy(),
      frozen: await resident(await readParameters(frozen), runtime),
      gradient: await parameters.zeros(),
    };
    return new Trainer(checkpoint, settings, sets, runtime);
  }

  /** What a step reads and moves. */
  get sets(): Required<LearntSets> {
    const { student, teacher, gradient } = this;
    return { student: student.parameters, teacher: teacher.parameters, gradient };
  }

  /** The sample as the student reads it, and what the teacher as it is now selects. */
  async prepare(sample: AnySample): Promise<Lesson> {
    const sequence = sequenceOf(this.checkpoint, sample);
    if (this.settings.stage === 2) return { sample, sequence, targets: [] };
    return { sample, sequence, targets: await this.teacher.targets(sequence, sample) };
  }

  /**
   * Losses by lesson, and the gradient, which the next call overwrites.
   * @param options the mean's gradient in the first step, with hidden states, if absent
   */
  async learn(
    lessons: readonly Lesson[],
    { step = 0, share = 0, scale = 1 / lessons.length, hidden = true }: Partial<LearnOptions> = {},
  ): Promise<{ losses: LessonLosses[]; gradient: ParameterSet }> {
    const { noise: size, seed, lora } = this.settings;
    const normal = normalNumbers(hashOf('noise', seed, step, share));
    const noise = (): number => (size === 0 ? 0 : size * normal());
    const uniform = seededNumbers(hashOf('dropout', seed, step, share));
    const dropout = maskNumbers(lora?.dropout ?? 0, uniform);
    const losses = await this.student.learn(lessons, { scale, noise, dropout, hidden }, this.gradient);
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
    const unchanged = { scale: 0, noise: () => 0, dropout: () => 1, hidden: true };
    const [losses] = await this.student.learn([lesson], unchanged, this.gradient);
    const { latentSize } = this.checkpoint.config;
    const latents = sequence.blocks.map((pad) => losses!.hidden.slice(pad - 1, pad - 1 + latentSize));
    return { blocks, latents };
  }

  async release(): Promise<void> {
    await Promise.all([this.student.release(), this.teacher.release()]);
    await this.gradient.release();
    for (const set of [this.teacher.parameters, this.frozen, this.student.parameters]) await set.release();
  }
}

/** @throws UserError, see storedFactors */
export function checkAdapter(checkpoint: Checkpoint, settings: TrainingSettings): void {
  const source = weightsOf(checkpoint, settings.lora);
  firstValues(checkpoint, settings, languageModelWeights(checkpoint.config.text, source).learnt.keys());
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
