import { randomBytes } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readOffer } from '../../src/hub/getModel.ts';
import { REPOSITORY, sendContent, sha256, type HubServer, type TreeEntry } from '../fixtures/hubServer.ts';
import { scratchFolder } from '../fixtures/scratch.ts';
import {
  getModel,
  hubOf,
  namesIn,
  onContent,
  partOf,
  refusal,
  SHARD_BYTES,
  SHARDS,
  startHub,
} from './support.ts';

const [FIRST] = SHARDS;

describe('a server that lies', () => {
  it.each([FIRST, 'tokenizer.json', 'config.json'])(
    'about the checksum of %s is told with both checksums, and the file is deleted',
    async (name) => {
      const server = await startHub();
      const folder = await scratchFolder();
      const wrong = '0'.repeat(64);
      const change = (entry: TreeEntry): TreeEntry =>
        entry.lfs ? { ...entry, lfs: { ...entry.lfs, oid: wrong } } : { ...entry, oid: wrong.slice(0, 40) };
      server.listed = (entries) => entries.map((entry) => (entry.path === name ? change(entry) : entry));
      const { message } = await refusal(getModel(server, folder));
      expect(message).toContain(`${name} is not what the server had announced`);
      expect(message).toContain(wrong.slice(0, 40));
      expect(namesIn(folder).filter((each) => each.startsWith(name))).toEqual([]);
    },
  );

  it('by sending something else of the same length is found out', async () => {
    const server = await startHub();
    const folder = await scratchFolder();
    const other = randomBytes(SHARD_BYTES);
    onContent(server, FIRST, (_, __, response) => {
      sendContent(other, undefined, response);
      return true;
    });
    const { message } = await refusal(getModel(server, folder));
    expect(message).toContain(sha256(other));
    expect(message).toContain(sha256(server.files.get(FIRST)!));
    expect(namesIn(folder).filter((name) => name.startsWith(FIRST))).toEqual([]);
  });

  it('by sending more than it announced is stopped, and what came is deleted', async () => {
    const server = await startHub();
    const folder = await scratchFolder();
    const content = server.files.get(FIRST)!;
    onContent(server, FIRST, (_, __, response) => {
      response.writeHead(200);
      response.write(content);
      const more = setInterval(() => response.write(Buffer.alloc(100_000)), 5);
      response.on('close', () => clearInterval(more));
      return true;
    });
    expect((await refusal(getModel(server, folder))).message).toContain('more than that');
    expect(namesIn(folder).filter((name) => name.startsWith(FIRST))).toEqual([]);
  });

  it.each([
    ['a length', (): Record<string, string> => ({ 'content-length': '5' }), 200],
    ['a range', (): Record<string, string> => ({ 'content-range': 'bytes 7-9/3000000' }), 206],
    ['a total', (): Record<string, string> => ({ 'content-range': 'bytes 0-9/10' }), 206],
  ] as const)('about %s is refused before anything is written', async (_, headers, status) => {
    const server = await startHub();
    const folder = await scratchFolder();
    onContent(server, FIRST, (_call, _request, response) => {
      response.writeHead(status, headers()).end('12345');
      return true;
    });
    expect((await refusal(getModel(server, folder))).message).toContain(
      'The server sends what it should not',
    );
    const part = join(folder, partOf(server, FIRST));
    expect(existsSync(part) ? statSync(part).size : 0).toBe(0);
  });

  it.each([
    '../evil.safetensors',
    '/tmp/evil.safetensors',
    String.raw`..\evil.safetensors`,
    'C:evil.safetensors',
    '..',
    'a/b.json',
    'nul\u0000.json',
  ])('with the name %j is refused, and nothing is written', async (path) => {
    const server = await startHub();
    const folder = join(await scratchFolder(), 'deep', 'model');
    await mkdir(folder, { recursive: true });
    server.listed = (entries) => [...entries, { ...entries[0]!, path }];
    expect((await refusal(getModel(server, folder))).message).toContain(JSON.stringify(path));
    expect(namesIn(folder)).toEqual([]);
  });

  it.each(['../evil.safetensors', '/etc/passwd.safetensors', 'program.py'])(
    'with an index that names %j as a shard is refused',
    async (shard) => {
      const server = await startHub();
      server.files.set(
        'model.safetensors.index.json',
        Buffer.from(JSON.stringify({ weight_map: { a: shard } })),
      );
      const { message } = await refusal(readOffer(hubOf(server), REPOSITORY, 'main'));
      expect(message).toContain(JSON.stringify(shard));
    },
  );

  it.each([
    ['a size below zero', { size: -1 }],
    ['a size beyond all disks', { size: 2 ** 60 }],
    ['no number as a size', { size: 'large' }],
    ['no checksum', { oid: undefined }],
    ['a checksum that leads elsewhere', { oid: '../../x' }],
  ])('with %s is not taken for a hub', async (_, change) => {
    const server = await startHub();
    server.listed = (entries) => entries.map((entry) => ({ ...entry, ...change, lfs: undefined }));
    const { message } = await refusal(readOffer(hubOf(server), REPOSITORY, 'main'));
    expect(message).toContain('does not answer as a hub');
  });

  it.each([
    ['no JSON', '<html>welcome</html>'],
    ['no list', '{"error": 1}'],
    ['nothing', ''],
  ])('with %s in place of a list is not taken for a hub', async (_, body) => {
    const server = await startHub();
    server.intercept = (request, response) => {
      if (request.url?.includes('/tree/') !== true) return false;
      response.end(body);
      return true;
    };
    const { message } = await refusal(readOffer(hubOf(server), REPOSITORY, 'main'));
    expect(message).toContain('does not answer as a hub');
  });

  it.each([
    ['an endless list', (server: HubServer) => `${server.endpoint}/api/models/${REPOSITORY}/tree/again`],
    ['a list that goes on elsewhere', () => 'http://127.0.0.1:9/api/more'],
  ])('with %s is refused', async (_, next) => {
    const server = await startHub();
    server.intercept = (request, response) => {
      if (request.url?.includes('/tree/') !== true) return false;
      response.setHeader('link', `<${next(server)}>; rel="next"`);
      response.end('[]');
      return true;
    };
    const { message } = await refusal(readOffer(hubOf(server), REPOSITORY, 'main'));
    expect(message).toContain('The server sends what it should not');
  });

  it('with an answer of hundreds of megabytes is stopped', async () => {
    const server = await startHub();
    server.intercept = (request, response) => {
      if (request.url?.includes('/tree/') !== true) return false;
      const more = setInterval(() => response.write(Buffer.alloc(2 ** 20, ' ')), 1);
      response.on('close', () => clearInterval(more));
      return true;
    };
    const { message } = await refusal(readOffer(hubOf(server), REPOSITORY, 'main'));
    expect(message).toContain('at most 16777216 bytes');
  });
});
