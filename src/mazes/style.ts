/**
 * Styles: how a map is drawn, as plain data.
 *
 * A style is a function of its seed. Colours are drawn until they stand out from what they lie beside;
 * everything else varies freely, so that a model cannot tie itself to one drawing.
 */

import { between, pick, pickWeighted, randomFor, wholeBetween, type Random } from '../base/random.ts';
import {
  colourDistance,
  drawColour,
  hsl,
  mix,
  nearest,
  opposite,
  type ColourRange,
  type Rgb,
} from './colour.ts';
import { GOAL_WEIGHTS, type GoalColours, type GoalKind } from './drawGoals.ts';
import { GROUND_WEIGHTS, type GroundColours, type GroundKind } from './drawGround.ts';
import { HOLE_KINDS, type HoleColours, type HoleKind } from './drawHoles.ts';
import { PLAYER_WEIGHTS, type PlayerColours, type PlayerKind } from './drawPlayers.ts';

/** Pixels a side of a cell. */
export const MIN_CELL = 28;
export const MAX_CELL = 72;

export interface Style {
  /** Also decides what the fields below leave open: proportions, streaks, the form of a cap. */
  seed: number;
  /** Pixels a side of a cell in the finished picture. */
  cell: number;
  /** Pixels a side of a cell as drawn before it is enlarged; absent for smooth drawings. */
  pixelArt?: number;
  ground: { kind: GroundKind; colours: GroundColours; varied: boolean };
  /** Sizes are shares of a cell. */
  hole: { kind: HoleKind; colours: HoleColours; size: number; varied: boolean };
  goal: { kind: GoalKind; colours: GoalColours; size: number };
  player: { kind: PlayerKind; colours: PlayerColours; size: number; mirrored: boolean };
  stool: Rgb;
  /** Around things, so that they stand out; absent in some styles. */
  outline?: Rgb;
  /** Width as a share of a cell. */
  gridLines?: { colour: Rgb; width: number; alpha: number };
  /** Change of brightness across the picture. */
  light?: { across: number; down: number };
  /** Standard deviation in pixels of the finished picture. */
  blur?: number;
  /** Quality as in libjpeg. */
  jpeg?: number;
}

/** The style of a seed. */
export function styleOf(seed: number): Style {
  const random = randomFor('style', seed);
  const cell = wholeBetween(random, MIN_CELL, MAX_CELL);
  const pixelArt = random() < 0.45;
  const ground = groundColours(random);
  const grounds = [ground.base, ground.accent];
  const hole = holeColours(random, grounds);
  const goal = goalColours(random, [...grounds, hole.main]);
  const player = playerColours(random, grounds, hole.main);
  const outlined = random() < 0.65;
  return {
    seed,
    cell,
    ...(pixelArt && { pixelArt: wholeBetween(random, 16, Math.min(30, cell)) }),
    ground: { kind: pickWeighted(random, GROUND_WEIGHTS), colours: ground, varied: random() < 0.5 },
    hole: {
      kind: pick(random, HOLE_KINDS),
      colours: hole,
      size: between(random, 0.5, 1),
      varied: random() < 0.4,
    },
    goal: { kind: pickWeighted(random, GOAL_WEIGHTS), colours: goal, size: between(random, 0.54, 0.94) },
    player: {
      kind: pickWeighted(random, PLAYER_WEIGHTS),
      colours: player,
      size: between(random, 0.48, 0.92),
      mirrored: random() < 0.3,
    },
    stool: standingOut(random, LIVELY, [...grounds, hole.main, goal.main], 34),
    ...(outlined && { outline: outlineColour(random, ground.base) }),
    ...gridLines(random, ground.base),
    ...effects(random),
  };
}

const GOAL_KINDS = Object.keys(GOAL_WEIGHTS) as GoalKind[];
const PLAYER_KINDS = Object.keys(PLAYER_WEIGHTS) as PlayerKind[];

/** The same ground and holes with another goal and player; every kind is as likely, so that rare ones are learnt. */
export function withOtherFigures(style: Style, seed: number): Style {
  const random = randomFor('figures', seed);
  const { base, accent } = style.ground.colours;
  const hole = style.hole.colours.main;
  const { outline: _, ...rest } = style;
  return {
    ...rest,
    seed,
    goal: {
      kind: random() < 0.5 ? pickWeighted(random, GOAL_WEIGHTS) : pick(random, GOAL_KINDS),
      colours: goalColours(random, [base, accent, hole]),
      size: between(random, 0.54, 0.94),
    },
    player: {
      kind: random() < 0.5 ? pickWeighted(random, PLAYER_WEIGHTS) : pick(random, PLAYER_KINDS),
      colours: playerColours(random, [base, accent], hole),
      size: between(random, 0.48, 0.92),
      mirrored: random() < 0.3,
    },
    ...(random() < 0.65 && { outline: outlineColour(random, base) }),
  };
}

const ANY_HUE = [0, 360] as const;
export const LIVELY: ColourRange = { hue: ANY_HUE, saturation: [0.5, 1], lightness: [0.3, 0.65] };
/** Also grey, dark and pale things. */
export const MUTED: ColourRange = { hue: ANY_HUE, saturation: [0.1, 1], lightness: [0.1, 0.8] };
export const DARK: ColourRange = { hue: ANY_HUE, saturation: [0.1, 0.6], lightness: [0.03, 0.15] };

/** Ice most often, but also sand, grass, stone and night. */
const GROUNDS: Record<'ice' | 'pale' | 'middle' | 'dark', ColourRange> = {
  ice: { hue: [180, 240], saturation: [0.15, 0.9], lightness: [0.82, 0.98] },
  pale: { hue: ANY_HUE, saturation: [0.05, 0.8], lightness: [0.75, 0.95] },
  middle: { hue: ANY_HUE, saturation: [0.1, 0.6], lightness: [0.4, 0.7] },
  dark: { hue: ANY_HUE, saturation: [0.1, 0.7], lightness: [0.08, 0.25] },
};
const GROUND_SHARES = { ice: 10, pale: 5, middle: 4, dark: 5 } as const;

function groundColours(random: Random): GroundColours {
  const base = drawColour(random, GROUNDS[pickWeighted(random, GROUND_SHARES)]);
  const toward = random() < 0.5 ? opposite(base) : drawColour(random, LIVELY);
  // Far enough to be seen; mostly too near to look like a thing of its own.
  const wanted = random() < 0.3 ? between(random, 16, 50) : between(random, 5, 16);
  const share = wanted / Math.max(wanted, colourDistance(base, toward));
  const lighter = mix(base, [255, 255, 255], between(random, 0.4, 1));
  return {
    base,
    accent: random() < 0.4 ? within(base, lighter, Math.max(18, wanted)) : mix(base, toward, share),
  };
}

/** `colour`, drawn nearer to `base` until it is at most `most` away. */
function within(base: Rgb, colour: Rgb, most: number): Rgb {
  return mix(base, colour, Math.min(1, most / Math.max(1, colourDistance(base, colour))));
}

/** Water most often, then darkness, then anything. */
const HOLES: Record<'water' | 'dark' | 'any' | 'muted', ColourRange> = {
  water: { hue: [185, 245], saturation: [0.5, 1], lightness: [0.25, 0.65] },
  dark: DARK,
  any: LIVELY,
  muted: MUTED,
};
const HOLE_SHARES = { water: 5, dark: 2.5, any: 2, muted: 1 } as const;

/** Least distance of the main colour of a hole, a goal and a player from the ground's colours: clear, or just enough. */
const CONTRASTS = [34, 34, 25, 22] as const;
/** The same for a hole's rim, which in some shapes is half of the hole, and for skin. */
const RIM_CONTRAST = 26;

function holeColours(random: Random, grounds: Rgb[]): HoleColours {
  const main = standingOut(
    random,
    HOLES[pickWeighted(random, HOLE_SHARES)],
    grounds,
    pick(random, CONTRASTS),
  );
  const drawn = pick(random, [
    mix(main, [0, 0, 0], between(random, 0.3, 0.7)),
    mix(main, [0, 0, 0], between(random, 0.1, 0.4)),
    mix(main, [255, 255, 255], between(random, 0.2, 0.5)),
    main,
    standingOut(random, LIVELY, grounds, pick(random, CONTRASTS)),
  ]);
  const rim = nearest(drawn, grounds) < RIM_CONTRAST ? main : drawn;
  return { main, rim, light: mix(main, [255, 255, 255], between(random, 0.3, 0.8)) };
}

function goalColours(random: Random, around: Rgb[]): GoalColours {
  const main = standingOut(random, pick(random, THINGS), around, pick(random, CONTRASTS));
  return {
    main,
    second: standingOut(random, BRIGHT, [main], 35),
    dark: mix(main, [0, 0, 0], between(random, 0.6, 0.85)),
  };
}

/** Most goals and players catch the eye. */
const THINGS: readonly ColourRange[] = [LIVELY, LIVELY, MUTED];
const BRIGHT: ColourRange = { hue: ANY_HUE, saturation: [0.5, 1], lightness: [0.4, 0.85] };
const SKINS: readonly Rgb[] = [
  [255, 220, 185],
  [240, 190, 150],
  [205, 150, 110],
  [150, 100, 70],
  [100, 65, 45],
];

/** Green caps most often. */
function playerColours(random: Random, grounds: Rgb[], hole: Rgb): PlayerColours {
  const green: ColourRange = { hue: [90, 160], saturation: [0.4, 0.9], lightness: [0.22, 0.5] };
  const main = standingOut(
    random,
    random() < 0.35 ? green : pick(random, THINGS),
    [...grounds, hole],
    pick(random, CONTRASTS),
  );
  return {
    main,
    second: standingOut(random, LIVELY, [main, ...grounds], 25),
    skin: skinColour(random, grounds),
    dark: hsl(between(random, 0, 360), 0.25, between(random, 0.04, 0.16)),
  };
}

/** Any that stands out from the ground, else the one that does most. */
function skinColour(random: Random, grounds: Rgb[]): Rgb {
  const visible = SKINS.filter((skin) => nearest(skin, grounds) >= RIM_CONTRAST);
  if (visible.length > 0) return pick(random, visible);
  return SKINS.toSorted((a, b) => nearest(b, grounds) - nearest(a, grounds))[0]!;
}

/** Tries before the best so far is taken. */
const COLOUR_TRIES = 40;

/** A colour of this range that is at least `least` from all others; of any hue if the range has none. */
export function standingOut(random: Random, range: ColourRange, others: readonly Rgb[], least: number): Rgb {
  let best = { colour: drawColour(random, range), distance: -1 };
  for (const allowed of [range, LIVELY, WIDE]) {
    for (let i = 0; i < COLOUR_TRIES; i++) {
      const colour = drawColour(random, allowed);
      const distance = nearest(colour, others);
      if (distance > best.distance) best = { colour, distance };
      if (distance >= least) return colour;
    }
  }
  return best.colour;
}

const WIDE: ColourRange = { hue: ANY_HUE, saturation: [0, 1], lightness: [0, 1] };

/** Dark whatever the ground, or unlike it. */
function outlineColour(random: Random, ground: Rgb): Rgb {
  if (random() < 0.3) return drawColour(random, DARK);
  return mix(opposite(ground), drawColour(random, LIVELY), between(random, 0, 0.2));
}

function gridLines(random: Random, ground: Rgb): Pick<Style, 'gridLines'> {
  if (random() < 0.2) return {};
  const colour = pick(random, [
    mix(ground, [90, 120, 170], between(random, 0.3, 0.7)),
    mix(ground, opposite(ground), between(random, 0.15, 0.5)),
    mix(ground, [255, 255, 255], 0.6),
    drawColour(random, LIVELY),
  ]);
  return { gridLines: { colour, width: between(random, 0.012, 0.06), alpha: between(random, 0.4, 1) } };
}

/** Half of the pictures are as clean as they were drawn. */
function effects(random: Random): Pick<Style, 'light' | 'blur' | 'jpeg'> {
  const tilt = (): number => between(random, -0.2, 0.2);
  return {
    ...(random() < 0.2 && { light: { across: tilt(), down: tilt() } }),
    ...(random() < 0.2 && { blur: between(random, 0.5, 1) }),
    ...(random() < 0.25 && { jpeg: wholeBetween(random, 40, 90) }),
  };
}
