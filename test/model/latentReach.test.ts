import { describe, expect, it } from 'vitest';
import { visible, type LatentBlock, type LatentReach } from '../../src/model/latentReach.ts';

/** Picture, question, start, two pads, end, text, start, pad, end, text. */
const NAMES = ['P', 'Q', '<', 'a', 'b', '>', 't', '<', 'c', '>', 'u'];
const BLOCKS: LatentBlock[] = [
  { first: 3, pads: 2, end: 5 },
  { first: 8, pads: 1, end: 9 },
];

/** Row by row: the keys that each position sees, a dot for one that it does not. */
function rows(reach: LatentReach | undefined, blocks = BLOCKS): string[] {
  return NAMES.map((_, query) =>
    NAMES.map((name, key) => (visible(query, key, blocks, reach) ? name : '.')).join(''),
  );
}

describe('latent reach', () => {
  it('absent: every position sees itself and all before it', () => {
    expect(rows(undefined)).toEqual(
      NAMES.map((_, i) => NAMES.map((name, key) => (key <= i ? name : '.')).join('')),
    );
  });

  it('only: latents see their block, and from an end token on only that block and what follows is seen', () => {
    expect(rows('only')).toEqual([
      'P..........',
      'PQ.........',
      'PQ<........',
      '...a.......', // a latent sees no picture, which its keys and values would hand on
      '...ab......',
      '...ab>.....', // the first block's end token
      '...ab>t....',
      '...ab>t<...',
      '........c..',
      '........c>.',
      '........c>u',
    ]);
  });

  it('none: pads are seen from pads alone, also those of an earlier block', () => {
    expect(rows('none')).toEqual([
      'P..........',
      'PQ.........',
      'PQ<........',
      'PQ<a.......',
      'PQ<ab......',
      'PQ<..>.....',
      'PQ<..>t....',
      'PQ<..>t<...',
      'PQ<ab>t<c..',
      'PQ<..>t<.>.',
      'PQ<..>t<.>u',
    ]);
  });

  it('only: a block that a new start broke off has not ended and hides nothing', () => {
    const blocks: LatentBlock[] = [{ first: 3, pads: 2 }];
    expect(rows('only', blocks).slice(5)).toEqual(rows(undefined).slice(5));
  });

  it('only: a block without latents leaves nothing of what stands before its end token', () => {
    const blocks: LatentBlock[] = [{ first: 3, pads: 0, end: 3 }];
    const seen = (query: number): number[] =>
      [0, 1, 2, 3, 4].filter((key) => visible(query, key, blocks, 'only'));
    expect([seen(2), seen(3), seen(4)]).toEqual([[0, 1, 2], [3], [3, 4]]);
  });

  it.each(['only', 'none'] as const)('%s: a row never is empty', (reach) => {
    NAMES.forEach((_, query) => expect(visible(query, query, BLOCKS, reach)).toBe(true));
  });
});
