/** CUDA's files from a server on this machine: sizes told first, gone on with where it broke off, checked, unpacked. */

import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { CUDA_PARTS, type CudaPart } from '../../src/hub/cudaParts.ts';
import { fetchCuda, offerCuda } from '../../src/hub/getCuda.ts';
import { PROVIDER_FILES } from '../../src/process/cudaFiles.ts';
import { scratchFolder } from '../fixtures/scratch.ts';

/** A zip archive, members deflated. */
function zip(members: Record<string, Buffer>): Buffer {
  const [bodies, entries]: [Buffer[], Buffer[]] = [[], []];
  let at = 0;
  for (const [name, content] of Object.entries(members)) {
    const packed = deflateRawSync(content);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50);
    local.writeUInt16LE(8, 8);
    local.writeUInt16LE(name.length, 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50);
    entry.writeUInt16LE(8, 10);
    entry.writeUInt32LE(packed.length, 20);
    entry.writeUInt32LE(content.length, 24);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(at, 42);
    const body = Buffer.concat([local, Buffer.from(name), packed]);
    bodies.push(body);
    entries.push(Buffer.concat([entry, Buffer.from(name)]));
    at += body.length;
  }
  const directory = Buffer.concat(entries);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...bodies, directory, end]);
}

const contents = { 'lib/liba.so': Buffer.alloc(300_000, 'a'), 'lib/libb.so.1': Buffer.from('b'.repeat(999)) };
const wheel = zip({ ...contents, 'lib/unwanted.so': Buffer.alloc(10) });
const second = zip({ 'x/libc.so.2': Buffer.from('c') });
const part = (name: string, bytes: Buffer, members: Record<string, number>): CudaPart => ({
  title: name,
  name: `${name}.whl`,
  path: 'packages/1',
  bytes: bytes.length,
  digest: { kind: 'sha256', hex: createHash('sha256').update(bytes).digest('hex') },
  members,
});
const parts = [
  part('first', wheel, { 'lib/liba.so': 300_000, 'lib/libb.so.1': 999 }),
  part('second', second, { 'x/libc.so.2': 1 }),
];
const nowhere = (): boolean => false;

let server: Server;
let endpoint: string;
/** Bytes after which the first answer breaks off. */
let breaksAfter: number | undefined;
let ranges: (string | undefined)[];
let served: Record<string, Buffer>;

beforeAll(async () => {
  server = createServer(({ url = '', headers }, response) => {
    const content = served[url];
    if (content === undefined) return void response.writeHead(404).end();
    ranges.push(headers.range);
    const start = Number(/^bytes=(\d+)-/.exec(headers.range ?? '')?.[1] ?? 0);
    response.writeHead(start > 0 ? 206 : 200, {
      'content-length': content.length - start,
      ...(start > 0 && { 'content-range': `bytes ${start}-${content.length - 1}/${content.length}` }),
    });
    if (breaksAfter === undefined) return void response.end(content.subarray(start));
    response.write(content.subarray(start, breaksAfter), () => response.destroy());
    breaksAfter = undefined;
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());
beforeEach(() => {
  breaksAfter = undefined;
  ranges = [];
  served = { '/packages/1/first.whl': wheel, '/packages/1/second.whl': second };
});

const options = () => ({ endpoint, retryDelaysMs: [1, 1] });

it('what is missing is offered with its sizes, fetched over a break, and unpacked; then nothing is missing', async () => {
  const folder = await scratchFolder();
  const offer = await offerCuda(folder, nowhere, parts);
  expect(offer).toMatchObject({ fetched: wheel.length + second.length, kept: 301_000, parts });
  breaksAfter = 200;
  await fetchCuda(offer, folder, options());
  expect(ranges).toEqual([undefined, 'bytes=200-', undefined]);
  for (const [name, content] of Object.entries(contents))
    expect(Buffer.compare(await readFile(join(folder, name.replace('lib/', ''))), content)).toBe(0);
  // Neither the wheels nor what nobody asked for.
  expect((await readdir(folder)).toSorted()).toEqual(['liba.so', 'libb.so.1', 'libc.so.2']);
  expect((await offerCuda(folder, nowhere, parts)).parts).toEqual([]);
});

it('what the system has is not fetched, and a file of another length is', async () => {
  const folder = await scratchFolder();
  const has = (library: string): boolean => library === 'libc.so.2';
  expect((await offerCuda(folder, has, parts)).parts.map(({ title }) => title)).toEqual(['first']);
  await fetchCuda(await offerCuda(folder, has, parts), folder, options());
  await writeFile(join(folder, 'libb.so.1'), 'cut');
  expect((await offerCuda(folder, has, parts)).kept).toBe(999);
});

it('other bytes than the list has are refused and not kept', async () => {
  const folder = await scratchFolder();
  served['/packages/1/second.whl'] = Buffer.from(second).fill(7, 40, 41);
  const offer = await offerCuda(folder, nowhere, [parts[1]!]);
  await expect(fetchCuda(offer, folder, options())).rejects.toThrow(/second\.whl is not what .* announced/);
  expect(await readdir(folder)).toEqual([]);
});

it('a disk without room is told before anything is asked for', async () => {
  const folder = await scratchFolder();
  const offer = await offerCuda(folder, nowhere, parts);
  await expect(fetchCuda({ ...offer, free: 1000 }, folder, options())).rejects.toThrow(
    "no room for CUDA's files",
  );
  expect(ranges).toEqual([]);
});

it('the list has the files that the runtime looks for', () => {
  const names = CUDA_PARTS.flatMap(({ members }) =>
    Object.keys(members).map((name) => name.split('/').at(-1)),
  );
  for (const name of [
    ...PROVIDER_FILES,
    'libcublasLt.so.13',
    'libcublas.so.13',
    'libcurand.so.10',
    'libcudart.so.13',
  ])
    expect(names).toContain(name);
});
