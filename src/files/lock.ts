/**
 * One program at a time on a file that is added to: `FILE.lock` beside it says which process has it. The lock
 * of a process that is gone counts for nothing, so that whatever ends a program needs no cleaning up.
 */

import { randomUUID } from 'node:crypto';
import { open, readFile, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import * as z from 'zod';
import { UserError } from '../base/errors.ts';
import { cannotWrite, isSystemError, targetOf } from './replaceFile.ts';

/** A lock without an owner is just being written, unless it has been so for this long. */
const WRITING_MS = 60_000;

const owner = z.object({
  pid: z.int(),
  /** Processes of other machines cannot be seen. */
  host: z.string(),
  /** When the process began, where that can be told: another one may have its number later. */
  began: z.string().optional(),
});

type Owner = z.output<typeof owner>;

/**
 * Takes a file for this process.
 * @param file need not exist; links to one file are one file
 * @returns gives it back
 * @throws UserError if another process has it, or the lock cannot be written
 */
export async function lockFile(file: string): Promise<() => Promise<void>> {
  const lock = `${await targetOf(file)}.lock`;
  const began = await beginningOf(process.pid);
  const mine = JSON.stringify({
    pid: process.pid,
    host: hostname(),
    ...(began !== undefined && { began }),
    // No two locks are alike, so that a later one is not taken for the one that was seen.
    id: randomUUID(),
  });
  while (!(await create(lock, mine))) {
    const seen = await contentOf(lock);
    if (seen === undefined) continue;
    await refuseIfHeld(seen, lock, file);
    await removeStale(lock, seen, file);
  }
  return async () => {
    if ((await contentOf(lock)) === mine) await rm(lock, { force: true });
  };
}

/** @returns false if there is such a file already */
async function create(lock: string, content: string): Promise<boolean> {
  try {
    const handle = await open(lock, 'wx');
    try {
      await handle.writeFile(content);
    } finally {
      await handle.close();
    }
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw isSystemError(error) ? cannotWrite(lock, error) : error;
  }
}

async function refuseIfHeld(content: string, lock: string, file: string): Promise<void> {
  const holder = ownerOf(content);
  if (holder === undefined) {
    const { mtimeMs } = await stat(lock).catch(() => ({ mtimeMs: Date.now() }));
    if (Date.now() - mtimeMs < WRITING_MS) throw held(file, lock, 'another process');
  } else if (await isAtWork(holder)) {
    throw held(file, lock, `process ${holder.pid} on ${holder.host}`);
  }
}

/** Two processes may see the same stale lock; only one at a time removes it, if it is still that one. */
async function removeStale(lock: string, seen: string, file: string): Promise<void> {
  const guard = `${lock}.removing`;
  if (!(await create(guard, ''))) throw held(file, guard, 'another process, which begins just now');
  try {
    if ((await contentOf(lock)) === seen) await rm(lock, { force: true });
  } finally {
    await rm(guard, { force: true });
  }
}

async function isAtWork({ pid, host, began }: Owner): Promise<boolean> {
  if (host !== hostname()) return true;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // There, but somebody else's.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const now = await beginningOf(pid);
  return began === undefined || now === undefined || now === began;
}

/** Boot and clock tick at which a process began, on Linux; nothing elsewhere. */
async function beginningOf(pid: number): Promise<string | undefined> {
  const [boot, facts] = await Promise.all([
    contentOf('/proc/sys/kernel/random/boot_id'),
    contentOf(`/proc/${pid}/stat`),
  ]);
  if (boot === undefined || facts === undefined) return undefined;
  // The program's name, in brackets, may hold spaces; the time is the 20th fact after it.
  return `${boot.trim()} ${facts.slice(facts.lastIndexOf(')') + 2).split(' ')[19]}`;
}

function ownerOf(content: string): Owner | undefined {
  try {
    return owner.safeParse(JSON.parse(content)).data;
  } catch {
    return undefined;
  }
}

async function contentOf(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch(() => undefined);
}

function held(file: string, lock: string, by: string): UserError {
  return new UserError({
    problem: 'Another process is writing this file',
    found: by,
    where: file,
    remedy: `Wait for it or stop it. If it is no longer there, delete ${lock}.`,
  });
}
