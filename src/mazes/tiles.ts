/** The things of a style, each painted on a tile of its own. */

import { between, randomFor, type Random } from '../base/random.ts';
import { drawGround, type Ground } from './drawGround.ts';
import { goalSprite } from './drawGoals.ts';
import { holeSprite } from './drawHoles.ts';
import { playerSprite, stoolSprite } from './drawPlayers.ts';
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
import type { Style } from './style.ts';

/** The tiles of a style, all of the same side. */
export interface Tiles {
  ground: Ground;
  holes: Tile[];
  goal: Tile;
  player: Tile;
  /** The player on the goal. */
  arrived: Tile;
  stool: Tile;
}

/** How many different holes a style with varied holes has. */
const HOLE_VARIANTS = 3;

export function paintTiles(style: Style): Tiles {
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

export function paintGoal(style: Style): Tile {
  const { seed, goal } = style;
  const sprite = goalSprite(randomFor('goal', seed), goal.kind, goal.colours);
  return paintThing(style, anyBuild(randomFor('goal build', seed), sprite, goal.size));
}

export function paintPlayer(style: Style): Tile {
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
export function paintFlat(style: Style, sprite: Sprite): Tile {
  const tile = blankTile(style.pixelArt ?? style.cell);
  paintSprite(tile, sprite, style.pixelArt === undefined);
  return tile;
}

export function paintThing(style: Style, sprite: Sprite): Tile {
  const tile = paintFlat(style, sprite);
  if (style.outline !== undefined) {
    const width = style.pixelArt === undefined ? Math.max(1, Math.round(style.cell / 36)) : 1;
    outlineTile(tile, style.outline, width);
  }
  return tile;
}
