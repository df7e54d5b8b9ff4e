/** Whether a result that was kept fits its run: a trace comes from outside, and what shows it trusts indices and sizes. */

import { UserError } from '../base/errors.ts';
import type { NumericArray } from '../tensor/array.ts';

/** What there is in a run. */
export interface RunSizes {
  layers: number;
  heads: number;
  latents: number;
  blocks: number;
  /** Tokens of the prompt, and of the answer. */
  prompt: number;
  tokens: number;
  /** Tokens of each picture, by its id. */
  pictures: ReadonlyMap<string, number>;
}

/** What rounding adds to a share or a cosine. */
const ROUNDING = 1e-3;

/** Claims on the parts of a result. Each throws a UserError that names the part. */
export class Claims {
  readonly run: RunSizes;
  private readonly title: string;

  /** @param title of the analysis */
  constructor(title: string, run: RunSizes) {
    this.title = title;
    this.run = run;
  }

  /** The array has these axes; and each number lies within the bounds, a NaN in none. */
  array(part: string, { shape, data }: NumericArray, axes: readonly number[], bounds: Bounds = ANY): void {
    if (shape.join() !== axes.join()) this.fail(part, `[${axes.join(', ')}]`, `[${shape.join(', ')}]`);
    const wrong = data.find((value) => !(value >= bounds.min && value <= bounds.max));
    if (wrong !== undefined) this.fail(part, boundsText(bounds), String(wrong));
  }

  number(part: string, value: number | undefined, bounds: Bounds = ANY): void {
    if (value !== undefined && !(value >= bounds.min && value <= bounds.max))
      this.fail(part, boundsText(bounds), String(value));
  }

  /** A whole number from 0 on. */
  index(part: string, value: number, below: number): void {
    if (!(Number.isInteger(value) && value >= 0 && value < below))
      this.fail(part, `an index below ${below}`, String(value));
  }

  /** @returns how many tokens the picture has */
  picture(part: string, id: string): number {
    return this.run.pictures.get(id) ?? this.fail(part, 'a picture of this trace', id);
  }

  fail(part: string, expected: string, found: string): never {
    throw new UserError({
      problem: `The ${this.title} in this trace is damaged`,
      expected: `${part} to be ${expected}`,
      found,
      remedy: 'Compute it again.',
    });
  }
}

interface Bounds {
  min: number;
  max: number;
}

/** No infinity, no NaN. */
const ANY: Bounds = { min: -Number.MAX_VALUE, max: Number.MAX_VALUE };
export const SHARE: Bounds = { min: -ROUNDING, max: 1 + ROUNDING };
export const COSINE: Bounds = { min: -1 - ROUNDING, max: 1 + ROUNDING };
export const COUNT: Bounds = { min: 0, max: Number.MAX_SAFE_INTEGER };

function boundsText({ min, max }: Bounds): string {
  if (min === ANY.min) return 'finite';
  return max === COUNT.max ? 'a whole number' : `from ${Math.ceil(min)} to ${Math.floor(max)}`;
}
