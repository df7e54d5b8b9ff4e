import { describe, expect, it } from 'vitest';
import { withToken, type TokenSources } from '../../src/extension/hubToken.ts';
import { AccessError } from '../../src/hub/failures.ts';
import { readOffer } from '../../src/hub/getModel.ts';
import { REPOSITORY, type HubServer } from '../fixtures/hubServer.ts';
import { hubOf, startHub } from '../hub/support.ts';

/** A hub that lets in who has one of these tokens. */
async function lockedHub(...letIn: string[]): Promise<HubServer> {
  const server = await startHub();
  server.intercept = (request, response) => {
    if (letIn.includes(request.headers.authorization ?? '')) return false;
    response.writeHead(401).end();
    return true;
  };
  return server;
}

const offer = (server: HubServer) => (token: string | undefined) =>
  readOffer(hubOf(server, { token }), REPOSITORY, 'main');

function storage(kept: Record<string, string> = {}): TokenSources['secrets'] & { kept: Map<string, string> } {
  const map = new Map(Object.entries(kept));
  return {
    kept: map,
    get: async (key) => map.get(key),
    store: async (key, value) => void map.set(key, value),
  };
}

const tokens = (server: HubServer): (string | undefined)[] => [
  ...new Set(server.requests.map(({ token }) => token)),
];

describe('an access token', () => {
  it('is neither read nor asked for where the server asks for none', async () => {
    const server = await startHub();
    const { endpoint } = server;
    const secrets = { ...storage(), get: () => Promise.reject(new Error('read')) };
    await withToken({ secrets, endpoint, ask: () => Promise.reject(new Error('asked')) }, offer(server));
    expect(tokens(server)).toEqual([undefined]);
  });

  it('is asked for once, and kept for this server when it was let in', async () => {
    const server = await lockedHub('Bearer hf_mine');
    const { endpoint } = server;
    const secrets = storage();
    await withToken({ secrets, endpoint, ask: async () => 'hf_mine' }, offer(server));
    expect([...secrets.kept]).toEqual([[`ilvr.hub.token ${endpoint}`, 'hf_mine']]);
    await withToken({ secrets, endpoint, ask: () => Promise.reject(new Error('asked')) }, offer(server));
    expect(tokens(server)).toEqual([undefined, 'Bearer hf_mine']);
  });

  it('of another server is not given to this one', async () => {
    const server = await lockedHub('Bearer hf_mine');
    const secrets = storage({ 'ilvr.hub.token https://huggingface.co': 'hf_mine' });
    const asking = withToken({ secrets, endpoint: server.endpoint }, offer(server));
    await expect(asking).rejects.toThrow(AccessError);
    expect(tokens(server)).toEqual([undefined]);
  });

  it('that is not let in is not kept; an old one gives way to a new one', async () => {
    const server = await lockedHub('Bearer hf_new');
    const { endpoint } = server;
    const key = `ilvr.hub.token ${endpoint}`;
    const secrets = storage({ [key]: 'hf_old' });
    const wrong = withToken({ secrets, endpoint, ask: async () => 'hf_wrong' }, offer(server));
    await expect(wrong).rejects.toThrow('does not let this access token in');
    expect(secrets.kept.get(key)).toBe('hf_old');
    await withToken({ secrets, endpoint, ask: async () => 'hf_new' }, offer(server));
    expect(secrets.kept.get(key)).toBe('hf_new');
  });
});
