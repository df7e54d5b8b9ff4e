/**
 * Direct supervision of what a picture's tokens say about a map: what lies in the cell, where it is, how
 * far the goal is from it and which moves lead there. Language alone leaves the picture unread for long
 * (docs/log.md). The head that tells is a matrix of the trainer's; no checkpoint needs it.
 *
 * Letters: T merged tokens of all pictures, C their width, V classes of one property.
 */

import { GOAL, HOLE, SAFE, START, type GridMap } from '../dataset/scoring.ts';
import { distancesToGoal, MAX_SIZE, movesForward, MOVES } from '../maps/grid.ts';
import type { PatchGrid } from '../model/positions.ts';
import type { Weight, WeightSource } from '../model/weightSource.ts';
import { add, gemm, mean, mul, split } from '../onnx/arithmetic.ts';
import type { GraphBuilder, Value } from '../onnx/graphBuilder.ts';
import { intTensor } from '../ort/session.ts';
import type { Feeds } from './feeds.ts';
import { crossEntropy } from './losses.ts';

/** Distances from this one on are one class; the class after it is for cells that no way leads from. */
const FAR = 12;

/** Classes and share of the loss of each property. */
const PROPERTIES = {
  cell: { classes: 4, weight: 3 },
  row: { classes: MAX_SIZE, weight: 0.25 },
  column: { classes: MAX_SIZE, weight: 0.25 },
  distance: { classes: FAR + 2, weight: 0.5 },
  moves: { classes: 1 << MOVES.length, weight: 1 },
} as const;

export type Property = keyof typeof PROPERTIES;
export const PROPERTY_NAMES = Object.keys(PROPERTIES) as Property[];

const CLASSES = PROPERTY_NAMES.map((name) => PROPERTIES[name].classes);
const ALL_CLASSES = CLASSES.reduce<number>((sum, count) => sum + count, 0);

const HEAD_WEIGHT = 'perception.weight';
const HEAD_BIAS = 'perception.bias';

/** Whether a tensor is the head's, and so in no checkpoint. */
export const isHead = (name: string): boolean => name === HEAD_WEIGHT || name === HEAD_BIAS;

/** Adds the head's two tensors to a checkpoint's. */
export function withPerceptionHead(source: WeightSource): WeightSource {
  return {
    get: (name, shape) => (isHead(name) ? headWeight(name, shape) : source.get(name, shape)),
  };
}

/** A place of its own, in no file: the trainer fills it. */
function headWeight(name: string, shape: number[]): Weight {
  return {
    file: name,
    offset: 0,
    length: 4 * shape.reduce((product, n) => product * n, 1),
    dtype: 'F32',
    shape,
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

/** The cell at a token's centre speaks for the token. */
export function perceptionLabels(map: GridMap, grid: PatchGrid, mergeSize: number): PerceptionLabels {
  const [rows, columns] = [grid.height / mergeSize, grid.width / mergeSize];
  const distances = distancesToGoal(map);
  const labels: PerceptionLabels = { cell: [], row: [], column: [], distance: [], moves: [] };
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      const row = Math.floor(((y + 0.5) * map.length) / rows);
      const column = Math.floor(((x + 0.5) * map[0]!.length) / columns);
      const distance = distances[row]![column]!;
      const open = distance !== Infinity;
      const moves = open ? movesForward(map, distances, [row, column]) : [];
      labels.cell.push(CELL_CLASSES[map[row]![column]!]);
      labels.row.push(row);
      labels.column.push(column);
      labels.distance.push(open ? Math.min(distance, FAR) : FAR + 1);
      labels.moves.push(MOVES.reduce((bits, move, i) => (moves.includes(move) ? bits | (1 << i) : bits), 0));
    }
  }
  return labels;
}

/** @param pictures labels of each picture; a missing one repeats the last */
export function perceptionFeeds(pictures: readonly PerceptionLabels[], count: number): Feeds {
  return Object.fromEntries(
    PROPERTY_NAMES.map((name) => {
      const { classes } = PROPERTIES[name];
      const labels = Array.from({ length: count }, (_, i) => (pictures[i] ?? pictures.at(-1)!)[name]).flat();
      const places = BigInt64Array.from(labels, (label, n) => BigInt(n * classes + label));
      return [`perception.${name}`, intTensor(places, [labels.length, 1])];
    }),
  );
}

/** Share of tokens whose likeliest class is right, by property. */
export function perceptionAccuracy(
  perceived: Float32Array,
  pictures: readonly PerceptionLabels[],
): Record<Property, number> {
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
  return Object.fromEntries(shares) as Record<Property, number>;
}

function argMax(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}
