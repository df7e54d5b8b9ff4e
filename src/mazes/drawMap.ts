/** A style and a map to pixels. */

import { GOAL, HOLE, START, startOf, type GridMap } from '../dataset/scoring.ts';
import { hashOf } from '../base/random.ts';
import { finished, groundPicture, stamp } from './canvas.ts';
import type { Position } from './grid.ts';
import type { Picture } from './picture.ts';
import { withOtherFigures, type Style } from './style.ts';
import { paintGoal, paintPlayer, paintTiles, type Tiles } from './tiles.ts';

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

/** Prepares a style's sprites. */
export function createArtist(style: Style): Artist {
  const tiles = paintTiles(style);
  const finish = (canvas: Picture, cells: number): Picture => finished(canvas, style, cells);
  return {
    style,
    draw: (map, player = startOf(map)) => {
      const canvas = groundPicture(tiles.ground, map.length);
      placeThings(canvas, tiles, map, player);
      return finish(canvas, map.length);
    },
    drawGallery: (cells) => {
      const canvas = groundPicture(tiles.ground, cells.length);
      placeFigures(canvas, style, tiles, cells);
      return finish(canvas, cells.length);
    },
    drawGroundOnly: (size) => finish(groundPicture(tiles.ground, size), size),
  };
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
