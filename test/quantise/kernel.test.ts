import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { compiledKernel } from '../../scripts/kernel.ts';
import { normalNumbers } from '../../src/base/random.ts';
import { toBFloat16 } from '../../src/checkpoint/formats/writeSafetensors.ts';
import { GraphBuilder } from '../../src/onnx/graphBuilder.ts';
import { floats, floatTensor, openSession } from '../../src/ort/session.ts';
import { Kernel, type Quantised } from '../../src/quantise/kernel.ts';
import { layoutOf, type Format } from '../../src/quantise/schemes.ts';
import { fromBFloat16, type Dtype } from '../../src/tensor/dtype.ts';
import { fromFloat16 } from '../../src/tensor/float16.ts';
import { scratchFolder } from '../fixtures/scratch.ts';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const FORMATS: Format[] = [
  { bits: 8, block: 128 },
  { bits: 4, block: 64 },
  { bits: 4, block: 128 },
  { bits: 4, block: 32 },
];
const kernel = new Kernel();

function gaussian(count: number, seed = 1): Float32Array {
  const normal = normalNumbers(seed);
  return Float32Array.from({ length: count }, () => normal());
}

function bytesOf(values: ArrayBufferView): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** Copies of the kernel's views. */
function quantised(
  format: Format,
  rows: number,
  columns: number,
  values: ArrayBufferView,
  dtype: Dtype = 'F32',
): Quantised {
  const result = kernel.quantise(format, dtype, rows, columns, (bytes) => bytes.set(bytesOf(values)));
  if ('notFiniteRow' in result) throw new Error(`row ${result.notFiniteRow} is not finite`);
  return { data: result.data.slice(), scales: result.scales.slice(), zeros: result.zeros.slice() };
}

/** The matrix that the blocks stand for, by the format's own definition. */
function restored(format: Format, rows: number, columns: number, q: Quantised): Float32Array {
  const { blocks } = layoutOf(format, rows, columns);
  const scales = new Float32Array(q.scales.buffer);
  const nibble = (bytes: Uint8Array, i: number): number => (bytes[i >> 1]! >> (4 * (i & 1))) & 15;
  return Float32Array.from({ length: rows * columns }, (_, i) => {
    const [row, column] = [Math.floor(i / columns), i % columns];
    const block = row * blocks + Math.floor(column / format.block);
    const at = block * format.block + (column % format.block);
    const zeroRow = q.zeros.subarray(row * Math.ceil(blocks / 2));
    const step =
      format.bits === 8 ? q.data[at]! - 128 : nibble(q.data, at) - nibble(zeroRow, block - row * blocks);
    return step * scales[block]!;
  });
}

function relativeError(values: Float32Array, truth: Float32Array): number {
  let [error, size] = [0, 0];
  truth.forEach((value, i) => {
    error += (values[i]! - value) ** 2;
    size += value ** 2;
  });
  return Math.sqrt(error / size);
}

describe('the quantising kernel', () => {
  it('is compiled from its source', async () => {
    expect(await readFile('src/quantise/kernel/wasm.ts', 'utf8')).toBe(await compiledKernel());
  });

  // For comparison, llama.cpp on Gaussian numbers: Q8_0 (blocks of 32) 0.54 %, Q4_0 8.61 %.
  it.each([
    [FORMATS[0]!, 0.0066],
    [FORMATS[1]!, 0.0876],
    [FORMATS[2]!, 0.0955],
    [FORMATS[3]!, 0.0811],
  ])('%o keeps Gaussian numbers within its known error', (format, limit) => {
    const [rows, columns] = [64, 1024];
    const x = gaussian(rows * columns);
    const error = relativeError(restored(format, rows, columns, quantised(format, rows, columns, x)), x);
    expect(error).toBeLessThan(limit);
    expect(error).toBeGreaterThan(limit * 0.9);
  });

  it('no number of 8 bits is off by more than half a step', () => {
    const x = gaussian(8 * 256, 3);
    const q = quantised(FORMATS[0]!, 8, 256, x);
    const scales = new Float32Array(q.scales.buffer);
    restored(FORMATS[0]!, 8, 256, q).forEach((value, i) => {
      expect(Math.abs(value - x[i]!)).toBeLessThanOrEqual(scales[Math.floor(i / 128)]! * 0.5001);
    });
  });

  it.each(['F16', 'BF16'] as const)('%s gives the blocks that the same numbers in float32 give', (dtype) => {
    const halves =
      dtype === 'BF16'
        ? toBFloat16(gaussian(4 * 192))
        : Uint16Array.from({ length: 4 * 192 }, (_, i) => (i * 40_503) & 0xbbff);
    const wide = Float32Array.from(halves, dtype === 'BF16' ? fromBFloat16 : fromFloat16);
    for (const format of FORMATS)
      expect(quantised(format, 4, 192, halves, dtype)).toEqual(quantised(format, 4, 192, wide));
  });

  it.each([NaN, Infinity, -Infinity])('names the row of %d', (bad) => {
    const x = gaussian(5 * 64);
    x[3 * 64 + 17] = bad;
    for (const format of FORMATS)
      expect(kernel.quantise(format, 'F32', 5, 64, (bytes) => bytes.set(bytesOf(x)))).toEqual({
        notFiniteRow: 3,
      });
    // float16 has an infinity of its own.
    const half = new Uint16Array(2 * 64);
    half[64] = 0x7c00;
    expect(kernel.quantise(FORMATS[0]!, 'F16', 2, 64, (bytes) => bytes.set(bytesOf(half)))).toEqual({
      notFiniteRow: 1,
    });
  });

  it('zeros stay zeros', () => {
    for (const format of FORMATS) {
      const q = quantised(format, 2, 256, new Float32Array(512));
      expect(restored(format, 2, 256, q)).toEqual(new Float32Array(512));
    }
  });

  it.each([
    [FORMATS[0]!, 96, 100],
    [FORMATS[1]!, 33, 200],
    [FORMATS[2]!, 7, 3420],
  ])(
    'the runtime multiplies with %o of %i × %i as with the matrix it stands for',
    async (format, rows, columns) => {
      const q = quantised(format, rows, columns, gaussian(rows * columns, 5));
      const w = restored(format, rows, columns, q);
      const layout = layoutOf(format, rows, columns);
      const folder = await scratchFolder();
      const file = join(folder, 'blocks.bin');
      await writeFile(file, Buffer.concat([q.data, q.scales, q.zeros]));
      const graph = new GraphBuilder('product');
      const at = [0, q.data.length, q.data.length + q.scales.length];
      const inputs = [
        graph.input('x', 'float32', ['N', columns]),
        graph.stored({ file, dtype: 'U8', shape: layout.data, offset: at[0]!, length: q.data.length }),
        graph.stored({ file, dtype: 'F32', shape: layout.scales, offset: at[1]!, length: q.scales.length }),
        layout.zeros &&
          graph.stored({ file, dtype: 'U8', shape: layout.zeros, offset: at[2]!, length: q.zeros.length }),
      ];
      const { bits, block } = format;
      const attributes = { K: columns, N: rows, bits, block_size: block, accuracy_level: 0 };
      const y = graph.op('MatMulNBits', inputs.slice(0, layout.zeros ? 4 : 3), attributes);
      graph.output('y', y, ['N', rows]);
      const session = await openSession(graph.build(), {
        provider: 'cpu',
        weightsFolder: folder,
        prepack: true,
      });
      const x = gaussian(3 * columns, 7);
      const result = floats((await session.run({ x: floatTensor(x, [3, columns]) }))['y']);
      await session.release();
      const truth = Float32Array.from({ length: 3 * rows }, (_, i) => {
        const [n, row] = [Math.floor(i / rows), i % rows];
        let sum = 0;
        for (let k = 0; k < columns; k++) sum += x[n * columns + k]! * w[row * columns + k]!;
        return sum;
      });
      expect(relativeError(result, truth)).toBeLessThan(1e-5);
    },
  );
});
