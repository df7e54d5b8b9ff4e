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
import { add, matMul, mean, mul } from '../../onnx/arithmetic.ts';
import type { ModelConfig, TextConfig } from '../../model/config.ts';
import { projection } from '../../model/decoder.ts';
import { product } from '../../model/layers.ts';
import { MASKED } from '../../model/positions.ts';
import {
  candidatesOf,
  cosines,
  selectByCosine,
  type Selection,
  type SelectionSettings,
} from '../../model/selection.ts';
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
      const previous = blocks.at(-1)?.targets;
      const query = meanOf([
        context,
        ...(text.length > 0 ? [meanOf(text)] : []),
        ...(previous === undefined ? [] : [meanOf(previous)]),
      ]);
      blocks.push(this.selectFor(query, features, hashOf(index, sequence.ids.join())));
    }
    return { context, blocks };
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
    const vision = new Set([tokens.imagePad, tokens.visionStart, tokens.visionEnd]);
    const isText = (i: number): boolean => i < turnStart && !vision.has(ids[i]!);
    const isImage = (i: number): boolean => i < turnStart && ids[i] === tokens.imagePad;
    const indices = Array.from({ length: S }, (_, i) => i);
    const textCount = indices.filter(isText).length;
    const session = await this.sessions.get(S);
    const result = await session.run({
      ...this.parameters.tensors(),
      ...this.frozen.tensors(),
      ...partFeeds(text, part, [{ ids, positions, fed: pictureVectors(ids, tokens.imagePad, pictures) }]),
      text: floatTensor(
        Float32Array.from(indices, (i) => (isText(i) ? 1 / textCount : 0)),
        [1, S],
      ),
      image: floatTensor(
        Float32Array.from(indices, (i) => (isImage(i) ? 0 : MASKED)),
        [1, S],
      ),
    });
    const parts = [floats(result['r_txt'])];
    if (pictures.length > 0) parts.push(floats(result['r_img']));
    return {
      hidden: rowsOf({ shape: [S, text.hiddenSize], data: floats(result['hidden']) }),
      context: meanOf(parts),
    };
  }
}

/**
 * Inputs: a sequence (see readPart); text (1, S), 1 / count at the prompt's text tokens, else 0;
 * image (1, S), 0 at image tokens, else very negative.
 * Outputs: hidden (S, C); r_txt (1, C), the mean hidden state of the prompt's text; r_img (1, C), that of
 * the image tokens weighted by softmax(q · k / √d), averaged over text tokens and heads. q and k are
 * the last layer's projections of the *final* hidden states, without rotation: so the released code.
 */
function teacherGraph(config: TextConfig, source: WeightSource, length: number): Uint8Array {
  const { hiddenSize: C, layers, heads: H, kvHeads: K, headSize: d } = config;
  const S = length;
  return trainableGraph('teacher', source, (graph, weights) => {
    const { hidden } = readPart(graph, config, weights, opening(1, S)); // (S, C)
    const text = graph.input('text', 'float32', [1, S]);
    const image = graph.input('image', 'float32', [1, S]);

    const q = product(graph, weights, hidden, projection(config, layers - 1, 'q_proj')); // (S, H·d)
    const k = product(graph, weights, hidden, projection(config, layers - 1, 'k_proj')); // (S, K·d)
    const queries = graph.reshape(graph.transpose(graph.reshape(q, [S, H, d]), [1, 0, 2]), [K, -1, d]); // (K, R·S, d)
    const keys = graph.transpose(graph.reshape(k, [S, K, d]), [1, 2, 0]); // (K, d, S)
    const scores = graph.reshape(matMul(graph, queries, keys), [H, S, S]);
    const scaled = add(graph, mul(graph, scores, 1 / Math.sqrt(d)), image);
    const attention = graph.op('Softmax', [scaled], { axis: -1 }); // (H, S, S)
    const perToken = graph.reshape(mean(graph, attention, [0]), [S, S]);
    const weight = matMul(graph, text, perToken); // (1, S)

    graph.output('hidden', hidden, [S, C]);
    graph.output('r_txt', matMul(graph, text, hidden), [1, C]);
    graph.output('r_img', matMul(graph, weight, hidden), [1, C]);
  }).build();
}

/** Positions of the assistant's text since the previous block, or since the turn began. */
function textBefore({ blocks, turnStart }: TrainingSequence, index: number, latentSize: number): number[] {
  const start = index === 0 ? turnStart : blocks[index - 1]! + latentSize + 1; // after the end token
  const end = blocks[index]! - 1; // the start token
  return Array.from({ length: end - start }, (_, i) => start + i);
}

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
