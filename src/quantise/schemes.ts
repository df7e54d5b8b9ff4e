/**
 * How weights are stored in fewer bits: what each scheme does to which matrix, and how many bytes it takes.
 *
 * A row of a matrix is cut into blocks, each with a scale (float32) and, of 4 bits, a zero of its own. Errors and speed
 * of each are in docs/log.md.
 */

import type { WeightFormat } from '../tensor/weightFormat.ts';

/** Of fewest bits last. */
export const SCHEMES = ['8bit', '4bit', '4bit-fast'] as const satisfies readonly WeightFormat[];
export type Scheme = (typeof SCHEMES)[number];

export function isScheme(text: string): text is Scheme {
  return SCHEMES.some((scheme) => scheme === text);
}

/** A matrix in blocks. */
export interface Format {
  bits: 8 | 4;
  /** Numbers in a block. */
  block: number;
}

const EIGHT: Format = { bits: 8, block: 128 };

const FORMATS: Record<Scheme, Format> = {
  '8bit': EIGHT,
  // The error of llama.cpp's Q4_0.
  '4bit': { bits: 4, block: 64 },
  '4bit-fast': { bits: 4, block: 128 },
};

/** Head and vision tower have 8 bits in every scheme: they are small beside the decoder, and errors there are seen at once. */
export function formatOf(scheme: Scheme, part: 'decoder' | 'head' | 'vision'): Format {
  return part === 'decoder' ? FORMATS[scheme] : EIGHT;
}

/** What a matrix of `rows` × `columns` becomes. Shapes as MatMulNBits wants them. */
export interface Layout {
  /** Blocks in a row; the last may be partly filled. */
  blocks: number;
  /** uint8 */
  data: [rows: number, blocks: number, bytes: number];
  /** float32 */
  scales: [number];
  /** uint8, two to a byte; none of 8 bits, whose zero is 128. */
  zeros?: [number];
}

export function layoutOf({ bits, block }: Format, rows: number, columns: number): Layout {
  const blocks = Math.ceil(columns / block);
  return {
    blocks,
    data: [rows, blocks, (block * bits) / 8],
    scales: [rows * blocks],
    ...(bits === 4 && { zeros: [rows * Math.ceil(blocks / 2)] as [number] }),
  };
}

/** Bytes of a matrix in blocks, in a cache and in memory. */
export function packedBytes(format: Format, rows: number, columns: number): number {
  const { data, scales, zeros } = layoutOf(format, rows, columns);
  return data[0] * data[1] * data[2] + 4 * scales[0] + (zeros?.[0] ?? 0);
}
