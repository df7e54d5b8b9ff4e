/** Where the reference answers are, and how to read them. Tests that need them skip if they are absent. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** The folder of reference answers; ILVR_GOLDENS overrides. */
export const goldens =
  process.env['ILVR_GOLDENS'] ?? path.resolve(import.meta.dirname, '../../../shared/data/goldens');

export const haveGoldens = existsSync(path.join(goldens, 'preprocess.json'));

export function golden(...names: string[]): string {
  return path.join(goldens, ...names);
}

export function goldenJson<T>(...names: string[]): T {
  return JSON.parse(readFileSync(golden(...names), 'utf8')) as T;
}
