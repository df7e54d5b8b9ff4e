/** What the scripts of ablations share: running `ilvr`, and a table of who answers what. */

import path from 'node:path';
import { mcNemarExact } from '../src/dataset/statistics.ts';
import { runNode } from './runNode.mjs';

export const root = path.resolve(import.meta.dirname, '..');

/** Runs a command of `ilvr` in this terminal; where it fails, so does the script. */
export async function ilvr(...args: string[]): Promise<void> {
  const status = await runNode(['--single-threaded-gc', path.join(root, 'dist/cli.cjs'), ...args]);
  if (status !== 0) process.exit(status);
}

export function printRow(...cells: (string | number)[]): void {
  console.log(`| ${cells.join(' | ')} |`);
}

export function count(all: readonly boolean[]): number {
  return all.filter(Boolean).length;
}

export function percent(value: number): string {
  return (100 * value).toFixed(1);
}

/** Difference in points, and McNemar's exact test, over the same questions. */
export function against(before: readonly boolean[], after: readonly boolean[]): string {
  const onlyA = count(before.map((right, i) => right && !after[i]));
  const onlyB = count(after.map((right, i) => right && !before[i]));
  return `${percent((onlyB - onlyA) / before.length)} points, p = ${mcNemarExact(onlyA, onlyB).toPrecision(2)}`;
}
