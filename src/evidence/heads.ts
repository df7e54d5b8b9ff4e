/** How much of each head's attention lies on the pictures. */

import { totalOf } from '../heatmap/statistics.ts';
import type { NumericArray } from '../tensor/array.ts';
import { visualOf } from '../trace/columns.ts';
import type { Trace } from '../trace/schema.ts';

/**
 * By layer, then head; 0 to 1.
 * @param attention of one token: [layers, heads, keys]
 */
export function headsOnPictures(trace: Trace, { shape, data }: NumericArray): number[][] {
  const [layers = 0, heads = 0, keys = 0] = shape;
  return Array.from({ length: layers }, (_, layer) =>
    Array.from({ length: heads }, (__, head) => {
      const start = (layer * heads + head) * keys;
      return totalOf(visualOf(trace, data.subarray(start, start + keys)));
    }),
  );
}
