/** A checkpoint's weights with its quantised matrices beside them, for graphs. */

import { locate } from '../checkpoint/locations.ts';
import type { Weights } from '../checkpoint/weights.ts';
import type { PackedMatrix } from '../model/weightSource.ts';
import type { StoredRef, WeightRef } from '../tensor/dtype.ts';
import type { Cache } from './cache.ts';
import { rowsOf } from './matrices.ts';

/** @param weights of the checkpoint the cache was made from, perhaps with an adapter, which is added as it is */
export async function withCache(weights: Weights, { file, layout }: Cache): Promise<Weights> {
  const { root, of: locations } = await locate(
    [...weights.allFiles, file],
    'Keep quantised weights on the drive of the model (--weights-cache).',
  );
  const located = <Ref extends WeightRef | StoredRef>(ref: Ref): Ref => ({
    ...ref,
    location: locations.get(ref.file)!,
  });
  const packed = new Map<string, PackedMatrix>();
  for (const { matrix, format, parts } of layout.sections) {
    const [data, scales, zeros] = parts.map(({ dtype, shape, offset, length }): StoredRef =>
      located({ file, dtype, shape, offset, length }),
    );
    packed.set(matrix.sources.map(({ weight }) => weight).join(), {
      rows: rowsOf(matrix),
      columns: matrix.columns,
      ...format,
      data: data!,
      scales: scales!,
      ...(zeros !== undefined && { zeros }),
    });
  }
  return {
    ...weights,
    root,
    get: (name, shape) => {
      const weight = located(weights.get(name, shape));
      const { adapter } = weight;
      return adapter === undefined
        ? weight
        : { ...weight, adapter: { ...adapter, a: located(adapter.a), b: located(adapter.b) } };
    },
    packed: (names) => packed.get(names.join()),
  };
}
