import { mkdirSync, writeFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeFolder } from '../../src/files/makeFolder.ts';
import { scratchFolder } from '../fixtures/scratch.ts';

test('a folder is made with those above it, and is left alone where it is there', async () => {
  const folder = join(await scratchFolder(), 'a/b/c');
  await Promise.all([makeFolder(folder), makeFolder(folder)]);
  await makeFolder(folder);
  expect((await stat(folder)).isDirectory()).toBe(true);
});

test('a file in its place, or above it, is named', async () => {
  const folder = await scratchFolder();
  mkdirSync(join(folder, 'a'));
  writeFileSync(join(folder, 'a/file'), '');
  await expect(makeFolder(join(folder, 'a/file'))).rejects.toThrow(/folder is needed.*found a file/);
  await expect(makeFolder(join(folder, 'a/file/b'))).rejects.toThrow(/folder is needed.*found a file/);
});

test.runIf(process.platform === 'linux')('a system that takes no folder says so at once', async () => {
  await expect(makeFolder('/proc/ilvr/weights')).rejects.toThrow(/cannot write.*\/proc\/ilvr/);
});
