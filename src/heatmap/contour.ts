/** The contour: a line along patch borders around the fewest patches that hold a share of a map's mass. */

import { NO_MASS } from './constants.ts';
import { patchBox, type MapGrid } from './grid.ts';
import type { HeatMap } from './map.ts';
import { isNearlyUniform, largestHolding } from './statistics.ts';

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
  if (share === 0 || map.kind === 'similarity') return NONE;
  let known = found.get(map);
  if (known?.share !== share) found.set(map, (known = { share, patches: find(map, share) }));
  return known.patches;
}

const NONE: ReadonlySet<number> = new Set();

/** By map, for the share that was asked for last: a map is drawn small, large, and described in words. */
const found = new WeakMap<HeatMap, { share: number; patches: ReadonlySet<number> }>();

function find({ mass = 1, entropy, values }: HeatMap, share: number): ReadonlySet<number> {
  const isEven = entropy !== undefined && isNearlyUniform(entropy);
  return mass < NO_MASS || isEven ? NONE : patchesHolding(values, share);
}

/**
 * The fewest patches whose values add up to `share` of the total; of equal ones, those that come first.
 * Empty for a map without mass, or a share of 0.
 */
export function patchesHolding(values: Float32Array, share: number): Set<number> {
  const held = new Set<number>();
  const positive = new Float32Array(values.length);
  let [count, total] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (!(value > 0)) continue;
    positive[count++] = value;
    total += value;
  }
  // Values are float32: a sum may fall short of the share by rounding only.
  const wanted = share * total * (1 - 1e-6);
  if (wanted <= 0) return held;
  const { least, equal } = largestHolding(positive.subarray(0, count), wanted);
  let left = equal;
  for (let patch = 0; patch < values.length; patch++) {
    const value = values[patch]!;
    if (value > least || (value === least && left-- > 0)) held.add(patch);
  }
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

/** A band of the contour on pixels: so far from the border inwards. Later ones lie on earlier ones. */
export interface Band {
  depth: number;
  isLine: boolean;
}

/** The contour's bands. @param ratio pixels of one unit of `patchSide` */
export function contourBands(patchSide: number, ratio = 1): Band[] {
  const { outer, line, inner } = contourLine(patchSide);
  const bands = [
    { depth: inner === 0 ? 0 : outer + line + inner, isLine: false },
    { depth: outer + line, isLine: true },
    { depth: outer, isLine: false },
  ];
  return bands
    .filter(({ depth }) => depth > 0)
    .map(({ depth, isLine }) => ({ depth: Math.max(1, Math.round(depth * ratio)), isLine }));
}

/**
 * Lays a band of a set's borders on pixels, piece by piece: sides of patches, and the corners where the border turns
 * around a patch that is not in the set.
 * @param lay is called for the pixels [x0, x1) × [y0, y1); some are laid twice
 */
export function layBorders(
  patches: ReadonlySet<number>,
  grid: MapGrid,
  frame: { width: number; height: number },
  depth: number,
  lay: (x0: number, y0: number, x1: number, y1: number) => void,
): void {
  const { columns } = grid;
  for (const patch of patches) {
    const { x0, y0, x1, y1 } = patchBox(grid, patch, frame);
    const column = patch % columns;
    const [isFirst, isLast] = [column === 0, column === columns - 1];
    const up = patches.has(patch - columns);
    const down = patches.has(patch + columns);
    const left = !isFirst && patches.has(patch - 1);
    const right = !isLast && patches.has(patch + 1);
    if (!up) lay(x0, y0, x1, y0 + depth);
    if (!down) lay(x0, y1 - depth, x1, y1);
    if (!left) lay(x0, y0, x0 + depth, y1);
    if (!right) lay(x1 - depth, y0, x1, y1);
    if (up && left && !patches.has(patch - columns - 1)) lay(x0, y0, x0 + depth, y0 + depth);
    if (up && right && !patches.has(patch - columns + 1)) lay(x1 - depth, y0, x1, y0 + depth);
    if (down && left && !patches.has(patch + columns - 1)) lay(x0, y1 - depth, x0 + depth, y1);
    if (down && right && !patches.has(patch + columns + 1)) lay(x1 - depth, y1 - depth, x1, y1);
  }
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
