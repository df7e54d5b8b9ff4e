import type { ArraySink } from '../trace/arrays.ts';

/** A trace as JSON, of no particular version. */
export type AnyTrace = Record<string, unknown>;

/**
 * Makes a trace of the next version out of one.
 * @param sink takes the arrays that stood in it
 * @param where the file's name, for messages
 */
export type MigrationStep = (trace: AnyTrace, sink: ArraySink, where: string) => Promise<AnyTrace> | AnyTrace;
