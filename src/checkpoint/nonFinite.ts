/** Looking for a weight that is no number: NaN or infinity, as a broken download or an overflow in half precision leaves it. */
import type { Dtype, WeightRef } from '../tensor/dtype.ts';
import { BYTES } from '../tensor/dtype.ts';
import type { Checkpoint } from './checkpoint.ts';
import { asWeight, readTensorBytes } from './formats/safetensors.ts';

export interface NonFinite {
  /** Canonical name, an adapter's factor by its own. */
  name: string;
  /** Index in the tensor, row-major. */
  index: number;
  file: string;
}

/** Bytes read at a time. */
const CHUNK = 1 << 24;

/** Bits that are all ones in NaN and infinity alone. */
const EXPONENT: Record<Dtype, number> = { F32: 0x7f800000, F16: 0x7c00, BF16: 0x7f80 };

/**
 * The first such element among the weights whose name begins with one of the prefixes, layer by layer.
 * Reads them from the disk, an adapter's factors too.
 */
export async function firstNonFinite(
  { weights, adapter }: Checkpoint,
  prefixes: readonly string[],
): Promise<NonFinite | undefined> {
  const names = weights.names
    .filter((name) => prefixes.some((prefix) => name.startsWith(prefix)))
    .toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  for (const name of names) {
    const addition = adapter?.additions.get(name);
    const refs: [string, WeightRef][] = [
      [name, asWeight(name, weights.stored(name)!)],
      ...(addition === undefined
        ? []
        : ([
            [`the adapter's A of ${name}`, addition.a],
            [`the adapter's B of ${name}`, addition.b],
          ] as [string, WeightRef][])),
    ];
    for (const [told, ref] of refs) {
      const index = await nonFiniteIn(ref);
      if (index !== undefined) return { name: told, index, file: ref.file };
    }
  }
  return undefined;
}

async function nonFiniteIn({ file, offset, length, dtype }: WeightRef): Promise<number | undefined> {
  const exponent = EXPONENT[dtype];
  for (let start = 0; start < length; start += CHUNK) {
    const bytes = await readTensorBytes({
      file,
      offset: offset + start,
      length: Math.min(CHUNK, length - start),
    });
    const words = BYTES[dtype] === 4 ? new Uint32Array(bytes.buffer) : new Uint16Array(bytes.buffer);
    const found = words.findIndex((word) => (word & exponent) === exponent);
    if (found >= 0) return start / BYTES[dtype] + found;
  }
  return undefined;
}
