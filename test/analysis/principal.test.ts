import { describe, expect, it } from 'vitest';
import { centred, jacobi, principalComponents } from '../../src/analysis/principal.ts';
import { normalNumbers } from '../../src/base/random.ts';
import type { NumericArray } from '../../src/tensor/array.ts';

/** Rows of ±1, orthogonal to each other (Sylvester); all but the first sum to 0. */
function hadamard(size: number): number[][] {
  if (size === 1) return [[1]];
  const half = hadamard(size / 2);
  return [...half.map((row) => [...row, ...row]), ...half.map((row) => [...row, ...row.map((x) => -x)])];
}

/** Points (8, 16) around a mean that differ along three known directions, with these spreads. */
function knownPoints(spreads: readonly number[], turnedOver = false): NumericArray {
  const along = hadamard(8);
  const axes = hadamard(16);
  const rows = Array.from({ length: 8 }, (_, i) =>
    Array.from({ length: 16 }, (__, c) =>
      spreads.reduce((sum, spread, k) => sum + (spread * along[k + 1]![i]! * axes[k + 3]![c]!) / 4, 5 + c),
    ),
  );
  const [data, shape] = turnedOver ? [rows.map((row) => row.map((x) => -x)), [8, 16]] : [rows, [8, 16]];
  return { shape, data: Float32Array.from(data.flat()) };
}

function randomPoints(count: number, width: number, seed: number): NumericArray {
  const normal = normalNumbers(seed);
  return {
    shape: [count, width],
    data: Float32Array.from({ length: count * width }, (_, i) => normal() * (1 + (i % width))),
  };
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((sum, value, i) => sum + value * b[i]!, 0);

describe('principal components', () => {
  it('of many points let a cancel in long before they are done', async () => {
    let pauses = 0;
    const pause = async (): Promise<void> => {
      pauses++;
      if (pauses === 3) throw new Error('stopped');
    };
    const many = centred(randomPoints(700, 800, 2));
    await expect(principalComponents(many, 3, pause)).rejects.toThrow('stopped');
    expect(pauses).toBe(3);
  });

  it('of points made of known directions are these directions, with their shares', async () => {
    const points = knownPoints([5, 2, 1]);
    const { variances, total, axes } = await principalComponents(centred(points), 3);
    // Eight points at ±spread along an axis of length 1 (4 · 1/4).
    [25, 4, 1].forEach((square, k) => expect(variances[k]).toBeCloseTo(8 * square, 4));
    expect(total).toBeCloseTo(8 * 30, 4);
    axes.forEach((axis, k) => {
      const expected = hadamard(16)[k + 3]!.map((x) => x / 4);
      expect(Math.abs(dot(axis, expected))).toBeCloseTo(1, 6);
    });
  });

  it('are as many as there are directions, and none of equal points', async () => {
    expect((await principalComponents(centred(knownPoints([5, 2])), 3)).axes).toHaveLength(2);
    const equal = { shape: [4, 3], data: new Float32Array(12).fill(7) };
    expect(await principalComponents(centred(equal), 3)).toEqual({ variances: [], total: 0, axes: [] });
  });

  it('have signs that do not depend on the points, and are the same twice', async () => {
    const [one, again, over] = await Promise.all(
      [false, false, true].map((turned) => principalComponents(centred(knownPoints([5, 2, 1], turned)), 3)),
    );
    expect(one).toEqual(again);
    one!.axes.forEach((axis, k) => expect(dot(axis, over!.axes[k]!)).toBeCloseTo(1, 9));
  });

  it.each([
    ['more points than numbers', 60, 25],
    ['more numbers than points', 25, 60],
    ['one point more than numbers', 13, 12],
  ])('of random points, %s, are eigenvectors of their covariance', async (_, count, width) => {
    const points = randomPoints(count, width, 4);
    const { data } = points;
    const column = (c: number): number[] => Array.from({ length: count }, (__, i) => data[i * width + c]!);
    const less = Array.from({ length: width }, (__, c) => {
      const values = column(c);
      const mean = values.reduce((sum, value) => sum + value, 0) / count;
      return values.map((value) => value - mean);
    });
    const covariance = less.map((a) => less.map((b) => dot(a, b)));
    const { variances, total, axes } = await principalComponents(centred(points), 3);
    expect(total).toBeCloseTo(
      covariance.reduce((sum, row, i) => sum + row[i]!, 0),
      4,
    );
    axes.forEach((axis, k) => {
      expect(dot(axis, axis)).toBeCloseTo(1, 10);
      if (k > 0) expect(dot(axis, axes[k - 1]!)).toBeCloseTo(0, 8);
      covariance.forEach((row, c) => expect(dot(row, axis)).toBeCloseTo(variances[k]! * axis[c]!, 3));
    });
    // Nothing beats the first, and all pairs by another way are not larger.
    const all = jacobi(covariance.map((row) => Float64Array.from(row)));
    variances.forEach((variance, k) => expect(variance / all[k]!.value).toBeCloseTo(1, 9));
  });

  it('place points so that distances along the axes are kept', async () => {
    const points = knownPoints([5, 2, 1]);
    const fitted = centred(points);
    const { axes } = await principalComponents(fitted, 3);
    const { shape, data } = fitted.project(points, axes);
    expect(shape).toEqual([8, 3]);
    const distance = (values: Float32Array, width: number): number =>
      Math.hypot(...Array.from({ length: width }, (_, c) => values[c]! - values[width + c]!));
    expect(distance(data, 3)).toBeCloseTo(distance(points.data, 16), 4);
  });
});

it("the rotations' eigenpairs are those of a matrix whose eigenvalues are known", () => {
  // 2 on the diagonal and -1 beside it: 2 - 2 cos(kπ / (n + 1)).
  const n = 6;
  const matrix = Array.from({ length: n }, (_, i) =>
    Float64Array.from({ length: n }, (__, j) => (i === j ? 2 : Math.abs(i - j) === 1 ? -1 : 0)),
  );
  const values = jacobi(matrix).map(({ value }) => value);
  const expected = Array.from({ length: n }, (_, k) => 2 - 2 * Math.cos(((n - k) * Math.PI) / (n + 1)));
  values.forEach((value, k) => expect(value).toBeCloseTo(expected[k]!, 12));
});
