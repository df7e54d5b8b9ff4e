/** Holes, in many shapes. A hole fills most of its cell and never leaves it. */

import { between, pick, wholeBetween, type Random } from '../base/random.ts';
import { mix, type Rgb } from './colour.ts';
import { arc, box, disc, line, oval, placed, polygon, star, type Sprite } from './sprite.ts';

export const HOLE_KINDS = [
  'disc',
  'oval',
  'blob',
  'pool',
  'square',
  'polygon',
  'jagged',
  'ring',
  'pit',
  'crescent',
  'swirl',
  'cracks',
] as const;
export type HoleKind = (typeof HOLE_KINDS)[number];

export interface HoleColours {
  main: Rgb;
  rim: Rgb;
  /** Glints and inner lines. */
  light: Rgb;
}

/** One hole; another seed gives another of the same kind. */
export function holeSprite(random: Random, kind: HoleKind, colours: HoleColours): Sprite {
  const rim = between(random, 0.05, 0.13);
  return [...HOLES[kind](random, colours, rim), ...glints(random, colours)];
}

type HoleDrawer = (random: Random, colours: HoleColours, rim: number) => Sprite;

/** Each fills the circle of radius 0.5 about the middle; the style scales it. */
const HOLES: Record<HoleKind, HoleDrawer> = {
  disc: (_, { main, rim: edge }, rim) => [disc(0.5, 0.5, 0.48, edge), disc(0.5, 0.5, 0.48 - rim, main)],
  oval: (random, { main, rim: edge }, rim) => {
    const flat = between(random, 0.6, 0.85);
    return [
      oval(0.5, 0.5, 0.49, 0.49 * flat, edge),
      oval(0.5, 0.5 + rim / 4, 0.49 - rim, (0.49 - rim) * flat, main),
    ];
  },
  blob: (random, { main, rim: edge }, rim) => rimmed(wobbly(random, 0.14), edge, main, rim),
  pool: (random, { main, rim: edge }, rim) => {
    const outline = wobbly(random, 0.1);
    const [dx, dy] = [between(random, -0.03, 0.03), between(random, 0.02, 0.06)];
    // The bank shows on one side only, as if one looked in at a slant.
    return [polygon(outline, edge), ...placed([polygon(outline, main)], 1 - rim, dx / 2, dy / 2)];
  },
  square: (random, { main, rim: edge }, rim) => {
    const round = between(random, 0, 0.2);
    return [
      box(0.04, 0.04, 0.92, 0.92, edge, round),
      box(0.04 + rim, 0.04 + rim, 0.92 - 2 * rim, 0.92 - 2 * rim, main, round * 0.7),
    ];
  },
  polygon: (random, { main, rim: edge }, rim) => {
    const corners = wholeBetween(random, 5, 8);
    const turn = between(random, 0, Math.PI);
    const outline = arc(0.5, 0.5, 0.49, 0.49, turn, turn + 2 * Math.PI, corners);
    return rimmed(outline, edge, main, rim);
  },
  jagged: (random, { main, rim: edge }, rim) => {
    const corners = wholeBetween(random, 10, 18);
    const outline = Array.from({ length: corners }, (_, i) => {
      const radius = between(random, 0.36, 0.5);
      const angle = (2 * Math.PI * i) / corners;
      return [0.5 + radius * Math.cos(angle), 0.5 + radius * Math.sin(angle)];
    }).flat();
    return rimmed(outline, edge, main, rim);
  },
  ring: (random, { main, rim: edge }) => [
    disc(0.5, 0.5, 0.49, edge),
    disc(0.5, 0.5, between(random, 0.3, 0.38), main),
    disc(0.5, 0.5, 0.16, mix(main, [0, 0, 0], 0.35)),
  ],
  pit: (_, { main, rim: edge }) =>
    [0, 1, 2, 3].map((i) =>
      oval(0.5, 0.5 + i * 0.025, 0.49 - i * 0.1, 0.45 - i * 0.1, mix(edge, main, Math.min(1, i * 0.6))),
    ),
  crescent: (random, { main, rim: edge }) => {
    const [dx, dy] = [between(random, -0.08, 0.08), between(random, 0.05, 0.1)];
    return [disc(0.5, 0.5, 0.48, edge), disc(0.5 + dx / 2, 0.5 + dy / 2, 0.4, main)];
  },
  swirl: (_, { main, rim: edge, light }, rim) => [
    disc(0.5, 0.5, 0.48, edge),
    disc(0.5, 0.5, 0.48 - rim, main),
    ...[0.12, 0.22, 0.32].flatMap((radius, i) => bow(radius, i * 2.1, light)),
  ],
  cracks: (random, { main, rim: edge }) => [
    star(0.5, 0.5, wholeBetween(random, 6, 9), 0.5, 0.33, edge, between(random, 0, 1)),
    polygon(
      wobbly(random, 0.06).map((value) => 0.5 + (value - 0.5) * 0.74),
      main,
    ),
  ],
};

function rimmed(outline: number[], edge: Rgb, main: Rgb, rim: number): Sprite {
  return [polygon(outline, edge), ...placed([polygon(outline, main)], 1 - 2 * rim)];
}

/** A closed curve about the middle whose radius varies by `depth`, never above 0.5. */
function wobbly(random: Random, depth: number): number[] {
  const waves = [2, 3, 4].map((n) => [n, random(), between(random, 0, 2 * Math.PI)] as const);
  const total = waves.reduce((sum, [, height]) => sum + height, 0);
  const flat = between(random, 0.82, 1);
  return Array.from({ length: 32 }, (_, i) => {
    const angle = (2 * Math.PI * i) / 32;
    const wave = waves.reduce((sum, [n, height, phase]) => sum + height * Math.sin(n * angle + phase), 0);
    const radius = 0.49 - (depth * (1 - wave / total)) / 2;
    return [0.5 + radius * Math.cos(angle), 0.5 + radius * flat * Math.sin(angle)];
  }).flat();
}

/** Two thirds of a thin circle. */
function bow(radius: number, from: number, colour: Rgb): Sprite {
  const outer = arc(0.5, 0.5, radius, radius, from, from + 4, 14);
  const inner = arc(0.5, 0.5, radius - 0.035, radius - 0.035, from, from + 4, 14);
  const back = Array.from({ length: 14 }, (_, i) => inner.slice(2 * (13 - i), 2 * (13 - i) + 2)).flat();
  return [polygon([...outer, ...back], colour, 0.7)];
}

/** Light on the surface: none, strokes, spots or a bright edge. */
function glints(random: Random, { light }: HoleColours): Sprite {
  const place = (low: number, high: number): number => between(random, low, high);
  const forms = {
    none: () => [],
    edge: () => [line(0.3, 0.28, 0.52, 0.2, 0.05, light, 0.75)],
    spots: () =>
      Array.from({ length: wholeBetween(random, 1, 4) }, () =>
        disc(place(0.3, 0.7), place(0.3, 0.7), place(0.02, 0.06), light, 0.7),
      ),
    strokes: () => {
      const slant = place(-0.25, 0.25);
      return Array.from({ length: wholeBetween(random, 2, 6) }, () => {
        const [x, y, length] = [place(0.28, 0.6), place(0.28, 0.72), place(0.06, 0.2)];
        return line(x, y, x + length, y + slant * length, place(0.02, 0.05), light, 0.7);
      });
    },
  };
  return forms[pick(random, ['none', 'none', 'strokes', 'strokes', 'spots', 'edge'] as const)]();
}
