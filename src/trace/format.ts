/** The names a trace goes by. Apart from the schema, so that the panel need not carry a schema library. */

export const TRACE_FORMAT = 'ilvr-trace';
export const TRACE_VERSION = 2;

/** Names of the timings that are parts of a run. */
export const PART_TIMINGS = {
  pictures: 'encode pictures',
  prompt: 'read prompt',
  answer: 'generate',
} as const;

/** Name of the timing that is the whole run rather than a part of it. */
export const TOTAL_TIMING = 'total';

/** In the result of an analysis: the key under which a reference to an array stands. */
export const ARRAY_KEY = '$array';
