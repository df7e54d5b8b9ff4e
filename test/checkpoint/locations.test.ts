import { mkdir, readdir, symlink } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { locate } from '../../src/checkpoint/locations.ts';
import { Model } from '../../src/inference/model.ts';
import { bundledModel } from '../fixtures/paths.ts';
import { folderOf } from './support.ts';

/** A folder of links to another folder's files, as in the Hugging Face cache. */
async function linked(folder: string): Promise<string> {
  const cache = path.join(await folderOf({}), 'snapshot');
  await mkdir(cache);
  for (const name of await readdir(folder)) await symlink(path.join(folder, name), path.join(cache, name));
  return cache;
}

test('a checkpoint whose files are links elsewhere opens and runs', async () => {
  const checkpoint = await openCheckpoint(await linked(bundledModel));
  const model = await Model.open(checkpoint, 'cpu');
  const direct = await Model.open(await openCheckpoint(bundledModel), 'cpu');
  expect(await model.embed([5, 7])).toEqual(await direct.embed([5, 7]));
  await Promise.all([model.release(), direct.release()]);
});

test('the common folder is the deepest that holds all files', async () => {
  const folder = await folderOf({ 'a.bin': 'a', 'b.bin': 'b' });
  await mkdir(path.join(folder, 'deep', 'er'), { recursive: true });
  await symlink(path.join(folder, 'a.bin'), path.join(folder, 'deep', 'er', 'link.bin'));
  const [a, b] = ['a.bin', 'b.bin'].map((name) => path.join(folder, name)) as [string, string];
  const link = path.join(folder, 'deep', 'er', 'link.bin');
  const { root, of } = await locate([a, link]);
  expect(path.basename(root)).toBe(path.basename(folder));
  expect([of.get(a), of.get(link)]).toEqual(['a.bin', 'a.bin']);
  const apart = await locate([b, path.join(bundledModel, 'config.json')]);
  expect(path.join(apart.root, apart.of.get(b)!)).toMatch(/b\.bin$/);
  expect(apart.of.get(b)!.startsWith('/')).toBe(false);
});
