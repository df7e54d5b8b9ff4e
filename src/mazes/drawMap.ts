/** A style and a map to pixels. */

import { GOAL, HOLE, START, startOf, type GridMap } from '../dataset/scoring.ts';
import { between, hashOf, randomFor, type Random } from '../base/random.ts';
import type { Rgb } from './colour.ts';
import { drawGround, type Ground } from './drawGround.ts';
import { goalSprite } from './drawGoals.ts';
import { holeSprite } from './drawHoles.ts';
import { playerSprite, stoolSprite } from './drawPlayers.ts';
import type { Position } from './grid.ts';
import { compressJpeg } from './jpeg.ts';
import { blur, enlarge, light, type Picture } from './picture.ts';
import {
  area,
  bent,
  blankTile,
  mirrored,
  moved,
  outlineTile,
  overlay,
  paintSprite,
  placed,
  stretched,
  type Sprite,
  type Tile,
} from './sprite.ts';
import { withOtherFigures, type Style } from './style.ts';

/** Draws maps in one style; its sprites are painted once. */
interface Artist {
  readonly style: Style;
  /**
   * The map with its player at `player`, or at the start if it is not given; a stool stands at the start once
   * the player has left it. Each cell is `style.cell` pixels a side.
   */
  draw: (map: GridMap, player?: Position) => Picture;
  /** Any number of goals and players, each a figure of its own: what tells goals from players, in one picture. */
  drawGallery: (cells: GridMap) => Picture;
  /** The same picture without holes, goal, player and stool. */
  drawGroundOnly: (size: number) => Picture;
}

/** The tiles of a style, all of the same side. */
interface Tiles {
  ground: Ground;
  holes: Tile[];
  goal: Tile;
  player: Tile;
  /** The player on the goal. */
  arrived: Tile;
  stool: Tile;
}

/** Prepares a style's sprites. */
export function createArtist(style: Style): Artist {
  const tiles = paintTiles(style);
  const finish = (canvas: Picture, cells: number): Picture => {
    drawGridLines(canvas, style, cells);
    return finished(canvas, style, cells);
  };
  return {
    style,
    draw: (map, player = startOf(map)) => {
      const canvas = groundPicture(tiles, map.length);
      placeThings(canvas, tiles, map, player);
      return finish(canvas, map.length);
    },
    drawGallery: (cells) => {
      const canvas = groundPicture(tiles, cells.length);
      placeFigures(canvas, style, tiles, cells);
      return finish(canvas, cells.length);
    },
    drawGroundOnly: (size) => finish(groundPicture(tiles, size), size),
  };
}

/** How many different holes a style with varied holes has. */
const HOLE_VARIANTS = 3;

function paintTiles(style: Style): Tiles {
  const { seed, ground, hole, stool } = style;
  const side = style.pixelArt ?? style.cell;
  const smooth = style.pixelArt === undefined;
  // A thing's numbers are its own: another hole does not change the cap.
  const random = (thing: string): (() => number) => randomFor(thing, seed);
  const holes = random('hole');
  const [goalTile, playerTile] = [paintGoal(style), paintPlayer(style)];
  return {
    ground: drawGround(random('ground'), ground.kind, ground.colours, {
      side,
      varied: ground.varied,
      smooth,
    }),
    holes: Array.from({ length: hole.varied ? HOLE_VARIANTS : 1 }, () =>
      paintFlat(style, placed(holeSprite(holes, hole.kind, hole.colours), hole.size)),
    ),
    goal: goalTile,
    player: playerTile,
    arrived: overlay(goalTile, playerTile),
    stool: paintThing(style, stoolSprite(random('stool'), stool)),
  };
}

function paintGoal(style: Style): Tile {
  const { seed, goal } = style;
  const sprite = goalSprite(randomFor('goal', seed), goal.kind, goal.colours);
  return paintThing(style, anyBuild(randomFor('goal build', seed), sprite, goal.size));
}

function paintPlayer(style: Style): Tile {
  const { seed, player } = style;
  const sprite = playerSprite(randomFor('player', seed), player.kind, player.colours);
  const figure = player.mirrored ? mirrored(sprite) : sprite;
  return paintThing(style, anyBuild(randomFor('build', seed), figure, player.size));
}

/**
 * Broad or slender, low or tall, some leaning, bent, off the middle or without details: no kind has one outline.
 */
function anyBuild(random: Random, sprite: Sprite, size: number): Sprite {
  const lean = random() < 0.3 ? between(random, -0.12, 0.12) : 0;
  const built = stretched(sprite, between(random, 0.74, 1.1), between(random, 0.8, 1.06), lean);
  const shaped = random() < 0.4 ? bent(random, built) : built;
  const plain = random() < 0.25 ? shaped.filter((shape) => area(shape) > DETAIL || random() < 0.5) : shaped;
  const scaled = placed(plain, size);
  return random() < 0.6 ? moved(random, scaled) : scaled;
}

/** Shapes up to this share of the cell are details. */
const DETAIL = 0.025;

/** What lies in the ground has its rim and no outline. */
function paintFlat(style: Style, sprite: Sprite): Tile {
  const tile = blankTile(style.pixelArt ?? style.cell);
  paintSprite(tile, sprite, style.pixelArt === undefined);
  return tile;
}

function paintThing(style: Style, sprite: Sprite): Tile {
  const tile = paintFlat(style, sprite);
  if (style.outline !== undefined) {
    const width = style.pixelArt === undefined ? Math.max(1, Math.round(style.cell / 36)) : 1;
    outlineTile(tile, style.outline, width);
  }
  return tile;
}

/** Ground covers whole cells, so its rows are copied. */
function groundPicture({ ground }: Tiles, size: number): Picture {
  const side = ground.tiles[0]!.side;
  const width = size * side;
  const rgb = new Uint8Array(width * width * 3);
  const tiles = ground.tiles.map(({ rgb: values }) => rounded(values));
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const tile = tiles[ground.tileAt(row, column)]!;
      for (let y = 0; y < side; y++) {
        const line = tile.subarray(y * side * 3, (y + 1) * side * 3);
        rgb.set(line, ((row * side + y) * width + column * side) * 3);
      }
    }
  }
  return { width, height: width, rgb };
}

/** A loop: `Uint8Array.from` with a function took a ninth of all the time. */
function rounded(values: Float32Array): Uint8Array {
  const result = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i++) result[i] = Math.round(values[i]!);
  return result;
}

function placeThings(canvas: Picture, tiles: Tiles, map: GridMap, player: Position): void {
  const start = startOf(map);
  const isAt = ([r, c]: Position, row: number, column: number): boolean => r === row && c === column;
  map.forEach((cells, row) =>
    cells.forEach((cell, column) => {
      const here = isAt(player, row, column);
      if (cell === HOLE) stamp(canvas, tiles.holes[(row * 2 + column) % tiles.holes.length]!, row, column);
      if (cell === GOAL) stamp(canvas, here ? tiles.arrived : tiles.goal, row, column);
      else if (here) stamp(canvas, tiles.player, row, column);
      else if (isAt(start, row, column)) stamp(canvas, tiles.stool, row, column);
    }),
  );
}

function placeFigures(canvas: Picture, style: Style, { holes }: Tiles, map: GridMap): void {
  map.forEach((cells, row) =>
    cells.forEach((cell, column) => {
      if (cell === HOLE) stamp(canvas, holes[(row * 2 + column) % holes.length]!, row, column);
      if (cell !== START && cell !== GOAL) return;
      const other = withOtherFigures(style, hashOf('figure', style.seed, row, column));
      stamp(canvas, cell === START ? paintPlayer(other) : paintGoal(other), row, column);
    }),
  );
}

/** Lays a tile over a cell. */
function stamp({ width, rgb }: Picture, tile: Tile, row: number, column: number): void {
  const { side } = tile;
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const from = y * side + x;
      const opacity = tile.alpha[from]!;
      if (opacity === 0) continue;
      const to = ((row * side + y) * width + column * side + x) * 3;
      for (let c = 0; c < 3; c++) {
        rgb[to + c] = Math.round(rgb[to + c]! * (1 - opacity) + tile.rgb[from * 3 + c]! * opacity);
      }
    }
  }
}

/** Lines lie over everything, half of each on either side of a cell's edge. */
function drawGridLines(canvas: Picture, { gridLines }: Style, cells: number): void {
  if (gridLines === undefined) return;
  const side = canvas.width / cells;
  const thick = Math.max(1, Math.round(side * gridLines.width));
  for (let i = 0; i <= cells; i++) {
    const from = Math.max(0, Math.round(i * side - thick / 2));
    const to = Math.min(canvas.width, Math.max(from + 1, from + thick));
    for (let along = 0; along < canvas.width; along++) {
      for (let across = from; across < to; across++) {
        tint(canvas, (along * canvas.width + across) * 3, gridLines.colour, gridLines.alpha);
        tint(canvas, (across * canvas.width + along) * 3, gridLines.colour, gridLines.alpha);
      }
    }
  }
}

function tint({ rgb }: Picture, at: number, colour: Rgb, alpha: number): void {
  for (let c = 0; c < 3; c++) rgb[at + c] = Math.round(rgb[at + c]! * (1 - alpha) + colour[c]! * alpha);
}

function finished(canvas: Picture, style: Style, cells: number): Picture {
  const side = style.cell * cells;
  const picture = style.pixelArt === undefined ? canvas : enlarge(canvas, side, side);
  if (style.light !== undefined) light(picture, style.light.across, style.light.down);
  if (style.blur !== undefined) blur(picture, style.blur);
  if (style.jpeg !== undefined) compressJpeg(picture, style.jpeg);
  return picture;
}
