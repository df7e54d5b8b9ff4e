/** Numbers with a shape, as they travel between processes and into traces. */

/** A dense row-major float32 array. `data.length` is the product of `shape`. */
export interface NumericArray {
  shape: number[];
  data: Float32Array;
}

/** Number of elements of a shape; 1 for a scalar's empty shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

/** Dot product of `a[aOffset …]` and `b[bOffset …]` over `length` entries, in double precision. */
export function dot(
  a: Float32Array,
  aOffset: number,
  b: Float32Array,
  bOffset: number,
  length: number,
): number {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += a[aOffset + i]! * b[bOffset + i]!;
  return sum;
}

/** Euclidean length of a vector, in double precision. */
export function lengthOf(vector: Float32Array): number {
  return Math.sqrt(dot(vector, 0, vector, 0, vector.length));
}

/** The mean of vectors of one length, summed in double precision. */
export function meanOf(vectors: readonly Float32Array[]): Float32Array {
  return Float32Array.from(vectors[0]!, (_, c) => {
    let sum = 0;
    for (const vector of vectors) sum += vector[c]!;
    return sum / vectors.length;
  });
}
