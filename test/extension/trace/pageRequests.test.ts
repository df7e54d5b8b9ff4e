/** Claims about what a page may ask for, and what becomes of it. */

import { describe, expect, it } from 'vitest';
import { CancelledError, UserError } from '../../../src/base/errors.ts';
import { PageRequests } from '../../../src/extension/trace/pageRequests.ts';
import type { Family, Query } from '../../../src/trace/queries.ts';
import { MemoryContainer } from '../../../src/traceFile/container.ts';
import { OpenTrace } from '../../../src/traceFile/openTrace.ts';
import { smallRun } from '../../fixtures/smallTrace.ts';

const VISUAL: Family = { of: 'visual', layer: 1, heads: 'mean' };

const requestsOf = (open: OpenTrace): PageRequests => new PageRequests((work) => work(open));
const asked = (query: unknown, more: object = {}): unknown => ({ id: 1, run: 'small', query, ...more });

/** A container whose reads wait until they are let go. */
function slowRun(): { open: OpenTrace; go: () => void; reads: () => number } {
  const run = smallRun();
  let [reads, go] = [0, (): void => undefined];
  const gate = new Promise<void>((resolve) => (go = resolve));
  class Slow extends MemoryContainer {
    override async read(offset: number, length: number): Promise<Uint8Array> {
      reads++;
      await gate;
      return run.container.read(offset, length);
    }
  }
  return { open: new OpenTrace(run.trace, new Slow()), go, reads: () => reads };
}

describe('a page', () => {
  it('gets what the reader of the arrays gives', async () => {
    const run = smallRun();
    const { latents, tokens } = run.trace;
    const queries: Query[] = [
      { family: VISUAL, from: 0, to: latents.length },
      { family: { of: 'row', layer: 'max', heads: 1 }, from: 3, to: 5 },
      { family: { of: 'similarity', picture: 'helper-1' }, from: 1, to: 2 },
      { family: { of: 'selection', picture: 'image-1' }, from: 0, to: 1 },
      { family: { of: 'paid', layer: 0, to: { latent: 1 }, count: tokens.length }, from: 0, to: 1 },
      {
        family: { of: 'paid', layer: 'mean', to: { picture: 'image-1', patches: [0, 5] }, count: 4 },
        from: 0,
        to: 1,
      },
      { family: { of: 'cosines', count: latents.length }, from: 0, to: 1 },
    ];
    const requests = requestsOf(run);
    const answers = await Promise.all(queries.map((query, id) => requests.slice(asked(query, { id }))));
    for (const [i, query] of queries.entries()) expect(answers[i]).toEqual(await run.reader.read(query));
    expect(answers[4]![0]).toHaveLength(tokens.length);
  });

  it('gets a picture by its id, as it was written', async () => {
    const run = smallRun();
    const png = await requestsOf(run).picture({ run: 'small', picture: 'helper-1' });
    expect(png).toEqual((await run.picture(run.trace.pictures[1]!)).png);
  });

  it.each([
    ['a member beyond the last', { family: VISUAL, from: 0, to: 5 }, /expected members 0 to 4, found 0 to 5/],
    ['members backwards', { family: VISUAL, from: 2, to: 1 }, /found 2 to 1/],
    ['a negative member', { family: VISUAL, from: -1, to: 1 }, /query\.from/],
    ['half a member', { family: VISUAL, from: 0.5, to: 1 }, /query\.from/],
    ['a token beyond the last', { family: { of: 'row', layer: 0, heads: 0 }, from: 0, to: 99 }, /0 to 14/],
    ['an unknown picture', { family: { of: 'similarity', picture: 'x' }, from: 0, to: 1 }, /found "x"/],
    [
      'patches of an unknown picture',
      { family: { of: 'paid', layer: 0, to: { picture: 'x', patches: [0] }, count: 1 }, from: 0, to: 1 },
      /found "x"/,
    ],
    [
      'no patches',
      { family: { of: 'paid', layer: 0, to: { picture: 'image-1', patches: [] }, count: 1 }, from: 0, to: 1 },
      /query/,
    ],
    [
      'an unknown latent',
      { family: { of: 'paid', layer: 0, to: { latent: 4 }, count: 1 }, from: 0, to: 1 },
      /one of 4/,
    ],
    [
      'more tokens than there are',
      { family: { of: 'paid', layer: 0, to: { latent: 0 }, count: 99 }, from: 0, to: 1 },
      /at most 14 tokens, found 99/,
    ],
    ['cosines of more latents', { family: { of: 'cosines', count: 5 }, from: 0, to: 1 }, /at most 4 latents/],
    ['an unknown family', { family: { of: 'everything' }, from: 0, to: 1 }, /query\.family/],
    ['no query', null, /query/],
  ])('that asks for %s is refused', async (_, query, why) => {
    const answer = requestsOf(smallRun()).slice(asked(query));
    await expect(answer).rejects.toThrow(UserError);
    await expect(answer).rejects.toThrow(why);
  });

  it('that asks for more than anyone keeps is refused before anything is read', async () => {
    const { open, reads } = slowRun();
    const { trace } = open;
    trace.latents = Array.from({ length: 5000 }, () => trace.latents[0]!);
    const query = { family: { of: 'cosines', count: 5000 }, from: 0, to: 1 };
    await expect(requestsOf(open).slice(asked(query))).rejects.toThrow(/at most 67108864 bytes/);
    expect(reads()).toBe(0);
  });

  it('that still shows another run is told so', async () => {
    const query = { family: VISUAL, from: 0, to: 1 };
    const requests = requestsOf(smallRun());
    await expect(requests.slice(asked(query, { run: 'earlier' }))).rejects.toThrow(/not shown any more/);
    await expect(requests.picture({ run: 'earlier', picture: 'image-1' })).rejects.toThrow(/any more/);
    await expect(requests.picture({ run: 'small', picture: 'x' })).rejects.toThrow(/found "x"/);
  });

  it('that cancels a request gets no answer to it, and the others their own', async () => {
    const { open, go, reads } = slowRun();
    const requests = requestsOf(open);
    const query = { family: VISUAL, from: 0, to: 4 };
    const [first, second] = [1, 2].map((id) => requests.slice(asked(query, { id })));
    const refused = expect(first).rejects.toThrow(CancelledError);
    await expect.poll(reads).toBe(2);
    await requests.cancelSlice(1);
    go();
    await refused;
    expect(await second).toEqual(await smallRun().reader.read(query as Query));
    // One read of the cancelled request, four of the other.
    expect(reads()).toBe(5);
  });

  it('that goes away leaves nothing being read', async () => {
    const { open, go, reads } = slowRun();
    const requests = requestsOf(open);
    const query = { family: VISUAL, from: 0, to: 4 };
    const refused = [1, 2, 3].map((id) =>
      expect(requests.slice(asked(query, { id }))).rejects.toThrow(CancelledError),
    );
    await expect.poll(reads).toBe(3);
    requests.cancelAll();
    go();
    await Promise.all(refused);
    expect(reads()).toBe(3);
  });
});
