/** A world to pixels, in the styles of the maps: their ground, holes and players, and things of its own. */

import { between, pick, randomFor, type Random } from '../base/random.ts';
import { finished, groundPicture, stamp } from '../mazes/canvas.ts';
import { mix, type Rgb } from '../mazes/colour.ts';
import type { Picture } from '../mazes/picture.ts';
import { box, disc, line, overlay, placed, type Sprite, type Tile } from '../mazes/sprite.ts';
import { DARK, LIVELY, MUTED, standingOut, styleOf, type Style } from '../mazes/style.ts';
import { paintFlat, paintThing, paintTiles } from '../mazes/tiles.ts';
import type { Layout, State } from './world.ts';

export interface WorldArtist {
  readonly style: Style;
  draw: (layout: Layout, state: State) => Picture;
}

/** Least distance of a thing's main colour from what it lies beside. */
const CONTRAST = 30;

/**
 * Prepares a style's sprites.
 * @param cell pixels a side of a cell, if not the style's own
 */
export function createWorldArtist(seed: number, cell?: number): WorldArtist {
  const drawn = styleOf(seed);
  const style = cell === undefined ? drawn : resized(drawn, cell);
  const { ground, holes, player } = paintTiles(style);
  const things = paintThings(style);
  return {
    style,
    draw: ({ size, walls, door, switch: plate }, { player: at, crates, holes: open, open: isOpen }) => {
      const canvas = groundPicture(ground, size);
      const put = (tile: Tile, where: number): void =>
        stamp(canvas, tile, Math.floor(where / size), where % size);
      for (const wall of walls) put(things.wall, wall);
      for (const hole of open) put(holes[hole % holes.length]!, hole);
      if (plate !== undefined) put(things.plate, plate);
      if (door !== undefined) put(isOpen ? things.openDoor : things.closedDoor, door);
      for (const crate of crates) put(things.crate, crate);
      put(player, at);
      return finished(canvas, style, size);
    },
  };
}

function resized(style: Style, cell: number): Style {
  return {
    ...style,
    cell,
    ...(style.pixelArt !== undefined && { pixelArt: Math.min(style.pixelArt, cell) }),
  };
}

interface Things {
  wall: Tile;
  crate: Tile;
  plate: Tile;
  openDoor: Tile;
  closedDoor: Tile;
}

function paintThings(style: Style): Things {
  const { seed, ground, hole, player } = style;
  const random = randomFor('things', seed);
  const grounds = [ground.colours.base, ground.colours.accent];
  const wall = standingOut(random, pick(random, [MUTED, DARK]), grounds, CONTRAST);
  const around = [...grounds, wall, hole.colours.main, player.colours.main];
  const crate = standingOut(random, pick(random, [WOOD, WOOD, LIVELY]), around, CONTRAST);
  const door = standingOut(random, pick(random, [WOOD, LIVELY]), [...grounds, wall, crate], CONTRAST);
  const plate = standingOut(random, LIVELY, [...around, crate, door], CONTRAST);
  return {
    wall: paintFlat(style, wallSprite(random, wall)),
    crate: paintThing(style, placed(crateSprite(random, crate), between(random, 0.72, 0.92))),
    plate: paintFlat(style, plateSprite(random, plate)),
    openDoor: paintFlat(style, frameSprite(door)),
    closedDoor: overlay(paintFlat(style, frameSprite(door)), paintFlat(style, leafSprite(random, door))),
  };
}

const WOOD = { hue: [18, 42], saturation: [0.35, 0.8], lightness: [0.3, 0.6] } as const;
const BLACK: Rgb = [0, 0, 0];
const WHITE: Rgb = [255, 255, 255];

/** Bricks, or one block with a bright and a dark edge. */
function wallSprite(random: Random, colour: Rgb): Sprite {
  const dark = mix(colour, BLACK, between(random, 0.35, 0.6));
  const whole = box(0, 0, 1, 1, colour);
  if (random() < 0.5) {
    const light = mix(colour, WHITE, 0.35);
    return [
      whole,
      box(0, 0, 1, 0.14, light),
      box(0, 0, 0.14, 1, light),
      box(0, 0.86, 1, 0.14, dark),
      box(0.86, 0, 0.14, 1, dark),
    ];
  }
  const rows = pick(random, [3, 4]);
  const courses = Array.from({ length: rows }, (_, i) => {
    const y = i / rows;
    const at = i % 2 === 0 ? [0.5] : [0.25, 0.75];
    return [line(0, y, 1, y, 0.07, dark), ...at.map((x) => line(x, y, x, y + 1 / rows, 0.07, dark))];
  });
  return [whole, ...courses.flat()];
}

/** A box of planks with a frame, some with a cross. */
function crateSprite(random: Random, colour: Rgb): Sprite {
  const dark = mix(colour, BLACK, between(random, 0.35, 0.6));
  const light = mix(colour, WHITE, between(random, 0.15, 0.4));
  const inside = pick(random, [
    [line(0.1, 0.1, 0.9, 0.9, 0.11, dark)],
    [line(0.1, 0.1, 0.9, 0.9, 0.1, dark), line(0.9, 0.1, 0.1, 0.9, 0.1, dark)],
    [line(0.1, 0.37, 0.9, 0.37, 0.07, dark), line(0.1, 0.63, 0.9, 0.63, 0.07, dark)],
    [line(0.37, 0.1, 0.37, 0.9, 0.07, dark), line(0.63, 0.1, 0.63, 0.9, 0.07, dark)],
  ]);
  return [
    box(0, 0, 1, 1, dark, 0.06),
    box(0.09, 0.09, 0.82, 0.82, light),
    box(0.14, 0.14, 0.72, 0.72, colour),
    ...inside,
  ];
}

/** A ring or a square with a bright middle. */
function plateSprite(random: Random, colour: Rgb): Sprite {
  const [dark, light] = [mix(colour, BLACK, 0.5), mix(colour, WHITE, 0.5)];
  return random() < 0.5
    ? [disc(0.5, 0.5, 0.42, dark), disc(0.5, 0.5, 0.34, colour), disc(0.5, 0.5, 0.16, light)]
    : [
        box(0.1, 0.1, 0.8, 0.8, dark, 0.12),
        box(0.17, 0.17, 0.66, 0.66, colour, 0.08),
        box(0.38, 0.38, 0.24, 0.24, light),
      ];
}

/** Two posts, which stay when the door is open. */
function frameSprite(colour: Rgb): Sprite {
  const dark = mix(colour, BLACK, 0.45);
  return [box(0, 0, 0.15, 1, dark), box(0.85, 0, 0.15, 1, dark)];
}

function leafSprite(random: Random, colour: Rgb): Sprite {
  const dark = mix(colour, BLACK, 0.45);
  const bars = random() < 0.5 ? [0.3, 0.5, 0.7].map((x) => line(x, 0, x, 1, 0.06, dark)) : [];
  return [
    box(0.15, 0, 0.7, 1, colour),
    box(0.15, 0, 0.7, 0.09, dark),
    box(0.15, 0.91, 0.7, 0.09, dark),
    ...bars,
    disc(0.72, 0.5, 0.07, mix(colour, WHITE, 0.6)),
  ];
}

/** Styles whose sprites are kept: a run with few paints each once. */
const MAX_KEPT = 256;

/** Artists by style, painted once while they are few. */
export class Artists {
  private readonly kept = new Map<string, WorldArtist>();

  of(seed: number, cell: number | undefined): WorldArtist {
    const key = `${seed}/${cell}`;
    const known = this.kept.get(key) ?? createWorldArtist(seed, cell);
    if (this.kept.size >= MAX_KEPT) this.kept.clear();
    this.kept.set(key, known);
    return known;
  }
}
