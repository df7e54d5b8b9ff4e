/**
 * LoRA (arXiv 2106.09685): beside a matrix W (out, in) of the language model stands scale · B A, with
 * A (r, in) and B (out, r). They are learnt and W is not. Start and dropout are those of PEFT.
 */

import { UserError } from '../../base/errors.ts';
import { seededNumbers } from '../../base/random.ts';
import type { Adapter } from '../../checkpoint/adapter/adapter.ts';
import { readTensor } from '../../checkpoint/formats/safetensors.ts';
import { mul } from '../../onnx/arithmetic.ts';
import type { GraphBuilder, Value } from '../../onnx/graphBuilder.ts';
import { Shapes } from '../../onnx/shapes.ts';
import type { WeightSource } from '../../model/weightSource.ts';
import { floatTensor, type Tensors } from '../../ort/session.ts';
import { sizeOf } from '../../tensor/array.ts';
import type { WeightRef } from '../../tensor/dtype.ts';
import { factorName, placeless } from '../graphs/trainable.ts';

/** Projections of a decoder layer. */
export const LORA_TARGETS = [
  'q_proj',
  'k_proj',
  'v_proj',
  'o_proj',
  'gate_proj',
  'up_proj',
  'down_proj',
] as const;

export interface LoraSettings {
  /** r */
  rank: number;
  /** scale = α / r */
  alpha: number;
  /** Probability that an element of A's input is left out of a step. */
  dropout: number;
  targets: readonly (typeof LORA_TARGETS)[number][];
}

export const RELEASED_LORA: LoraSettings = { rank: 32, alpha: 64, dropout: 0.05, targets: LORA_TARGETS };

/**
 * The weights, the targeted ones with factors. These lie in no file, so that only a graph that takes its
 * weights as inputs can use them.
 */
export function withFactors(source: WeightSource, settings: LoraSettings): WeightSource {
  const { rank, alpha, dropout, targets } = settings;
  const targeted = new RegExp(`^model\\.layers\\.\\d+\\.\\w+\\.(${targets.join('|')})\\.weight$`);
  return {
    get: (name, shape) => {
      const weight = source.get(name, shape);
      if (!targeted.test(name)) return weight;
      const [out = 0, inner = 0] = shape;
      const a = placeless(factorName(name, 'A'), [rank, inner]);
      const b = placeless(factorName(name, 'B'), [out, rank]);
      return { ...weight, adapter: { a, b, scale: alpha / rank, ...(dropout > 0 && { dropOut }) } };
    },
  };
}

/** Values of the factors before the first step: A uniform within ±1 / √in (Kaiming with a = √5), B zero. */
export function initialFactors(seed: number): (ref: WeightRef, name: string) => Promise<Float32Array> {
  const random = seededNumbers(seed);
  return async ({ shape }, name) => {
    const values = new Float32Array(sizeOf(shape));
    if (!name.endsWith('.lora_A.weight')) return values;
    const bound = 1 / Math.sqrt(shape[1]!);
    return values.map(() => bound * (2 * random() - 1));
  };
}

/**
 * Values of the factors as an adapter has them, to train it further.
 * @param learnt names of the factors that these settings learn
 * @throws UserError if it was made with others
 */
export function storedFactors(
  { additions, replacements, folder }: Pick<Adapter, 'additions' | 'replacements' | 'folder'>,
  { rank, alpha, targets }: LoraSettings,
  learnt: Iterable<string>,
): (ref: WeightRef, name: string) => Promise<Float32Array> {
  const names = new Set(learnt);
  const stored = new Map(
    [...additions].flatMap(([name, { a, b }]) => [
      [factorName(name, 'A'), a],
      [factorName(name, 'B'), b],
    ]),
  );
  if (replacements.size > 0) {
    throw new UserError({
      problem: 'The adapter to begin with comes with whole weights, which "lora" does not train',
      expected: 'lora_A and lora_B tensors alone',
      found: [...replacements.keys()].join(', ').slice(0, 200),
      where: folder,
      remedy: 'Leave out "lora": the adapter is then merged.',
    });
  }
  const found = settingsText([rank], [alpha], targets, names.size / 2);
  const expected = settingsOf(additions);
  if (expected !== found || [...names].some((name) => !stored.has(name))) {
    throw new UserError({
      problem: 'The adapter to begin with was made with other settings than "lora"',
      expected,
      found,
      where: folder,
      remedy: 'Give "lora" the settings of the adapter, or leave it out: the adapter is then merged.',
    });
  }
  return async (_, name) => readTensor(stored.get(name)!);
}

function settingsOf(additions: Adapter['additions']): string {
  const all = [...additions.values()];
  const modules = [...additions.keys()].map((name) => name.split('.').at(-2)!);
  return settingsText(
    all.map(({ a }) => a.shape[0]!),
    all.map(({ a, scale }) => scale * a.shape[0]!),
    modules,
    additions.size,
  );
}

function settingsText(
  ranks: readonly number[],
  alphas: readonly number[],
  targets: readonly string[],
  matrices: number,
): string {
  const distinct = (values: readonly (string | number)[]): string =>
    [...new Set(values.map(String))].toSorted().join(', ');
  const rounded = alphas.map((alpha) => Number(alpha.toPrecision(6)));
  return `rank ${distinct(ranks)}, alpha ${distinct(rounded)}, ${matrices} matrices of ${distinct(targets)}`;
}

const MASK = 'dropout.';
const shapesOf = new WeakMap<GraphBuilder, Shapes>();

/** x times a mask of its own, which is an input of the graph. */
function dropOut(graph: GraphBuilder, x: Value): Value {
  const shapes = shapesOf.get(graph) ?? new Shapes(graph);
  shapesOf.set(graph, shapes);
  const mask = graph.input(`${MASK}${maskShapes(graph).size}`, 'float32', shapes.of(x));
  return mul(graph, x, mask);
}

/** The masks that a graph takes. */
export function maskShapes({ inputs }: GraphBuilder): ReadonlyMap<string, readonly number[]> {
  const masks = inputs.filter(({ name }) => name.startsWith(MASK));
  return new Map(masks.map(({ name, shape }) => [name, shape as readonly number[]]));
}

/** Fills masks with numbers of `maskNumbers`. */
export function maskFeeds(masks: ReadonlyMap<string, readonly number[]>, next: () => number): Tensors {
  return Object.fromEntries(
    [...masks].map(([name, shape]) => {
      const values = new Float32Array(sizeOf(shape));
      for (let i = 0; i < values.length; i++) values[i] = next();
      return [name, floatTensor(values, shape)];
    }),
  );
}

/**
 * Inverted dropout: 0 with probability `rate`, else 1 / (1 - rate).
 * @param uniform gives numbers from 0 to below 1
 */
export function maskNumbers(rate: number, uniform: () => number): () => number {
  const kept = 1 / (1 - rate);
  return () => (uniform() < rate ? 0 : kept);
}
