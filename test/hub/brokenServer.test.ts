import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { CancelledError } from '../../src/base/errors.ts';
import { sendContent, type Intercept } from '../fixtures/hubServer.ts';
import { scratchFolder } from '../fixtures/scratch.ts';
import { getModel, namesIn, onContent, partOf, refusal, same, SHARDS, startHub } from './support.ts';

const [FIRST] = SHARDS;

/** Sends so many bytes and closes the connection. */
function breakOff(content: Uint8Array, ...[request, response]: Parameters<Intercept>): boolean {
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const end = start + 1_000_000;
  if (end >= content.length) return false;
  response.writeHead(start === 0 ? 200 : 206, {
    'content-length': content.length - start,
    'content-range': `bytes ${start}-${content.length - 1}/${content.length}`,
  });
  response.write(content.subarray(start, end), () => setTimeout(() => response.destroy(), 50));
  return true;
}

describe('a server that breaks off', () => {
  it('is asked for the rest as long as more comes', async () => {
    const server = await startHub();
    const folder = await scratchFolder();
    onContent(server, FIRST, (_, ...args) => breakOff(server.files.get(FIRST)!, ...args));
    await getModel(server, folder);
    expect(same(server, folder, FIRST)).toBe(true);
    const ranges = server.downloads(FIRST).map(({ range }) => range);
    expect(ranges[0]).toBeUndefined();
    expect(ranges.length).toBeGreaterThan(2);
    for (const range of ranges.slice(1)) expect(range).toMatch(/^bytes=\d+-$/);
  });

  it('for good leaves a part, no config, and a message; the next call goes on from there', async () => {
    const server = await startHub();
    const folder = await scratchFolder();
    onContent(server, FIRST, (call, request, response) => {
      if (call === 1) return breakOff(server.files.get(FIRST)!, request, response);
      response.destroy();
      return true;
    });
    const { message } = await refusal(getModel(server, folder));
    expect(message).toContain('what has come is kept');
    const part = join(folder, partOf(server, FIRST));
    const had = statSync(part).size;
    expect(had).toBeGreaterThan(0);
    expect(existsSync(join(folder, 'config.json'))).toBe(false);

    server.intercept = () => false;
    await getModel(server, folder);
    expect(server.downloads(FIRST).at(-1)?.range).toBe(`bytes=${had}-`);
    expect(same(server, folder, FIRST)).toBe(true);
    expect(existsSync(part)).toBe(false);
  });

  it('and has forgotten ranges meanwhile is heard from the start', async () => {
    const server = await startHub();
    const folder = await scratchFolder();
    const content = server.files.get(FIRST)!;
    onContent(server, FIRST, (call, request, response) => {
      if (call === 1) return breakOff(content, request, response);
      sendContent(content, undefined, response);
      return true;
    });
    await getModel(server, folder);
    expect(same(server, folder, FIRST)).toBe(true);
  });

  it('and answers 416 to the rest is asked for the whole', async () => {
    const server = await startHub();
    const folder = await scratchFolder();
    onContent(server, FIRST, (call, request, response) => {
      if (call === 1) return breakOff(server.files.get(FIRST)!, request, response);
      if (request.headers.range !== undefined) {
        response.writeHead(416).end();
        return true;
      }
      return false;
    });
    await getModel(server, folder);
    expect(same(server, folder, FIRST)).toBe(true);
    expect(server.downloads(FIRST).at(-1)?.range).toBeUndefined();
  });

  it('is gone on with after the program was killed', async () => {
    const server = await startHub();
    const folder = await scratchFolder();
    const content = server.files.get(FIRST)!;
    onContent(server, FIRST, (_call, _request, response) => {
      response.writeHead(200, { 'content-length': content.length });
      return response.write(content.subarray(0, 1_000_000)) || true;
    });
    const outfile = join(await scratchFolder(), 'child.cjs');
    const entry = fileURLToPath(new URL('../fixtures/getModelChild.ts', import.meta.url));
    await build({
      entryPoints: [entry],
      outfile,
      bundle: true,
      platform: 'node',
      format: 'cjs',
      target: 'node20',
    });
    const child = spawn(process.execPath, [outfile, server.endpoint, folder], { stdio: 'inherit' });
    const part = join(folder, partOf(server, FIRST));
    await expect
      .poll(() => (existsSync(part) ? statSync(part).size : 0), { timeout: 30_000 })
      .toBe(1_000_000);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(statSync(part).size).toBe(1_000_000);

    server.intercept = () => false;
    await getModel(server, folder);
    expect(server.downloads(FIRST).at(-1)?.range).toBe('bytes=1000000-');
    expect(same(server, folder, FIRST)).toBe(true);
    expect(namesIn(folder).filter((name) => /part|lock/.test(name))).toEqual([]);
  });

  it('packs a file although nobody asked is understood', async () => {
    const server = await startHub();
    const folder = await scratchFolder();
    onContent(server, 'tokenizer.json', (_, __, response) => {
      const packed = gzipSync(server.files.get('tokenizer.json')!);
      response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': packed.length }).end(packed);
      return true;
    });
    await getModel(server, folder);
    expect(same(server, folder, 'tokenizer.json')).toBe(true);
  });

  it('does not go on with a part of what the file was before', async () => {
    const server = await startHub();
    const folder = await scratchFolder();
    await writeFile(join(folder, `${FIRST}.aaaaaaaaaaaa.part`), 'of an older revision');
    await getModel(server, folder);
    expect(server.downloads(FIRST)).toHaveLength(1);
    expect(namesIn(folder).filter((name) => name.endsWith('.part'))).toEqual([]);
  });
});

describe('a server that hangs', () => {
  const cases: [when: string, intercept: Intercept][] = [
    ['before it answers', (request) => request.url?.startsWith('/cdn/') === true],
    ['before it lists anything', (request) => request.url?.startsWith('/api/') === true],
    [
      'in the middle',
      (request, response) => {
        if (request.url?.startsWith('/cdn/') !== true) return false;
        response.writeHead(200);
        return response.write(Buffer.alloc(1000)) || true;
      },
    ],
  ];

  it.each(cases)('%s is cancelled at once', async (_, intercept) => {
    const server = await startHub();
    const cancel = new AbortController();
    let asked = 0;
    server.intercept = (request, response) => {
      const hangs = intercept(request, response);
      if (hangs) setTimeout(() => cancel.abort(), 200 * ++asked);
      return hangs;
    };
    const began = Date.now();
    await expect(getModel(server, await scratchFolder(), { signal: cancel.signal })).rejects.toThrow(
      CancelledError,
    );
    expect(Date.now() - began).toBeLessThan(5_000);
  });

  it.each(cases)('%s is given up after a silence', async (_, intercept) => {
    const server = await startHub();
    server.intercept = intercept;
    const { message } = await refusal(
      getModel(server, await scratchFolder(), { silenceMs: 300, retryDelaysMs: [1] }),
    );
    expect(message).toContain('The server has fallen silent');
  });

  it('is not waited for between attempts when it is cancelled', async () => {
    const server = await startHub();
    server.intercept = (_, response) => {
      response.writeHead(429, { 'retry-after': '60' }).end();
      return true;
    };
    const cancel = new AbortController();
    setTimeout(() => cancel.abort(), 300);
    const began = Date.now();
    const getting = getModel(server, await scratchFolder(), { signal: cancel.signal });
    await expect(getting).rejects.toThrow(CancelledError);
    expect(Date.now() - began).toBeLessThan(5_000);
  });
});
