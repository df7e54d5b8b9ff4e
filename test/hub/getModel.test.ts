import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkRoom, fetchOffer, readOffer, roomFor } from '../../src/hub/getModel.ts';
import { COMMIT, REPOSITORY } from '../fixtures/hubServer.ts';
import { scratchFolder } from '../fixtures/scratch.ts';
import { getModel, hubOf, namesIn, refusal, same, SHARDS, smallModel, startHub } from './support.ts';

const NEEDED = [
  'config.json',
  'generation_config.json',
  'model.safetensors.index.json',
  ...SHARDS,
  'tokenizer.json',
].toSorted();

describe('a model of the hub', () => {
  it('is offered with the files a checkpoint needs: no programs, no pickles beside safetensors, config last', async () => {
    const server = await startHub();
    const offer = await readOffer(hubOf(server), REPOSITORY, 'main');
    expect(offer).toMatchObject({ repository: REPOSITORY, commit: COMMIT, kind: 'model' });
    expect(offer.files.map(({ name }) => name).toSorted()).toEqual(NEEDED);
    expect(offer.files.at(-1)?.name).toBe('config.json');
    const sizes = NEEDED.map((name) => server.files.get(name)!.length);
    expect(offer.bytes).toBe(sizes.reduce((sum, size) => sum + size));
    for (const shard of SHARDS) expect(server.downloads(shard)).toEqual([]);
  });

  it('comes byte for byte into a new folder, and nothing is left beside it', async () => {
    const server = await startHub();
    const folder = join(await scratchFolder(), 'new', 'folder');
    const hub = hubOf(server);
    const offer = await readOffer(hub, REPOSITORY, 'main');
    const seen: number[] = [];
    await fetchOffer(hub, offer, folder, ({ done, total }) => {
      expect(total).toBe(offer.bytes);
      seen.push(done);
    });
    expect(namesIn(folder)).toEqual(NEEDED);
    for (const name of NEEDED) expect(same(server, folder, name)).toBe(true);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    expect(seen.at(-1)).toBe(offer.bytes);
  });

  it('is listed over several pages', async () => {
    const server = await startHub();
    server.pageSize = 2;
    const offer = await readOffer(hubOf(server), REPOSITORY, 'main');
    expect(offer.files.map(({ name }) => name).toSorted()).toEqual(NEEDED);
  });

  it('that is there already is checked, not fetched again', async () => {
    const server = await startHub();
    const folder = await scratchFolder();
    await getModel(server, folder);
    const before = SHARDS.map((shard) => server.downloads(shard).length);
    const offer = await readOffer(hubOf(server), REPOSITORY, COMMIT);
    expect((await roomFor(offer, folder)).missing).toBe(0);
    await fetchOffer(hubOf(server), offer, folder);
    expect(SHARDS.map((shard) => server.downloads(shard).length)).toEqual(before);
  });

  it('does not replace another file of that name', async () => {
    const server = await startHub();
    const folder = await scratchFolder();
    writeFileSync(join(folder, 'tokenizer.json'), '{"mine": true}');
    const { message } = await refusal(getModel(server, folder));
    expect(message).toContain('Another file of this name is there');
    expect(message).toContain(join(folder, 'tokenizer.json'));
    expect(readFileSync(join(folder, 'tokenizer.json'), 'utf8')).toBe('{"mine": true}');
  });

  it('comes as a pickle where there is nothing else', async () => {
    const { [SHARDS[0]]: _, [SHARDS[1]]: __, 'model.safetensors.index.json': ___, ...files } = smallModel();
    const server = await startHub(files);
    const { files: offered } = await readOffer(hubOf(server), REPOSITORY, 'main');
    expect(offered.map(({ name }) => name)).toContain('pytorch_model.bin');
  });

  it('may be an adapter', async () => {
    const server = await startHub({ 'adapter_config.json': '{}', 'adapter_model.safetensors': 'x' });
    const { kind, files } = await readOffer(hubOf(server), REPOSITORY, 'main');
    expect(kind).toBe('adapter');
    expect(files.map(({ name }) => name)).toEqual(['adapter_model.safetensors', 'adapter_config.json']);
  });

  it('is refused with the figures when the disk is too full', async () => {
    const folder = await scratchFolder();
    expect(() => checkRoom({ missing: 16.6e9, free: 5e9 }, folder)).toThrow(
      /expected 16\.7 GB free, found 5\.0 GB/,
    );
    expect(() => checkRoom({ missing: 0, free: 0 }, folder)).not.toThrow();
  });

  it('is refused before its weights are fetched when they would fill the real disk', async () => {
    const server = await startHub();
    server.listed = (entries) =>
      entries.map((entry) =>
        entry.path === SHARDS[0] ? { ...entry, lfs: { ...entry.lfs!, size: 2 ** 40 } } : entry,
      );
    const folder = await scratchFolder();
    const { message } = await refusal(getModel(server, folder));
    expect(message).toContain('The disk has no room for this model');
    expect(namesIn(folder)).toEqual([]);
  });

  it('of another architecture, or quantised, is refused before anything large is fetched', async () => {
    const config = JSON.parse(String(Buffer.from(smallModel()['config.json']!))) as object;
    for (const [change, words] of [
      [{ architectures: ['LlamaForCausalLM'], model_type: 'llama' }, 'LlamaForCausalLM'],
      [{ quantization_config: { quant_method: 'awq', bits: 4 } }, 'AWQ'],
    ] as const) {
      const server = await startHub({
        ...smallModel(),
        'config.json': JSON.stringify({ ...config, ...change }),
      });
      const { message } = await refusal(readOffer(hubOf(server), REPOSITORY, 'main'));
      expect(message).toContain(words);
      for (const shard of SHARDS) expect(server.downloads(shard)).toEqual([]);
    }
  });

  it('that lacks a shard, its weights or its config is refused by name', async () => {
    const { [SHARDS[1]]: _, ...noShard } = smallModel();
    const noConfig = { 'README.md': '' };
    const gguf = { 'config.json': smallModel()['config.json']!, 'model-q4.gguf': 'x' };
    for (const [files, words] of [
      [noShard, SHARDS[1]],
      [noConfig, 'config.json'],
      [gguf, 'model-q4.gguf'],
    ] as const) {
      const server = await startHub(files);
      expect((await refusal(readOffer(hubOf(server), REPOSITORY, 'main'))).message).toContain(words);
    }
  });

  it('is not fetched into one folder by two programs at once', async () => {
    const server = await startHub();
    const folder = await scratchFolder();
    server.intercept = (request) => request.url?.startsWith('/cdn/') === true;
    const cancel = new AbortController();
    const first = getModel(server, folder, { signal: cancel.signal });
    first.catch(() => undefined);
    await expect.poll(() => existsSync(join(folder, 'config.json.lock'))).toBe(true);
    expect((await refusal(getModel(server, folder))).message).toContain('Another process');
    cancel.abort();
    await expect(first).rejects.toThrow('cancelled');
    expect(existsSync(join(folder, 'config.json.lock'))).toBe(false);
  });

  it('whose place is a file is refused', async () => {
    const server = await startHub();
    const folder = await scratchFolder();
    writeFileSync(join(folder, 'taken'), '');
    expect((await refusal(getModel(server, join(folder, 'taken')))).message).toContain(
      'A folder is needed here',
    );
    await mkdir(join(folder, 'model'));
    await mkdir(join(folder, 'model', SHARDS[0]));
    expect((await refusal(getModel(server, join(folder, 'model')))).message).toContain('a folder');
  });
});
