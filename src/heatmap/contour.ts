/** The contour: a line along patch borders around the fewest patches that hold a share of a map's mass. */

import { NO_MASS } from './constants.ts';
import type { MapGrid } from './grid.ts';
import type { HeatMap } from './map.ts';
import { isNearlyUniform } from './statistics.ts';

/** A corner of the grid, in patches from its top left. */
export interface Corner {
  x: number;
  y: number;
}

/** A closed line; the patches it encloses lie on its right. */
export type Loop = Corner[];

/**
 * The patches that a map's contour encloses: what the trainer's rule would keep in a selection, the fewest
 * that hold `share` of attention (of what is above the mean, where that is shown). None for cosines, which do
 * not add up, and none for a map so even, or with so little on it, that a line would claim more than there is.
 */
export function enclosed(map: HeatMap, share: number): ReadonlySet<number> {
  if (map.selected !== undefined) return map.selected;
  const { kind, entropy, mass = 1, values } = map;
  const isEven = entropy !== undefined && isNearlyUniform(entropy);
  return kind === 'similarity' || mass < NO_MASS || isEven ? new Set() : patchesHolding(values, share);
}

/**
 * The fewest patches whose values add up to `share` of the total; of equal ones, those that come first.
 * Empty for a map without mass, or a share of 0.
 */
export function patchesHolding(values: Float32Array, share: number): Set<number> {
  // Sorted by value alone, which a typed array does without a call for each pair: maps are drawn by the dozen.
  const sorted = values.filter((value) => value > 0).toSorted();
  const total = sorted.reduceRight((sum, value) => sum + value, 0);
  // Values are float32: a sum may fall short of the share by rounding only.
  const wanted = share * total * (1 - 1e-6);
  let [sum, first] = [0, sorted.length];
  while (first > 0 && sum < wanted) sum += sorted[--first]!;
  const least = sorted[first] ?? Infinity;
  // Of patches that are equal to the last one, as many as are needed.
  let equal = 0;
  for (let i = first; i < sorted.length && sorted[i] === least; i++) equal++;
  const held = new Set<number>();
  values.forEach((value, patch) => {
    if (value > least || (value === least && equal-- > 0)) held.add(patch);
  });
  return held;
}

/** The borders of a set of patches as closed lines; patches that touch at a corner only stay apart. */
export function loopsAround(patches: ReadonlySet<number>, grid: MapGrid): Loop[] {
  const edges = edgesOf(patches, grid);
  const loops: Loop[] = [];
  for (const [start] of edges) {
    while (edges.has(start)) loops.push(follow(edges, start, grid));
  }
  return loops;
}

/** The loop, in whatever unit it is, moved by `by` towards what it encloses. */
export function inset(loop: Loop, by: number): Loop {
  return loop.map((corner, i) => {
    const before = direction(loop.at(i - 1)!, corner);
    const after = direction(corner, loop[(i + 1) % loop.length]!);
    // To the right of (dx, dy) on a screen, whose y grows downwards, is (−dy, dx).
    return {
      x: corner.x - (before.y + after.y) * by,
      y: corner.y + (before.x + after.x) * by,
    };
  });
}

/**
 * Thickness of the contour by the side of a patch, from the border inwards, in the unit of the side: a white
 * line within a black one stands out on any picture and any colour. Small patches have no room for the inner edge,
 * and those of a few pixels only for the line.
 */
export function contourLine(patchSide: number): { outer: number; line: number; inner: number } {
  if (patchSide < 5) return { outer: 0, line: 1, inner: 0 };
  const line = Math.min(2, Math.max(1, Math.round(patchSide / 24)));
  return { outer: line, line, inner: patchSide < 12 ? 0 : line };
}

/** Edges by the corner they start at; `to` are directions: 0 right, 1 down, 2 left, 3 up. */
type Edges = Map<number, number[]>;

const STEPS = [
  { x: 1, y: 0 },
  { x: 0, y: 1 },
  { x: -1, y: 0 },
  { x: 0, y: -1 },
] as const;

function edgesOf(patches: ReadonlySet<number>, { rows, columns }: MapGrid): Edges {
  const edges: Edges = new Map();
  const has = (row: number, column: number): boolean =>
    row >= 0 && column >= 0 && row < rows && column < columns && patches.has(row * columns + column);
  const add = (x: number, y: number, to: number): void => {
    const corner = y * (columns + 1) + x;
    edges.set(corner, [...(edges.get(corner) ?? []), to]);
  };
  for (const patch of [...patches].toSorted((a, b) => a - b)) {
    const [row, column] = [Math.floor(patch / columns), patch % columns];
    if (!has(row - 1, column)) add(column, row, 0);
    if (!has(row, column + 1)) add(column + 1, row, 1);
    if (!has(row + 1, column)) add(column + 1, row + 1, 2);
    if (!has(row, column - 1)) add(column, row + 1, 3);
  }
  return edges;
}

/** Takes one loop out of `edges`, keeping only the corners at which it turns. */
function follow(edges: Edges, start: number, { columns }: MapGrid): Loop {
  const width = columns + 1;
  const corners: { corner: number; to: number }[] = [];
  const first = take(edges, start, undefined);
  let [corner, to] = [start, first];
  for (;;) {
    corners.push({ corner, to });
    corner += STEPS[to]!.x + STEPS[to]!.y * width;
    // Where two patches touch at the start, the loop may pass it once before it ends there.
    if (corner === start && (!edges.has(start) || rightOf(to) === first)) break;
    to = take(edges, corner, to);
  }
  const turns = corners.filter((entry, i) => entry.to !== corners.at(i - 1)!.to);
  return turns.map(({ corner: at }) => ({ x: at % width, y: Math.floor(at / width) }));
}

/** The edge that turns right where two leave a corner, which keeps to the patch that it goes around. */
function take(edges: Edges, corner: number, came: number | undefined): number {
  const leaving = edges.get(corner)!;
  const right = came === undefined ? undefined : rightOf(came);
  const to = leaving.find((edge) => edge === right) ?? leaving[0]!;
  const rest = leaving.filter((edge) => edge !== to);
  if (rest.length === 0) edges.delete(corner);
  else edges.set(corner, rest);
  return to;
}

function rightOf(to: number): number {
  return (to + 1) % STEPS.length;
}

function direction(from: Corner, to: Corner): { x: number; y: number } {
  return { x: Math.sign(to.x - from.x), y: Math.sign(to.y - from.y) };
}
