/** The names a trace goes by. Apart from the schema, so that the panel need not carry a schema library. */

import { message, translated } from '../base/l10n.ts';

export const TRACE_FORMAT = 'ilvr-trace';
export const TRACE_VERSION = 3;

/** Names of the timings that are parts of a run. */
export const PART_TIMINGS = {
  pictures: message('encode pictures'),
  prompt: message('read prompt'),
  answer: message('generate'),
} as const;

/** What a timing is called for people; one that we do not know keeps its name. */
export function timingName(name: string): string {
  const known = Object.values(PART_TIMINGS).find((part) => part === name);
  return known === undefined ? name : translated(known);
}

/** Name of the timing that is the whole run rather than a part of it. */
export const TOTAL_TIMING = 'total';

/** In the result of an analysis: the key under which a reference to an array stands. */
export const ARRAY_KEY = '$array';
