/** Numbers and choices by chance. Everything here is a function of its seed alone. */

/** Gives numbers from 0 to below 1. */
export type Random = () => number;

/** Numbers from 0 to below 1 that are the same everywhere for the same seed (mulberry32, Tommy Ettinger). */
export class RandomNumbers {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  next(): number {
    const state = (this.state + 0x6d2b79f5) >>> 0;
    this.state = state;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** Gives from here on the same numbers, independently. */
  copy(): RandomNumbers {
    return new RandomNumbers(this.state);
  }
}

/** The same numbers as a function. */
export function seededNumbers(seed: number): Random {
  const numbers = new RandomNumbers(seed);
  return () => numbers.next();
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

/** A 32-bit hash of the parts: FNV-1a over their text, mixed by MurmurHash3's finaliser. */
export function hashOf(...parts: (string | number)[]): number {
  let hash = 0x811c9dc5;
  for (const character of parts.join('\u0000')) {
    hash = Math.imul(hash ^ character.codePointAt(0)!, 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Numbers of their own for each list of parts: what is drawn for one purpose leaves the others alone. */
export function randomFor(...parts: (string | number)[]): Random {
  return seededNumbers(hashOf(...parts));
}

/** From `low` to below `high`. */
export function between(random: Random, low: number, high: number): number {
  return low + (high - low) * random();
}

/** A whole number from `low` to `high`, both included. */
export function wholeBetween(random: Random, low: number, high: number): number {
  return low + Math.floor(random() * (high - low + 1));
}

/** @throws RangeError for an empty list */
export function pick<T>(random: Random, from: readonly T[]): T {
  if (from.length === 0) throw new RangeError('there is nothing to pick from');
  return from[Math.floor(random() * from.length)]!;
}

/** A key of the table, as often as its weight is of all weights. */
export function pickWeighted<K extends string>(random: Random, weights: Record<K, number>): K {
  const keys = Object.keys(weights) as K[];
  let left = random() * keys.reduce((sum, key) => sum + weights[key], 0);
  return keys.find((key) => (left -= weights[key]) < 0) ?? keys.at(-1)!;
}
