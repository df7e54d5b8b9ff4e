/** Whether two traces are of one and the same run, whatever they are called and wherever their arrays lie. */

import { createHash } from 'node:crypto';
import { UserError } from '../base/errors.ts';
import { nextTurn } from '../base/turn.ts';
import { allArrays } from '../trace/arrays.ts';
import type { Trace } from '../trace/schema.ts';
import { manifestPieces } from './manifest.ts';

/**
 * The sha256 of what a run gave: the same for every copy of its trace, exported, kept under another id or with analyses
 * added, and other for any other run, as the sums of all arrays and the times are part of it.
 */
export async function identityOf(trace: Trace): Promise<string> {
  const { $schema: _, analyses: __, ...own } = trace;
  const plain: Trace = structuredClone({ ...own, id: 'any' });
  for (const ref of allArrays(plain)) ref.offset = 0;
  const hash = createHash('sha256');
  for (const piece of manifestPieces(plain)) {
    hash.update(piece);
    await nextTurn();
  }
  return hash.digest('hex');
}

/** @throws UserError if they are copies of one trace, so that there is nothing to compare */
export async function requireTwo(a: Trace, b: Trace): Promise<void> {
  // Of most pairs their times tell already.
  if (a.createdAt !== b.createdAt || (await identityOf(a)) !== (await identityOf(b))) return;
  throw new UserError({
    problem: 'A run is not compared with itself',
    expected: 'traces of two runs',
    found: 'twice the same',
    remedy: 'Choose another one.',
  });
}
