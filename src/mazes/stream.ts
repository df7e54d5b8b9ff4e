/**
 * Maps without end, drawn as they are asked for: the trainer's data, with no file in between.
 *
 * What stands at an index is a function of the options and the index alone. A stream can therefore begin
 * anywhere, and several workers can share one by taking indices in turn.
 */

import { UserError } from '../base/errors.ts';
import type { GridMap } from '../dataset/scoring.ts';
import { hashOf, randomFor } from '../base/random.ts';
import { createArtist } from './drawMap.ts';
import { drawGalleryGrid, drawGrid, MAX_SIZE, MIN_SIZE, shortestLength, type Position } from './grid.ts';
import type { Picture } from './picture.ts';
import {
  askAbout,
  PLAN_FORMS,
  QUESTION_KINDS,
  WORDINGS,
  type PlanForm,
  type Question,
  type QuestionKind,
  type Wording,
} from './questions.ts';
import { SPLITS, splitOf, type Split } from './split.ts';
import { styleOf, type Style } from './style.ts';

export interface MapOptions {
  /** A whole number from 0; other seeds give other maps, styles and questions. */
  seed: number;
  /** Cells a side, 3 to 8, taken in turn. */
  sizes: readonly number[];
  split: Split;
  /** Asked of each map, in this order; one kind may stand several times. */
  questions: readonly QuestionKind[];
  /** One of these besides, another for each round of the sizes. */
  alternate: readonly QuestionKind[];
  wording: Wording;
  /** How plans are written, with latent steps and their helper images or without. */
  form: PlanForm;
  /** The seed of one style for all, or another style for each map. */
  style: number | 'varied';
  /** Maps whose shortest path is shorter are left out; 1 keeps all. Several are taken in turn, as sizes are. */
  minMoves: number | readonly number[];
}

export const MAP_DEFAULTS: MapOptions & { minMoves: number } = {
  seed: 0,
  sizes: [3, 4, 5, 6],
  split: 'train',
  questions: ['plan'],
  alternate: [],
  wording: 'short',
  form: 'cells',
  style: 'varied',
  minMoves: 1,
};

export interface MapItem {
  index: number;
  map: GridMap;
  style: Style;
  /** At the style's own resolution: `style.cell` pixels for each cell. */
  picture: Picture;
  questions: Question[];
  /** Helper image: the same drawing with its player elsewhere, as a question's latent step says. */
  drawHelper: (player: Position) => Picture;
}

/** The item at an index. */
export function mapItem(options: MapOptions, index: number): MapItem {
  const { seed, sizes, questions, alternate } = options;
  const round = Math.floor(index / sizes.length);
  const kinds = alternate.length === 0 ? questions : [...questions, alternate[round % alternate.length]!];
  const map = mapAt(options, index);
  const artist = createArtist(
    styleOf(options.style === 'varied' ? hashOf('picture', seed, index) : options.style),
  );
  return {
    index,
    map,
    style: artist.style,
    picture: artist.draw(map),
    questions: kinds.map((kind, i) => askAbout(randomFor('question', seed, index, i), map, kind, options)),
    drawHelper: (player) => artist.draw(map, player),
  };
}

/** How many questions an item has. */
export function questionsPerMap({ questions, alternate }: MapOptions): number {
  return questions.length + Math.min(1, alternate.length);
}

/** The question at an index of all that are asked, map after map, with its map. */
export function questionAt(options: MapOptions, index: number): { item: MapItem; question: Question } {
  const each = questionsPerMap(options);
  const item = mapItem(options, Math.floor(index / each));
  return { item, question: item.questions[index % each]! };
}

/** A picture of figures for the perception head, which is no map: see Artist.drawGallery. */
interface GalleryItem {
  map: GridMap;
  picture: Picture;
}

/** The gallery at an index; of the options only the seed, the sizes and the style matter. */
export function galleryItem({ seed, sizes, style }: MapOptions, index: number): GalleryItem {
  const map = drawGalleryGrid(randomFor('gallery', seed, index), sizes[index % sizes.length]!);
  const drawn = styleOf(style === 'varied' ? hashOf('gallery picture', seed, index) : style);
  return { map, picture: createArtist(drawn).drawGallery(map) };
}

/** Maps tried for one index; even one in a thousand is then found almost surely. */
const MAP_TRIES = 20_000;

function mapAt({ seed, sizes, split, minMoves }: MapOptions, index: number): GridMap {
  const size = sizes[index % sizes.length]!;
  const leasts = listed(minMoves);
  const least = leasts[index % leasts.length]!;
  const random = randomFor('map', seed, index);
  for (let i = 0; i < MAP_TRIES; i++) {
    const map = drawGrid(random, size);
    if (splitOf(map) === split && (shortestLength(map) ?? 0) >= least) return map;
  }
  throw new UserError({
    problem: `No map of ${size}×${size} cells has a shortest path that long`,
    expected: `one of at least ${least} moves`,
    found: `none in ${MAP_TRIES} maps`,
    remedy: 'Ask for larger maps, or for shorter paths.',
  });
}

const listed = (minMoves: MapOptions['minMoves']): readonly number[] =>
  typeof minMoves === 'number' ? [minMoves] : minMoves;

/** @throws UserError for the first option that is out of range */
export function checkMapOptions(options: MapOptions): void {
  checkWhole('seed', options.seed, 0, 2 ** 32 - 1);
  if (options.sizes.length === 0) throw invalid('sizes', 'at least one', 'none');
  for (const size of options.sizes) checkWhole('size', size, MIN_SIZE, MAX_SIZE);
  checkChoice('split', options.split, SPLITS);
  if (options.questions.length === 0) throw invalid('questions', 'at least one', 'none');
  for (const kind of [...options.questions, ...options.alternate])
    checkChoice('question', kind, QUESTION_KINDS);
  checkChoice('wording', options.wording, WORDINGS);
  checkChoice('form of plans', options.form, PLAN_FORMS);
  if (options.style !== 'varied') checkWhole('style', options.style, 0, 2 ** 32 - 1);
  const leasts = listed(options.minMoves);
  if (leasts.length === 0) throw invalid('least number of moves', 'at least one', 'none');
  for (const least of leasts) checkWhole('least number of moves', least, 1, MAX_SIZE ** 2);
}

export function checkWhole(what: string, value: number, low: number, high: number): void {
  if (Number.isInteger(value) && value >= low && value <= high) return;
  throw invalid(what, `a whole number from ${low} to ${high}`, String(value));
}

function checkChoice(what: string, value: string, choices: readonly string[]): void {
  if (!choices.includes(value)) throw invalid(what, choices.join(', '), value);
}

function invalid(what: string, expected: string, found: string): UserError {
  return new UserError({ problem: `Maps cannot be generated with this ${what}`, expected, found });
}
