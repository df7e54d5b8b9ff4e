/**
 * The file that holds a checkpoint's matrices in fewer bits: one safetensors file for a checkpoint and a scheme, so
 * that any reader of the format can look into it.
 *
 * For each matrix `NAME.data` (U8), `NAME.scales` (F32) and, of 4 bits, `NAME.zeros` (U8; all at the end, because
 * their lengths are odd and scales want whole words). The metadata say what it was made from, and give a sha256 of
 * each matrix: until an import is complete they are zeros, and the file has another name.
 */

import { z } from 'zod';
import type { StoredTensor } from '../checkpoint/formats/safetensors.ts';
import { formatOf, layoutOf, SCHEMES, type Format, type Layout, type Scheme } from './schemes.ts';
import { rowsOf, type Matrix } from './matrices.ts';

/** Raised when the kernel's numbers or the layout change: older files are then made again. */
export const CACHE_VERSION = '2';

/** What a cache was made from. */
export interface Origin {
  scheme: Scheme;
  /** The checkpoint's fingerprint (../checkpoint/hash.ts), without an adapter's factors. */
  fingerprint: string;
  /** Sizes and times of its weight files: a checkpoint that was trained on is another one. */
  files: string;
  /** The checkpoint's folder at that time, for lists. */
  model: string;
}

/** Where one matrix lies. Offsets count from the start of the file. */
export interface Section {
  matrix: Matrix;
  format: Format;
  layout: Layout;
  /** Bytes: data, then scales, then zeros. */
  parts: { name: string; dtype: 'U8' | 'F32'; shape: number[]; offset: number; length: number }[];
}

export interface CacheLayout {
  header: Uint8Array;
  sections: Section[];
  /** Bytes of the whole file. */
  size: number;
}

const NO_DIGEST = '0'.repeat(64);

const Metadata = z.object({
  ilvr_quantised: z.literal(CACHE_VERSION),
  scheme: z.enum(SCHEMES),
  fingerprint: z.string(),
  files: z.string(),
  model: z.string(),
  sha256: z.string(),
});

/** The header and all offsets, which are known before anything is computed. */
export function planCache(
  origin: Origin,
  matrices: readonly Matrix[],
  digests?: ReadonlyMap<string, string>,
): CacheLayout {
  let end = 0;
  const sections = matrices.map((matrix): Section => {
    const format = formatOf(origin.scheme, matrix.part);
    const layout = layoutOf(format, rowsOf(matrix), matrix.columns);
    const section: Section = { matrix, format, layout, parts: [] };
    end = addPart(section, 'data', 'U8', layout.data, end);
    end = addPart(section, 'scales', 'F32', layout.scales, end);
    return section;
  });
  for (const section of sections) {
    if (section.layout.zeros !== undefined) end = addPart(section, 'zeros', 'U8', section.layout.zeros, end);
  }
  const header = headerOf(origin, sections, digests);
  for (const { parts } of sections) for (const part of parts) part.offset += header.length;
  return { header, sections, size: header.length + end };
}

function addPart(
  { matrix, parts }: Section,
  suffix: string,
  dtype: 'U8' | 'F32',
  shape: number[],
  offset: number,
): number {
  const length = shape.reduce((product, n) => product * n, dtype === 'F32' ? 4 : 1);
  parts.push({ name: `${matrix.name}.${suffix}`, dtype, shape, offset, length });
  return offset + length;
}

function headerOf(
  { scheme, fingerprint, files, model }: Origin,
  sections: readonly Section[],
  digests?: ReadonlyMap<string, string>,
): Uint8Array {
  const parts = sections.flatMap((section) => section.parts).toSorted((a, b) => a.offset - b.offset);
  const tensors = parts.map(({ name, dtype, shape, offset, length }) => [
    name,
    { dtype, shape, data_offsets: [offset, offset + length] },
  ]);
  const sha256 = JSON.stringify(
    Object.fromEntries(
      sections.map(({ matrix: { name } }) => [name, digests === undefined ? NO_DIGEST : digests.get(name)!]),
    ),
  );
  const metadata = { ilvr_quantised: CACHE_VERSION, scheme, fingerprint, files, sha256, model };
  const text = new TextEncoder().encode(
    JSON.stringify({ __metadata__: metadata, ...Object.fromEntries(tensors) }),
  );
  // Scales begin at whole words if the header is a multiple of them.
  const length = Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(8 + length).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(text, 8);
  return bytes;
}

/** What a cache says of itself; undefined if it is none, or of another version. */
export function describedOrigin(
  metadata: Readonly<Record<string, string>>,
): (Origin & { digests: Map<string, string> }) | undefined {
  const parsed = Metadata.safeParse(metadata);
  if (!parsed.success) return undefined;
  const digests = z.record(z.string(), z.string()).safeParse(parseJson(parsed.data.sha256));
  if (!digests.success) return undefined;
  const { scheme, fingerprint, files, model } = parsed.data;
  return { scheme, fingerprint, files, model, digests: new Map(Object.entries(digests.data)) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Whether a file's tensors lie exactly where the plan says. */
export function isLaidOutAs(tensors: ReadonlyMap<string, StoredTensor>, { sections }: CacheLayout): boolean {
  const parts = sections.flatMap((section) => section.parts);
  return (
    parts.length === tensors.size &&
    parts.every(({ name, dtype, offset, length }) => {
      const tensor = tensors.get(name);
      return tensor?.dtype === dtype && tensor.offset === offset && tensor.length === length;
    })
  );
}
