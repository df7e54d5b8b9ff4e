import { describe, expect, it } from 'vitest';
import { normalNumbers } from '../../src/base/random.ts';
import { fromFloat16, fromFloat16s, toFloat16 } from '../../src/tensor/float16.ts';

const ALL = Uint16Array.from({ length: 2 ** 16 }, (_, bits) => bits);

describe('half precision', () => {
  it('every half comes back as itself', () => {
    const again = toFloat16(fromFloat16s(ALL));
    const changed = ALL.filter((bits) => !Number.isNaN(fromFloat16(bits)) && again[bits] !== bits);
    expect([...changed]).toEqual([]);
  });

  // IEEE 754-2019, binary16.
  it.each([
    [1, 0x3c00],
    [-2, 0xc000],
    [65504, 0x7bff],
    [65520, 0x7c00],
    [2 ** -14, 0x0400],
    [2 ** -24, 0x0001],
    [1 / 3, 0x3555],
    [Infinity, 0x7c00],
    [-Infinity, 0xfc00],
    [NaN, 0x7e00],
    [-0, 0x8000],
    [1e-10, 0],
  ])('%d is %i', (value, bits) => {
    expect(toFloat16(Float32Array.of(value))).toEqual(Uint16Array.of(bits));
  });

  it('no number is off by more than half a step', () => {
    const normal = normalNumbers(4);
    const values = Float32Array.from({ length: 100_000 }, (_, i) => normal() * 10 ** -(i % 9));
    const back = fromFloat16s(toFloat16(values));
    const off = values.filter((value, i) => {
      const step = Math.max(2 ** (Math.floor(Math.log2(Math.abs(value))) - 10), 2 ** -24);
      return Math.abs(back[i]! - value) > step / 2;
    });
    expect([...off]).toEqual([]);
  });
});
