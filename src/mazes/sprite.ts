/**
 * Sprites: lists of filled polygons in a unit square, x to the right and y down, and their drawing on a tile.
 *
 * Drawn here and not by a graphics library, because a sprite is then a few kilobytes of arithmetic: the same
 * bytes on every machine, without a native call or a promise per picture.
 */

import { between, type Random } from '../base/random.ts';
import type { Rgb } from './colour.ts';

export interface Shape {
  /** x0, y0, x1, y1, …; closed; filled by the even-odd rule. */
  points: number[];
  colour: Rgb;
  /** 0 to 1. */
  alpha: number;
}

/** Painted in order. */
export type Sprite = Shape[];

/** A square of pixels. */
export interface Tile {
  /** Pixels a side. */
  side: number;
  /** 0 to 255, (side, side, 3); where alpha is 0 it means nothing. */
  rgb: Float32Array;
  /** 0 to 1, (side, side). */
  alpha: Float32Array;
}

export function polygon(points: number[], colour: Rgb, alpha = 1): Shape {
  return { points, colour, alpha };
}

/** Corners of the polygons that stand for curves; at 72 pixels a cell the error is a quarter of a pixel. */
const ARC_CORNERS = 28;

export function oval(x: number, y: number, rx: number, ry: number, colour: Rgb, alpha = 1): Shape {
  return polygon(arc(x, y, rx, ry, 0, 2 * Math.PI, ARC_CORNERS), colour, alpha);
}

export function disc(x: number, y: number, radius: number, colour: Rgb, alpha = 1): Shape {
  return oval(x, y, radius, radius, colour, alpha);
}

/** The upper half of an oval. */
export function dome(x: number, y: number, rx: number, ry: number, colour: Rgb): Shape {
  return polygon(arc(x, y, rx, ry, Math.PI, 2 * Math.PI, ARC_CORNERS / 2 + 1), colour);
}

/** Points of an arc, angles in radians, clockwise from the right because y points down. */
export function arc(
  x: number,
  y: number,
  rx: number,
  ry: number,
  from: number,
  to: number,
  corners: number,
): number[] {
  const whole = to - from > 2 * Math.PI - 1e-9;
  return Array.from({ length: corners }, (_, i) => {
    const angle = from + ((to - from) * i) / (whole ? corners : corners - 1);
    return [x + rx * Math.cos(angle), y + ry * Math.sin(angle)];
  }).flat();
}

/** @param round radius of the corners */
export function box(x: number, y: number, w: number, h: number, colour: Rgb, round = 0): Shape {
  if (round <= 0) return polygon([x, y, x + w, y, x + w, y + h, x, y + h], colour);
  const r = Math.min(round, w / 2, h / 2);
  const corner = (cx: number, cy: number, from: number): number[] =>
    arc(cx, cy, r, r, from, from + Math.PI / 2, 6);
  return polygon(
    [
      ...corner(x + w - r, y + h - r, 0),
      ...corner(x + r, y + h - r, Math.PI / 2),
      ...corner(x + r, y + r, Math.PI),
      ...corner(x + w - r, y + r, 1.5 * Math.PI),
    ],
    colour,
  );
}

/** A straight line with flat ends. */
export function line(
  x0: number,
  y0: number,
  x1: number,
  y1: number,
  width: number,
  colour: Rgb,
  alpha = 1,
): Shape {
  const length = Math.hypot(x1 - x0, y1 - y0) || 1;
  const [dx, dy] = [((y1 - y0) / length) * (width / 2), ((x0 - x1) / length) * (width / 2)];
  return polygon([x0 + dx, y0 + dy, x1 + dx, y1 + dy, x1 - dx, y1 - dy, x0 - dx, y0 - dy], colour, alpha);
}

/** A star, or with `inner` near `outer` a regular polygon of twice as many corners. */
export function star(
  x: number,
  y: number,
  points: number,
  outer: number,
  inner: number,
  colour: Rgb,
  turn = -Math.PI / 2,
): Shape {
  const corners = Array.from({ length: 2 * points }, (_, i) => {
    const radius = i % 2 === 0 ? outer : inner;
    const angle = turn + (i * Math.PI) / points;
    return [x + radius * Math.cos(angle), y + radius * Math.sin(angle)];
  });
  return polygon(corners.flat(), colour);
}

/** The sprite scaled about the middle of the cell, then moved. */
export function placed(sprite: Sprite, scale: number, dx = 0, dy = 0): Sprite {
  return sprite.map((shape) => ({
    ...shape,
    points: shape.points.map((value, i) => 0.5 + (value - 0.5) * scale + (i % 2 === 0 ? dx : dy)),
  }));
}

/** The sprite stretched about the middle of the cell and leaning to a side by `lean` of its height. */
export function stretched(sprite: Sprite, wide: number, high: number, lean: number): Sprite {
  return sprite.map((shape) => ({
    ...shape,
    points: shape.points.map((value, i, all) =>
      i % 2 === 0 ? 0.5 + (value - 0.5) * wide - (all[i + 1]! - 0.5) * lean : 0.5 + (value - 0.5) * high,
    ),
  }));
}

/** Bent by a wave across and one along, each of at most this share of the cell. */
const BEND = 0.035;

/** The sprite with its corners moved by two long waves, as a hand would draw it. */
export function bent(random: Random, sprite: Sprite): Sprite {
  const wave = (): ((at: number) => number) => {
    const [height, turns, phase] = [
      between(random, 0, BEND),
      between(random, 0.5, 1.5),
      between(random, 0, 1),
    ];
    return (at) => height * Math.sin(2 * Math.PI * (turns * at + phase));
  };
  const [across, along] = [wave(), wave()];
  return sprite.map((shape) => ({
    ...shape,
    points: shape.points.map(
      (value, i, all) => value + (i % 2 === 0 ? across(all[i + 1]!) : along(all[i - 1]!)),
    ),
  }));
}

/** Most that a thing stands off the middle, as a share of the cell. */
const SHIFT = 0.08;

/** The sprite a little off the middle of its cell, as far as there is room. */
export function moved(random: Random, sprite: Sprite): Sprite {
  const [dx, dy] = [0, 1].map((axis) => {
    const values = sprite.flatMap(({ points }) => points.filter((_, i) => i % 2 === axis));
    const [before, after] = [Math.min(...values), 1 - Math.max(...values)];
    const near = (room: number): number => Math.min(SHIFT, Math.max(0, room));
    return between(random, -near(before), near(after));
  });
  return placed(sprite, 1, dx, dy);
}

/** Share of the cell, by the shoelace formula. */
export function area({ points }: Shape): number {
  let twice = 0;
  for (let i = 0; i < points.length; i += 2) {
    const next = (i + 2) % points.length;
    twice += points[i]! * points[next + 1]! - points[next]! * points[i + 1]!;
  }
  return Math.abs(twice) / 2;
}

/** Left and right exchanged. */
export function mirrored(sprite: Sprite): Sprite {
  return sprite.map((shape) => ({
    ...shape,
    points: shape.points.map((value, i) => (i % 2 === 0 ? 1 - value : value)),
  }));
}

export function blankTile(side: number): Tile {
  return { side, rgb: new Float32Array(side * side * 3), alpha: new Float32Array(side * side) };
}

/** Lines that each row of pixels is sampled at when edges are smooth. */
const SUBROWS = 4;

/** @param smooth edges with partial coverage; otherwise a pixel is in or out, as in pixel art */
export function paintSprite(tile: Tile, sprite: Sprite, smooth: boolean): void {
  for (const shape of sprite) paintShape(tile, shape, smooth);
}

function paintShape(tile: Tile, { points, colour, alpha }: Shape, smooth: boolean): void {
  const { side } = tile;
  const scaled = points.map((value) => value * side);
  const ys = scaled.filter((_, i) => i % 2 === 1);
  const top = Math.max(0, Math.floor(Math.min(...ys)));
  const bottom = Math.min(side, Math.ceil(Math.max(...ys)));
  const subrows = smooth ? SUBROWS : 1;
  const coverage = new Float32Array(side);
  for (let row = top; row < bottom; row++) {
    coverage.fill(0);
    for (let sub = 0; sub < subrows; sub++) {
      coverRow(coverage, crossings(scaled, row + (sub + 0.5) / subrows), 1 / subrows);
    }
    for (let column = 0; column < side; column++) {
      const covered = smooth ? coverage[column]! : Number(coverage[column]! >= 0.5);
      if (covered > 0) blend(tile, row * side + column, colour, covered * alpha);
    }
  }
}

/** Where the outline crosses the horizontal at `y`, from left to right. */
function crossings(points: number[], y: number): number[] {
  const found: number[] = [];
  for (let i = 0; i < points.length; i += 2) {
    const [x0, y0] = [points[i]!, points[i + 1]!];
    const next = (i + 2) % points.length;
    const [x1, y1] = [points[next]!, points[next + 1]!];
    if (y0 <= y !== y1 <= y) found.push(x0 + ((y - y0) / (y1 - y0)) * (x1 - x0));
  }
  return found.length === 2 ? inOrder(found) : found.toSorted((a, b) => a - b);
}

/** Two numbers, the smaller one first; most shapes are convex and cross a line twice. */
function inOrder(pair: number[]): number[] {
  return pair[0]! <= pair[1]! ? pair : pair.toReversed();
}

/** Adds `weight` to each pixel, by the share of it that lies between a pair of crossings. */
function coverRow(coverage: Float32Array, ends: number[], weight: number): void {
  for (let i = 0; i + 1 < ends.length; i += 2) {
    const [from, to] = [Math.max(0, ends[i]!), Math.min(coverage.length, ends[i + 1]!)];
    for (let column = Math.floor(from); column < to; column++) {
      coverage[column]! += weight * (Math.min(to, column + 1) - Math.max(from, column));
    }
  }
}

/** Lays a colour over a pixel. */
function blend({ rgb, alpha }: Tile, pixel: number, colour: Rgb, opacity: number): void {
  const below = alpha[pixel]! * (1 - opacity);
  const total = below + opacity;
  for (let c = 0; c < 3; c++) {
    rgb[pixel * 3 + c] = (rgb[pixel * 3 + c]! * below + colour[c]! * opacity) / total;
  }
  alpha[pixel] = total;
}

/** A line of this many pixels around everything on the tile, beneath it. */
export function outlineTile(tile: Tile, colour: Rgb, width: number): void {
  const { side } = tile;
  const reach = spread(tile.alpha, side, width);
  for (let pixel = 0; pixel < side * side; pixel++) {
    const above = tile.alpha[pixel]!;
    const total = Math.max(above, reach[pixel]!);
    if (total <= above) continue;
    for (let c = 0; c < 3; c++) {
      const at = pixel * 3 + c;
      tile.rgb[at] = (tile.rgb[at]! * above + colour[c]! * (total - above)) / total;
    }
    tile.alpha[pixel] = total;
  }
}

/** The largest alpha within `width` pixels, by rows and then by columns. */
function spread(alpha: Float32Array, side: number, width: number): Float32Array {
  let source = alpha;
  for (const stride of [1, side]) {
    const target = source.slice();
    for (let pixel = 0; pixel < side * side; pixel++) {
      const place = stride === 1 ? pixel % side : Math.floor(pixel / side);
      for (let d = 1; d <= width; d++) {
        if (place >= d) target[pixel] = Math.max(target[pixel]!, source[pixel - d * stride]!);
        if (place + d < side) target[pixel] = Math.max(target[pixel]!, source[pixel + d * stride]!);
      }
    }
    source = target;
  }
  return source;
}

/** Lays `above` over `below`, which has the same size. */
export function overlay(below: Tile, above: Tile): Tile {
  const result: Tile = { side: below.side, rgb: below.rgb.slice(), alpha: below.alpha.slice() };
  for (let pixel = 0; pixel < above.alpha.length; pixel++) {
    const opacity = above.alpha[pixel]!;
    if (opacity === 0) continue;
    const at = pixel * 3;
    blend(result, pixel, [above.rgb[at]!, above.rgb[at + 1]!, above.rgb[at + 2]!], opacity);
  }
  return result;
}
