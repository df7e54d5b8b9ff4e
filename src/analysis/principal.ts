/**
 * Principal components, in double precision: the first few only, as eigenvectors of the smaller of the two matrices
 * X Xᵀ and Xᵀ X.
 */

import { normalNumbers } from '../base/random.ts';
import type { NumericArray } from '../tensor/array.ts';

/** Points with their mean taken off. */
export interface Centred {
  /** (N, C) */
  rows: Float64Array[];
  /** Coordinates (M, K) of further points (M, C) along axes, seen from the same mean. */
  project(points: NumericArray, axes: readonly Float64Array[]): NumericArray;
}

export interface Components {
  /** Sum of squares along each axis, largest first. */
  variances: number[];
  /** Sum of squares in all directions. */
  total: number;
  /** Of length 1, each with its largest entry positive. */
  axes: Float64Array[];
}

export function centred({ shape, data }: NumericArray): Centred {
  const [count = 0, width = 0] = shape;
  const mean = new Float64Array(width);
  for (let i = 0; i < count; i++) for (let c = 0; c < width; c++) mean[c]! += data[i * width + c]! / count;
  const rows = Array.from({ length: count }, (_, i) => mean.map((value, c) => data[i * width + c]! - value));
  return {
    rows,
    project: (points, axes) => {
      const offset = axes.map((axis) => dot(axis, mean));
      const values = Array.from({ length: points.shape[0]! }, (_, i) => {
        const point = points.data.subarray(i * width, (i + 1) * width);
        return axes.map((axis, k) => dot(axis, point) - offset[k]!);
      });
      return { shape: [values.length, axes.length], data: Float32Array.from(values.flat()) };
    },
  };
}

/** Lets others in while it computes: at the size of a 7B model that takes seconds. What it throws ends the computing. */
export type Pause = () => Promise<void>;

/** Multiplications between two pauses: about 50 ms. */
const WORK = 2 ** 25;

/** @param count components wanted; as many come as there are directions in which the points differ */
export async function principalComponents(
  { rows }: Centred,
  count: number,
  pause: Pause = async () => undefined,
): Promise<Components> {
  const width = rows[0]?.length ?? 0;
  const byRows = rows.length <= width;
  const vectors = byRows ? rows : transposed(rows, width);
  const gram = await gramOf(vectors, pause);
  const total = gram.reduce((sum, row, i) => sum + row[i]!, 0);
  const pairs = await largestEigenpairs(gram, count, pause);
  return {
    variances: pairs.map(({ value }) => value),
    total,
    axes: pairs.map(({ vector }) => withSign(unit(byRows ? combined(rows, vector) : vector))),
  };
}

/** Products of each two of them; symmetric. */
async function gramOf(vectors: readonly Float64Array[], pause: Pause): Promise<Float64Array[]> {
  const gram = vectors.map(() => new Float64Array(vectors.length));
  let work = 0;
  for (const [i, a] of vectors.entries()) {
    for (let j = 0; j <= i; j++) gram[i]![j] = gram[j]![i] = dot(a, vectors[j]!);
    work += i * a.length;
    if (work < WORK) continue;
    work = 0;
    await pause();
  }
  return gram;
}

export interface Eigenpair {
  value: number;
  vector: Float64Array;
}

/** Vectors that a step adds, beside those wanted. */
const MORE = 3;
/** Vectors after which the basis begins again with the best of its directions. */
const MOST_VECTORS = 120;
const MOST_RESTARTS = 40;
/** Of the largest value: smaller ones are rounding. */
const NOTHING = 1e-12;
/** What may be left of an eigenvector when it is multiplied, as a share of the largest value. */
const PRECISE = 1e-8;

/**
 * The largest eigenvalues of a symmetric matrix without negative ones, and their vectors, largest first: the best that a
 * basis of powers of the matrix holds (a block Krylov space, Golub and Underwood 1977). The same for the same matrix.
 */
async function largestEigenpairs(
  matrix: readonly Float64Array[],
  count: number,
  pause: Pause,
): Promise<Eigenpair[]> {
  const normal = normalNumbers(1);
  const width = Math.min(matrix.length, count + MORE);
  let block: Float64Array[] = Array.from({ length: width }, () =>
    Float64Array.from({ length: matrix.length }, () => normal()),
  );
  let best: Eigenpair[] = [];
  for (let i = 0; i < MOST_RESTARTS; i++) {
    const found = await krylov(matrix, block, count, pause);
    best = found.pairs;
    if (found.done) break;
    block = best.map(({ vector }) => vector);
  }
  const least = NOTHING * (best[0]?.value ?? 0);
  return best.slice(0, count).filter(({ value }) => value > least);
}

/** One basis: @returns as many pairs as the block has vectors, and whether the first `count` are precise. */
async function krylov(
  matrix: readonly Float64Array[],
  block: readonly Float64Array[],
  count: number,
  pause: Pause,
): Promise<{ pairs: Eigenpair[]; done: boolean }> {
  const basis: Float64Array[] = [];
  const images: Float64Array[] = [];
  let next = block;
  for (;;) {
    await pause();
    const added = addOrthonormal(basis, next);
    next = added.map((vector) => times(matrix, vector));
    images.push(...next);
    const small = basis.map((a) => Float64Array.from(images, (b) => dot(a, b)));
    const turned = jacobi(small).slice(0, block.length);
    const pairs = turned.map(({ value, vector }) => ({ value, vector: combined(basis, vector) }));
    const largest = pairs[0]?.value ?? 0;
    const done = turned
      .slice(0, count)
      .every(
        ({ value, vector }, k) =>
          distance(combined(images, vector), pairs[k]!.vector, value) <= PRECISE * largest,
      );
    // Without a new direction the basis holds all that there is.
    if (done || added.length === 0) return { pairs, done: true };
    if (basis.length + next.length > MOST_VECTORS) return { pairs, done: false };
  }
}

/** All eigenpairs of a small symmetric matrix, largest first: rotations, each of which makes one entry 0 (Jacobi 1846). */
export function jacobi(matrix: readonly Float64Array[]): Eigenpair[] {
  const a = matrix.map((row) => row.slice());
  const n = a.length;
  const vectors = a.map((_, i) => Float64Array.from({ length: n }, (__, j) => Number(i === j)));
  const scale = Math.max(...a.map((row, i) => Math.abs(row[i]!)), Number.MIN_VALUE);
  for (let sweep = 0; sweep < 60; sweep++) {
    let largest = 0;
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        largest = Math.max(largest, Math.abs(a[p]![q]!));
        if (a[p]![q] !== 0) rotateAway(a, vectors, p, q);
      }
    }
    if (largest <= 1e-15 * scale) break;
  }
  return vectors
    .map((vector, i) => ({ value: a[i]![i]!, vector }))
    .toSorted((first, second) => second.value - first.value);
}

function rotateAway(a: Float64Array[], vectors: Float64Array[], p: number, q: number): void {
  const theta = (a[q]![q]! - a[p]![p]!) / (2 * a[p]![q]!);
  const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
  const c = 1 / Math.hypot(t, 1);
  const s = t * c;
  for (const row of a) turn(row, row, p, q, c, s);
  for (let i = 0; i < a.length; i++) turn(a[p]!, a[q]!, i, i, c, s);
  for (let i = 0; i < a.length; i++) turn(vectors[p]!, vectors[q]!, i, i, c, s);
}

function turn(x: Float64Array, y: Float64Array, i: number, j: number, c: number, s: number): void {
  const [first, second] = [x[i]!, y[j]!];
  x[i] = c * first - s * second;
  y[j] = s * first + c * second;
}

/**
 * Adds what is new of the vectors to an orthonormal basis (Gram and Schmidt's, twice for what rounding left); one that
 * is a combination of others is left out.
 * @returns what was added
 */
function addOrthonormal(basis: Float64Array[], vectors: readonly Float64Array[]): Float64Array[] {
  const added: Float64Array[] = [];
  for (const vector of vectors) {
    const before = Math.sqrt(dot(vector, vector));
    const rest = vector.slice();
    for (let pass = 0; pass < 2; pass++) for (const other of basis) addTo(rest, other, -dot(rest, other));
    if (before === 0 || Math.sqrt(dot(rest, rest)) <= 1e-10 * before) continue;
    const fresh = unit(rest);
    basis.push(fresh);
    added.push(fresh);
  }
  return added;
}

/** The largest entry becomes positive; of equal ones the first. */
function withSign(axis: Float64Array): Float64Array {
  let largest = 0;
  axis.forEach((value, i) => {
    if (Math.abs(value) > Math.abs(axis[largest]!) * (1 + 1e-9)) largest = i;
  });
  return (axis[largest] ?? 0) < 0 ? axis.map((value) => -value) : axis;
}

/** Four sums side by side, which a processor adds at the same time. */
function dot(a: Float64Array, b: Float64Array | Float32Array): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  const whole = a.length - (a.length % 4);
  for (let i = 0; i < whole; i += 4) {
    s0 += a[i]! * b[i]!;
    s1 += a[i + 1]! * b[i + 1]!;
    s2 += a[i + 2]! * b[i + 2]!;
    s3 += a[i + 3]! * b[i + 3]!;
  }
  for (let i = whole; i < a.length; i++) s0 += a[i]! * b[i]!;
  return s0 + s1 + (s2 + s3);
}

function addTo(target: Float64Array, vector: Float64Array, factor: number): void {
  for (let i = 0; i < target.length; i++) target[i]! += factor * vector[i]!;
}

function unit(vector: Float64Array): Float64Array {
  const length = Math.sqrt(dot(vector, vector));
  return vector.map((value) => value / length);
}

/** Σ factors[i] · vectors[i] */
function combined(vectors: readonly Float64Array[], factors: Float64Array): Float64Array {
  const result = new Float64Array(vectors[0]!.length);
  vectors.forEach((vector, i) => addTo(result, vector, factors[i]!));
  return result;
}

function times(matrix: readonly Float64Array[], vector: Float64Array): Float64Array {
  return Float64Array.from(matrix, (row) => dot(row, vector));
}

/** |image - value · vector| */
function distance(image: Float64Array, vector: Float64Array, value: number): number {
  let sum = 0;
  for (let i = 0; i < image.length; i++) sum += (image[i]! - value * vector[i]!) ** 2;
  return Math.sqrt(sum);
}

function transposed(rows: readonly Float64Array[], width: number): Float64Array[] {
  return Array.from({ length: width }, (_, c) => Float64Array.from(rows, (row) => row[c]!));
}
