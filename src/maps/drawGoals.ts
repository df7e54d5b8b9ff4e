/** Goals: things one would walk to. */

import { between, pick, wholeBetween, type Random } from './chance.ts';
import { mix, type Rgb } from './colour.ts';
import { box, disc, dome, line, oval, polygon, star, type Sprite } from './sprite.ts';

/** How often each is drawn; the public maps have a gift. */
export const GOAL_WEIGHTS = {
  gift: 6,
  chest: 2,
  flag: 2,
  star: 2.5,
  cup: 2,
  house: 2,
  gem: 2.5,
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

export function goalSprite(random: Random, kind: GoalKind, colours: GoalColours): Sprite {
  return GOALS[kind](random, colours);
}

const GOALS: Record<GoalKind, (random: Random, colours: GoalColours) => Sprite> = {
  gift,
  chest: (random, { main, second, dark }) => {
    const lid = between(random, 0.34, 0.46);
    return [
      box(0.12, lid, 0.76, 0.84 - lid, main, 0.03),
      pick(random, [true, false])
        ? box(0.1, lid - 0.2, 0.8, 0.2, mix(main, dark, 0.3), 0.08)
        : dome(0.5, lid, 0.4, 0.26, mix(main, dark, 0.3)),
      box(0.1, lid - 0.03, 0.8, 0.06, second),
      box(0.42, lid - 0.06, 0.16, 0.2, second, 0.03),
      disc(0.5, lid + 0.05, 0.03, dark),
    ];
  },
  flag: (random, { main, second, dark }) => {
    const low = between(random, 0.45, 0.58);
    const tip = pick(random, [
      [0.9, (0.1 + low) / 2],
      [0.9, 0.1, 0.78, (0.1 + low) / 2, 0.9, low],
      [0.88, 0.1, 0.88, low],
    ]);
    return [
      oval(0.3, 0.9, 0.18, 0.06, dark),
      box(0.26, 0.08, 0.08, 0.82, second),
      polygon([0.34, 0.1, ...tip, 0.34, low], main),
    ];
  },
  star: (random, { main, second }) => {
    const points = pick(random, [5, 5, 5, 6, 4]);
    const inner = between(random, 0.38, 0.5);
    return [
      star(0.5, 0.52, points, 0.46, 0.46 * inner, main),
      star(0.5, 0.52, points, 0.24, 0.24 * inner, second),
    ];
  },
  cup: (_, { main, second, dark }) => [
    ...[0.2, 0.8].flatMap((x) => [disc(x, 0.28, 0.14, main), disc(x, 0.28, 0.07, dark)]),
    polygon([0.2, 0.1, 0.8, 0.1, 0.74, 0.42, 0.58, 0.56, 0.42, 0.56, 0.26, 0.42], main),
    box(0.45, 0.54, 0.1, 0.22, main),
    box(0.28, 0.76, 0.44, 0.14, second, 0.03),
    line(0.32, 0.16, 0.36, 0.4, 0.06, second),
  ],
  house: (random, { main, second, dark }) => [
    box(0.2, 0.46, 0.6, 0.44, main),
    polygon([0.08, 0.5, 0.5, between(random, 0.06, 0.16), 0.92, 0.5], second),
    box(0.3, 0.62, 0.17, 0.28, dark),
    box(0.56, 0.58, 0.15, 0.15, mix(main, [255, 255, 255], 0.6)),
  ],
  gem: (random, { main, second }) => {
    const [table, girdle] = [between(random, 0.12, 0.2), between(random, 0.36, 0.5)];
    return [
      polygon([0.26, table, 0.74, table, 0.94, girdle, 0.5, 0.92, 0.06, girdle], main),
      polygon([0.26, table, 0.36, girdle, 0.06, girdle], second),
      polygon([0.36, girdle, 0.64, girdle, 0.5, 0.92], mix(main, second, 0.6)),
      polygon([0.5, table, 0.64, girdle, 0.36, girdle], mix(main, [255, 255, 255], 0.4)),
    ];
  },
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

/** A box with a ribbon; lid, bow, wrapping and shading vary. */
function gift(random: Random, { main, second, dark }: GoalColours): Sprite {
  const [width, lid] = [between(random, 0.66, 0.86), between(random, 0.32, 0.42)];
  const bottom = between(random, 0.88, 0.95);
  const left = (1 - width) / 2;
  const ribbon = between(random, 0.1, 0.18);
  return [
    box(left, lid, width, bottom - lid, main, pick(random, [0, 0.04])),
    ...wrapping(random, left, lid, width, bottom, second),
    box(left, bottom - 0.1, width, 0.1, mix(main, dark, 0.35)),
    ...(random() < 0.75
      ? [box(left - 0.04, lid - 0.02, width + 0.08, 0.16, mix(main, dark, 0.2), 0.02)]
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
  const wide = between(random, 0.18, 0.26);
  const forms = {
    loops: (side: number) => [oval(0.5 + side * wide * 0.65, y - 0.1, wide * 0.65, 0.1, colour)],
    wings: (side: number) => [
      polygon([0.5, y - 0.06, 0.5 + side * wide, y - 0.24, 0.5 + side * wide, y + 0.01], colour),
    ],
    rings: (side: number) => [
      disc(0.5 + side * wide * 0.65, y - 0.11, 0.12, colour),
      disc(0.5 + side * wide * 0.65, y - 0.11, 0.05, mix(colour, dark, 0.6)),
    ],
  };
  const form = forms[pick(random, ['loops', 'wings', 'rings'] as const)];
  return [...[-1, 1].flatMap(form), disc(0.5, y - 0.05, 0.07, mix(colour, dark, 0.25))];
}
