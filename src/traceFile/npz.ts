/**
 * A trace as NPZ: a zip of NumPy arrays under plain names, with the manifest as `trace.json`. `numpy.load` reads it.
 *
 * Indices in names are those in the manifest, counted from 0: `latent_003.attention` is that of `latents[3]`.
 */

import { Readable } from 'node:stream';
import { ZipFile } from 'yazl';
import { LOOKS } from '../trace/looks.ts';
import { arraysOfResult, bytesOf, readBytes, type ByteSource } from '../trace/arrays.ts';
import type { ArrayRef, Trace, TraceLatent } from '../trace/schema.ts';

/** Name of the manifest in the zip. */
export const NPZ_MANIFEST = 'trace.json';

/** The numbers of NumPy's type codes: little-endian, half, single, byte. */
const DESCR: Readonly<Record<ArrayRef['dtype'], string>> = { U8: '|u1', F16: '<f2', F32: '<f4' };
/** The data of an .npy file begins at a multiple of this. */
const NPY_ALIGNMENT = 64;
/** Of the headers of all arrays with few sides. */
const NPY_HEADER = 2 * NPY_ALIGNMENT;
/** Magic, version and the header's length. */
const NPY_LEAD = 10;
/** Of an entry in a zip, beside its name, which stands there twice, and its data. */
const ZIP_ENTRY = 30 + 16 + 46 + 9;

/** An array under its name. */
interface Named {
  name: string;
  ref: ArrayRef;
}

/** Every array of a trace's container, under its name in an NPZ file. */
export function namedArrays({ pictures, tokens, latents, analyses = [] }: Trace): Named[] {
  const of = (what: string, index: number): string => `${what}_${String(index).padStart(3, '0')}`;
  const picture = new Map(pictures.map(({ id }, i) => [id, of('picture', i)]));
  const latentArrays = ({ vector, attention, mean, comparisons }: TraceLatent, i: number): Named[] => [
    { name: `${of('latent', i)}.vector`, ref: vector },
    { name: `${of('latent', i)}.attention`, ref: attention },
    { name: `${of('latent', i)}.mean`, ref: mean },
    ...comparisons.flatMap((comparison) => {
      const lead = `${of('latent', i)}.${picture.get(comparison.picture)}`;
      const { similarity, selection } = comparison;
      return [
        { name: `${lead}.similarity`, ref: similarity },
        { name: `${lead}.selection_cosines`, ref: selection.cosines },
        { name: `${lead}.selection_probabilities`, ref: selection.probabilities },
      ];
    }),
  ];
  return [
    ...pictures.map(({ png }, i) => ({ name: `${of('picture', i)}.png`, ref: png })),
    ...latents.flatMap(latentArrays),
    ...tokens.flatMap(({ attention }, i) =>
      attention === undefined ? [] : [{ name: `${of('token', i)}.attention`, ref: attention }],
    ),
    ...analyses.flatMap(({ result }, i) => resultArrays(of('analysis', i), result)),
  ];
}

/** Keys of a result may be of any form in a stranger's trace; in a name they are words, and no two are alike. */
function resultArrays(lead: string, result: unknown): Named[] {
  const taken = new Set<string>();
  return arraysOfResult(result).map(({ keys, ref }) => {
    const plain = [lead, ...keys.map((key) => key.replaceAll(/\W/g, '_').slice(0, 64))].join('.');
    let name = plain;
    for (let i = 2; taken.has(name); i++) name = `${plain}_${i}`;
    taken.add(name);
    return { name, ref };
  });
}

/** About how many bytes the file takes, from those of the manifest. */
export function npzSize(trace: Trace, manifestBytes: number): number {
  const entry = (name: string, bytes: number): number => bytes + ZIP_ENTRY + 2 * name.length;
  const looks = trace.tokens.length * trace.model.layers * LOOKS.length * 4;
  return namedArrays(trace).reduce(
    (sum, { name, ref }) => sum + entry(`${name}.npy`, NPY_HEADER + bytesOf(ref)),
    entry(NPZ_MANIFEST, manifestBytes) + entry('looks.npy', NPY_HEADER + looks),
  );
}

/**
 * The bytes of the file, piece by piece. Arrays are read one at a time, and checked against their sums.
 * @param manifest its text, in pieces
 */
export async function* npzPieces(
  trace: Trace,
  source: ByteSource,
  manifest: () => Iterable<string>,
): AsyncGenerator<Uint8Array> {
  const zip = new ZipFile();
  const output = zip.outputStream as Readable;
  let current: Readable | undefined;
  // Stored: what is nearly random does not become smaller, and NumPy can map what is stored into memory.
  const options = { compress: false, mtime: new Date(trace.createdAt) };
  const add = (name: string, pieces: () => Iterable<Uint8Array | string> | AsyncIterable<Uint8Array>): void =>
    zip.addReadStreamLazy(name, options, (give) => {
      current = Readable.from(pieces(), { objectMode: false });
      // The zip itself does not look after the streams it is given.
      current.on('error', (error) => output.destroy(error));
      give(undefined, current);
    });
  add(NPZ_MANIFEST, manifest);
  for (const { name, ref } of namedArrays(trace)) add(`${name}.npy`, () => npyPieces(source, ref));
  add('looks.npy', () => looksPieces(trace));
  zip.end();
  zip.on('error', (error: Error) => output.destroy(error));
  output.on('close', () => current?.destroy());
  yield* output as AsyncIterable<Uint8Array>;
}

/** The header of an .npy file of version 1.0, after which the numbers follow, row by row. */
export function npyHeader(dtype: ArrayRef['dtype'], shape: readonly number[]): Uint8Array {
  const sides = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const text = `{'descr': '${DESCR[dtype]}', 'fortran_order': False, 'shape': (${sides}), }`;
  const length = Math.ceil((NPY_LEAD + text.length + 1) / NPY_ALIGNMENT) * NPY_ALIGNMENT;
  const lead = Uint8Array.from([0x93, ...Buffer.from('NUMPY'), 1, 0]);
  const header = Buffer.alloc(length, ' ');
  header.set(lead);
  header.writeUInt16LE(length - NPY_LEAD, lead.length);
  header.write(text, NPY_LEAD);
  header.write('\n', length - 1);
  return header;
}

async function* npyPieces(source: ByteSource, ref: ArrayRef): AsyncGenerator<Uint8Array> {
  yield npyHeader(ref.dtype, ref.shape);
  yield await readBytes(source, ref);
}

/** [tokens, layers, LOOKS]; NaN where a token was never fed. */
function* looksPieces({ tokens, model }: Trace): Generator<Uint8Array> {
  const shape = [model.layers, LOOKS.length];
  yield npyHeader('F32', [tokens.length, ...shape]);
  const none = new Float32Array(model.layers * LOOKS.length).fill(NaN);
  for (const { looks } of tokens) {
    const { buffer, byteOffset, byteLength } = looks?.data ?? none;
    yield new Uint8Array(buffer, byteOffset, byteLength);
  }
}
