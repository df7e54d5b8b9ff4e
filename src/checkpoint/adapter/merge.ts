/** An adapter merged into the weights that it was trained for. */

import type { LowRank, Weight, WeightSource } from '../../model/weightSource.ts';
import { readTensor } from '../formats/safetensors.ts';

/** A weight's values with what its adapter adds, if it has one: W + scale · B A. */
export async function readMerged(weight: Weight): Promise<Float32Array> {
  const values = await readTensor(weight);
  if (weight.adapter !== undefined) await addProduct(values, weight.adapter);
  return values;
}

/** The weights alone, for graphs whose weights are inputs: what these are given says whether an adapter is in them. */
export function withoutAdapter(source: WeightSource): WeightSource {
  return {
    get: (name, shape) => {
      const { adapter: _, ...weight } = source.get(name, shape);
      return weight;
    },
  };
}

/** W += scale · B A */
async function addProduct(w: Float32Array, { a, b, scale }: LowRank): Promise<void> {
  const [A, B] = [await readTensor(a), await readTensor(b)];
  const [rank = 0, inner = 0] = a.shape;
  for (let out = 0; out < B.length / rank; out++) {
    const row = w.subarray(out * inner, (out + 1) * inner);
    for (let k = 0; k < rank; k++) {
      const factor = scale * B[out * rank + k]!;
      for (let i = 0; i < inner; i++) row[i]! += factor * A[k * inner + i]!;
    }
  }
}
