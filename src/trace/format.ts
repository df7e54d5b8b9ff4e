/** The names a trace goes by. Apart from the schema, so that the panel need not carry a schema library. */

export const TRACE_FORMAT = 'ilvr-trace';
export const TRACE_VERSION = 1;

/** Name of the timing that is the whole run rather than a part of it. */
export const TOTAL_TIMING = 'total';
