/** What a schema finds wrong with a value, in plain words for the messages of errors: a library's own are not. */

import type * as z from 'zod';

type Issue = z.core.$ZodIssue;

export interface Fault {
  /** Where, as "a.0.b"; empty at the top. */
  path: string;
  /** "a whole number", "one of "a", "b"": what stands after "expected". */
  expected: string;
  /** What stands after "found". */
  found: string;
  issue: Issue;
}

/** The first thing that is wrong. @param given what was parsed */
export function faultIn(error: z.ZodError, given: unknown): Fault {
  const issue = deepest(error.issues[0]!);
  const value = valueAt(given, issue.path);
  return {
    path: issue.path.map(String).join('.'),
    expected: expectedOf(issue),
    found:
      issue.code === 'unrecognized_keys'
        ? issue.keys.map((key) => JSON.stringify(key)).join(', ')
        : show(value),
    issue,
  };
}

/** The same in one piece: "at a.0: expected a number, found nothing". */
export function faultText(error: z.ZodError, given: unknown, top = 'the top level'): string {
  const { path, expected, found } = faultIn(error, given);
  return `at ${path === '' ? top : path}: expected ${expected}, found ${found}`;
}

/** Of a union's complaints, the one about its object. */
function deepest(issue: Issue): Issue {
  if (issue.code !== 'invalid_union') return issue;
  const inner = issue.errors
    .flat()
    .find(({ path: where, code }) => where.length > 0 || code === 'unrecognized_keys');
  return inner === undefined ? issue : { ...inner, path: [...issue.path, ...inner.path] };
}

const KINDS: Record<string, string> = {
  array: 'a list',
  boolean: 'true or false',
  int: 'a whole number',
  number: 'a number',
  object: 'an object',
  record: 'an object',
  string: 'a text',
  tuple: 'a list',
  undefined: 'nothing',
};

/** Words of the library itself; others were written for the one place. */
const ITS_OWN = /^(Invalid|Too (big|small)|Unrecognized)/;

function expectedOf(issue: Issue): string {
  if (!ITS_OWN.test(issue.message)) return issue.message.replace(/^expected /, '');
  switch (issue.code) {
    case 'invalid_type':
      return KINDS[issue.expected] ?? issue.expected;
    case 'invalid_value':
      return oneOf(issue.values);
    case 'too_small':
      return bounded(issue, issue.inclusive === false ? 'more than' : 'at least', issue.minimum);
    case 'too_big':
      return bounded(issue, issue.inclusive === false ? 'less than' : 'at most', issue.maximum);
    case 'unrecognized_keys':
      return 'only what is read';
    case 'invalid_format':
      return `a text of the form "${issue.format}"`;
    case 'not_multiple_of':
      return `a multiple of ${issue.divisor}`;
    case 'invalid_union':
      return 'one of the forms that are known';
    case 'invalid_key':
    case 'invalid_element':
    case 'custom':
    default:
      return 'something else';
  }
}

const UNITS: Record<string, string> = { array: ' entries', string: ' characters' };

function bounded({ origin }: { origin: string }, how: string, value: number | bigint): string {
  return `${how} ${value}${UNITS[origin] ?? ''}`;
}

function oneOf(values: readonly unknown[]): string {
  const texts = values.map((value) => JSON.stringify(value) ?? String(value));
  return texts.length === 1 ? texts[0]! : `one of ${texts.join(', ')}`;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, key) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, key) : undefined),
    value,
  );
}

/** A short rendering of any JSON value for an error message. */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'number') return String(value); // JSON has no NaN
  const text = JSON.stringify(value) ?? typeof value;
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
