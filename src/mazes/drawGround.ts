/** The ground of safe cells: one tile that repeats, or a few that take turns. */

import { between, pick, wholeBetween, type Random } from '../base/random.ts';
import type { Rgb } from './colour.ts';
import { arc, blankTile, disc, line, paintSprite, polygon, type Sprite, type Tile } from './sprite.ts';

export const GROUND_WEIGHTS = {
  plain: 2,
  streaks: 3,
  drifts: 2,
  noise: 1.5,
  checks: 1.5,
  gradient: 1.5,
  clouds: 1,
  speckles: 1,
  hatching: 1,
  planks: 1,
} as const;
export type GroundKind = keyof typeof GROUND_WEIGHTS;

export interface GroundColours {
  base: Rgb;
  /** Streaks, grains, the other square of a chequer. */
  accent: Rgb;
}

/** Tiles of one ground; `tileAt` says which of them lies in a cell. */
export interface Ground {
  tiles: Tile[];
  tileAt: (row: number, column: number) => number;
}

/**
 * @param side pixels of a cell
 * @param varied several tiles, so that cells are not alike
 */
export function drawGround(
  random: Random,
  kind: GroundKind,
  { base, accent }: GroundColours,
  { side, varied, smooth }: { side: number; varied: boolean; smooth: boolean },
): Ground {
  const filled = (colour: Rgb): Tile => {
    const tile = blankTile(side);
    tile.alpha.fill(1);
    for (let i = 0; i < tile.rgb.length; i++) tile.rgb[i] = colour[i % 3]!;
    return tile;
  };
  if (kind === 'checks') {
    return { tiles: [filled(base), filled(accent)], tileAt: (row, column) => (row + column) % 2 };
  }
  const draw = isPattern(kind) ? PATTERNS[kind](random) : undefined;
  const texture = isTexture(kind) ? TEXTURES[kind](random, side) : undefined;
  const tiles = Array.from({ length: varied ? VARIANTS : 1 }, () => {
    const tile = filled(base);
    if (draw !== undefined) paintSprite(tile, draw(accent), smooth);
    if (texture !== undefined) shade(tile, base, accent, texture());
    return tile;
  });
  // Knight's moves: neighbours differ, and no row or column is all alike.
  return { tiles, tileAt: (row, column) => (row + 2 * column) % tiles.length };
}

const VARIANTS = 4;

type Pattern = 'plain' | 'streaks' | 'drifts' | 'speckles' | 'planks';
type Texture = 'noise' | 'gradient' | 'clouds' | 'hatching';

/** Grounds of shapes: settings first, then one tile after another. */
const PATTERNS: Record<Pattern, (random: Random) => (accent: Rgb) => Sprite> = {
  plain: () => () => [],
  streaks: (random) => {
    const [count, slope] = [wholeBetween(random, 2, 8), between(random, -0.5, 0.5)];
    const width = between(random, 0.015, 0.05);
    return (accent) =>
      Array.from({ length: count }, () => {
        const [x, y] = [between(random, 0, 0.8), between(random, 0.03, 0.97)];
        const length = between(random, 0.1, 0.4);
        return line(x, y, x + length, y - slope * length, width, accent, between(random, 0.4, 1));
      });
  },
  drifts: (random) => {
    const [count, bend] = [wholeBetween(random, 2, 6), between(random, 0.03, 0.12)];
    return (accent) => Array.from({ length: count }, () => drift(random, bend, accent));
  },
  speckles: (random) => {
    const [count, largest] = [wholeBetween(random, 4, 22), between(random, 0.02, 0.06)];
    return (accent) =>
      Array.from({ length: count }, () =>
        disc(random(), random(), between(random, 0.01, largest), accent, 0.8),
      );
  },
  planks: (random) => {
    const [bands, width, upright] = [
      wholeBetween(random, 2, 4),
      between(random, 0.015, 0.04),
      random() < 0.5,
    ];
    return (accent) =>
      Array.from({ length: bands }, (_, i) => {
        const [at, end] = [i / bands, random()];
        const seam = [
          line(0, at, 1, at, width, accent, 0.8),
          line(end, at, end, at + 1 / bands, width, accent, 0.8),
        ];
        return upright
          ? seam.map((shape) => ({ ...shape, points: shape.points.map((__, j) => shape.points[j ^ 1]!) }))
          : seam;
      }).flat();
  },
};

/** A thin sickle, like snow that the wind has heaped. */
function drift(random: Random, bend: number, accent: Rgb): Sprite[number] {
  const [x, y, width] = [between(random, 0.1, 0.9), between(random, 0.1, 0.95), between(random, 0.12, 0.3)];
  const outer = arc(x, y, width, bend * 1.6, Math.PI, 2 * Math.PI, 8);
  const inner = arc(x, y, width, bend * 0.8, 2 * Math.PI, Math.PI, 8);
  return polygon([...outer, ...inner], accent, between(random, 0.5, 1));
}

/** Grounds that give each pixel a share of the accent from 0 to 1: settings first, then tiles. */
const TEXTURES: Record<Texture, (random: Random, side: number) => () => (x: number, y: number) => number> = {
  noise: (random, side) => {
    const grain = pick(random, [1, 1, 2]);
    return () => {
      const grains = Array.from({ length: side * side }, () => random());
      return (x, y) => grains[Math.floor(y / grain) * side + Math.floor(x / grain)]!;
    };
  },
  gradient: (random, side) => {
    const [dx, dy] = pick(random, [
      [0, 1],
      [1, 0],
      [0.5, 0.5],
    ] as const);
    const down = random() < 0.5;
    return () => (x, y) => {
      const share = (dx * x + dy * y) / side;
      return down ? share : 1 - share;
    };
  },
  clouds: (random, side) => {
    const lattice = wholeBetween(random, 2, 5);
    return () => cloud(random, lattice, side);
  },
  hatching: (random, side) => {
    const [bands, lean] = [wholeBetween(random, 3, 6), pick(random, [-1, 0, 1])];
    return () => (x, y) => (Math.sin(((x + lean * y) / side) * bands * 2 * Math.PI) > 0.4 ? 1 : 0);
  },
};

/** Random values on a lattice that wraps around, blended between its points. */
function cloud(random: Random, lattice: number, side: number): (x: number, y: number) => number {
  const values = Array.from({ length: lattice * lattice }, () => random());
  const at = (row: number, column: number): number => values[(row % lattice) * lattice + (column % lattice)]!;
  return (x, y) => {
    const [u, v] = [(x / side) * lattice, (y / side) * lattice];
    const [column, row] = [Math.floor(u), Math.floor(v)];
    const [a, b] = [u - column, v - row];
    const top = at(row, column) * (1 - a) + at(row, column + 1) * a;
    const bottom = at(row + 1, column) * (1 - a) + at(row + 1, column + 1) * a;
    return top * (1 - b) + bottom * b;
  };
}

function isPattern(kind: GroundKind): kind is Pattern {
  return kind in PATTERNS;
}

function isTexture(kind: GroundKind): kind is Texture {
  return kind in TEXTURES;
}

function shade({ side, rgb }: Tile, base: Rgb, accent: Rgb, share: (x: number, y: number) => number): void {
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const t = share(x, y);
      for (let c = 0; c < 3; c++) rgb[(y * side + x) * 3 + c] = base[c]! + (accent[c]! - base[c]!) * t;
    }
  }
}
