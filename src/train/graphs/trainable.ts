/**
 * Graphs that training runs: every weight is an input, so that it can change between two runs, and the gradient of a
 * loss comes out beside it. Where there is an adapter, its factors are learnt and the weights themselves are frozen.
 */

import { foldSums } from '../../onnx/foldSums.ts';
import { foldViews } from '../../onnx/foldViews.ts';
import { gradients } from '../../onnx/gradient.ts';
import { GraphBuilder, type Value } from '../../onnx/graphBuilder.ts';
import type { WeightSource } from '../../model/weightSource.ts';
import { sizeOf } from '../../tensor/array.ts';
import type { WeightRef } from '../../tensor/dtype.ts';
import { gradientName } from '../parameters/gradientSum.ts';
import { graphShape } from '../parameters/parameters.ts';

/** What a graph differentiates. */
interface Loss {
  /** One number. */
  loss: Value;
  /** Values besides the weights whose gradient is wanted. */
  others?: readonly Wanted[];
}

/** A value whose gradient is an output. */
export interface Wanted {
  name: string;
  shape: readonly number[];
  value: Value;
}

/**
 * A graph of what `add` adds to it. Where that is a loss, its gradient with respect to all that is learnt, and to the
 * others, are outputs by `gradientName`.
 */
export function trainableGraph(
  name: string,
  source: WeightSource,
  add: (graph: GraphBuilder, weights: WeightSource) => Loss | void,
): GraphBuilder {
  const weights = new TrainableWeights(source);
  const graph = new GraphBuilder(name, { trainable: weights.inputOf });
  const given = add(graph, weights);
  if (given) outputGradients(graph, given, weights);
  foldViews(graph);
  foldSums(graph);
  return graph;
}

function outputGradients(graph: GraphBuilder, { loss, others = [] }: Loss, weights: TrainableWeights): void {
  const learnt = [...weights.learnt].map(([name, ref]): Wanted => {
    const shape = [...graphShape(ref.shape)];
    return { name, shape, value: graph.weight(ref, shape) };
  });
  const wanted = [...learnt, ...others];
  gradients(
    graph,
    loss,
    wanted.map(({ value }) => value),
  ).forEach((value, i) => graph.output(gradientName(wanted[i]!.name), value, wanted[i]!.shape));
}

/** Tensors by name, in the order in which a model asks for them. */
export interface AskedWeights {
  /** What is learnt. */
  readonly learnt: ReadonlyMap<string, WeightRef>;
  /** What stays as it is. */
  readonly frozen: ReadonlyMap<string, WeightRef>;
}

/** The tensors that a graph of what `add` adds would read. */
export function weightsAskedBy(
  source: WeightSource,
  add: (graph: GraphBuilder, weights: WeightSource) => unknown,
): AskedWeights {
  const weights = new TrainableWeights(source);
  add(new GraphBuilder('weights'), weights);
  return weights;
}

/** Turns the weights that a graph asks for into its inputs, and remembers which these are. */
class TrainableWeights implements WeightSource, AskedWeights {
  private readonly source: WeightSource;
  private readonly weights = new Map<string, WeightRef>();
  private readonly factors = new Map<string, WeightRef>();
  private readonly names = new Map<string, string>();

  constructor(source: WeightSource) {
    this.source = source;
  }

  get(name: string, shape: number[]): ReturnType<WeightSource['get']> {
    const weight = this.source.get(name, shape);
    this.add(this.weights, name, weight);
    if (weight.adapter !== undefined) {
      this.add(this.factors, factorName(name, 'A'), weight.adapter.a);
      this.add(this.factors, factorName(name, 'B'), weight.adapter.b);
    }
    return weight;
  }

  get learnt(): ReadonlyMap<string, WeightRef> {
    return this.factors.size > 0 ? this.factors : this.weights;
  }

  get frozen(): ReadonlyMap<string, WeightRef> {
    return this.factors.size > 0 ? this.weights : new Map();
  }

  /** For `GraphOptions.trainable`. */
  readonly inputOf = (ref: WeightRef): string | undefined => this.names.get(placeOf(ref));

  private add(to: Map<string, WeightRef>, name: string, ref: WeightRef): void {
    to.set(name, ref);
    this.names.set(placeOf(ref), name);
  }
}

function placeOf({ file, offset }: WeightRef): string {
  return `${file}:${offset}`;
}

/** `….q_proj.weight` → `….q_proj.lora_A.weight` */
export function factorName(weight: string, factor: 'A' | 'B'): string {
  return weight.replace(/\.weight$/, `.lora_${factor}.weight`);
}

/** A tensor that lies in no file, for a graph that takes it as an input; its name tells it from others. */
export function placeless(name: string, shape: number[]): WeightRef {
  return { file: name, offset: 0, length: 4 * sizeOf(shape), dtype: 'F32', shape };
}
