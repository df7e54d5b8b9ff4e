/**
 * Reading JSON that somebody else wrote: bounded, checked against a schema, and complaining in the
 * four parts of a `UserError` instead of a stack trace.
 */
import { z } from 'zod';
import { faultIn } from '../base/faults.ts';
import { UserError, messageOf } from '../base/errors.ts';
import { parseJson } from '../base/json.ts';
import { isThere, readPlainFile } from '../files/plainFile.ts';

export { show } from '../base/faults.ts';

/** Configs are a few kilobytes; a tokenizer of 150,000 tokens is 11 MB. Anything far beyond is no config. */
const MAX_JSON_BYTES = 128 * 1024 * 1024;

/**
 * The parsed content of a JSON file, which may hold NaN and Infinity as Python writes them.
 * @throws UserError if the file is missing, too large or no JSON.
 */
export async function readJson(file: string): Promise<unknown> {
  const text = await readText(file);
  try {
    return parseJson(text);
  } catch (error) {
    throw new UserError({
      problem: 'cannot read the file',
      expected: 'JSON',
      found: messageOf(error),
      where: file,
      remedy: 'Download the file again; it may have been cut short.',
    });
  }
}

/** The parsed content, or undefined if there is no such file. */
export async function readJsonIfPresent(file: string): Promise<unknown> {
  return (await isThere(file)) ? readJson(file) : undefined;
}

/**
 * The UTF-8 text of a file, without a byte order mark.
 * @throws UserError if it is missing, no plain file or beyond the size bound.
 */
export async function readText(file: string): Promise<string> {
  const bytes = await readPlainFile(file, { maxBytes: MAX_JSON_BYTES });
  // Drops the mark.
  return new TextDecoder().decode(bytes);
}

/**
 * `value` as the schema sees it.
 * @throws UserError naming the first field that is wrong, what was there and what should be.
 */
export function parseWith<S extends z.ZodType>(schema: S, value: unknown, where: string): z.infer<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { path, expected, found } = faultIn(result.error, value);
  throw new UserError({
    problem: path === '' ? 'the file cannot be used' : `the setting "${path}" cannot be used`,
    expected,
    found,
    where,
    remedy: 'Compare it with the file that the makers of the model published.',
  });
}

/**
 * What `read` makes of a value that has hundreds of thousands of entries, each of which costs a schema microseconds. The
 * schema is asked only where `read` gives nothing, and says what is wrong.
 */
export function quickly<T>(schema: z.ZodType, read: (value: unknown) => T | undefined): z.ZodType<T> {
  return z.unknown().transform((value, context) => {
    const result = read(value);
    if (result !== undefined) return result;
    const { error } = schema.safeParse(value);
    if (error === undefined) throw new Error('A schema takes what its reader refuses');
    context.issues.push(...(error.issues as z.core.$ZodRawIssue[]));
    return z.NEVER;
  });
}

/** Whether a value is a JSON object, whose keys can be asked for. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
