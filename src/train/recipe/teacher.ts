/**
 * The momentum teacher (arXiv 2512.05665): from a sample's helper pictures it selects the features
 * that supervise each latent. No gradient flows here.
 *
 * What it reads is the student's sequence with the pads' own embeddings in the latent blocks. Where the vision
 * tower is trained, it has its own of that too, an average like the rest: pictures and candidates are as that one
 * sees them. (The release freezes the tower, and so has one for both.)
 */

import { UserError } from '../../base/errors.ts';
import { hashOf, seededNumbers } from '../../base/random.ts';
import type { ModelConfig, TextConfig } from '../../model/config.ts';
import {
  candidatesOf,
  cosines,
  selectByCosine,
  type Selection,
  type SelectionSettings,
} from '../../model/selection.ts';
import { promptMeans, promptPartsOf, teacherQuery, textBefore } from '../../model/teacherRule.ts';
import type { WeightSource } from '../../model/weightSource.ts';
import { floats, floatTensor, type Runtime } from '../../ort/session.ts';
import { meanOf, type NumericArray } from '../../tensor/array.ts';
import { opening, readPart } from '../graphs/decoder.ts';
import { partFeeds, wholePart } from '../graphs/parts.ts';
import { SessionCache } from '../graphs/sessions.ts';
import { trainableGraph } from '../graphs/trainable.ts';
import type { ParameterSet } from '../parameters/parameters.ts';
import {
  pictureVectors,
  rowsOf,
  type AnySample,
  type Patches,
  type Picture,
  type TrainingSequence,
} from '../data/sequence.ts';
import { targetsOf, type TargetRule } from './targets.ts';
import { seenBy, type TrainedTower } from './trainedTower.ts';

/** What supervises one latent block. */
export interface BlockTargets extends Selection {
  /** The selected features, most similar first; at most K. */
  targets: Float32Array[];
  /** The helper picture's, as the teacher sees it: what it selected from, before grouping. */
  features: NumericArray;
}

interface Supervision {
  /** u (C): what the question is about; once per sample */
  context: Float32Array;
  blocks: BlockTargets[];
}

interface TeacherSettings extends SelectionSettings {
  targets: TargetRule;
}

export class Teacher {
  readonly parameters: ParameterSet;
  private readonly config: ModelConfig;
  private readonly frozen: ParameterSet;
  private readonly tower: TrainedTower | undefined;
  private readonly settings: TeacherSettings;
  private readonly sessions: SessionCache<number>;

  /**
   * @param parameters the teacher's own copy
   * @param frozen of the language model's weights those that are not learnt; none without an adapter
   * @param tower reads its weights from the same copy; absent: pictures come as features
   */
  constructor(
    config: ModelConfig,
    weights: WeightSource,
    parameters: ParameterSet,
    frozen: ParameterSet,
    settings: TeacherSettings,
    runtime: Runtime,
    tower?: TrainedTower,
  ) {
    this.config = config;
    this.parameters = parameters;
    this.frozen = frozen;
    this.tower = tower;
    this.settings = settings;
    this.sessions = new SessionCache((length) => teacherGraph(config.text, weights, length), runtime);
  }

  async supervise(sequence: TrainingSequence, sample: AnySample): Promise<Supervision> {
    const seen = await seenBy(this.tower, [...sample.pictures, ...helpersOf(sample)]);
    const helpers = seen.slice(sample.pictures.length);
    const { hidden, context } = await this.read(sequence, seen.slice(0, sample.pictures.length));
    const blocks: BlockTargets[] = [];
    for (const [index, { features }] of helpers.entries()) {
      const text = textBefore(sequence, index, this.config.latentSize).map((i) => hidden[i]!);
      const query = teacherQuery(context, text, blocks.at(-1)?.targets);
      blocks.push(this.selectFor(query, features, seedOf(index, sequence)));
    }
    return { context, blocks };
  }

  /** The targets of each block alone. What nothing is selected for needs no query, for which the sequence would be read. */
  async targets(sequence: TrainingSequence, sample: AnySample): Promise<Float32Array[][]> {
    const { targets: rule, count } = this.settings;
    if (rule === 'selected')
      return (await this.supervise(sequence, sample)).blocks.map(({ targets }) => targets);
    if (rule === 'none') return sequence.blocks.map(() => []);
    const helpers = await seenBy(this.tower, helpersOf(sample));
    return helpers.map(({ features }, index) => {
      const candidates = rowsOf(candidatesOf(features).candidates);
      return targetsOf(rule, candidates, [], count, seededNumbers(seedOf(index, sequence)));
    });
  }

  async release(): Promise<void> {
    await Promise.all([this.sessions.release(), this.tower?.release()]);
  }

  private selectFor(query: Float32Array, features: NumericArray, seed: number): BlockTargets {
    const { candidates, groupSize } = candidatesOf(features);
    const selection = selectByCosine(cosines(query, candidates), this.settings);
    const { targets: rule, count } = this.settings;
    const targets = targetsOf(rule, rowsOf(candidates), selection.selected, count, seededNumbers(seed));
    return { groupSize, ...selection, targets, features };
  }

  /** Hidden states by position, and u = mean(r_txt, r_img). */
  private async read(
    sequence: TrainingSequence,
    pictures: readonly Picture[],
  ): Promise<{ hidden: Float32Array[]; context: Float32Array }> {
    const { text, tokens } = this.config;
    const { ids, positions, turnStart } = sequence;
    const part = wholePart([sequence]);
    const S = part.size.text;
    const parts = promptPartsOf(ids, turnStart, tokens, S);
    const session = await this.sessions.get(S);
    const result = await session.run({
      ...this.parameters.tensors(),
      ...this.frozen.tensors(),
      ...partFeeds(text, part, [{ ids, positions, fed: pictureVectors(ids, tokens.imagePad, pictures) }]),
      text: floatTensor(parts.text, [1, S]),
      image: floatTensor(parts.image, [1, S]),
    });
    const means = [floats(result['r_txt'])];
    if (parts.hasImage) means.push(floats(result['r_img']));
    return {
      hidden: rowsOf({ shape: [S, text.hiddenSize], data: floats(result['hidden']) }),
      context: meanOf(means),
    };
  }
}

/**
 * Inputs: a sequence (see readPart); text and image (1, S), see PromptParts.
 * Outputs: hidden (S, C); r_txt and r_img (1, C), see promptMeans.
 */
function teacherGraph(config: TextConfig, source: WeightSource, length: number): Uint8Array {
  const { hiddenSize: C } = config;
  return trainableGraph('teacher', source, (graph, weights) => {
    const { hidden } = readPart(graph, config, weights, opening(1, length)); // (S, C)
    const text = graph.input('text', 'float32', [1, length]);
    const image = graph.input('image', 'float32', [1, length]);
    const means = promptMeans(graph, config, weights, length, { hidden, text, image });
    graph.output('hidden', hidden, [length, C]);
    graph.output('r_txt', means.text, [1, C]);
    graph.output('r_img', means.image, [1, C]);
  }).build();
}

/** Of what is drawn for a block. */
const seedOf = (block: number, { ids }: TrainingSequence): number => hashOf(block, ids.join());

/** The helper pictures, block by block. @throws UserError if a block has none */
function helpersOf({ plan }: AnySample): (Picture | Patches)[] {
  return plan.flatMap((step) => {
    if (step.type === 'text') return [];
    if (step.helper !== undefined) return [step.helper];
    throw new UserError({
      problem: 'a latent step of the sample has no helper picture',
      expected: 'helper_image, from which the teacher selects the targets of stage 1',
      remedy: 'Add the picture, or train on this sample in stage 2 only.',
    });
  });
}
