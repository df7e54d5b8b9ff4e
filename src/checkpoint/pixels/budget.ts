/** Bounds on the pixels of a picture that a user gives in place of the checkpoint's. */

import { UserError } from '../../base/errors.ts';
import type { ProcessorConfig } from '../../model/config.ts';

export interface PixelBudget {
  /** A smaller picture is enlarged to so many. */
  minPixels?: number | undefined;
  /** A larger one is reduced to so many. */
  maxPixels?: number | undefined;
}

/**
 * The processor with these bounds. A bound that is given alone moves the checkpoint's other one along where the
 * two would cross.
 * @throws UserError if one is no count, or both are given and cross
 */
export function withBudget(
  processor: ProcessorConfig,
  { minPixels, maxPixels }: PixelBudget,
): ProcessorConfig {
  for (const [name, bound] of Object.entries({ minPixels, maxPixels })) {
    if (bound === undefined || (Number.isSafeInteger(bound) && bound >= 1)) continue;
    throw new UserError({
      problem: 'The pixel budget cannot be used',
      expected: 'a whole number of 1 or more',
      found: `${name} ${bound}`,
    });
  }
  if (minPixels !== undefined && maxPixels !== undefined && minPixels > maxPixels) {
    throw new UserError({
      problem: 'The pixel budget is empty',
      expected: 'an upper bound that is not below the lower one',
      found: `from ${minPixels} to ${maxPixels} pixels`,
      remedy: 'Raise the upper bound, or lower the lower one.',
    });
  }
  return {
    ...processor,
    minPixels: minPixels ?? Math.min(processor.minPixels, maxPixels ?? Infinity),
    maxPixels: maxPixels ?? Math.max(processor.maxPixels, minPixels ?? 0),
  };
}
