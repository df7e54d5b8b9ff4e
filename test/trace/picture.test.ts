/** Claims about what a PNG of a trace may be: checked from its header, before anything is decoded. */

import { deflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/base/errors.ts';
import { plainPng } from '../../src/trace/picture.ts';
import { chunk, file, header, png } from '../fixtures/png.ts';

const stated = (width: number, height: number) => ({ name: 'map.png', width, height });
const refusal = (bytes: Uint8Array, width: number, height: number): string => {
  try {
    plainPng(bytes, stated(width, height));
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
  return 'accepted';
};

describe('a picture', () => {
  it('of any usual kind is accepted, and what it inflates to is known', () => {
    const of = (colourType: number, depth: number, interlace = 0): number => {
      const before = colourType === 3 ? [chunk('PLTE', new Uint8Array(6))] : [];
      const bytes = png({ width: 10, height: 7, colourType, depth, interlace, before });
      return plainPng(bytes, stated(10, 7)).inflatedBytes;
    };
    expect([of(0, 1), of(0, 8), of(2, 8), of(3, 4), of(4, 16), of(6, 8)]).toEqual([
      7 * (1 + 2),
      7 * (1 + 10),
      7 * (1 + 30),
      7 * (1 + 5),
      7 * (1 + 40),
      7 * (1 + 40),
    ]);
    // Passes of 2×1, 1×1, 3×1, 2×2, 5×2, 5×4 and 10×3 pixels.
    expect(of(0, 8, 1)).toBe(3 + 2 + 4 + 2 * 3 + 2 * 6 + 4 * 6 + 3 * 11);
  });

  it('may be a smaller copy of the picture that the trace states, and nothing else', () => {
    expect(refusal(png({ width: 2048, height: 1365 }), 6000, 4000)).toBe('accepted');
    expect(refusal(png({ width: 1365, height: 2048 }), 6000, 4000)).toMatch(/found 1365 × 2048/);
    expect(refusal(png({ width: 3, height: 3 }), 24, 16)).toMatch(/expected 24 × 16 pixels, or fewer/);
    expect(refusal(png({ width: 48, height: 32 }), 24, 16)).toMatch(/found 48 × 32/);
  });

  it('keeps its pixels and loses everything else', () => {
    const bomb = Buffer.concat([Buffer.from('icc\0\0'), deflateSync(new Uint8Array(2 ** 20))]);
    const more = [chunk('iCCP', bomb), chunk('tEXt', new Uint8Array(9)), chunk('acTL', new Uint8Array(8))];
    const bytes = png({ width: 4, height: 4, before: more });
    expect(plainPng(bytes, stated(4, 4)).file).toEqual(png({ width: 4, height: 4 }));
  });

  it.each([
    ['too many pixels', png({ width: 5000, height: 5000 }), 5000, 5000, /at most 16384 pixels a side/],
    ['too long a side', headerOnly(20_000, 150), 20_000, 150, /at most 16384 pixels a side/],
    ['a column', png({ width: 1, height: 4000 }), 1, 4000, /200 times as long.*found 1 × 4000 pixels/],
    ['a column that the trace states square', png({ width: 1, height: 4000 }), 4000, 4000, /found 1 × 4000/],
    ['a square that the trace states a column', png({ width: 4, height: 4 }), 1, 4e6, /found 1 × 4000000/],
    ['no pixels', png({ width: 0, height: 4 }), 4, 4, /found 0 × 4/],
    [
      'too many bytes of pixels',
      headerOnly(4096, 4096, 16, 6),
      4096,
      4096,
      /at most 67108864 bytes of pixels/,
    ],
    ['an unknown kind', headerOnly(4, 4, 8, 5), 4, 4, /colour type 5/],
    ['a second header', png({ width: 4, height: 4, before: [largeHeader()] }), 4, 4, /one header/],
    [
      'no palette',
      png({ width: 4, height: 4, colourType: 3 }),
      4,
      4,
      /a palette of 1 to 256 colours, found 0/,
    ],
    [
      'a huge palette',
      png({ width: 4, height: 4, colourType: 3, before: [chunk('PLTE', new Uint8Array(3e6))] }),
      4,
      4,
      /found 3000000 bytes/,
    ],
    [
      'countless parts',
      file(Array.from({ length: 70_000 }, () => chunk('IDAT', new Uint8Array()))),
      4,
      4,
      /at most 65536 parts/,
    ],
    ['no header', file([chunk('IEND', new Uint8Array())]), 4, 4, /its header first, found IEND/],
    ['another kind of file', new TextEncoder().encode('GIF89a'), 4, 4, /expected a PNG file/],
    ['nothing', new Uint8Array(), 4, 4, /expected a PNG file/],
  ])('with %s is refused', (_, bytes, width, height, message) => {
    expect(refusal(bytes, width, height)).toMatch(message);
    expect(refusal(bytes, width, height)).toMatch(/in map\.png/);
  });

  it('cut off anywhere is refused', () => {
    const bytes = png({ width: 4, height: 4 });
    for (let length = 0; length < bytes.length; length++)
      expect(refusal(bytes.subarray(0, length), 4, 4), `${length} bytes`).toMatch(/PNG file/);
  });
});

function headerOnly(width: number, height: number, depth = 8, colourType = 0): Uint8Array {
  return file([header({ width, height, depth, colourType, interlace: 0 }), chunk('IEND', new Uint8Array())]);
}

function largeHeader(): Uint8Array {
  return header({ width: 60_000, height: 60_000, depth: 16, colourType: 6, interlace: 0 });
}
