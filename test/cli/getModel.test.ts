import { readdirSync, readFileSync, statSync } from 'node:fs';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { ilvr } from '../fixtures/cli.ts';
import { COMMIT, HubServer, REPOSITORY } from '../fixtures/hubServer.ts';
import { scratchFolder } from '../fixtures/scratch.ts';

const MAZE = new URL('../../models/maze/', import.meta.url).pathname;

let server: HubServer;
let home: string;

/** The bundled model on a server of this machine, a home without a cache, and nobody logged in. */
beforeEach(async () => {
  const names = readdirSync(MAZE).filter((name) => statSync(join(MAZE, name)).isFile());
  server = await HubServer.start(
    Object.fromEntries(names.map((name) => [name, readFileSync(join(MAZE, name))])),
  );
  home = await scratchFolder();
  const before = { ...process.env };
  for (const name of ['HF_TOKEN', 'HF_TOKEN_PATH', 'HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE', 'HF_HUB_OFFLINE'])
    delete process.env[name];
  Object.assign(process.env, { HF_ENDPOINT: server.endpoint, HF_HOME: home });
  onTestFinished(async () => {
    process.env = before;
    await server.close();
  });
});

const getModel = (...args: string[]): ReturnType<typeof ilvr> => ilvr(['get-model', ...args], '');

describe('ilvr get-model', () => {
  it('gets a model that opens, and says before how large it is and how much is free', async () => {
    const to = join(home, 'model');
    const { code, out, err } = await getModel(REPOSITORY, '--to', to);
    expect(err).not.toContain('rror');
    expect(code).toBe(0);
    expect(out).toMatch(/model {4}someone\/small-model at 0123456789ab · \d+ files/);
    expect(out).toMatch(/fetch {4}\d+ MB of \d+ MB; [\d.]+ GB free on the disk/);
    expect(out).toContain(`model    ${to}`);
    const [original, copy] = await Promise.all([openCheckpoint(MAZE), openCheckpoint(to)]);
    expect(copy.fingerprint).toBe(original.fingerprint);
    expect(copy.question).toBe(original.question);
  });

  it('names a whole copy in the Hugging Face cache, and asks no server', async () => {
    const root = join(home, 'hub', `models--${REPOSITORY.replace('/', '--')}`);
    await mkdir(join(root, 'refs'), { recursive: true });
    await writeFile(join(root, 'refs', 'main'), COMMIT);
    const snapshot = join(root, 'snapshots', COMMIT);
    await cp(MAZE, snapshot, { recursive: true });
    const { code, out } = await getModel(REPOSITORY);
    expect(code).toBe(0);
    expect(out).toContain(`cached   ${snapshot}`);
    expect(server.requests).toEqual([]);
  });

  it('asks no server where HF_HUB_OFFLINE says so', async () => {
    process.env['HF_HUB_OFFLINE'] = '1';
    const { code, err } = await getModel(REPOSITORY, '--to', join(home, 'model'));
    expect(code).toBe(1);
    expect(err).toContain('No server may be asked');
    expect(server.requests).toEqual([]);
  });

  it.each(['the environment', "the login's file"])(
    'gives the token of %s to a server that asks, and not before',
    async (where) => {
      if (where === 'the environment') process.env['HF_TOKEN'] = 'hf_mine';
      else await writeFile(join(home, 'token'), 'hf_mine\n');
      server.intercept = (request, response) => {
        if (request.headers.authorization === 'Bearer hf_mine') return false;
        response.writeHead(401).end();
        return true;
      };
      const { code, out, err } = await getModel(REPOSITORY, '--to', join(home, 'model'));
      expect(code).toBe(0);
      expect(server.requests[0]?.token).toBeUndefined();
      expect(out + err).not.toContain('hf_mine');
    },
  );

  it('fails with what to do where nobody is logged in', async () => {
    server.intercept = (_, response) => {
      response.writeHead(401).end();
      return true;
    };
    const { code, err } = await getModel(REPOSITORY, '--to', join(home, 'model'));
    expect(code).toBe(1);
    expect(err).toContain('known users only');
    expect(err).toContain('access token');
  });

  it('ends with 130 when it is cancelled while the server hangs', async () => {
    server.intercept = (request) => request.url?.startsWith('/cdn/') === true;
    const cancel = new AbortController();
    setTimeout(() => cancel.abort(), 500);
    const { code } = await ilvr(['get-model', REPOSITORY, '--to', join(home, 'model')], '', {
      signal: cancel.signal,
    });
    expect(code).toBe(130);
  });

  it.each([['small-model'], [REPOSITORY, '--revision', '../x']])('refuses %j', async (...args) => {
    const { code, err } = await getModel(...args);
    expect(code).toBe(1);
    expect(err).toContain('This is no name of a');
    expect(server.requests).toEqual([]);
  });
});
