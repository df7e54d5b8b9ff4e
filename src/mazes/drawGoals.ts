/** Goals: things one would walk to. */

import { between, pick, wholeBetween, type Random } from '../base/random.ts';
import { mix, type Rgb } from './colour.ts';
import { box, disc, dome, line, oval, polygon, star, type Shape, type Sprite } from './sprite.ts';

/** How often each is drawn; the public maps have a gift. */
export const GOAL_WEIGHTS = {
  gift: 11,
  chest: 2.5,
  flag: 2,
  star: 2.5,
  cup: 3,
  house: 2.5,
  gem: 3,
  target: 1.5,
  door: 1,
  key: 1,
  coin: 1,
  crown: 1,
  heart: 1,
  tree: 1,
} as const;
export type GoalKind = keyof typeof GOAL_WEIGHTS;

export interface GoalColours {
  /** The largest part. */
  main: Rgb;
  second: Rgb;
  dark: Rgb;
}

const WHITE: Rgb = [255, 255, 255];

export function goalSprite(random: Random, kind: GoalKind, colours: GoalColours): Sprite {
  return GOALS[kind](random, colours);
}

const GOALS: Record<GoalKind, (random: Random, colours: GoalColours) => Sprite> = {
  gift,
  chest,
  flag,
  star: (random, { main, second }) => {
    const points = pick(random, [5, 5, 5, 6, 4]);
    const inner = between(random, 0.38, 0.5);
    return [
      star(0.5, 0.52, points, 0.46, 0.46 * inner, main),
      star(0.5, 0.52, points, 0.24, 0.24 * inner, second),
    ];
  },
  cup,
  house,
  gem,
  target: (_, { main, second }) =>
    [0.46, 0.35, 0.24, 0.12].map((radius, i) => disc(0.5, 0.5, radius, i % 2 === 0 ? main : second)),
  door: (_, { main, second, dark }) => [
    box(0.2, 0.3, 0.6, 0.62, dark),
    dome(0.5, 0.32, 0.3, 0.26, dark),
    box(0.27, 0.32, 0.46, 0.6, main),
    dome(0.5, 0.33, 0.23, 0.19, main),
    disc(0.64, 0.62, 0.05, second),
  ],
  key: (random, { main, dark }) => [
    disc(0.32, 0.34, 0.27, main),
    disc(0.32, 0.34, 0.1, dark),
    line(0.44, 0.46, 0.9, 0.92, 0.17, main),
    ...[0.66, 0.8]
      .slice(0, wholeBetween(random, 1, 2))
      .map((x) => line(x, x + 0.02, x + 0.16, x - 0.14, 0.12, main)),
  ],
  coin: (random, { main, second }) => [
    oval(0.5, 0.5, between(random, 0.34, 0.44), 0.44, second),
    oval(0.5, 0.5, 0.3, 0.36, main),
    box(0.44, 0.3, 0.12, 0.4, second, 0.03),
  ],
  crown: (_, { main, second, dark }) => [
    polygon([0.1, 0.82, 0.06, 0.28, 0.3, 0.52, 0.5, 0.14, 0.7, 0.52, 0.94, 0.28, 0.9, 0.82], main),
    box(0.1, 0.72, 0.8, 0.14, mix(main, dark, 0.35)),
    ...[0.26, 0.5, 0.74].map((x) => disc(x, 0.79, 0.05, second)),
  ],
  heart: (_, { main, second }) => [
    disc(0.31, 0.35, 0.23, main),
    disc(0.69, 0.35, 0.23, main),
    polygon([0.1, 0.44, 0.5, 0.3, 0.9, 0.44, 0.5, 0.92], main),
    disc(0.28, 0.3, 0.08, second),
  ],
  tree: (_, { main, second, dark }) => [
    box(0.42, 0.76, 0.16, 0.18, dark),
    ...[0.78, 0.6, 0.42].map((y, i) => {
      const half = 0.4 - i * 0.08;
      return polygon([0.5 - half, y, 0.5, y - 0.36, 0.5 + half, y], mix(main, dark, 0.2 * (1 - i)));
    }),
    star(0.5, 0.12, 5, 0.11, 0.05, second),
  ],
};

/** A cloth on a pole, from a small pennant at the top to half of the cell; some poles have a foot. */
function flag(random: Random, { main, second, dark }: GoalColours): Sprite {
  const [low, far] = [between(random, 0.38, 0.6), between(random, 0.68, 0.94)];
  const [thick, foot] = [between(random, 0.05, 0.1), between(random, 0.72, 0.94)];
  const middle = (0.1 + low) / 2;
  const tip = pick(random, [
    [far, middle],
    [far, 0.1, far - 0.12, middle, far, low],
    [far, 0.1, far, low],
  ]);
  return [
    ...(random() < 0.6 ? [oval(0.26 + thick / 2, foot, between(random, 0.1, 0.2), 0.06, dark)] : []),
    box(0.26, 0.08, thick, foot - 0.08, pick(random, [second, dark])),
    polygon([0.26 + thick, 0.1, ...tip, 0.26 + thick, low], main),
  ];
}

/** A box with a ribbon; lid, bow, wrapping and shading vary; the bow can be as large as the box. */
function gift(random: Random, { main, second, dark }: GoalColours): Sprite {
  const [width, lid] = [between(random, 0.6, 0.86), between(random, 0.32, 0.5)];
  const bottom = between(random, 0.88, 0.95);
  const left = (1 - width) / 2;
  const ribbon = between(random, 0.07, 0.18);
  const cover = pick(random, [mix(main, dark, 0.2), mix(main, WHITE, 0.4), mix(main, second, 0.35)]);
  return [
    box(left, lid, width, bottom - lid, main, pick(random, [0, 0.04])),
    ...wrapping(random, left, lid, width, bottom, second),
    box(left, bottom - 0.1, width, 0.1, mix(main, dark, 0.35)),
    ...(random() < 0.75
      ? [box(left - 0.04, lid - 0.02, width + 0.08, between(random, 0.12, 0.24), cover, 0.02)]
      : []),
    box(0.5 - ribbon / 2, lid - 0.02, ribbon, bottom - lid + 0.02, second),
    ...(random() < 0.45 ? [box(left, (lid + bottom) / 2, width, ribbon * 0.8, second)] : []),
    ...bow(random, lid, second, dark),
  ];
}

function wrapping(
  random: Random,
  left: number,
  top: number,
  width: number,
  bottom: number,
  colour: Rgb,
): Sprite {
  if (random() < 0.7) return [];
  return [0.2, 0.8].flatMap((x) =>
    [0.45, 0.75].map((y) => disc(left + x * width, top + y * (bottom - top), 0.045, colour)),
  );
}

function bow(random: Random, y: number, colour: Rgb, dark: Rgb): Sprite {
  const wide = between(random, 0.18, 0.36);
  const high = wide * between(random, 0.4, 0.75);
  const [long, thick] = [between(random, 0.14, 0.28), between(random, 0.1, 0.17)];
  const hollow = between(random, 0.4, 0.75);
  const shade = mix(colour, dark, 0.4);
  const forms = {
    loops: (side: number) => [oval(0.5 + side * wide * 0.65, y - high * 0.8, wide * 0.65, high, colour)],
    wings: (side: number) => [
      polygon([0.5, y - 0.06, 0.5 + side * wide, y - 2 * high, 0.5 + side * wide, y + 0.01], colour),
    ],
    rings: (side: number) => [
      disc(0.5 + side * wide * 0.65, y - high * 0.9, high, colour),
      disc(0.5 + side * wide * 0.65, y - high * 0.9, high * hollow, mix(colour, dark, 0.6)),
    ],
    drooping: (side: number) => [
      polygon([0.5, y - 0.02, 0.5 + side * wide * 0.5, y + long, 0.5 + side * wide * 1.1, y + long], shade),
      oval(0.5 + side * wide * 0.75, y - 0.04, wide * 0.75, thick, colour),
      oval(0.5 + side * wide * 0.85, y - 0.03, wide * 0.35, thick * 0.4, shade),
    ],
  };
  const form = forms[pick(random, ['loops', 'wings', 'rings', 'drooping'] as const)];
  return [...[-1, 1].flatMap(form), disc(0.5, y - 0.05, 0.07, mix(colour, dark, 0.25))];
}

/** A box with a lid, a band and a lock; the lid flat, round or raised. */
function chest(random: Random, { main, second, dark }: GoalColours): Sprite {
  const [width, lid] = [between(random, 0.56, 0.84), between(random, 0.32, 0.5)];
  const bottom = between(random, 0.76, 0.9);
  const left = 0.5 - width / 2;
  const shade = mix(main, dark, between(random, 0, 0.5));
  const lids = {
    flat: () => [box(left - 0.02, lid - 0.18, width + 0.04, 0.2, shade, pick(random, [0, 0.08]))],
    round: () => [dome(0.5, lid, width / 2 + 0.02, 0.26, shade)],
    raised: () => [
      polygon(
        [left, lid, left + 0.07, lid - 0.24, left + width - 0.07, lid - 0.24, left + width, lid],
        shade,
      ),
      box(left + 0.1, lid - 0.19, width - 0.2, 0.14, pick(random, [second, dark])),
    ],
  };
  return [
    box(left, lid, width, bottom - lid, main, pick(random, [0, 0.03])),
    ...lids[pick(random, ['flat', 'round', 'raised'] as const)](),
    ...(random() < 0.7 ? [box(left - 0.02, lid - 0.03, width + 0.04, 0.06, second)] : []),
    ...(random() < 0.3
      ? [0.2, 0.8].map((x) => box(left + x * width - 0.04, lid, 0.08, bottom - lid, second))
      : []),
    box(0.42, lid - 0.04, 0.16, between(random, 0.12, 0.22), second, pick(random, [0, 0.03])),
    ...(random() < 0.6 ? [disc(0.5, lid + 0.05, 0.03, dark)] : []),
  ];
}

/** A bowl with handles, or a slender glass on a stem. */
function cup(random: Random, { main, second, dark }: GoalColours): Sprite {
  const [half, low] = [between(random, 0.26, 0.36), between(random, 0.44, 0.6)];
  const stem = between(random, 0.04, 0.07);
  const foot = between(random, 0.14, 0.26);
  const narrow = pick(random, [0.15, 0.5, 0.8]);
  const bowl = random() < 0.3 ? [dome(0.5, low, half, low - 0.1, main)].map(upsideDown(low)) : [];
  return [
    ...(random() < 0.5
      ? [-1, 1].flatMap((side) => [
          disc(0.5 + side * half, 0.28, 0.14, main),
          disc(0.5 + side * half, 0.28, 0.07, dark),
        ])
      : []),
    box(0.5 - stem, low - 0.03, 2 * stem, 0.82 - low, pick(random, [main, second])),
    ...(bowl.length > 0
      ? bowl
      : [
          polygon(
            [0.5 - half, 0.1, 0.5 + half, 0.1, 0.5 + half * narrow, low, 0.5 - half * narrow, low],
            main,
          ),
        ]),
    box(0.5 - foot, 0.76, 2 * foot, between(random, 0.08, 0.16), second, pick(random, [0, 0.03])),
    ...(random() < 0.5 ? [line(0.5 - half * 0.6, 0.16, 0.5 - half * 0.4, low - 0.1, 0.06, second)] : []),
  ];
}

/** Mirrors a shape that ends at `low` within the height from 0.1 to there. */
function upsideDown(low: number): (shape: Shape) => Shape {
  return (shape) => ({ ...shape, points: shape.points.map((v, i) => (i % 2 === 0 ? v : low + 0.1 - v)) });
}

function house(random: Random, { main, second, dark }: GoalColours): Sprite {
  const [half, eaves] = [between(random, 0.24, 0.34), between(random, 0.4, 0.54)];
  const doorX = between(random, 0.34, 0.66);
  return [
    box(0.5 - half, eaves - 0.04, 2 * half, 0.94 - eaves, main),
    polygon([0.5 - half - 0.1, eaves, 0.5, between(random, 0.06, 0.18), 0.5 + half + 0.1, eaves], second),
    box(doorX - 0.08, 0.64, 0.16, 0.26, dark),
    ...(random() < 0.5 ? [box(1 - doorX - 0.06, 0.58, 0.13, 0.13, mix(main, WHITE, 0.6))] : []),
    ...(random() < 0.25 ? [box(0.5 + half * 0.5, 0.1, 0.1, 0.2, dark)] : []),
  ];
}

/** Cut with a table on top, a rhombus, or an upright crystal of six corners. */
function gem(random: Random, { main, second }: GoalColours): Sprite {
  const pale = mix(main, WHITE, between(random, 0.1, 0.3));
  const middle = between(random, 0.36, 0.56);
  const [half, top, low] = [
    between(random, 0.34, 0.45),
    between(random, 0.06, 0.16),
    between(random, 0.84, 0.95),
  ];
  const cuts = {
    table: () => [
      polygon([0.26, top + 0.06, 0.74, top + 0.06, 0.5 + half, middle, 0.5, low, 0.5 - half, middle], main),
      polygon([0.26, top + 0.06, 0.36, middle, 0.5 - half, middle], second),
      polygon([0.36, middle, 0.64, middle, 0.5, low], mix(main, second, 0.6)),
      polygon([0.5, top + 0.06, 0.64, middle, 0.36, middle], pale),
    ],
    rhombus: () => [
      polygon([0.5, top, 0.5 + half, middle, 0.5, low, 0.5 - half, middle], main),
      ...(random() < 0.5 ? [polygon([0.5, top, 0.5 + half, middle, 0.5, middle], pale)] : []),
      ...(random() < 0.6
        ? [line(0.5 - half, middle, 0.5 + half, middle, between(random, 0.04, 0.08), second)]
        : []),
      ...(random() < 0.3 ? [line(0.5, top, 0.5, low, 0.05, second)] : []),
    ],
    crystal: () => [
      polygon(
        [
          0.5,
          top,
          0.5 + half * 0.7,
          0.3,
          0.5 + half * 0.7,
          0.7,
          0.5,
          low,
          0.5 - half * 0.7,
          0.7,
          0.5 - half * 0.7,
          0.3,
        ],
        main,
      ),
      polygon([0.5, top, 0.5, low, 0.5 - half * 0.7, 0.7, 0.5 - half * 0.7, 0.3], pale),
      line(0.5, 0.3, 0.5, 0.7, 0.05, second),
    ],
  };
  return cuts[pick(random, ['table', 'rhombus', 'rhombus', 'crystal'] as const)]();
}
