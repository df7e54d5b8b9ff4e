import {
  appendFile,
  copyFile,
  cp,
  open,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
} from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { build } from 'esbuild';
import { openCheckpoint, type Checkpoint } from '../../src/checkpoint/checkpoint.ts';
import { CancelledError } from '../../src/base/errors.ts';
import { cachePath, findCache, verify } from '../../src/quantise/cache.ts';
import { listCaches, removeCache } from '../../src/quantise/cacheList.ts';
import type { Origin } from '../../src/quantise/cacheFile.ts';
import { importWeights, stateOfFiles, type ImportOptions } from '../../src/quantise/importWeights.ts';
import { matricesOf } from '../../src/quantise/matrices.ts';
import { openPool } from '../../src/quantise/pool.ts';
import type { Scheme } from '../../src/quantise/schemes.ts';
import { scratchFolder } from '../fixtures/scratch.ts';

const MODEL = 'models/control-carrying';
let checkpoint: Checkpoint;
beforeAll(async () => {
  checkpoint = await openCheckpoint(MODEL);
});

async function originOf(
  { weights, fingerprint, folder }: Checkpoint,
  scheme: Scheme = '4bit',
): Promise<Origin> {
  return { scheme, fingerprint, files: await stateOfFiles(weights.files), model: folder };
}

/** Imports into a folder and opens what came of it. */
async function imported(folder: string, options?: ImportOptions, of = checkpoint, scheme?: Scheme) {
  const origin = await originOf(of, scheme);
  const matrices = matricesOf(of.config);
  const file = cachePath(folder, origin);
  await importWeights(of.weights, origin, matrices, file, options);
  return { file, origin, matrices, find: () => findCache(file, origin, matrices) };
}

async function flipByte(file: string, offset: number): Promise<void> {
  const handle = await open(file, 'r+');
  const byte = new Uint8Array(1);
  await handle.read(byte, 0, 1, offset);
  await handle.write(Uint8Array.of(byte[0]! ^ 1), 0, 1, offset);
  await handle.close();
}

describe('importing a checkpoint', () => {
  it.each(['8bit', '4bit', '4bit-fast'] as const)(
    '%s: the cache is found again and its digests hold',
    async (scheme) => {
      const { find, file } = await imported(await scratchFolder(), {}, checkpoint, scheme);
      const cache = await find();
      expect(cache!.layout.size).toBe((await stat(file)).size);
      await verify(cache!, openPool());
    },
  );

  it('threads write the bytes that one thread writes', async () => {
    const folder = await scratchFolder();
    const script = join(folder, 'worker.cjs');
    await build({
      entryPoints: ['src/quantise/worker.ts'],
      outfile: script,
      bundle: true,
      platform: 'node',
      format: 'cjs',
      logLevel: 'error',
    });
    const alone = await imported(join(folder, 'alone'));
    const shared = await imported(join(folder, 'shared'), { workers: { script, count: 3 } });
    expect(Buffer.compare(await readFile(alone.file), await readFile(shared.file))).toBe(0);
  });

  it('one that was cancelled goes on where it stopped, and gives the same bytes', async () => {
    const folder = await scratchFolder();
    const whole = await imported(join(folder, 'whole'));
    const controller = new AbortController();
    const cancelled = imported(join(folder, 'cut'), {
      signal: controller.signal,
      onProgress: (fraction) => fraction > 0.5 && controller.abort(),
    });
    await expect(cancelled).rejects.toBeInstanceOf(CancelledError);
    expect(await listCaches(join(folder, 'cut'))).toMatchObject([{ partial: true, scheme: '4bit' }]);
    const fractions: number[] = [];
    const again = await imported(join(folder, 'cut'), { onProgress: (fraction) => fractions.push(fraction) });
    expect(fractions[0]).toBeGreaterThan(0.3);
    expect(Buffer.compare(await readFile(again.file), await readFile(whole.file))).toBe(0);
    expect(await listCaches(join(folder, 'cut'))).toMatchObject([{ partial: false }]);
  });

  it('bytes of a part that are not what was written are made again', async () => {
    const folder = await scratchFolder();
    const whole = await imported(join(folder, 'whole'));
    const controller = new AbortController();
    const stop = { signal: controller.signal, onProgress: (f: number) => f > 0.5 && controller.abort() };
    await imported(join(folder, 'cut'), stop).catch(() => undefined);
    const [part] = await listCaches(join(folder, 'cut'));
    const cache = await whole.find();
    await flipByte(part!.file, cache!.layout.sections[0]!.parts[0]!.offset + 100);
    const again = await imported(join(folder, 'cut'));
    expect(Buffer.compare(await readFile(again.file), await readFile(whole.file))).toBe(0);
  });

  it('a number that is none is named with its tensor and row, and no cache is left', async () => {
    const folder = await scratchFolder();
    await cp(MODEL, join(folder, 'model'), { recursive: true });
    const broken = await openCheckpoint(join(folder, 'model'));
    const name = 'model.layers.1.mlp.down_proj.weight';
    const { text } = broken.config;
    const ref = broken.weights.get(name, [text.hiddenSize, text.feedForwardSize]);
    const handle = await open(ref.file, 'r+');
    await handle.write(Uint8Array.of(0xc0, 0x7f), 0, 2, ref.offset + 2 * (5 * text.feedForwardSize + 3));
    await handle.close();
    const again = await openCheckpoint(join(folder, 'model'));
    await expect(imported(join(folder, 'cache'), {}, again)).rejects.toThrow(`tensor ${name}, row 5`);
    expect((await listCaches(join(folder, 'cache'))).filter(({ partial }) => !partial)).toEqual([]);
  });

  it('a checkpoint that changes meanwhile is told, and its cache is not taken', async () => {
    const folder = await scratchFolder();
    await cp(MODEL, join(folder, 'model'), { recursive: true });
    const opened = await openCheckpoint(join(folder, 'model'));
    const touch = { onProgress: () => void utimes(opened.weights.files[0]!, 1, 2) };
    await expect(imported(join(folder, 'cache'), touch, opened)).rejects.toThrow(
      'changed while it was imported',
    );
  });
});

describe('a disk that is full', () => {
  it('is told before anything is written', async () => {
    const folder = join(await scratchFolder(), 'cache');
    const origin = await originOf(checkpoint);
    // More than any disk has.
    const vast = matricesOf(checkpoint.config).map((matrix) => ({
      ...matrix,
      sources: matrix.sources.map(({ weight, rows }) => ({ weight, rows: rows * 2 ** 28 })),
    }));
    await expect(importWeights(checkpoint.weights, origin, vast, cachePath(folder, origin))).rejects.toThrow(
      /The disk has no room for the quantised weights: expected \d+\.\d GB free, found \d/,
    );
    expect(await listCaches(folder)).toEqual([]);
  });

  it.runIf(process.platform === 'linux')('is told where it fills up on the way', async () => {
    const folder = await scratchFolder();
    const origin = await originOf(checkpoint);
    // The system's own disk that is always full.
    await symlink('/dev/full', `${cachePath(folder, origin)}.part`);
    await expect(imported(folder)).rejects.toThrow(/The disk has no room for the quantised weights/);
  });
});

describe('a cache', () => {
  it('of a checkpoint that was written since is not taken', async () => {
    const { origin, matrices, file } = await imported(await scratchFolder());
    expect(await findCache(file, { ...origin, files: '1@2' }, matrices)).toBeUndefined();
  });

  it('that was cut short is not taken', async () => {
    const { find, file } = await imported(await scratchFolder());
    await truncate(file, (await stat(file)).size - 1);
    expect(await find()).toBeUndefined();
  });

  it('with another byte is told when it is verified', async () => {
    const { find, file } = await imported(await scratchFolder());
    const cache = await find();
    const { parts, matrix } = cache!.layout.sections[3]!;
    await flipByte(file, parts[0]!.offset + 7);
    await expect(verify(cache!, openPool())).rejects.toThrow(`others in ${matrix.name}`);
  });

  it('with a header of nonsense is not taken, whatever the byte', async () => {
    const folder = await scratchFolder();
    const { find, file } = await imported(folder);
    const copy = join(folder, 'copy');
    await copyFile(file, copy);
    for (let offset = 0; offset < 400; offset += 3) {
      await copyFile(copy, file);
      await flipByte(file, offset);
      // A digest's or a name's letter may differ and the header still be sound; it then fails at `verify`.
      const cache = await find();
      if (cache !== undefined) await expect(verify(cache, openPool())).rejects.toThrow('damaged');
    }
  });

  it('is listed with its size and removed whole', async () => {
    const folder = await scratchFolder();
    const { file } = await imported(folder);
    await appendFile(join(folder, 'notes.txt'), 'mine');
    // As a folder of models that somebody took for one of caches.
    await appendFile(join(folder, 'model.safetensors'), 'mine');
    const listed = await listCaches(folder);
    expect(listed).toEqual([
      {
        file,
        bytes: (await stat(file)).size,
        partial: false,
        orphaned: false,
        scheme: '4bit',
        model: checkpoint.folder,
      },
    ]);
    await removeCache(listed[0]!);
    expect(await listCaches(folder)).toEqual([]);
    expect(await readFile(join(folder, 'notes.txt'), 'utf8')).toBe('mine');
    await rm(folder, { recursive: true });
    expect(await listCaches(folder)).toEqual([]);
  });
});
