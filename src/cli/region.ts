/** Regions of a picture as people name them: rows and columns of patches from 1, both corners included. */

import { UserError } from '../base/errors.ts';
import type { Trace, TracePicture } from '../trace/schema.ts';

/** Top, left, bottom and right, from 1. */
type Corners = readonly [number, number, number, number];

export interface Region {
  /** File name, as the trace has it, or the trace's own id of it; absent: the first picture. */
  picture?: string;
  corners: Corners;
}

export const REGION_FORM = 'ROW,COLUMN,ROW,COLUMN';

/** "1,1,2,3" or "map.png:1,1,2,3". @throws UserError for anything else */
export function regionFrom(text: string): Region {
  const [, picture, list = ''] = /^(?:(.*):)?([\d,\s]+)$/s.exec(text) ?? [];
  const corners = list.split(',').map((part) => (part.trim() === '' ? NaN : Number(part)));
  const isRegion =
    corners.length === 4 && corners.every((corner) => Number.isSafeInteger(corner) && corner >= 1);
  if (isRegion) return { ...(picture !== undefined && { picture }), corners: corners as unknown as Corners };
  throw new UserError({
    problem: 'This is no region of a picture',
    expected: `${REGION_FORM} of its first and last patch, counted from 1`,
    found: text,
  });
}

/** Of patches from 0. */
export interface PlacedRegion {
  picture: TracePicture;
  /** Top, left, bottom and right. */
  corners: Corners;
  patches: number[];
}

/** @throws UserError if the run has no such picture, or the region is not within it */
export function regionIn(
  { pictures }: Pick<Trace, 'pictures'>,
  { picture: named, corners }: Region,
): PlacedRegion {
  const picture = pictureOf(pictures, named);
  const { rows, columns } = picture.grid;
  const [top, left, bottom, right] = corners.map((corner) => corner - 1) as unknown as Corners;
  if (top > bottom || left > right || bottom >= rows || right >= columns) {
    throw new UserError({
      problem: 'This region is not within the picture',
      expected: `${REGION_FORM} from 1,1 to ${rows},${columns} of ${picture.name}, the upper left corner first`,
      found: corners.join(','),
    });
  }
  const patches: number[] = [];
  for (let row = top; row <= bottom; row++)
    for (let column = left; column <= right; column++) patches.push(row * columns + column);
  return { picture, corners: [top, left, bottom, right], patches };
}

function pictureOf(pictures: readonly TracePicture[], named: string | undefined): TracePicture {
  const seen = pictures.filter(({ range }) => range !== undefined);
  const found =
    named === undefined ? seen.slice(0, 1) : seen.filter(({ id, name }) => id === named || name === named);
  if (found.length === 1) return found[0]!;
  throw new UserError({
    problem:
      found.length === 0 ? 'The model sees no such picture in this run' : 'Several pictures have this name',
    expected:
      found.length === 0
        ? `one of ${seen.map(({ name }) => name).join(', ')}`
        : `the id of one of them: ${found.map(({ id }) => id).join(', ')}`,
    found: named ?? 'a run without pictures',
  });
}
