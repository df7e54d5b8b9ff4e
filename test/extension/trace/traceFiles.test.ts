/** Claims about opening traces in files: small ones here, large ones in a thread, and what is told of broken ones. */

import { readFileSync } from 'node:fs';
import { readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { UserError } from '../../../src/base/errors.ts';
import { LateContainer } from '../../../src/extension/trace/containers.ts';
import { TraceFiles } from '../../../src/extension/trace/traceFiles.ts';
import { allArrays, readBytes } from '../../../src/trace/arrays.ts';
import { FileContainer, MemoryContainer } from '../../../src/traceFile/container.ts';
import { exportTrace } from '../../../src/traceFile/export.ts';
import type { OpenTrace } from '../../../src/traceFile/openTrace.ts';
import { temporaryFolder } from '../../fixtures/cli.ts';
import { fromFile, oneFile } from '../../fixtures/reopened.ts';
import { smallArrays, smallRun } from '../../fixtures/smallTrace.ts';
import { sampleRun } from '../../webview/sampleTrace.ts';

const VERSION_1 = readFileSync(join(import.meta.dirname, '../../traceFile/version1.ilvr.json'), 'utf8');

let unpackWorker = '';
let folder = '';
let warnings: UserError[] = [];
let files: TraceFiles;

beforeAll(async () => {
  unpackWorker = join(temporaryFolder(), 'unpackWorker.cjs');
  await build({
    entryPoints: [fileURLToPath(new URL('../../../src/extension/unpack/worker.ts', import.meta.url))],
    outfile: unpackWorker,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
  });
});
beforeEach(() => {
  folder = temporaryFolder();
  warnings = [];
  files = new TraceFiles({ unpackWorker, warn: (error) => warnings.push(error) });
});
afterEach(() => files.close());

const inFolder = (name: string): string => join(folder, name);

/** The same trace in a file so large that the host does not read it. */
const padded = (text: string, bytes = 2 ** 20): string => text + ' '.repeat(bytes);

async function expectSame(open: OpenTrace, expected: OpenTrace): Promise<void> {
  expect(open.trace).toEqual(expected.trace);
  for (const [i, ref] of allArrays(expected.trace).entries()) {
    const found = await readBytes(open.container, allArrays(open.trace)[i]!);
    expect(Buffer.compare(found, await readBytes(expected.container, ref))).toBe(0);
  }
}

async function unpackedFiles(): Promise<string[]> {
  const folders = (await readdir(tmpdir())).filter((name) => name.startsWith('ilvr-unpacked-'));
  const names = await Promise.all(folders.map((name) => readdir(join(tmpdir(), name)).catch(() => [])));
  return names.flat();
}

describe('a trace in one file', () => {
  it('opens, small or large, of this version or the first, with the same arrays', async () => {
    const texts = { now: await oneFile(smallRun()), first: VERSION_1 };
    for (const [name, text] of Object.entries(texts)) {
      const expected = await fromFile(text);
      for (const written of [text, padded(text)]) {
        await writeFile(inFolder(`${name}.ilvr.json`), written);
        const open = await files.openPath(inFolder(`${name}.ilvr.json`));
        await expectSame(open, expected);
        await open.close();
      }
    }
    expect(warnings).toEqual([]);
  });

  it('of more tokens than a message of the process holds comes whole, in order', async () => {
    const run = sampleRun({
      blocks: 120,
      latents: 3,
      layers: 1,
      heads: 1,
      side: 2,
      hiddenSize: 2,
      helpers: 0,
    });
    expect(Math.min(run.trace.tokens.length, run.trace.latents.length)).toBeGreaterThan(256);
    await writeFile(inFolder('long.ilvr.json'), padded(await oneFile(run)));
    const open = await files.openPath(inFolder('long.ilvr.json'));
    expect(open.trace.tokens).toEqual(run.trace.tokens);
    expect(open.trace.latents).toEqual(run.trace.latents);
    await open.close();
  });

  it('when it is large, lies in a temporary file that goes when it is closed', async () => {
    await writeFile(inFolder('large.ilvr.json'), padded(await oneFile(smallRun())));
    const before = await unpackedFiles();
    const open = await files.openPath(inFolder('large.ilvr.json'));
    expect(open.container).not.toBeInstanceOf(MemoryContainer);
    expect((await unpackedFiles()).length).toBe(before.length + 1);
    await open.close();
    expect((await unpackedFiles()).length).toBe(before.length);
  });

  it('when it is large, keeps nobody waiting', async () => {
    const text = await oneFile(smallRun());
    await writeFile(inFolder('large.ilvr.json'), padded(text, 2 ** 27));
    let [longest, last] = [0, performance.now()];
    const beat = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 1);
    const began = performance.now();
    const open = await files.openPath(inFolder('large.ilvr.json'));
    clearInterval(beat);
    await open.close();
    // In the process it takes this long; a busy machine is given half of it.
    expect(longest).toBeLessThan(Math.max(50, (performance.now() - began) / 2));
  });

  it('that is damaged is refused as in the host, by its name', async () => {
    await writeFile(inFolder('cut.ilvr.json'), padded('{"format": "ilvr-trace", "version": 2,'));
    await expect(files.openPath(inFolder('cut.ilvr.json'))).rejects.toThrow(
      /not a complete ILVR trace.*cut\.ilvr\.json/,
    );
    await writeFile(inFolder('other.ilvr.json'), padded('{"format": "other"}'));
    await expect(files.openPath(inFolder('other.ilvr.json'))).rejects.toThrow(/not an ILVR trace.*"other"/);
  });

  it('without the process’s script is refused, and the host goes on', async () => {
    await writeFile(inFolder('large.ilvr.json'), padded('{}'));
    const broken = new TraceFiles({ unpackWorker: inFolder('none.cjs'), warn: () => undefined });
    await expect(broken.openPath(inFolder('large.ilvr.json'))).rejects.toThrow(/could not be read/);
    await broken.close();
  });
});

describe('a trace in two files', () => {
  beforeEach(async () => {
    await exportTrace(smallRun(), inFolder('small.ilvr.json'), { form: 'pair' });
  });

  it('opens with its arrays in their file', async () => {
    const open = await files.openPath(inFolder('small.ilvr.json'));
    expect(open.container).toBeInstanceOf(FileContainer);
    await expectSame(open, smallRun());
    await open.close();
  });

  it.each([
    ['missing', () => rm(inFolder('small.ilvr.bin')), /arrays of this trace cannot be opened/],
    ['cut off', () => truncate(inFolder('small.ilvr.bin'), 100), /arrays of this trace are cut off/],
  ])('whose arrays are %s says so, and shows what the manifest has', async (_, harm, why) => {
    await harm();
    const open = await files.openPath(inFolder('small.ilvr.json'));
    expect(warnings.map(({ message }) => message)).toEqual([expect.stringMatching(why)]);
    expect(open.trace).toEqual(smallRun().trace);
    await expect(open.picture(open.trace.pictures[0]!)).rejects.toThrow(why);
    await open.close();
  });

  it('opens from a file system that gives files whole', async () => {
    const names: string[] = [];
    const open = await files.openWhole(
      'x.ilvr.json',
      readFileSync(inFolder('small.ilvr.json')),
      async (name) => {
        names.push(name);
        return readFileSync(inFolder(name));
      },
    );
    expect(names).toEqual(['small.ilvr.bin']);
    await expectSame(open, smallRun());
  });
});

it('the arrays of a run that goes on are read as they come', async () => {
  const { trace } = smallRun();
  const container = new LateContainer(inFolder('run.ilvr.bin'));
  const { offset } = trace.latents[0]!.vector;
  await expect(container.read(offset, 16)).rejects.toThrow(/cannot be opened/);
  const all = smallArrays();
  await writeFile(inFolder('run.ilvr.bin'), all.subarray(0, offset));
  await expect(container.read(offset, 16)).rejects.toThrow(/cut off/);
  await writeFile(inFolder('run.ilvr.bin'), all.subarray(offset), { flag: 'a' });
  expect(Buffer.compare(await container.read(offset, 16), all.subarray(offset, offset + 16))).toBe(0);
  await container.close();
});
