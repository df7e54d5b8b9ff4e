/**
 * Where the entries of a zip archive lie, for archives that are containers only: PyTorch stores tensors
 * uncompressed, so that each entry is a range of the file (APPNOTE.TXT 6.3, zip64 included).
 *
 * The archive comes from a stranger: directory and local headers are compared, every range is checked to lie
 * inside the file and to overlap no other, and nothing is decompressed.
 */
import type { FileHandle } from 'node:fs/promises';
import { UserError } from '../../base/errors.ts';
import { openPlainFile } from '../../files/plainFile.ts';
import { show } from '../json.ts';
import { readFully } from './safetensors.ts';

/** Bytes of an entry inside the file. */
export interface ZipEntry {
  offset: number;
  length: number;
}

export interface ZipDirectory {
  entries: ReadonlyMap<string, ZipEntry>;
  /** The directory as stored; it holds a checksum of each entry. */
  bytes: Uint8Array;
}

/** Some hundred thousand entries; checkpoints have some hundred. */
const MAX_DIRECTORY_BYTES = 16_000_000;

const SIGNATURE = {
  local: 0x04034b50,
  entry: 0x02014b50,
  end: 0x06054b50,
  end64: 0x06064b50,
  locator: 0x07064b50,
};
const END_BYTES = 22;
const LOCATOR_BYTES = 20;
const END64_BYTES = 56;
const ENTRY_BYTES = 46;
const LOCAL_BYTES = 30;
const MAX_COMMENT_BYTES = 0xffff;
/** In a 16- or 32-bit field: look into the zip64 records. */
const [SEE_64_SHORT, SEE_64] = [0xffff, 0xffffffff];

/**
 * Reads the directory of an archive.
 * @throws UserError if it is no zip archive, is damaged, or has compressed or encrypted entries
 */
export async function readZip(file: string): Promise<ZipDirectory> {
  const { handle, size } = await openPlainFile(file);
  try {
    const archive: Archive = { handle, size, file };
    const { offset, length, count } = await findDirectory(archive);
    const bytes = await readRange(archive, offset, length);
    const listed = parseDirectory(bytes, count, file);
    return { entries: await locateEntries(archive, listed, offset), bytes };
  } finally {
    await handle.close();
  }
}

interface Archive {
  handle: FileHandle;
  size: number;
  file: string;
}

interface Directory {
  offset: number;
  length: number;
  count: number;
}

/** An entry as the directory has it. */
interface Listed {
  name: string;
  /** Of its local header. */
  header: number;
  length: number;
}

async function findDirectory(archive: Archive): Promise<Directory> {
  const { size, file } = archive;
  const tailLength = Math.min(size, END_BYTES + MAX_COMMENT_BYTES);
  const tail = viewOf(await readRange(archive, size - tailLength, tailLength));
  const at = findEnd(tail);
  if (at === undefined) throw damaged('the end record of a zip archive', 'none', file);
  const end = size - tailLength + at;
  const short: Directory = {
    count: tail.getUint16(at + 10, true),
    length: tail.getUint32(at + 12, true),
    offset: tail.getUint32(at + 16, true),
  };
  const needs64 = short.count === SEE_64_SHORT || short.length === SEE_64 || short.offset === SEE_64;
  const directory = needs64 ? await findDirectory64(archive, end) : short;
  const { offset, length } = directory;
  if (length > MAX_DIRECTORY_BYTES || offset + length > end)
    throw damaged(`a directory before byte ${end}`, `${length} bytes at ${offset}`, file);
  return directory;
}

/** The last end record whose comment ends with the file. */
function findEnd(tail: DataView): number | undefined {
  for (let at = tail.byteLength - END_BYTES; at >= 0; at--) {
    if (tail.getUint32(at, true) !== SIGNATURE.end) continue;
    if (at + END_BYTES + tail.getUint16(at + 20, true) === tail.byteLength) return at;
  }
  return undefined;
}

async function findDirectory64(archive: Archive, end: number): Promise<Directory> {
  const { file } = archive;
  const missing = (): UserError => damaged('a zip64 end record', 'none', file);
  if (end < LOCATOR_BYTES) throw missing();
  const locator = viewOf(await readRange(archive, end - LOCATOR_BYTES, LOCATOR_BYTES));
  if (locator.getUint32(0, true) !== SIGNATURE.locator) throw missing();
  const at = long(locator, 8, file);
  if (at + END64_BYTES > end) throw missing();
  const record = viewOf(await readRange(archive, at, END64_BYTES));
  if (record.getUint32(0, true) !== SIGNATURE.end64) throw missing();
  return {
    count: long(record, 32, file),
    length: long(record, 40, file),
    offset: long(record, 48, file),
  };
}

function parseDirectory(bytes: Uint8Array, count: number, file: string): Listed[] {
  const view = viewOf(bytes);
  const listed: Listed[] = [];
  let at = 0;
  while (at + ENTRY_BYTES <= bytes.length && view.getUint32(at, true) === SIGNATURE.entry) {
    const nameLength = view.getUint16(at + 28, true);
    const extraLength = view.getUint16(at + 30, true);
    const next = at + ENTRY_BYTES + nameLength + extraLength + view.getUint16(at + 32, true);
    if (next > bytes.length) break;
    const name = decodeName(bytes.subarray(at + ENTRY_BYTES, at + ENTRY_BYTES + nameLength), file);
    listed.push(parseEntry(view, at, name, extraLength, file));
    at = next;
  }
  if (at !== bytes.length || listed.length !== count)
    throw damaged(
      `${count} entries in ${bytes.length} bytes of directory`,
      `${listed.length} in ${at}`,
      file,
    );
  return listed;
}

function parseEntry(view: DataView, at: number, name: string, extraLength: number, file: string): Listed {
  const where = `${file}, entry ${show(name)}`;
  const [flags, method] = [view.getUint16(at + 8, true), view.getUint16(at + 10, true)];
  if ((flags & 1) !== 0) throw damaged('an entry without encryption', 'an encrypted one', where);
  if (method !== 0) throw compressed(method, where);
  const fields = {
    length: view.getUint32(at + 24, true),
    stored: view.getUint32(at + 20, true),
    header: view.getUint32(at + 42, true),
  };
  const extraStart = at + ENTRY_BYTES + view.getUint16(at + 28, true);
  applyZip64(fields, view, extraStart, extraLength, where);
  if (fields.length !== fields.stored)
    throw damaged(`${fields.length} bytes as they are`, `${fields.stored} stored`, where);
  return { name, header: fields.header, length: fields.length };
}

/** Extra field 1 holds, in this order, those of the three that do not fit 32 bits. */
function applyZip64(
  fields: Record<'length' | 'stored' | 'header', number>,
  view: DataView,
  start: number,
  length: number,
  where: string,
): void {
  const wide = (['length', 'stored', 'header'] as const).filter((key) => fields[key] === SEE_64);
  if (wide.length === 0) return;
  const end = start + length;
  for (let at = start; at + 4 <= end;) {
    const [id, fieldLength] = [view.getUint16(at, true), view.getUint16(at + 2, true)];
    if (id === 1 && fieldLength >= 8 * wide.length && at + 4 + fieldLength <= end) {
      wide.forEach((key, i) => {
        fields[key] = long(view, at + 4 + 8 * i, where);
      });
      return;
    }
    at += 4 + fieldLength;
  }
  throw damaged('sizes in a zip64 field', 'none', where);
}

/** Each entry's bytes begin after its local header, whose own length only it knows. */
async function locateEntries(
  archive: Archive,
  listed: Listed[],
  directoryStart: number,
): Promise<Map<string, ZipEntry>> {
  const { file } = archive;
  const entries = new Map<string, ZipEntry>();
  let end = 0;
  for (const { name, header, length } of listed.toSorted((a, b) => a.header - b.header)) {
    const where = `${file}, entry ${show(name)}`;
    if (entries.has(name)) throw damaged('every name once', `${show(name)} twice`, file);
    if (header < end)
      throw damaged(`it at byte ${end} or later`, `byte ${header}: it overlaps another`, where);
    const offset = await dataStart(archive, header, name, where);
    end = offset + length;
    if (end > directoryStart) throw damaged(`its end before byte ${directoryStart}`, `byte ${end}`, where);
    entries.set(name, { offset, length });
  }
  return entries;
}

async function dataStart(archive: Archive, header: number, name: string, where: string): Promise<number> {
  const expected = new TextEncoder().encode(name);
  const bytes = await readRange(archive, header, LOCAL_BYTES + expected.length);
  const view = viewOf(bytes);
  const own = bytes.subarray(LOCAL_BYTES);
  const agrees =
    view.getUint32(0, true) === SIGNATURE.local &&
    view.getUint16(8, true) === 0 &&
    view.getUint16(26, true) === expected.length &&
    expected.every((byte, i) => byte === own[i]);
  if (!agrees) throw damaged('a local header that agrees with the directory', 'another', where);
  return header + LOCAL_BYTES + expected.length + view.getUint16(28, true);
}

async function readRange(
  { handle, size, file }: Archive,
  offset: number,
  length: number,
): Promise<Uint8Array> {
  if (offset < 0 || offset + length > size)
    throw damaged(`at least ${offset + length} bytes`, `a file of ${size}`, file);
  const bytes = new Uint8Array(length);
  await readFully(handle, bytes, offset, file);
  return bytes;
}

function decodeName(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw damaged('names in UTF-8', 'other bytes', file);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function long(view: DataView, at: number, where: string): number {
  const value = view.getBigUint64(at, true);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw damaged('a size below 2^53', `${value}`, where);
  return Number(value);
}

function compressed(method: number, where: string): UserError {
  return new UserError({
    problem: 'the .bin file has compressed entries, so that graphs cannot point into it',
    expected: 'stored entries, as torch.save writes them',
    found: `compression method ${method}`,
    where,
    remedy:
      'Unpack the archive and pack it again without compression (zip -0), or save the model as safetensors.',
  });
}

function damaged(expected: string, found: string, where: string): UserError {
  return new UserError({
    problem: 'the .bin file is not a sound zip archive',
    expected,
    found,
    where,
    remedy: 'Download the file again.',
  });
}
