import { createHash } from 'node:crypto';
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { findCached } from '../../src/hub/cache.ts';
import { readOffer, roomFor } from '../../src/hub/getModel.ts';
import { COMMIT, REPOSITORY, sha256 } from '../fixtures/hubServer.ts';
import { scratchFolder } from '../fixtures/scratch.ts';
import { getModel, hubOf, same, SHARD_BYTES, SHARDS, smallModel, startHub } from './support.ts';

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

/** Sets where the cache is, for this test. */
function cacheAt(folder: string): void {
  const before = process.env['HF_HUB_CACHE'];
  process.env['HF_HUB_CACHE'] = folder;
  onTestFinished(() => {
    if (before === undefined) delete process.env['HF_HUB_CACHE'];
    else process.env['HF_HUB_CACHE'] = before;
  });
}

describe('a file in the Hugging Face cache', () => {
  async function cachedShard(content: Uint8Array, name: string): Promise<void> {
    const cache = await scratchFolder();
    cacheAt(cache);
    const blobs = join(cache, FOLDER, 'blobs');
    await mkdir(blobs, { recursive: true });
    await writeFile(join(blobs, name), content);
  }

  it('is copied, not fetched, whatever revision it came with', async () => {
    const server = await startHub();
    const shard = server.files.get(SHARDS[0])!;
    await cachedShard(shard, sha256(shard));
    const folder = await scratchFolder();
    const { missing, cached } = await roomFor(await readOffer(hubOf(server), REPOSITORY, 'main'), folder);
    expect(cached).toBe(SHARD_BYTES);
    expect(missing).toBeGreaterThan(2 * SHARD_BYTES);
    await getModel(server, folder);
    for (const name of SHARDS) expect(same(server, folder, name)).toBe(true);
    expect(SHARDS.map((name) => server.downloads(name).length)).toEqual([0, 1]);
  });

  it('that git keeps itself is known by its own checksum', async () => {
    const server = await startHub();
    const config = server.files.get('config.json')!;
    const oid = createHash('sha1').update(`blob ${config.length}\0`).update(config).digest('hex');
    await cachedShard(config, oid);
    const { cached } = await roomFor(
      await readOffer(hubOf(server), REPOSITORY, 'main'),
      await scratchFolder(),
    );
    expect(cached).toBe(config.length);
  });

  it('that is damaged is fetched after all', async () => {
    const server = await startHub();
    const shard = server.files.get(SHARDS[0])!;
    await cachedShard(new Uint8Array(SHARD_BYTES), sha256(shard));
    const folder = await scratchFolder();
    await getModel(server, folder);
    expect(same(server, folder, SHARDS[0])).toBe(true);
    expect(server.downloads(SHARDS[0]).map(({ range }) => range)).toEqual([undefined]);
  });
});

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
