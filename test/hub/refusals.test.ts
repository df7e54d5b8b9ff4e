import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { AccessError } from '../../src/hub/failures.ts';
import { fetchOffer, readOffer } from '../../src/hub/getModel.ts';
import { Hub } from '../../src/hub/server.ts';
import { refuse, REPOSITORY, type Intercept } from '../fixtures/hubServer.ts';
import { scratchFolder } from '../fixtures/scratch.ts';
import { getModel, hubOf, namesIn, onContent, refusal, same, SHARDS, startHub } from './support.ts';

const [FIRST] = SHARDS;

describe('redirects', () => {
  it('to another server without https are not followed', async () => {
    const [server, other] = [await startHub(), await startHub()];
    onContent(server, FIRST, (_, __, response) => {
      response.writeHead(302, { location: `${other.endpoint}/x` }).end();
      return true;
    });
    const { message } = await refusal(getModel(server, await scratchFolder()));
    expect(message).toContain('a redirect to an https address');
    expect(other.requests).toEqual([]);
  });

  it('of a model that was renamed are followed', async () => {
    const server = await startHub();
    server.intercept = ({ url }, response) => {
      if (url?.includes('old/name') !== true) return false;
      response.writeHead(307, { location: url.replace('old/name', REPOSITORY) }).end();
      return true;
    };
    const folder = await scratchFolder();
    const hub = hubOf(server);
    await fetchOffer(hub, await readOffer(hub, 'old/name', 'main'), folder);
    expect(same(server, folder, FIRST)).toBe(true);
  });

  it('in a circle end', async () => {
    const server = await startHub();
    onContent(server, FIRST, (_, request, response) => {
      response.writeHead(302, { location: request.url! }).end();
      return true;
    });
    expect((await refusal(getModel(server, await scratchFolder()))).message).toContain('redirects');
  });

  it("signatures in a redirect's address are in no message", async () => {
    const server = await startHub();
    onContent(server, FIRST, (_, __, response) => {
      refuse(response, 410, 'Gone');
      return true;
    });
    const { message } = await refusal(getModel(server, await scratchFolder()));
    expect(message).toContain('status 410');
    expect(message).not.toContain('secret');
  });
});

describe('a refusal', () => {
  const answers = (status: number, headers: Record<string, string> = {}): Intercept => {
    return (_, response) => {
      response.writeHead(status, headers).end('{}');
      return true;
    };
  };

  it.each([401, 403])(
    'with status %i is an AccessError that says whether a token was sent',
    async (status) => {
      const server = await startHub();
      server.intercept = answers(status, { 'x-error-code': 'GatedRepo' });
      const without = await refusal(readOffer(hubOf(server), REPOSITORY, 'main'));
      expect(without).toBeInstanceOf(AccessError);
      expect((without as AccessError).withToken).toBe(false);
      const withOne = await refusal(readOffer(hubOf(server, { token: 'hf_secret' }), REPOSITORY, 'main'));
      expect((withOne as AccessError).withToken).toBe(true);
      expect(withOne.message).not.toContain('hf_secret');
      expect(server.requests.map(({ token }) => token)).toEqual([undefined, 'Bearer hf_secret']);
    },
  );

  it('with status 404 names the place and is not repeated', async () => {
    const server = await startHub();
    const { message } = await refusal(readOffer(hubOf(server), REPOSITORY, 'no-such-branch'));
    expect(message).toContain('no such model, revision or file');
    expect(message).toContain('no-such-branch');
    expect(server.requests).toHaveLength(1);
  });

  it.each([429, 500, 503])('with status %i passes if the server recovers', async (status) => {
    const server = await startHub();
    let refused = 0;
    server.intercept = (request, response) => refused++ < 2 && answers(status)(request, response);
    expect((await readOffer(hubOf(server), REPOSITORY, 'main')).files.length).toBeGreaterThan(0);
  });

  it('with status 429 and an hour to wait is told, not waited for', async () => {
    const server = await startHub();
    server.intercept = answers(429, { 'retry-after': '3600' });
    const { message } = await refusal(readOffer(hubOf(server), REPOSITORY, 'main'));
    expect(message).toContain('too many requests');
    expect(message).toContain('3600 seconds');
    expect(server.requests).toHaveLength(1);
  });

  it('by nobody at that address is told with its cause, at once', async () => {
    const server = await startHub();
    await server.close();
    const hub = new Hub({ endpoint: server.endpoint, retryDelaysMs: [60_000] });
    const { message } = await refusal(readOffer(hub, REPOSITORY, 'main'));
    expect(message).toContain('ECONNREFUSED');
  });
});

describe('an access token', () => {
  it('goes to the hub and not to where it redirects', async () => {
    const server = await startHub();
    // Nobody speaks TLS there; what would be sent is seen before.
    const elsewhere = `${server.endpoint.replace('http:', 'https:')}/elsewhere`;
    onContent(server, FIRST, (_, __, response) => {
      response.writeHead(302, { location: elsewhere }).end();
      return true;
    });
    const fetching = vi.spyOn(globalThis, 'fetch');
    onTestFinished(() => fetching.mockRestore());
    await refusal(getModel(server, await scratchFolder(), { token: 'hf_secret' }));
    const sent = fetching.mock.calls.map(([url, init]) => ({
      there: url instanceof URL && url.href === elsewhere,
      token: new Headers(init?.headers).get('authorization'),
    }));
    const [there, hub] = [sent.filter((each) => each.there), sent.filter((each) => !each.there)];
    expect(there.length).toBeGreaterThan(0);
    expect(there.every(({ token }) => token === null)).toBe(true);
    expect(hub.every(({ token }) => token === 'Bearer hf_secret')).toBe(true);
  });

  it('is not sent over http to another machine', async () => {
    const fetching = vi.spyOn(globalThis, 'fetch').mockRejectedValue(new Error('not sent'));
    onTestFinished(() => fetching.mockRestore());
    const hub = new Hub({ endpoint: 'http://mirror.example', token: 'hf_secret', retryDelaysMs: [] });
    await refusal(readOffer(hub, REPOSITORY, 'main'));
    expect(fetching.mock.calls).toHaveLength(1);
    expect(new Headers(fetching.mock.calls[0]![1]?.headers).has('authorization')).toBe(false);
  });

  it('is in no file', async () => {
    const server = await startHub();
    const folder = await scratchFolder();
    await getModel(server, folder, { token: 'hf_secret' });
    for (const name of namesIn(folder))
      expect(readFileSync(join(folder, name), 'latin1')).not.toContain('hf_secret');
  });
});
