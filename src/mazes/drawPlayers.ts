/** Players: figures that are small in their cell and stand on its lower half. */

import { between, pick, wholeBetween, type Random } from '../base/random.ts';
import { mix, type Rgb } from './colour.ts';
import { arc, box, disc, dome, line, mirrored, oval, polygon, type Sprite } from './sprite.ts';

/** How often each is drawn; the public maps have an elf with a cap. */
export const PLAYER_WEIGHTS = {
  elf: 10,
  gnome: 2,
  knight: 1.5,
  robot: 3,
  bird: 3,
  duck: 1.5,
  face: 2.5,
  pawn: 3,
  creature: 4,
  cat: 1.5,
  ghost: 1,
  snowman: 1,
  penguin: 1,
  slime: 1,
} as const;
export type PlayerKind = keyof typeof PLAYER_WEIGHTS;

export interface PlayerColours {
  /** Cap, armour, feathers: what one sees first. */
  main: Rgb;
  second: Rgb;
  skin: Rgb;
  dark: Rgb;
}

export function playerSprite(random: Random, kind: PlayerKind, colours: PlayerColours): Sprite {
  return PLAYERS[kind](random, colours);
}

/** A stool: it stands where the player set out, in pictures of a later moment. */
export function stoolSprite(random: Random, colour: Rgb): Sprite {
  const [top, width] = [between(random, 0.5, 0.6), between(random, 0.4, 0.6)];
  const left = 0.5 - width / 2;
  const dark = mix(colour, [0, 0, 0], 0.3);
  const slant = pick(random, [0, 0.05]);
  return [
    line(left + 0.07, top, left + 0.07 - slant, 0.82, 0.08, dark),
    line(left + width - 0.07, top, left + width - 0.07 + slant, 0.82, 0.08, dark),
    box(left, top - 0.04, width, 0.12, colour, pick(random, [0, 0.04])),
  ];
}

const WHITE: Rgb = [255, 255, 255];

const PLAYERS: Record<PlayerKind, (random: Random, colours: PlayerColours) => Sprite> = {
  elf,
  gnome: (_, { main, second, skin, dark }) => [
    box(0.24, 0.54, 0.52, 0.35, second, 0.12),
    box(0.3, 0.86, 0.16, 0.08, dark),
    box(0.54, 0.86, 0.16, 0.08, dark),
    disc(0.5, 0.45, 0.17, skin),
    polygon([0.32, 0.48, 0.68, 0.48, 0.6, 0.7, 0.5, 0.78, 0.4, 0.7], WHITE),
    disc(0.5, 0.47, 0.045, mix(skin, [220, 60, 60], 0.5)),
    polygon([0.24, 0.41, 0.5, 0.03, 0.76, 0.41], main),
  ],
  knight: (_, { main, second, dark }) => [
    box(0.32, 0.5, 0.36, 0.36, main, 0.05),
    box(0.34, 0.84, 0.13, 0.1, dark),
    box(0.53, 0.84, 0.13, 0.1, dark),
    box(0.33, 0.16, 0.34, 0.34, mix(main, WHITE, 0.35), 0.1),
    box(0.37, 0.28, 0.26, 0.07, dark),
    polygon([0.46, 0.17, 0.5, 0.02, 0.62, 0.08, 0.54, 0.17], second),
    box(0.16, 0.5, 0.2, 0.26, second, 0.08),
    line(0.76, 0.24, 0.76, 0.74, 0.06, mix(dark, WHITE, 0.5)),
  ],
  robot,
  bird,
  creature,
  duck: (_, { main, second, dark }) => [
    oval(0.44, 0.62, 0.32, 0.22, main),
    polygon([0.06, 0.44, 0.3, 0.52, 0.22, 0.7], main),
    disc(0.68, 0.34, 0.17, main),
    polygon([0.82, 0.3, 0.98, 0.37, 0.82, 0.43], second),
    disc(0.72, 0.3, 0.035, dark),
    oval(0.4, 0.62, 0.17, 0.1, mix(main, dark, 0.3)),
    ...[0.38, 0.54].map((x) => line(x, 0.8, x, 0.94, 0.06, second)),
  ],
  face,
  pawn,
  cat: (_, { main, second, dark }) => [
    oval(0.5, 0.7, 0.24, 0.22, main),
    line(0.7, 0.82, 0.88, 0.6, 0.08, main),
    polygon([0.26, 0.36, 0.28, 0.06, 0.48, 0.24], main),
    polygon([0.74, 0.36, 0.72, 0.06, 0.52, 0.24], main),
    oval(0.5, 0.38, 0.26, 0.21, main),
    ...[0.4, 0.6].map((x) => oval(x, 0.36, 0.045, 0.06, second)),
    ...[0.4, 0.6].map((x) => disc(x, 0.36, 0.02, dark)),
    polygon([0.46, 0.45, 0.54, 0.45, 0.5, 0.5], dark),
  ],
  ghost: (_, { main, dark }) => [
    dome(0.5, 0.46, 0.3, 0.36, main),
    polygon([0.2, 0.45, 0.8, 0.45, 0.8, 0.92, 0.65, 0.8, 0.5, 0.92, 0.35, 0.8, 0.2, 0.92], main),
    ...[0.4, 0.6].map((x) => oval(x, 0.4, 0.06, 0.09, dark)),
    oval(0.5, 0.6, 0.06, 0.05, dark),
  ],
  snowman: (_, { main, second, dark }) => [
    disc(0.5, 0.72, 0.25, dark),
    disc(0.5, 0.42, 0.19, dark),
    disc(0.5, 0.72, 0.21, WHITE),
    disc(0.5, 0.42, 0.15, WHITE),
    box(0.33, 0.5, 0.34, 0.09, main, 0.03),
    box(0.56, 0.54, 0.09, 0.2, main),
    box(0.3, 0.24, 0.4, 0.07, dark),
    box(0.37, 0.06, 0.26, 0.2, dark),
    box(0.37, 0.17, 0.26, 0.06, main),
    disc(0.44, 0.38, 0.03, dark),
    disc(0.57, 0.38, 0.03, dark),
    polygon([0.5, 0.42, 0.7, 0.46, 0.5, 0.48], second),
  ],
  penguin: (_, { main, second, dark }) => [
    oval(0.5, 0.54, 0.28, 0.36, mix(main, dark, 0.2)),
    disc(0.5, 0.3, 0.2, mix(main, dark, 0.2)),
    oval(0.5, 0.62, 0.18, 0.25, WHITE),
    ...[0.42, 0.58].map((x) => disc(x, 0.27, 0.055, WHITE)),
    ...[0.42, 0.58].map((x) => disc(x, 0.27, 0.025, dark)),
    polygon([0.43, 0.34, 0.57, 0.34, 0.5, 0.46], second),
    ...[0.38, 0.62].map((x) => oval(x, 0.91, 0.1, 0.045, second)),
  ],
  slime: (_, { main, dark }) => [
    dome(0.5, 0.84, 0.38, 0.62, main),
    oval(0.5, 0.84, 0.38, 0.08, mix(main, dark, 0.3)),
    ...[0.4, 0.62].map((x) => disc(x, 0.58, 0.08, WHITE)),
    ...[0.42, 0.64].map((x) => disc(x, 0.59, 0.035, dark)),
    oval(0.34, 0.44, 0.06, 0.09, mix(main, WHITE, 0.6)),
  ],
};

/** Cap, face, coat and legs; every proportion and the cap's form vary. */
function elf(random: Random, { main, second, skin, dark }: PlayerColours): Sprite {
  const brim = between(random, 0.32, 0.42);
  const [headWide, headHigh] = [between(random, 0.15, 0.2), between(random, 0.12, 0.16)];
  const headY = brim + headHigh * 0.6;
  const [bodyTop, bodyWide] = [headY + headHigh * 0.7, between(random, 0.3, 0.42)];
  const bodyLow = between(random, 0.78, 0.84);
  const coat = pick(random, [main, second, mix(main, dark, 0.25)]);
  const trim = pick(random, [second, WHITE, mix(main, dark, 0.4)]);
  return [
    ...[-1, 1].map((side) => box(0.5 + side * 0.1 - 0.06, bodyLow - 0.02, 0.12, 0.94 - bodyLow, dark)),
    polygon(
      [
        0.5 - bodyWide * 0.36,
        bodyTop,
        0.5 + bodyWide * 0.36,
        bodyTop,
        0.5 + bodyWide / 2,
        bodyLow,
        0.5 - bodyWide / 2,
        bodyLow,
      ],
      coat,
    ),
    ...[-1, 1].map((side) =>
      disc(0.5 + side * (bodyWide / 2 + 0.02), (bodyTop + bodyLow) / 2 + 0.02, 0.055, skin),
    ),
    box(0.5 - bodyWide * 0.44, (bodyTop + bodyLow) / 2 + 0.02, bodyWide * 0.88, 0.05, dark),
    ...hair(random, headY, headWide, headHigh, dark),
    oval(0.5, headY, headWide, headHigh, skin),
    ...(random() < 0.5 ? [-1, 1].map((side) => ear(side, headY, headWide, skin)) : []),
    ...[-1, 1].map((side) => disc(0.5 + side * headWide * 0.45, headY + 0.02, 0.027, dark)),
    ...cap(random, brim, headWide + between(random, 0.03, 0.09), main, trim),
  ];
}

function hair(random: Random, y: number, wide: number, high: number, dark: Rgb): Sprite {
  if (random() < 0.6) return [];
  const colour = pick(random, [dark, [150, 90, 40], [225, 190, 90], [190, 70, 40]] as Rgb[]);
  return [oval(0.5, y + 0.02, wide + 0.035, high + 0.03, colour)];
}

function ear(side: number, y: number, wide: number, skin: Rgb): Sprite[number] {
  const x = 0.5 + side * wide * 0.85;
  return polygon([x, y - 0.04, x + side * 0.11, y - 0.07, x, y + 0.05], skin);
}

function cap(random: Random, brim: number, half: number, main: Rgb, trim: Rgb): Sprite {
  const top = between(random, 0.03, 0.1);
  const band = box(0.5 - half, brim - 0.05, 2 * half, 0.08, trim, 0.03);
  const caps = {
    cone: () => [polygon([0.5 - half, brim, 0.5, top, 0.5 + half, brim], main), band],
    bent: () => {
      const tip = 0.6 + half;
      const bent = [
        polygon([0.5 - half, brim, 0.5 - half * 0.3, top, tip, brim - 0.12, 0.5 + half, brim], main),
        disc(tip, brim - 0.1, 0.05, trim),
      ];
      return [...(random() < 0.5 ? bent : mirrored(bent)), band];
    },
    round: () => [dome(0.5, brim, half, brim - top - 0.06, main), disc(0.5, top + 0.04, 0.05, trim), band],
    wide: () => [
      polygon([0.5 - half * 0.7, brim, 0.5, top, 0.5 + half * 0.7, brim], main),
      oval(0.5, brim, half + 0.06, 0.05, main),
    ],
  };
  return caps[pick(random, ['cone', 'bent', 'round', 'wide'] as const)]();
}

/** Head, trunk and feet of boxes: tall or squat, with or without neck, arms, antenna and panel. */
function robot(random: Random, { main, second, dark }: PlayerColours): Sprite {
  const neck = between(random, 0.4, 0.6);
  const [headWide, bodyWide] = [between(random, 0.36, 0.7), between(random, 0.4, 0.72)];
  const top = between(random, 0.08, 0.2);
  const eyeY = top + (neck - top) * between(random, 0.35, 0.6);
  const eye = between(random, 0.04, 0.075);
  const [light, body] = [pick(random, [WHITE, second]), pick(random, [main, mix(main, dark, 0.25)])];
  const round = pick(random, [0, 0.03, 0.1]);
  const eyes = [-1, 1].map((side) => 0.5 + side * headWide * between(random, 0.2, 0.26));
  const square = random() < 0.4;
  return [
    ...(random() < 0.5 ? [line(0.5, 0.02, 0.5, top, 0.05, dark), disc(0.5, 0.05, 0.05, second)] : []),
    ...[-1, 1].map((side) => box(0.5 + side * bodyWide * 0.27 - 0.075, 0.8, 0.15, 0.13, dark)),
    ...(random() < 0.5
      ? [-1, 1].map((side) => box(0.5 + side * (bodyWide / 2 + 0.02) - 0.06, neck + 0.06, 0.12, 0.24, second))
      : []),
    box(0.5 - bodyWide / 2, neck + pick(random, [0, 0.04]), bodyWide, 0.84 - neck, body, round / 2),
    ...(random() < 0.6 ? [box(0.5 - bodyWide * 0.25, neck + 0.12, bodyWide * 0.5, 0.12, second)] : []),
    box(0.5 - headWide / 2, top, headWide, neck - top, main, round),
    ...eyes.map((x) =>
      square ? box(x - eye, eyeY - eye, 2 * eye, 2 * eye, light) : disc(x, eyeY, eye, light),
    ),
    ...eyes.map((x) => disc(x, eyeY, eye * 0.5, dark)),
    ...(random() < 0.4 ? [box(0.5 - headWide * 0.25, neck - 0.09, headWide * 0.5, 0.04, dark)] : []),
  ];
}

/** Seen from the side, upright or stooping: a trunk, a neck, a small head, two thin legs. */
function bird(random: Random, { main, second, dark }: PlayerColours): Sprite {
  const [bodyX, bodyY] = [between(random, 0.4, 0.5), between(random, 0.5, 0.62)];
  const [wide, high] = [between(random, 0.2, 0.32), between(random, 0.14, 0.22)];
  const [headX, headY] = [between(random, 0.64, 0.78), between(random, 0.18, 0.4)];
  const head = between(random, 0.1, 0.16);
  const bill = between(random, 0.1, 0.2);
  const limb = pick(random, [main, second, dark]);
  return [
    ...[-0.09, 0.07].flatMap((x) => [
      line(bodyX + x, bodyY + high * 0.7, bodyX + x, 0.93, 0.05, limb),
      line(bodyX + x, 0.92, bodyX + x + 0.09, 0.92, 0.045, limb),
    ]),
    polygon(
      [
        bodyX - wide * 0.6,
        bodyY - high * 0.5,
        0.06,
        bodyY + between(random, -0.2, 0.1),
        bodyX - wide * 0.6,
        bodyY + high * 0.5,
      ],
      main,
    ),
    line(bodyX + wide * 0.5, bodyY, headX, headY, between(random, 0.1, 0.2), main),
    oval(bodyX, bodyY, wide, high, main),
    disc(headX, headY, head, main),
    polygon(
      [headX + head * 0.7, headY - 0.05, headX + head + bill, headY + 0.03, headX + head * 0.6, headY + 0.08],
      second,
    ),
    disc(headX + head * 0.25, headY - head * 0.2, 0.032, dark),
    ...(random() < 0.6 ? [oval(bodyX - 0.03, bodyY, wide * 0.6, high * 0.55, mix(main, dark, 0.3))] : []),
  ];
}

/** Round, with eyes and any mouth. */
function face(random: Random, { main, second, dark }: PlayerColours): Sprite {
  const rim = between(random, 0, 0.06);
  const eyeY = between(random, 0.36, 0.45);
  const apart = between(random, 0.11, 0.18);
  const [wide, high] = [between(random, 0.04, 0.07), between(random, 0.05, 0.1)];
  const mouth = between(random, 0.54, 0.6);
  const mouths = {
    smile: () => [
      polygon(
        [
          ...arc(0.5, mouth, 0.22, 0.2, 0.2, Math.PI - 0.2, 9),
          ...arc(0.5, mouth - 0.04, 0.2, 0.15, 0.4, 2.7, 9),
        ],
        dark,
      ),
      box(0.3, mouth + 0.02, 0.4, 0.06, dark),
    ],
    // Along an arc and back along a flatter one.
    thin: () => [
      polygon(
        [
          ...arc(0.5, mouth, 0.23, 0.2, 0.25, Math.PI - 0.25, 9),
          ...arc(0.5, mouth, 0.2, 0.13, Math.PI - 0.3, 0.3, 9),
        ],
        dark,
      ),
    ],
    open: () => [oval(0.5, mouth + 0.1, 0.13, 0.09, dark), oval(0.5, mouth + 0.13, 0.07, 0.04, second)],
    straight: () => [box(0.34, mouth + 0.07, 0.32, 0.06, dark)],
  };
  return [
    ...(rim > 0.015 ? [disc(0.5, 0.5, 0.42, dark)] : []),
    disc(0.5, 0.5, 0.42 - rim, main),
    ...[-1, 1].map((side) => oval(0.5 + side * apart, eyeY, wide, high, dark)),
    ...mouths[pick(random, ['smile', 'thin', 'open', 'straight'] as const)](),
  ];
}

/** A head on a trunk that widens to its foot, as in board games. */
function pawn(random: Random, { main, dark }: PlayerColours): Sprite {
  const [headY, head] = [between(random, 0.2, 0.3), between(random, 0.13, 0.2)];
  const [waist, foot] = [between(random, 0.03, 0.1), between(random, 0.16, 0.34)];
  const low = between(random, 0.78, 0.9);
  const shade = mix(main, dark, between(random, 0, 0.4));
  const half = foot + between(random, 0, 0.08);
  return [
    disc(0.5, headY, head, main),
    polygon(
      [0.5 - waist, headY + head * 0.6, 0.5 + waist, headY + head * 0.6, 0.5 + foot, low, 0.5 - foot, low],
      main,
    ),
    ...(random() < 0.6 ? [box(0.34, headY + head * 0.8, 0.32, 0.07, shade, 0.03)] : []),
    ...(random() < 0.5 ? [dome(0.5, low, half, between(random, 0.1, 0.2), main)] : []),
    box(0.5 - half, low - 0.02, 2 * half, between(random, 0.06, 0.14), shade, pick(random, [0, 0.04])),
  ];
}

type Part = (x: number, y: number, wide: number, high: number, colour: Rgb) => Sprite[number];

/** Shapes for heads and trunks, in a box about (x, y). */
const PARTS: readonly Part[] = [
  (x, y, wide, high, colour) => oval(x, y, wide / 2, high / 2, colour),
  (x, y, wide, high, colour) => box(x - wide / 2, y - high / 2, wide, high, colour),
  (x, y, wide, high, colour) => box(x - wide / 2, y - high / 2, wide, high, colour, 0.09),
  (x, y, wide, high, colour) =>
    polygon(
      [
        x - wide * 0.3,
        y - high / 2,
        x + wide * 0.3,
        y - high / 2,
        x + wide / 2,
        y + high / 2,
        x - wide / 2,
        y + high / 2,
      ],
      colour,
    ),
  (x, y, wide, high, colour) => dome(x, y + high / 2, wide / 2, high, colour),
  (x, y, wide, high, colour) =>
    polygon([x, y - high / 2, x + wide / 2, y + high / 2, x - wide / 2, y + high / 2], colour),
];

/** What nobody has named: a head with eyes on a trunk with feet, each of any shape, with something on top or not. */
function creature(random: Random, { main, second, skin, dark }: PlayerColours): Sprite {
  const colours = [main, second, skin, mix(main, dark, 0.4)];
  const neck = between(random, 0.36, 0.6);
  const crown = between(random, 0.06, 0.2);
  const [headWide, bodyWide] = [between(random, 0.3, 0.64), between(random, 0.28, 0.7)];
  const headY = (crown + neck) / 2;
  const eyes = wholeBetween(random, 1, 2);
  const eye = between(random, 0.035, 0.07);
  const legs = wholeBetween(random, 0, 3);
  const white = random() < 0.6;
  const eyeAt = (i: number): number => 0.5 + (i - (eyes - 1) / 2) * headWide * 0.44;
  const tops = {
    none: () => [],
    ears: () =>
      [-1, 1].map((side) =>
        polygon(
          [
            0.5 + side * headWide * 0.45,
            headY,
            0.5 + side * headWide * 0.5,
            crown - 0.06,
            0.5 + side * headWide * 0.12,
            crown + 0.04,
          ],
          main,
        ),
      ),
    horns: () =>
      [-1, 1].map((side) =>
        line(
          0.5 + side * headWide * 0.25,
          crown + 0.06,
          0.5 + side * headWide * 0.45,
          crown - 0.08,
          0.05,
          second,
        ),
      ),
    hat: () => [
      box(0.5 - headWide * 0.6, crown, headWide * 1.2, 0.07, second),
      box(0.5 - headWide * 0.35, crown - 0.1, headWide * 0.7, 0.12, second),
    ],
    cone: () => [
      polygon(
        [0.5 - headWide * 0.5, crown + 0.08, 0.5, crown - 0.1, 0.5 + headWide * 0.5, crown + 0.08],
        second,
      ),
    ],
  };
  return [
    ...Array.from({ length: legs }, (_, i) => {
      const x = 0.5 + (i - (legs - 1) / 2) * bodyWide * 0.5;
      return box(x - 0.06, 0.78, 0.12, 0.16, dark);
    }),
    ...(random() < 0.4
      ? [-1, 1].map((side) =>
          line(
            0.5,
            neck + 0.06,
            0.5 + side * (bodyWide / 2 + 0.1),
            neck + between(random, 0, 0.3),
            0.08,
            main,
          ),
        )
      : []),
    pick(random, PARTS)(0.5, (neck + 0.84) / 2, bodyWide, 0.88 - neck, pick(random, colours)),
    pick(random, PARTS)(0.5, headY, headWide, neck - crown + 0.04, pick(random, [main, skin])),
    ...Array.from({ length: eyes }, (_, i) => disc(eyeAt(i), headY, eye, white ? WHITE : dark)),
    ...(white ? Array.from({ length: eyes }, (_, i) => disc(eyeAt(i), headY, eye * 0.5, dark)) : []),
    ...tops[pick(random, ['none', 'ears', 'horns', 'hat', 'cone'] as const)](),
  ];
}
