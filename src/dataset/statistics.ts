/** How far an accuracy can be trusted. */

export interface Interval {
  low: number;
  high: number;
}

/** Normal quantile of a two-sided 95 % interval. */
const Z_95 = 1.959963984540054;

/**
 * Wilson score interval of a share (E. B. Wilson, 1927). Unlike the normal approximation it stays inside
 * [0, 1] and is right for few samples and for shares near 0 or 1.
 *
 *   (p + z²/2n ± z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n)
 *
 * @returns shares from 0 to 1; everything for no samples
 */
export function wilsonInterval(successes: number, samples: number, z = Z_95): Interval {
  if (samples === 0) return { low: 0, high: 1 };
  const share = successes / samples;
  const square = (z * z) / samples;
  const centre = share + square / 2;
  const half = z * Math.sqrt((share * (1 - share)) / samples + square / (4 * samples));
  return {
    low: Math.max(0, (centre - half) / (1 + square)),
    high: Math.min(1, (centre + half) / (1 + square)),
  };
}
