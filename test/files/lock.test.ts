import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { lockFile } from '../../src/files/lock.ts';
import { temporaryFolder } from '../fixtures/cli.ts';

let folder = '';
let file = '';
beforeEach(() => {
  folder = temporaryFolder();
  file = join(folder, 'results.jsonl');
});

const ended = (): number => spawnSync(process.execPath, ['-e', '']).pid;
const leave = (content: string): void => writeFileSync(`${file}.lock`, content);

describe('a locked file', () => {
  it('is refused to others until it is given back, and nothing stays beside it', async () => {
    const unlock = await lockFile(file);
    await expect(lockFile(file)).rejects.toThrow(`process ${process.pid} on ${hostname()}`);
    await unlock();
    await (
      await lockFile(file)
    )();
    expect(readdirSync(folder)).toEqual([]);
  });

  it.runIf(process.platform !== 'win32')('is the same file under the name of a link', async () => {
    symlinkSync('results.jsonl', join(folder, 'link'));
    await lockFile(file);
    await expect(lockFile(join(folder, 'link'))).rejects.toThrow('Another process is writing this file');
  });

  it('of another machine is believed, and the message says what to delete', async () => {
    leave(JSON.stringify({ pid: ended(), host: 'elsewhere' }));
    await expect(lockFile(file)).rejects.toThrow(`delete ${file}.lock`);
  });

  it('of one that is just being taken is waited for, but not for ever', async () => {
    leave('');
    await expect(lockFile(file)).rejects.toThrow('another process');
    const hourAgo = new Date(Date.now() - 3_600_000);
    utimesSync(`${file}.lock`, hourAgo, hourAgo);
    await (
      await lockFile(file)
    )();
  });
});

describe('the lock of a process that is gone', () => {
  it('counts for nothing', async () => {
    leave(JSON.stringify({ pid: ended(), host: hostname() }));
    await (
      await lockFile(file)
    )();
  });

  it.runIf(existsSync('/proc/self/stat'))('counts for nothing when another has its number now', async () => {
    leave(JSON.stringify({ pid: process.pid, host: hostname(), began: 'another boot 1' }));
    await (
      await lockFile(file)
    )();
  });

  it('is taken over by one only, however many try at once', async () => {
    leave(JSON.stringify({ pid: ended(), host: hostname() }));
    const tries = await Promise.allSettled(Array.from({ length: 20 }, () => lockFile(file)));
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });
});
