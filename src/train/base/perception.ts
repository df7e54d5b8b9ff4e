/**
 * Direct supervision of what a picture's tokens say about a map: what lies in the cell at a token's centre and
 * at its corners, where the cell is, how far the goal is from it and which moves lead there. Language alone
 * leaves the picture unread for long (docs/log.md). The head that tells is a matrix of the trainer's; no
 * checkpoint needs it.
 *
 * Letters: T merged tokens of all pictures, C their width, V classes of one property.
 */

import { GOAL, HOLE, SAFE, START, type GridMap } from '../../dataset/scoring.ts';
import { distancesToGoal, MAX_SIZE, movesForward, MOVES, type Position } from '../../mazes/grid.ts';
import type { PatchGrid } from '../../model/positions.ts';
import type { WeightSource } from '../../model/weightSource.ts';
import { add, gemm, mean, mul, split } from '../../onnx/arithmetic.ts';
import type { GraphBuilder, Value } from '../../onnx/graphBuilder.ts';
import { intTensor, type Tensors } from '../../ort/session.ts';
import { crossEntropy } from '../../onnx/losses.ts';
import { placeless } from '../graphs/trainable.ts';

/** Distances from this one on are one class; the class after it is for cells that no way leads from. */
const FAR = 12;

/**
 * Classes and share of the loss of each property. Corners are what a token's outermost patches show: where cells do not
 * fall on tokens, as on 5 × 5 maps, each of up to four cells is then asked of every token it reaches into.
 */
const PROPERTIES = {
  cell: { classes: 4, weight: 1.5 },
  topLeft: { classes: 4, weight: 0.5 },
  topRight: { classes: 4, weight: 0.5 },
  bottomLeft: { classes: 4, weight: 0.5 },
  bottomRight: { classes: 4, weight: 0.5 },
  row: { classes: MAX_SIZE, weight: 0.25 },
  column: { classes: MAX_SIZE, weight: 0.25 },
  distance: { classes: FAR + 2, weight: 0.5 },
  moves: { classes: 1 << MOVES.length, weight: 1 },
} as const;

type Property = keyof typeof PROPERTIES;
export const PROPERTY_NAMES = Object.keys(PROPERTIES) as Property[];

const CLASSES = PROPERTY_NAMES.map((name) => PROPERTIES[name].classes);
const ALL_CLASSES = CLASSES.reduce<number>((sum, count) => sum + count, 0);

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
  tokens: number,
  width: number,
): Value {
  const matrix = graph.weight(weights.get(HEAD_WEIGHT, [ALL_CLASSES, width]));
  const bias = graph.weight(weights.get(HEAD_BIAS, [ALL_CLASSES]));
  const logits = add(graph, gemm(graph, features, false, matrix, true), bias); // (T, all)
  graph.output('perceived', logits, [tokens, ALL_CLASSES]);
  const losses = split(graph, logits, CLASSES, 1).map((part, i) => {
    const name = PROPERTY_NAMES[i]!;
    const labels = graph.input(`perception.${name}`, 'int64', [tokens, 1]);
    return mul(graph, mean(graph, crossEntropy(graph, part, labels), [0, 1]), PROPERTIES[name].weight);
  });
  return losses.reduce((sum, loss) => add(graph, sum, loss));
}

/** Class of each property by merged token, in reading order. */
export type PerceptionLabels = Record<Property, number[]>;

const CELL_CLASSES = { [SAFE]: 0, [HOLE]: 1, [START]: 2, [GOAL]: 3 } as const;

/** Where in a token each property of its contents is read: down and right of the centre, in outermost patches. */
const PLACES = {
  cell: [0, 0],
  topLeft: [-1, -1],
  topRight: [-1, 1],
  bottomLeft: [1, -1],
  bottomRight: [1, 1],
} as const;
type Place = keyof typeof PLACES;
type Corner = Exclude<Place, 'cell'>;
const PLACE_NAMES = Object.keys(PLACES) as Place[];

/** The cell at a token's centre speaks for the token, but for what its corners show. */
export function perceptionLabels(map: GridMap, grid: PatchGrid, mergeSize: number): PerceptionLabels {
  const distances = distancesToGoal(map);
  const labels = Object.fromEntries(PROPERTY_NAMES.map((name) => [name, []])) as unknown as PerceptionLabels;
  const [centre, outermost] = [mergeSize / 2, (mergeSize - 1) / 2]; // in patches, from the token's edge and centre
  for (let top = 0; top < grid.height; top += mergeSize) {
    for (let left = 0; left < grid.width; left += mergeSize) {
      const cellAt = (place: Place): Position => {
        const [down, right] = PLACES[place];
        return [
          Math.floor(((top + centre + down * outermost) * map.length) / grid.height),
          Math.floor(((left + centre + right * outermost) * map[0]!.length) / grid.width),
        ];
      };
      for (const place of PLACE_NAMES) {
        const [row, column] = cellAt(place);
        labels[place].push(CELL_CLASSES[map[row]![column]!]);
      }
      const [row, column] = cellAt('cell');
      const distance = distances[row]![column]!;
      const open = distance !== Infinity;
      const moves = open ? movesForward(map, distances, [row, column]) : [];
      labels.row.push(row);
      labels.column.push(column);
      labels.distance.push(open ? Math.min(distance, FAR) : FAR + 1);
      labels.moves.push(MOVES.reduce((bits, move, i) => (moves.includes(move) ? bits | (1 << i) : bits), 0));
    }
  }
  return labels;
}

/** @param pictures labels of each picture; a missing one repeats the last */
export function perceptionFeeds(pictures: readonly PerceptionLabels[], count: number): Tensors {
  return Object.fromEntries(
    PROPERTY_NAMES.map((name) => {
      const { classes } = PROPERTIES[name];
      const labels = Array.from({ length: count }, (_, i) => (pictures[i] ?? pictures.at(-1)!)[name]).flat();
      const places = BigInt64Array.from(labels, (label, n) => BigInt(n * classes + label));
      return [`perception.${name}`, intTensor(places, [labels.length, 1])];
    }),
  );
}

/** What is told of how much is right: the four corners are one. */
export type Accuracy = Record<Exclude<Property, Corner> | 'corners', number>;

/** Share of tokens whose likeliest class is right, by property. */
export function perceptionAccuracy(perceived: Float32Array, pictures: readonly PerceptionLabels[]): Accuracy {
  let first = 0;
  const shares = PROPERTY_NAMES.map((name) => {
    const { classes } = PROPERTIES[name];
    const labels = pictures.flatMap((picture) => picture[name]);
    const right = labels.filter((label, n) => {
      const from = n * ALL_CLASSES + first;
      return argMax(perceived.subarray(from, from + classes)) === label;
    });
    first += classes;
    return [name, right.length / labels.length] as const;
  });
  const { topLeft, topRight, bottomLeft, bottomRight, ...others } = Object.fromEntries(shares) as Record<
    Property,
    number
  >;
  return { ...others, corners: (topLeft + topRight + bottomLeft + bottomRight) / 4 };
}

function argMax(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}
