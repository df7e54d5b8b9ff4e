/** Traces of earlier versions, brought to today's step by step before they are checked. */

import { UserError } from '../base/errors.ts';
import type { ArraySink } from '../trace/arrays.ts';
import { TRACE_VERSION } from '../trace/format.ts';
import type { AnyTrace, MigrationStep } from './migrationStep.ts';
import { fromVersion1 } from './version1.ts';
import { fromVersion2 } from './version2.ts';

/** By the version that a step reads. There is none before 1. */
const STEPS: Readonly<Record<number, MigrationStep>> = { 1: fromVersion1, 2: fromVersion2 };

/**
 * A trace of today's version.
 * @param steps and `current` are today's unless a test says otherwise
 * @throws UserError if its version is newer, or older than any that can be read, or no version
 */
export async function migrated(
  trace: AnyTrace,
  sink: ArraySink,
  where: string,
  { steps, current } = { steps: STEPS, current: TRACE_VERSION },
): Promise<AnyTrace> {
  let now = trace;
  for (let version = versionOf(trace, where, current); version < current; version++) {
    const step = steps[version];
    if (step === undefined) {
      throw new UserError({
        problem: 'This trace is of a version older than any that can still be read',
        expected: `version ${oldest(steps, current)} to ${current}`,
        found: `version ${String(trace['version'])}`,
        where,
        remedy: 'Run the question again, or open it with the ILVR Inspector that wrote it.',
      });
    }
    now = { ...(await step(now, sink, where)), version: version + 1 };
  }
  return now;
}

function versionOf({ version }: AnyTrace, where: string, current: number): number {
  if (typeof version !== 'number' || !Number.isSafeInteger(version)) {
    throw new UserError({
      problem: 'This trace does not say which version it is of',
      expected: `"version": ${current}`,
      found: JSON.stringify(version)?.slice(0, 80) ?? 'no version',
      where,
      remedy: 'Export it again from the run.',
    });
  }
  if (version > current) {
    throw new UserError({
      problem: 'This trace was written by a newer ILVR Inspector',
      expected: `version ${current} or older`,
      found: `version ${version}`,
      where,
      remedy: 'Update ILVR Inspector.',
    });
  }
  return version;
}

/** The first version from which steps lead to today's without a gap. */
function oldest(steps: Readonly<Record<number, unknown>>, current: number): number {
  let version = current;
  while (steps[version - 1] !== undefined) version--;
  return version;
}
