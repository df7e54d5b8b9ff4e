/**
 * Direct supervision of what a picture's tokens say about what is drawn: what lies in the cell at a token's centre and
 * at its corners, where the cell is, and what else a kind of picture is asked (./mapLabels.ts, ./worldLabels.ts).
 * Language alone leaves the picture unread for long (docs/log.md). The head that tells is a matrix of the trainer's; no
 * checkpoint needs it.
 *
 * Letters: T merged tokens of all pictures, C their width, V classes of one property.
 */

import type { PatchGrid } from '../../model/positions.ts';
import type { WeightSource } from '../../model/weightSource.ts';
import { add, gemm, mean, mul, split } from '../../onnx/arithmetic.ts';
import type { GraphBuilder, Value } from '../../onnx/graphBuilder.ts';
import { intTensor, type Tensors } from '../../ort/session.ts';
import { crossEntropy } from '../../onnx/losses.ts';
import { placeless } from '../graphs/trainable.ts';

/** Classes and share of the loss of each property that a token is asked for. */
export type Properties = Readonly<Record<string, { classes: number; weight: number }>>;

const HEAD_WEIGHT = 'perception.weight';
const HEAD_BIAS = 'perception.bias';

/** Whether a tensor is the head's, and so in no checkpoint. */
export const isHead = (name: string): boolean => name === HEAD_WEIGHT || name === HEAD_BIAS;

/** Adds the head's two tensors, which the learner fills, to a checkpoint's. */
export function withPerceptionHead(source: WeightSource): WeightSource {
  return {
    get: (name, shape) => (isHead(name) ? placeless(name, shape) : source.get(name, shape)),
  };
}

const classesOf = (properties: Properties): number[] =>
  Object.values(properties).map(({ classes }) => classes);
const total = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);

/**
 * Inputs: perception.P (T, 1) for each property P, see crossEntropy.
 * Outputs: perceived (T, classes of all properties), before the softmax.
 * @param features (T, C)
 * @returns the weighted sum of the properties' mean cross-entropies, (1, 1)
 */
export function perceptionLoss(
  graph: GraphBuilder,
  weights: WeightSource,
  features: Value,
  { tokens, width, properties }: { tokens: number; width: number; properties: Properties },
): Value {
  const classes = classesOf(properties);
  const all = total(classes);
  const matrix = graph.weight(weights.get(HEAD_WEIGHT, [all, width]));
  const bias = graph.weight(weights.get(HEAD_BIAS, [all]));
  const logits = add(graph, gemm(graph, features, false, matrix, true), bias); // (T, all)
  graph.output('perceived', logits, [tokens, all]);
  const losses = split(graph, logits, classes, 1).map((part, i) => {
    const [name, { weight }] = Object.entries(properties)[i]!;
    const labels = graph.input(`perception.${name}`, 'int64', [tokens, 1]);
    return mul(graph, mean(graph, crossEntropy(graph, part, labels), [0, 1]), weight);
  });
  return losses.reduce((sum, loss) => add(graph, sum, loss));
}

/** Class of each property by merged token, in reading order. */
export type PerceptionLabels = Record<string, number[]>;

/** Where in a token each property of its contents is read: down and right of the centre, in outermost patches. */
const PLACES = {
  cell: [0, 0],
  topLeft: [-1, -1],
  topRight: [-1, 1],
  bottomLeft: [1, -1],
  bottomRight: [1, 1],
} as const;
type Place = keyof typeof PLACES;
const PLACE_NAMES = Object.keys(PLACES) as Place[];
const CORNERS = PLACE_NAMES.slice(1);

/**
 * What every picture of cells is asked. Corners are what a token's outermost patches show: where cells do not
 * fall on tokens, as on 5 × 5 maps, each of up to four cells is then asked of every token it reaches into.
 * @param contents kinds of cells
 * @param size most cells a side
 */
export function cellProperties(contents: number, size: number) {
  const corner = { classes: contents, weight: 0.5 };
  const place = { classes: size, weight: 0.25 };
  return {
    cell: { classes: contents, weight: 1.5 },
    topLeft: corner,
    topRight: corner,
    bottomLeft: corner,
    bottomRight: corner,
    row: place,
    column: place,
  } satisfies Properties;
}

/**
 * Labels of `cellProperties`. The cell at a token's centre speaks for the token, but for what its corners show.
 * @param classAt what lies in a cell
 */
export function cellLabels(
  { rows, columns }: { rows: number; columns: number },
  classAt: (row: number, column: number) => number,
  grid: PatchGrid,
  mergeSize: number,
): Record<keyof ReturnType<typeof cellProperties>, number[]> {
  const labels = {
    ...(Object.fromEntries(PLACE_NAMES.map((name) => [name, []])) as unknown as Record<Place, number[]>),
    row: [] as number[],
    column: [] as number[],
  };
  const [centre, outermost] = [mergeSize / 2, (mergeSize - 1) / 2]; // in patches, from the token's edge and centre
  for (let top = 0; top < grid.height; top += mergeSize) {
    for (let left = 0; left < grid.width; left += mergeSize) {
      const cellAt = (place: Place): [row: number, column: number] => {
        const [down, right] = PLACES[place];
        return [
          Math.floor(((top + centre + down * outermost) * rows) / grid.height),
          Math.floor(((left + centre + right * outermost) * columns) / grid.width),
        ];
      };
      for (const place of PLACE_NAMES) labels[place].push(classAt(...cellAt(place)));
      const [row, column] = cellAt('cell');
      labels.row.push(row);
      labels.column.push(column);
    }
  }
  return labels;
}

/** @param pictures labels of each picture; a missing one repeats the last */
export function perceptionFeeds(
  properties: Properties,
  pictures: readonly PerceptionLabels[],
  count: number,
): Tensors {
  return Object.fromEntries(
    Object.entries(properties).map(([name, { classes }]) => {
      const labels = Array.from({ length: count }, (_, i) => (pictures[i] ?? pictures.at(-1)!)[name]!).flat();
      const places = BigInt64Array.from(labels, (label, n) => BigInt(n * classes + label));
      return [`perception.${name}`, intTensor(places, [labels.length, 1])];
    }),
  );
}

/** Share of tokens whose likeliest class is right, by property; the four corners are one. */
export type Accuracy = Record<string, number>;

export function perceptionAccuracy(
  properties: Properties,
  perceived: Float32Array,
  pictures: readonly PerceptionLabels[],
): Accuracy {
  const all = total(classesOf(properties));
  let first = 0;
  const shares: Accuracy = Object.fromEntries(
    Object.entries(properties).map(([name, { classes }]) => {
      const labels = pictures.flatMap((picture) => picture[name]!);
      const right = labels.filter((label, n) => {
        const from = n * all + first;
        return argMax(perceived.subarray(from, from + classes)) === label;
      });
      first += classes;
      return [name, right.length / labels.length];
    }),
  );
  const others = Object.entries(shares).filter(([name]) => !(CORNERS as string[]).includes(name));
  const corners = CORNERS.reduce((sum, name) => sum + shares[name]!, 0) / CORNERS.length;
  return { ...Object.fromEntries(others), corners };
}

function argMax(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}
