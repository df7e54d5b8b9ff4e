import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { findCached } from '../../src/hub/cache.ts';
import { COMMIT, REPOSITORY } from '../fixtures/hubServer.ts';
import { scratchFolder } from '../fixtures/scratch.ts';
import { SHARDS, smallModel } from './support.ts';

const FOLDER = `models--${REPOSITORY.replace('/', '--')}`;

/** Lays a model out as huggingface_hub does: blobs, and links to them. @returns the folder of its snapshots */
async function cacheModel(cache: string, files = smallModel()): Promise<string> {
  const root = join(cache, FOLDER);
  const snapshot = join(root, 'snapshots', COMMIT);
  for (const folder of ['refs', 'blobs', `snapshots/${COMMIT}`])
    await mkdir(join(root, folder), { recursive: true });
  await writeFile(join(root, 'refs', 'main'), COMMIT);
  for (const [i, [name, content]] of Object.entries(files).entries()) {
    await writeFile(join(root, 'blobs', `${i}`), content);
    await symlink(join('..', '..', 'blobs', `${i}`), join(snapshot, name));
  }
  return snapshot;
}

describe.skipIf(process.platform === 'win32')('a model in the Hugging Face cache', () => {
  it('is found by branch and by commit', async () => {
    const cache = await scratchFolder();
    const folder = await cacheModel(cache);
    const found = { folder, kind: 'model', commit: COMMIT };
    expect(await findCached(REPOSITORY, 'main', cache)).toEqual(found);
    expect(await findCached(REPOSITORY, COMMIT, cache)).toEqual(found);
  });

  it('is found where HF_HUB_CACHE or HF_HOME says', async () => {
    const home = await scratchFolder();
    const folder = await cacheModel(join(home, 'hub'));
    const before = { ...process.env };
    onTestFinished(() => {
      process.env = before;
    });
    delete process.env['HF_HUB_CACHE'];
    process.env['HF_HOME'] = home;
    expect((await findCached(REPOSITORY, 'main'))?.folder).toBe(folder);
    process.env['HF_HUB_CACHE'] = join(home, 'empty');
    expect(await findCached(REPOSITORY, 'main')).toBeUndefined();
  });

  it.each([SHARDS[1], 'config.json', 'model.safetensors.index.json'])(
    'without its %s is none',
    async (name) => {
      const cache = await scratchFolder();
      const { [name]: _, 'pytorch_model.bin': __, ...files } = smallModel();
      await cacheModel(cache, files);
      expect(await findCached(REPOSITORY, 'main', cache)).toBeUndefined();
    },
  );

  it('whose blob is gone is none', async () => {
    const cache = await scratchFolder();
    await cacheModel(cache);
    const blob = Object.keys(smallModel()).indexOf(SHARDS[0]);
    await rm(join(cache, FOLDER, 'blobs', `${blob}`));
    expect(await findCached(REPOSITORY, 'main', cache)).toBeUndefined();
  });

  it('of another branch, or of a branch that leads nowhere, is none', async () => {
    const cache = await scratchFolder();
    await cacheModel(cache);
    await writeFile(join(cache, FOLDER, 'refs', 'odd'), '../../../../etc');
    expect(await findCached(REPOSITORY, 'other', cache)).toBeUndefined();
    expect(await findCached(REPOSITORY, 'odd', cache)).toBeUndefined();
    expect(await findCached('someone/else', 'main', cache)).toBeUndefined();
  });
});
