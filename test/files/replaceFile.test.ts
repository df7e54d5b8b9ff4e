import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { UserError } from '../../src/base/errors.ts';
import { replaceFile, targetOf } from '../../src/files/replaceFile.ts';
import { replaceFolder } from '../../src/files/replaceFolder.ts';
import { temporaryFolder } from '../fixtures/cli.ts';

const isUnix = process.platform !== 'win32';

let folder = '';
beforeEach(() => {
  folder = temporaryFolder();
});

/** Names of things that are no plain files, with what they are called. */
const others: [name: string, kind: string, path: () => string][] = [
  [
    'pipe',
    'a named pipe',
    () => {
      execFileSync('mkfifo', [join(folder, 'pipe')]);
      return join(folder, 'pipe');
    },
  ],
  [
    'folder',
    'a folder',
    () => {
      mkdirSync(join(folder, 'folder'));
      return join(folder, 'folder');
    },
  ],
  ['device', 'a device', () => '/dev/null'],
  ['socket', 'a socket', () => socket],
];

let socket = '';
const server = createServer();
beforeAll(async () => {
  socket = join(temporaryFolder(), 'socket');
  if (isUnix) await new Promise<void>((done) => server.listen(socket, done));
});
afterAll(() => {
  server.close();
});

describe('replacing a file', () => {
  it('makes it or takes its place, and leaves nothing beside it', async () => {
    const file = join(folder, 'file');
    await replaceFile(file, 'one');
    await replaceFile(file, new TextEncoder().encode('two'));
    expect(readFileSync(file, 'utf8')).toBe('two');
    expect(readdirSync(folder)).toEqual(['file']);
  });

  it.runIf(isUnix)('keeps who may read it', async () => {
    const file = join(folder, 'file');
    writeFileSync(file, 'one');
    chmodSync(file, 0o600);
    await replaceFile(file, 'two');
    expect([readFileSync(file, 'utf8'), statSync(file).mode & 0o777]).toEqual(['two', 0o600]);
  });

  it.runIf(isUnix)('writes through a link, also one to a link and one to nothing yet', async () => {
    mkdirSync(join(folder, 'elsewhere'));
    writeFileSync(join(folder, 'elsewhere', 'real'), 'one');
    symlinkSync(join('elsewhere', 'real'), join(folder, 'near'));
    symlinkSync('near', join(folder, 'far'));
    symlinkSync(join('elsewhere', 'new'), join(folder, 'dangling'));
    await replaceFile(join(folder, 'far'), 'two');
    await replaceFile(join(folder, 'dangling'), 'three');
    expect(readFileSync(join(folder, 'elsewhere', 'real'), 'utf8')).toBe('two');
    expect(readFileSync(join(folder, 'elsewhere', 'new'), 'utf8')).toBe('three');
    expect(readlinkSync(join(folder, 'far'))).toBe('near');
    expect(readlinkSync(join(folder, 'near'))).toBe(join('elsewhere', 'real'));
    expect(readdirSync(join(folder, 'elsewhere')).toSorted()).toEqual(['new', 'real']);
  });

  it.runIf(isUnix).each(others)(
    'never puts a file where a %s is, nor where a link to one is',
    async (...[, kind, path]) => {
      const place = path();
      const before = lstatSync(place).mode;
      symlinkSync(place, join(folder, 'link'));
      for (const name of [place, join(folder, 'link')]) {
        await expect(replaceFile(name, 'text')).rejects.toThrow(UserError);
        await expect(replaceFile(name, 'text')).rejects.toThrow(`found ${kind}`);
      }
      expect(lstatSync(place).mode).toBe(before);
      expect(lstatSync(join(folder, 'link')).isSymbolicLink()).toBe(true);
    },
  );

  it.runIf(existsSync('/proc/self/fd'))(
    "never takes the place of a file that is one of the program's streams",
    async () => {
      const file = join(folder, 'out.txt');
      const handle = await open(file, 'w');
      const stream = `/proc/self/fd/${handle.fd}`;
      symlinkSync(stream, join(folder, 'stdout'));
      for (const name of [stream, join(folder, 'stdout'), `/dev/fd/${handle.fd}`])
        await expect(targetOf(name), name).rejects.toThrow('a stream of this program');
      await handle.close();
    },
  );

  it('that fails in between leaves what was there', async () => {
    const file = join(folder, 'file');
    await replaceFile(file, 'one');
    const failing = replaceFile(file, async (handle) => {
      await handle.writeFile('half');
      throw new Error('gone');
    });
    await expect(failing).rejects.toThrow('gone');
    expect(readFileSync(file, 'utf8')).toBe('one');
    expect(readdirSync(folder)).toEqual(['file']);
  });

  it.runIf(existsSync('/dev/full'))('onto a full disk says so', async () => {
    const file = join(folder, 'file');
    const write = replaceFile(file, async () => {
      const full = await open('/dev/full', 'w');
      try {
        await full.writeFile('text');
      } finally {
        await full.close();
      }
    });
    await expect(write).rejects.toThrow(/^cannot write: .*(no space|ENOSPC)/);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('in a folder that is none says so', async () => {
    writeFileSync(join(folder, 'file'), '');
    await expect(replaceFile(join(folder, 'file', 'x'), '')).rejects.toThrow(/^cannot write/);
    await expect(replaceFile(join(folder, 'gone', 'x'), '')).rejects.toThrow(/^cannot write/);
  });
});

describe('replacing a folder', () => {
  const write = (text: string) => async (part: string) => writeFileSync(join(part, 'a'), text);

  it('gives the new one its name and leaves nothing beside it', async () => {
    const target = join(folder, 'model');
    await replaceFolder(target, write('one'));
    await replaceFolder(target, write('two'));
    expect(readFileSync(join(target, 'a'), 'utf8')).toBe('two');
    expect(readdirSync(folder)).toEqual(['model']);
  });

  it('that fails leaves the old one as it was', async () => {
    const target = join(folder, 'model');
    await replaceFolder(target, write('one'));
    const failing = replaceFolder(target, async (part) => {
      writeFileSync(join(part, 'a'), 'half');
      throw new Error('gone');
    });
    await expect(failing).rejects.toThrow('gone');
    expect(readFileSync(join(target, 'a'), 'utf8')).toBe('one');
    expect(readdirSync(folder)).toEqual(['model']);
  });
});

it('a link into a folder that is not there is refused before anything is computed for it', async () => {
  symlinkSync(join(folder, 'gone', 'trace.json'), join(folder, 'link'));
  await expect(targetOf(join(folder, 'link'))).rejects.toThrow('a link into a folder that is not there');
});
