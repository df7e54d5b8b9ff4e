/** Points of a principal component analysis as a figure: where they stand, and which is nearest. */

import type { AnalysisResult } from '../analysis/table.ts';
import type { NumericArray } from '../tensor/array.ts';

/** Two of the first three components: from left to right, and upwards. */
export const PLANES = ['0 1', '0 2', '1 2'] as const;
export type Plane = (typeof PLANES)[number];

export function axesOf(plane: Plane): [across: number, up: number] {
  const [across = 0, up = 1] = plane.split(' ').map(Number);
  return [across, up];
}

export interface ScatterPoint {
  of: 'latent' | 'patch' | 'word';
  /** Index among the latents, the picture's patches, or the words. */
  index: number;
  /** Id of a patch's picture. */
  picture?: string;
  /** From 0 (left, bottom) to 1. */
  x: number;
  y: number;
}

/** All points along two axes, scaled to fit; latents last, so that they are drawn on top. */
export function scatterOf(
  { latents, pictures, words }: AnalysisResult<'pca'>,
  [across, up]: readonly [number, number],
): ScatterPoint[] {
  const raw: ScatterPoint[] = [
    ...pictures.flatMap(({ picture, points }) =>
      pointsOf(points, across, up).map((point) => ({ of: 'patch' as const, picture, ...point })),
    ),
    ...pointsOf(words.points, across, up).map((point) => ({ of: 'word' as const, ...point })),
    ...pointsOf(latents, across, up).map((point) => ({ of: 'latent' as const, ...point })),
  ];
  const [x, y] = [rescaling(raw.map((point) => point.x)), rescaling(raw.map((point) => point.y))];
  return raw.map((point) => ({ ...point, x: x(point.x), y: y(point.y) }));
}

/** A component that the points do not have is 0. */
function pointsOf({ shape, data }: NumericArray, across: number, up: number) {
  const [rows = 0, width = 0] = shape;
  const at = (row: number, axis: number): number => (axis < width ? data[row * width + axis]! : 0);
  return Array.from({ length: rows }, (_, index) => ({ index, x: at(index, across), y: at(index, up) }));
}

function rescaling(values: readonly number[]): (value: number) => number {
  let [least, most] = [Infinity, -Infinity];
  for (const value of values) {
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  return (value) => (most > least ? (value - least) / (most - least) : 0.5);
}

/** The point nearest to a place, within a distance; both in a box of this size. The one drawn last wins. */
export function nearestIn(
  points: readonly ScatterPoint[],
  place: { x: number; y: number },
  box: { width: number; height: number },
  within: number,
): ScatterPoint | undefined {
  let [best, least] = [undefined as ScatterPoint | undefined, within];
  for (const point of points) {
    const distance = Math.hypot((point.x - place.x) * box.width, (point.y - place.y) * box.height);
    if (distance <= least) [best, least] = [point, distance];
  }
  return best;
}
