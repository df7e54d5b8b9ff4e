import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openPlainFile, readPlainFile } from '../../src/files/plainFile.ts';
import { expectUserError } from '../checkpoint/support.ts';

let folder = '';
const at = (name: string): string => path.join(folder, name);

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'ilvr-files-'));
  await writeFile(at('plain'), 'twelve bytes');
});

afterEach(() => rm(folder, { recursive: true, force: true }));

describe('a plain file is opened', () => {
  it('with its size', async () => {
    const { handle, size } = await openPlainFile(at('plain'));
    await handle.close();
    expect(size).toBe(12);
  });

  it('through a link', async () => {
    await symlink(at('plain'), at('link'));
    expect(new TextDecoder().decode(await readPlainFile(at('link'), { maxBytes: 12 }))).toBe('twelve bytes');
  });

  it('but not read where it is larger than asked for', () =>
    expectUserError(
      () => readPlainFile(at('plain'), { what: 'picture', maxBytes: 11 }),
      'This picture is too large',
      'at most 11 bytes',
      'found 12 bytes',
      at('plain'),
    ));
});

describe.runIf(process.platform !== 'win32')('what is no plain file is refused without waiting', () => {
  it('a named pipe that nobody writes to', async () => {
    execFileSync('mkfifo', [at('pipe')]);
    await expectUserError(
      () => openPlainFile(at('pipe'), 'picture'),
      'This picture',
      'named pipe',
      at('pipe'),
    );
  });

  it('a device', () => expectUserError(() => openPlainFile('/dev/zero'), 'a device', '/dev/zero'));

  it('a link to a device', async () => {
    await symlink('/dev/zero', at('link'));
    await expectUserError(() => readPlainFile(at('link'), { maxBytes: 10 }), 'a device');
  });

  it('a socket', async () => {
    const server = createServer().listen(at('socket'));
    await once(server, 'listening');
    try {
      await expectUserError(() => openPlainFile(at('socket')), 'a socket');
    } finally {
      server.close();
    }
  });

  it('a folder', () => expectUserError(() => openPlainFile(folder), 'a folder', folder));

  it('nothing', () => expectUserError(() => openPlainFile(at('missing')), 'found nothing', at('missing')));
});

it.runIf(process.platform === 'linux')('a file that claims no size is read as far as allowed', async () => {
  expect((await readPlainFile('/proc/self/status', { maxBytes: 2 ** 20 })).length).toBeGreaterThan(100);
  await expectUserError(() => readPlainFile('/proc/self/status', { maxBytes: 10 }), 'at most 10 bytes');
});
