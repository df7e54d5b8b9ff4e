/** Manifests of traces as text: `*.ilvr.json`. Reading executes nothing and trusts nothing. */

import * as z from 'zod';
import { faultText } from '../base/faults.ts';
import { messageOf, UserError } from '../base/errors.ts';
import { TRACE_FORMAT } from '../trace/format.ts';
import { checkReferences } from '../trace/references.ts';
import { traceSchema, type Trace } from '../trace/schema.ts';
import { checkLooks } from '../trace/values.ts';
import { MemoryContainer } from './container.ts';
import { migrated } from './migrate.ts';
import type { AnyTrace } from './migrationStep.ts';

/** Suffix of traces; the panel's custom editor claims it. */
export const TRACE_SUFFIX = '.ilvr.json';
/** Suffix of the container beside a manifest. */
export const ARRAYS_SUFFIX = '.ilvr.bin';

/** JSON.stringify and JSON.parse work on one string, and V8's longest holds 2^29 - 24 characters. */
export const MAX_CHARACTERS = 500_000_000;

/** A manifest, and its arrays or where they are. */
export interface ReadManifest {
  trace: Trace;
  /** A plain name, of a file beside the manifest; or the arrays, which stood in it. */
  arrays: { file: string } | MemoryContainer;
}

/** Entries of a list that are encoded at a time: a few milliseconds. */
const ENTRIES_A_PIECE = 32;

/**
 * The manifest as JSON text.
 * @param arrays where they are to be looked for: a name beside it, or base64 in it
 */
export function writeManifest(trace: Trace, arrays: { file: string } | { data: string }): string {
  return [...manifestPieces(trace), arraysText(trace, arrays)].join('');
}

/**
 * The text up to the arrays, in pieces that each take a few milliseconds, so that whoever writes it can let others
 * run between them. `arraysText` completes it.
 * @param trace must not change meanwhile; see `snapshotOf`
 */
export function* manifestPieces(trace: Trace): Generator<string> {
  yield '{';
  for (const [key, schema] of Object.entries(traceSchema.shape)) {
    const value = trace[key as keyof Trace];
    if (value === undefined || key === 'arrays') continue;
    yield `${JSON.stringify(key)}:`;
    if (schema instanceof z.ZodArray && Array.isArray(value)) yield* listPieces(schema, value);
    else yield JSON.stringify(z.encode<z.ZodType>(schema, value));
    yield ',';
  }
}

/** The rest of the text; without `held`, the arrays are to be had elsewhere. */
export function arraysText({ arrays: { bytes } }: Trace, held?: { file: string } | { data: string }): string {
  return `"arrays":${JSON.stringify({ bytes, ...held })}}`;
}

/** What stands before and after base64 that is written piece by piece. */
export function dataFrame(trace: Trace): [before: string, after: string] {
  const text = arraysText(trace, { data: '' });
  const end = '"}}';
  return [text.slice(0, -end.length), end];
}

function* listPieces(schema: z.ZodArray, list: readonly unknown[]): Generator<string> {
  yield '[';
  for (let first = 0; first < list.length; first += ENTRIES_A_PIECE) {
    const part = z.encode<z.ZodType>(schema, list.slice(first, first + ENTRIES_A_PIECE));
    yield `${first === 0 ? '' : ','}${JSON.stringify(part).slice(1, -1)}`;
  }
  yield ']';
}

/** The trace as it is now, for whoever takes his time to write one that grows. */
export function snapshotOf(trace: Trace): Trace {
  return {
    ...trace,
    pictures: [...trace.pictures],
    // Of these two, entries are changed in place while a run goes on.
    tokens: trace.tokens.map((token) => ({ ...token })),
    blocks: trace.blocks.map((block) => ({ ...block })),
    latents: [...trace.latents],
    timings: [...trace.timings],
    arrays: { ...trace.arrays },
  };
}

/**
 * Parses a manifest's text.
 * @param where the file's name, for messages
 * @throws UserError if it is no trace, is truncated, is from a newer version, contradicts itself, or holds numbers
 * that cannot be; one of an older version is migrated
 */
export async function readManifest(text: string, where: string): Promise<ReadManifest> {
  const memory = new MemoryContainer();
  const json = await migrated(requireFormat(parseJson(text, where), where), memory, where);
  const result = z.safeDecode(traceSchema, json as z.input<typeof traceSchema>);
  if (!result.success) {
    throw new UserError({
      problem: 'This trace is damaged',
      found: faultText(result.error, json),
      where,
      remedy: 'Export it again from the run, or restore the file from a copy.',
    });
  }
  const { arrays, ...rest } = result.data;
  const trace: Trace = { ...rest, arrays: { bytes: arrays.bytes } };
  checkReferences(trace, where);
  checkLooks(trace, where);
  return { trace, arrays: arraysOf(arrays, memory, where) };
}

/** The published JSON Schema, from the same definitions as the types. */
export function traceJsonSchema(): object {
  return z.toJSONSchema(traceSchema, { io: 'input' });
}

function arraysOf(
  { bytes, file, data }: Trace['arrays'],
  migratedArrays: MemoryContainer,
  where: string,
): ReadManifest['arrays'] {
  const fail = (expected: string, found: string): never => {
    throw new UserError({
      problem: 'This trace is damaged',
      expected: `arrays: ${expected}`,
      found,
      where,
      remedy: 'Export it again from the run.',
    });
  };
  if (file !== undefined && data !== undefined) return fail('a file or data', 'both');
  if (file !== undefined) {
    // Anything else would open files that are none of the trace's.
    if (!/^[^/\\:\0]+$/.test(file) || !file.endsWith(ARRAYS_SUFFIX)) {
      return fail(
        `the name of a file beside it that ends in ${ARRAYS_SUFFIX}`,
        JSON.stringify(file).slice(0, 80),
      );
    }
    return { file };
  }
  const container = data === undefined ? migratedArrays : new MemoryContainer(Buffer.from(data, 'base64'));
  if (container.size < bytes) return fail(`${bytes} bytes`, `${container.size} bytes`);
  return container;
}

function parseJson(text: string, where: string): unknown {
  if (text.length > MAX_CHARACTERS) {
    throw new UserError({
      problem: 'This trace is too large to open',
      expected: `at most ${MAX_CHARACTERS} characters`,
      found: String(text.length),
      where,
    });
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UserError({
      problem: 'This file is not a complete ILVR trace',
      expected: 'one JSON object',
      found: messageOf(error),
      where,
      remedy: 'The file may have been cut off while it was copied or written; export it again.',
    });
  }
}

function requireFormat(json: unknown, where: string): AnyTrace {
  const trace = (typeof json === 'object' && json !== null ? json : {}) as AnyTrace;
  const { format } = trace;
  if (format === TRACE_FORMAT) return trace;
  throw new UserError({
    problem: 'This file is not an ILVR trace',
    expected: `"format": "${TRACE_FORMAT}"`,
    found: format === undefined ? 'no format' : JSON.stringify(format).slice(0, 80),
    where,
  });
}
