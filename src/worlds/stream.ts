/**
 * Worlds without end, drawn as they are asked for. What stands at an index is a function of the options and the
 * index alone, as in ../mazes/stream.ts.
 */

import { UserError } from '../base/errors.ts';
import { hashOf, pick, randomFor, type Random } from '../base/random.ts';
import { MAX_CELL } from '../mazes/style.ts';
import type { Picture } from '../mazes/picture.ts';
import { SPLITS, type Split } from '../mazes/split.ts';
import { drawMoves, drawMovesToDoor, drawWorld } from './drawLayout.ts';
import { Artists, type WorldArtist } from './drawPicture.ts';
import { MAX_MOVES } from './notation.ts';
import {
  askAboutWorld,
  kindsFor,
  WORLD_FORMS,
  WORLD_QUESTIONS,
  type WorldForm,
  type WorldQuestion,
  type WorldQuestionKind,
} from './questions.ts';
import { splitOf } from './split.ts';
import { DYNAMICS, MOVES, statesAfter, type Dynamics, type Move, type State, type World } from './world.ts';

export const MIN_WORLD_SIZE = 3;
export const MAX_WORLD_SIZE = 6;

export interface WorldOptions {
  /** A whole number from 0; other seeds give other worlds, styles and questions. */
  seed: number;
  /** Cells a side, 3 to 6, by chance. */
  sizes: readonly number[];
  /** By chance. */
  dynamics: readonly Dynamics[];
  split: Split;
  /** How many moves a walk has, taken in turn; 0 asks about the picture as it is. */
  moves: readonly number[];
  /** The moves of every walk, in place of drawn ones. */
  walk?: readonly Move[] | undefined;
  /** As many walks in succession have the same number of moves: a batch of them then has blocks at the same places. */
  alike: number;
  /** Walks through each world, each with moves and a question of its own: a picture is then looked at once for all. */
  walks: number;
  /**
   * The share of moves that go against a crate where one is beside the player; chance alone if absent. For training:
   * pushing is what is hard, and rare.
   */
  against?: number | undefined;
  /** One for each walk, by chance; a kind may stand several times. */
  questions: readonly WorldQuestionKind[];
  /** What stands between question and answer. */
  form: WorldForm;
  /** Seeds of drawing styles, by chance, or another style for each world. */
  style: readonly number[] | 'varied';
  /** Pixels a side of a cell; each style's own if absent. */
  cell?: number | undefined;
}

export const WORLD_DEFAULTS: WorldOptions = {
  seed: 0,
  sizes: [3, 4, 5, 6],
  dynamics: [...DYNAMICS],
  split: 'train',
  moves: [4, 5, 6],
  alike: 1,
  walks: 1,
  questions: [...WORLD_QUESTIONS],
  form: 'latents',
  style: 'varied',
};

export interface WorldItem {
  index: number;
  world: World;
  moves: Move[];
  /** After each move. */
  states: State[];
  question: WorldQuestion;
  artist: WorldArtist;
  /** The world before its moves. */
  picture: () => Picture;
  /** Helper image: the same drawing in another state, as a question's latent step says. */
  drawHelper: (state: State) => Picture;
}

const artists = new Artists();

/** The item at an index: a walk through a world. */
export function worldItem(options: WorldOptions, index: number): WorldItem {
  const { seed, questions, form, style, cell } = options;
  const random = randomFor('world', seed, index);
  const place = worldOf(options, index);
  const world = worldAt(options, place);
  const { layout } = world;
  const kind = pick(random, kindsFor(layout, questions));
  const moves = options.walk?.slice() ?? drawnWalk(options, random, index, world, kind);
  const styleSeed =
    style === 'varied'
      ? hashOf('world picture', seed, place)
      : pick(randomFor('style of world', seed, place), style);
  const artist = artists.of(styleSeed, cell);
  return {
    index,
    world,
    moves,
    states: statesAfter(world, moves),
    question: askAboutWorld(random, world, moves, kind, form),
    artist,
    picture: () => artist.draw(layout, world.state),
    drawHelper: (state) => artist.draw(layout, state),
  };
}

function drawnWalk(
  { moves, alike, against }: WorldOptions,
  random: Random,
  index: number,
  world: World,
  kind: WorldQuestionKind,
): Move[] {
  const count = moves[Math.floor(index / alike) % moves.length]!;
  return (kind === 'door' ? drawMovesToDoor : drawMoves)(random, world, count, against);
}

/** Which world is walked through at an index. */
export function worldOf({ walks }: WorldOptions, index: number): number {
  return Math.floor(index / walks);
}

/** Worlds tried for one index; one in ten is held out. */
const WORLD_TRIES = 1000;

function worldAt({ seed, sizes, dynamics, split }: WorldOptions, index: number): World {
  const random = randomFor('layout', seed, index);
  for (let i = 0; i < WORLD_TRIES; i++) {
    const world = drawWorld(random, pick(random, dynamics), pick(random, sizes));
    if (splitOf(world) === split) return world;
  }
  throw new Error(`no ${split} world in ${WORLD_TRIES}`);
}

/** @throws UserError for the first option that is out of range */
export function checkWorldOptions(options: WorldOptions): void {
  checkWhole('seed', [options.seed], 0, 2 ** 32 - 1);
  checkWhole('size', options.sizes, MIN_WORLD_SIZE, MAX_WORLD_SIZE);
  checkChoices('kind of dynamics', options.dynamics, DYNAMICS);
  checkChoices('split', [options.split], SPLITS);
  checkWhole('number of moves', options.walk ? [options.walk.length] : options.moves, 0, MAX_MOVES);
  if (options.walk !== undefined && options.walk.length > 0) checkChoices('walk', options.walk, MOVES);
  checkWhole('number of walks alike', [options.alike], 1, 2 ** 20);
  checkWhole('number of walks through a world', [options.walks], 1, 2 ** 20);
  checkChoices('question', options.questions, WORLD_QUESTIONS);
  checkChoices('form of answers', [options.form], WORLD_FORMS);
  // Other worlds among them are asked for their state instead.
  if (options.questions.every((kind) => kind === 'door') && !options.dynamics.includes('doors'))
    throw invalid(
      'question',
      'doors among the dynamics, for a question about a door',
      options.dynamics.join(', '),
    );
  if (options.style !== 'varied') checkWhole('style', options.style, 0, 2 ** 32 - 1);
  if (options.cell !== undefined) checkWhole('size of a cell', [options.cell], 8, MAX_CELL);
}

function checkWhole(what: string, values: readonly number[], low: number, high: number): void {
  if (values.length === 0) throw invalid(what, 'at least one', 'none');
  for (const value of values)
    if (!Number.isInteger(value) || value < low || value > high)
      throw invalid(what, `a whole number from ${low} to ${high}`, String(value));
}

function checkChoices(what: string, values: readonly string[], choices: readonly string[]): void {
  if (values.length === 0) throw invalid(what, 'at least one', 'none');
  for (const value of values)
    if (!choices.includes(value)) throw invalid(what, choices.join(', '), value.slice(0, 40));
}

function invalid(what: string, expected: string, found: string): UserError {
  return new UserError({ problem: `Worlds cannot be generated with this ${what}`, expected, found });
}
