/**
 * What a PNG of a trace may be. A trace may come from anyone, and a few bytes of PNG can claim any size, inflate to
 * any size or carry more than pixels; so everything that decodes one, host, page or command line, asks here first.
 */

import { UserError } from '../base/errors.ts';
import type { TracePicture } from './schema.ts';

/** Far above what a run writes (2048 pixels a side), so that traces of others show too. */
export const MAX_PICTURE_SIDE = 2 ** 14;
export const MAX_PICTURE_PIXELS = 2 ** 24;
/** Of the pixels before they are compressed. */
export const MAX_PICTURE_BYTES = 2 ** 26;
/** Of the longer side to the shorter one; the model's own processor refuses more. */
export const MAX_PICTURE_RATIO = 200;

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** Length, type and check sum of a chunk. */
const CHUNK_FRAME = 12;
const HEADER_LENGTH = 13;
const MAX_PALETTE = 3 * 256;
const MAX_CHUNKS = 2 ** 16;

/** By colour type: samples of a pixel, and the bits that each may have. */
const COLOUR_TYPES: Record<number, { samples: number; depths: readonly number[] }> = {
  0: { samples: 1, depths: [1, 2, 4, 8, 16] },
  2: { samples: 3, depths: [8, 16] },
  3: { samples: 1, depths: [1, 2, 4, 8] },
  4: { samples: 2, depths: [8, 16] },
  6: { samples: 4, depths: [8, 16] },
};

/** Offsets and steps of the seven passes of an interlaced PNG. */
const PASSES = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

/** A PNG of which only what makes pixels is left. */
export interface PlainPng {
  width: number;
  height: number;
  /** What the compressed data must inflate to, exactly. */
  inflatedBytes: number;
  /** The chunks before the data, as they stand in the file: header, palette, transparency of the palette. */
  head: Uint8Array[];
  /** Compressed data, in pieces. */
  data: Uint8Array[];
  /** The whole file again, without anything else. */
  file: Uint8Array<ArrayBuffer>;
}

/** What is asked of a trace's picture. */
type Stated = Pick<TracePicture, 'name' | 'width' | 'height'>;

/**
 * Checks a picture without decoding it.
 * @param stated its name, and its size in the trace, of which the PNG may be a smaller copy
 * @throws UserError if it is no PNG, is cut off, is larger than can be drawn, or contradicts the trace
 */
export function plainPng(bytes: Uint8Array, stated: Stated): PlainPng {
  requireRatio(stated.width, stated.height, stated);
  if (!SIGNATURE.every((byte, i) => bytes[i] === byte)) throw refused(stated, 'a PNG file', 'other bytes');
  const chunks = chunksOf(bytes, stated);
  const header = chunks[0];
  if (header?.type !== 'IHDR' || header.body.length !== HEADER_LENGTH) {
    throw refused(stated, 'a PNG file with its header first', header?.type ?? 'none');
  }
  const size = sizeOf(header.body, stated);
  const isIndexed = header.body[9] === 3;
  const head = chunks.filter(
    ({ type }) => type === 'IHDR' || type === 'PLTE' || (type === 'tRNS' && isIndexed),
  );
  const types = head.map(({ type }) => type);
  if (new Set(types).size < types.length)
    throw refused(stated, 'one header and one palette', types.join(', '));
  const palette = head.find(({ type }) => type === 'PLTE')?.body.length ?? 0;
  if (palette > MAX_PALETTE || (isIndexed && palette < 3)) {
    throw refused(stated, 'a palette of 1 to 256 colours', `${palette} bytes`);
  }
  const data = chunks.filter(({ type }) => type === 'IDAT');
  const kept = [...head, ...data, ...chunks.filter(({ type }) => type === 'IEND')];
  return {
    ...size,
    head: head.map(({ whole }) => whole),
    data: data.map(({ body }) => body),
    file: joined([Uint8Array.from(SIGNATURE), ...kept.map(({ whole }) => whole)]),
  };
}

/** Bytes one after another. */
export function joined(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/** A refusal of a trace's picture, which leaves the rest of the trace as it is. */
export function refused({ name }: Pick<Stated, 'name'>, expected: string, found: string): UserError {
  return new UserError({
    problem: 'A picture of this trace cannot be shown',
    expected,
    found,
    where: name,
    remedy: 'Export the trace again from the run.',
  });
}

interface Chunk {
  type: string;
  body: Uint8Array;
  whole: Uint8Array;
}

/** Up to the end chunk. */
function chunksOf(bytes: Uint8Array, stated: Stated): Chunk[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks: Chunk[] = [];
  for (let at = SIGNATURE.length; ;) {
    const end = at + CHUNK_FRAME + (at + CHUNK_FRAME <= bytes.length ? view.getUint32(at) : 0);
    if (end > bytes.length)
      throw refused(stated, 'a complete PNG file', `an end after ${bytes.length} bytes`);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    chunks.push({ type, body: bytes.subarray(at + 8, end - 4), whole: bytes.subarray(at, end) });
    if (type === 'IEND') return chunks;
    if (chunks.length > MAX_CHUNKS) throw refused(stated, `at most ${MAX_CHUNKS} parts`, 'more');
    at = end;
  }
}

/** The size in the header, within bounds and as the trace has it. */
function sizeOf(
  header: Uint8Array,
  stated: Stated,
): { width: number; height: number; inflatedBytes: number } {
  const view = new DataView(header.buffer, header.byteOffset);
  const [width, height] = [view.getUint32(0), view.getUint32(4)];
  const [depth, colourType, compression, filter, interlace] = header.subarray(8);
  const kind = COLOUR_TYPES[colourType!];
  const isKnown =
    kind?.depths.includes(depth!) === true && compression === 0 && filter === 0 && (interlace ?? 2) < 2;
  if (!isKnown || (interlace === 1 && depth! < 8)) {
    throw refused(stated, 'a usual kind of PNG', `colour type ${colourType}, ${depth} bits`);
  }
  const found = `${width} × ${height}`;
  if (width === 0 || height === 0) throw refused(stated, 'pixels', found);
  requireRatio(width, height, stated);
  if (Math.max(width, height) > MAX_PICTURE_SIDE || width * height > MAX_PICTURE_PIXELS) {
    const most = `at most ${MAX_PICTURE_SIDE} pixels a side and ${MAX_PICTURE_PIXELS} together`;
    throw refused(stated, most, found);
  }
  if (!isCopyOf(width, height, stated)) {
    throw refused(stated, `${stated.width} × ${stated.height} pixels, or fewer of the same picture`, found);
  }
  const bits = kind.samples * depth!;
  const inflatedBytes = interlace === 1 ? interlacedBytes(width, height, bits) : rowsOf(width, height, bits);
  if (inflatedBytes > MAX_PICTURE_BYTES) {
    throw refused(stated, `at most ${MAX_PICTURE_BYTES} bytes of pixels`, String(inflatedBytes));
  }
  return { width, height, inflatedBytes };
}

/** Whether a picture of this size is the stated one, as it is or scaled down with its sides rounded. */
function isCopyOf(width: number, height: number, stated: Stated): boolean {
  if (width > stated.width || height > stated.height) return false;
  const scale = Math.max(width, height) / Math.max(stated.width, stated.height);
  return Math.abs(width - stated.width * scale) < 1 && Math.abs(height - stated.height * scale) < 1;
}

function requireRatio(width: number, height: number, stated: Stated): void {
  if (Math.max(width, height) <= MAX_PICTURE_RATIO * Math.min(width, height)) return;
  throw refused(
    stated,
    `a side at most ${MAX_PICTURE_RATIO} times as long as the other`,
    `${width} × ${height} pixels`,
  );
}

/** Each row of samples begins with a byte that names its filter. */
function rowsOf(width: number, height: number, bits: number): number {
  return width === 0 ? 0 : height * (1 + Math.ceil((width * bits) / 8));
}

function interlacedBytes(width: number, height: number, bits: number): number {
  return PASSES.reduce((sum, [x, y, acrossStep, downStep]) => {
    const across = Math.max(0, Math.ceil((width - x) / acrossStep));
    const down = Math.max(0, Math.ceil((height - y) / downStep));
    return sum + rowsOf(across, down, bits);
  }, 0);
}
