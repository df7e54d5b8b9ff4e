/** The quantising kernel in its own memory: rows go in, blocks come out. Several may work in threads of their own. */

import type { Dtype } from '../tensor/dtype.ts';
import { BYTES } from '../tensor/dtype.ts';
import { KERNEL } from './kernel/wasm.ts';
import { layoutOf, type Format } from './schemes.ts';

const TYPES: Record<Dtype, number> = { F32: 0, F16: 1, BF16: 2 };
const PAGE = 65_536;
/** The first page holds the kernel's own block. */
const START = PAGE;

interface Exports {
  memory: WebAssembly.Memory;
  quantise(
    from: number,
    type: number,
    rows: number,
    columns: number,
    block: number,
    bits: number,
    data: number,
    scales: number,
    zeros: number,
  ): number;
}

/** Rows in blocks; views into the kernel's memory that hold until the next call. */
export interface Quantised {
  data: Uint8Array;
  scales: Uint8Array;
  /** Empty of 8 bits. */
  zeros: Uint8Array;
}

export class Kernel {
  private readonly exports: Exports;

  constructor() {
    const module = new WebAssembly.Module(Buffer.from(KERNEL, 'base64'));
    const instance = new WebAssembly.Instance(module, {
      env: {
        abort: () => {
          throw new Error('the quantising kernel aborted');
        },
      },
    });
    this.exports = instance.exports as unknown as Exports;
  }

  /**
   * @param read fills the given bytes with `rows` rows as the checkpoint stores them
   * @returns the blocks, or the first row that has a number that is NaN or infinite
   */
  quantise(
    format: Format,
    dtype: Dtype,
    rows: number,
    columns: number,
    read: (bytes: Uint8Array) => void,
  ): Quantised | { notFiniteRow: number } {
    const layout = layoutOf(format, rows, columns);
    const sizes = [
      rows * columns * BYTES[dtype],
      rows * layout.blocks * layout.data[2],
      layout.scales[0] * 4,
      layout.zeros?.[0] ?? 0,
    ];
    const at: number[] = [];
    let end = START;
    for (const size of sizes) {
      at.push(end);
      end += Math.ceil(size / 16) * 16;
    }
    this.reserve(end);
    const view = (i: number): Uint8Array => new Uint8Array(this.exports.memory.buffer, at[i], sizes[i]);
    read(view(0));
    const [from, data, scales, zeros] = at as [number, number, number, number];
    const bad = this.exports.quantise(
      from,
      TYPES[dtype],
      rows,
      columns,
      format.block,
      format.bits,
      data,
      scales,
      zeros,
    );
    return bad >= 0 ? { notFiniteRow: bad } : { data: view(1), scales: view(2), zeros: view(3) };
  }

  private reserve(bytes: number): void {
    const { memory } = this.exports;
    const missing = Math.ceil((bytes - memory.buffer.byteLength) / PAGE);
    if (missing > 0) memory.grow(missing);
  }
}
