/** Figures of an evaluation as a reader gets them, in the terminal, the window, tables and reports alike. */

import type { Mean, Share } from './figures.ts';

/** "78 of 100 = 78.0 % (95 % interval 68.9 to 85.0 %)" */
export function accuracy(share: Share): string {
  const { right, of } = share;
  if (of === 0) return 'no samples';
  return `${right} of ${of} = ${percent(right / of)} (95 % interval ${interval(share)})`;
}

/** "68.9 to 85.0 %" */
export function interval({ low, high }: { low: number; high: number }): string {
  return `${(low * 100).toFixed(1)} to ${percent(high)}`;
}

/** "0.0123 (0.0045 to 0.0201) over 12 runs" */
export function meanText({ mean, low, high, of }: Mean): string {
  return `${significant(mean)} (${significant(low)} to ${significant(high)}) over ${of} runs`;
}

/** Three digits; what is rounding is 0. */
export function significant(value: number): string {
  return Math.abs(value) < 1e-6 ? '0' : String(Number(value.toPrecision(3))).replace('-', '−');
}

/** "78.0 %" */
export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** A difference of shares: "+20.0". */
export function points(share: number): string {
  const text = (share * 100).toFixed(1);
  if (Number(text) === 0) return '0.0';
  return share < 0 ? `−${text.slice(1)}` : `+${text}`;
}

/** "= 0.250", to follow a p. */
export function probability(p: number): string {
  return p < 0.001 ? '< 0.001' : `= ${p.toFixed(3)}`;
}
