/** Traces as files: `*.ilvr.json`. Reading executes nothing and trusts nothing. */

import * as z from 'zod';
import { messageOf, UserError } from '../base/errors.ts';
import { TRACE_FORMAT } from './format.ts';
import { migrated, type AnyTrace } from './migrate.ts';
import { traceSchema, type Trace } from './schema.ts';
import { checkReferences } from './references.ts';
import { checkValues } from './values.ts';

/** Suffix of exported traces; the panel's custom editor claims it. */
export const TRACE_SUFFIX = '.ilvr.json';

/** JSON.stringify and JSON.parse work on one string, and V8's longest holds 2^29 - 24 characters. */
const MAX_CHARACTERS = 500_000_000;

/** The trace as JSON text. */
export function writeTrace(trace: Trace): string {
  return JSON.stringify(z.encode(traceSchema, trace));
}

/**
 * Parses a trace file's text.
 * @param where the file's name, for messages
 * @throws UserError if it is no trace, is truncated, is from a newer version, contradicts itself, or holds numbers
 * that cannot be; one of an older version is migrated
 */
export function readTrace(text: string, where: string): Trace {
  const json = migrated(requireFormat(parseJson(text, where), where), where);
  const result = z.safeDecode(traceSchema, json as z.input<typeof traceSchema>);
  if (!result.success) {
    const issue = result.error.issues[0];
    const path = issue === undefined || issue.path.length === 0 ? 'the top level' : issue.path.join('.');
    throw new UserError({
      problem: 'This trace is damaged',
      found: `at ${path}: ${issue?.message ?? 'an unknown fault'}`,
      where,
      remedy: 'Export it again from the run, or restore the file from a copy.',
    });
  }
  checkReferences(result.data, where);
  checkValues(result.data, where);
  return result.data;
}

/** The published JSON Schema, from the same definitions as the types. */
export function traceJsonSchema(): object {
  return z.toJSONSchema(traceSchema, { io: 'input' });
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
