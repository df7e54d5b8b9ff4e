/** Numbers from 0 to below 1 that are the same everywhere for the same seed (mulberry32, Tommy Ettinger). */
export function seededNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** N(0, 1), the same for the same seed: a point in the unit disc gives two (the polar method, George Marsaglia). */
export function normalNumbers(seed: number): () => number {
  const uniform = seededNumbers(seed);
  let second = NaN;
  return () => {
    if (!Number.isNaN(second)) {
      const normal = second;
      second = NaN;
      return normal;
    }
    let x: number, y: number, square: number;
    do {
      x = 2 * uniform() - 1;
      y = 2 * uniform() - 1;
      square = x * x + y * y;
    } while (square >= 1 || square === 0);
    const scale = Math.sqrt((-2 * Math.log(square)) / square);
    second = scale * y;
    return scale * x;
  };
}
