import { describe, expect, it } from 'vitest';
import { LatentProtocol, type Decision } from '../../src/inference/latentProtocol.ts';
import { freed, ILVR } from '../../src/model/families/ilvr.ts';
import type { Protocol } from '../../src/model/protocol.ts';

type LatentMode = 'forced' | 'free';

const [pad, start, end, stop] = [100, 101, 102, 55];

/** Feeds the model's choices one by one; choices inside a forced block are not asked for. */
function run(mode: LatentMode, size: number, choices: number[], protocol = open(mode, size)): Decision[] {
  const left = [...choices];
  const decisions: Decision[] = [];
  while (left.length > 0 || !protocol.needsLogits()) {
    decisions.push(protocol.next(protocol.needsLogits() ? left.shift() : undefined));
  }
  return decisions;
}

function open(mode: LatentMode, size: number): LatentProtocol {
  const marker = (name: string, id: number) => ({ name, id });
  const tokens = { pad: marker('pad', pad), start: marker('start', start), end: marker('end', end) };
  const forced: Protocol = { ...ILVR.record, tokens, count: size, countFrom: 'config' };
  return new LatentProtocol({ protocol: mode === 'free' ? freed(forced) : forced, endIds: [stop] });
}

const ids = (decisions: Decision[]): number[] => decisions.map(({ id }) => id);

describe('a forced block', () => {
  it('is start, exactly K pads, end', () => {
    expect(ids(run('forced', 3, [7, start, 8]))).toEqual([7, start, pad, pad, pad, end, 8]);
  });

  it('feeds a hidden state at pads only', () => {
    const feeds = run('forced', 2, [start]).map(({ feed }) => feed);
    expect(feeds).toEqual(['embedding', 'latent', 'latent', 'embedding']);
  });

  it('needs no logits inside', () => {
    const protocol = open('forced', 2);
    protocol.next(start);
    expect(protocol.needsLogits()).toBe(false);
  });

  it('bans pad and end outside, nothing inside', () => {
    const protocol = open('forced', 2);
    expect(protocol.banned).toEqual([pad, end]);
    protocol.next(start);
    expect(protocol.banned).toEqual([]);
  });

  it('reports its extent and how it ended', () => {
    const closed = run('forced', 2, [7, start]).at(-1)?.closed;
    expect(closed).toEqual({ index: 0, startToken: 1, endToken: 4, latents: 2, ended: 'forced' });
  });
});

describe('a free block', () => {
  it('leaves early at the model’s own end', () => {
    const decisions = run('free', 4, [start, pad, end, 9]);
    expect(ids(decisions)).toEqual([start, pad, end, 9]);
    expect(decisions[2]?.closed?.ended).toBe('end-token');
  });

  it('begins again at the model’s own start', () => {
    const decisions = run('free', 2, [start, pad, start, pad, pad]);
    expect(ids(decisions)).toEqual([start, pad, start, pad, pad, end]);
    expect(decisions[2]?.closed).toMatchObject({ latents: 1, ended: 'restart' });
    expect(decisions[2]?.opened?.index).toBe(1);
  });

  it('turns any other token into a pad, an end of text too', () => {
    expect(ids(run('free', 2, [start, 7, stop]))).toEqual([start, pad, pad, end]);
  });

  it('is ended by force after K pads', () => {
    expect(run('free', 1, [start, pad]).at(-1)).toMatchObject({ id: end, forced: true });
  });
});

it('a model without latent tokens only writes, until it ends its answer', () => {
  const protocol = new LatentProtocol({ protocol: undefined, endIds: [stop] });
  expect([start, stop].map((id) => protocol.next(id).kind)).toEqual(['text', 'end']);
});

describe('the account of the blocks', () => {
  it('is that of all blocks, the open one too, and says in each token where it lies', () => {
    const protocol = open('free', 3);
    const decisions = run('free', 3, [7, start, pad, start, pad, end, 8, start, pad], protocol);
    expect(protocol.blocks).toEqual([
      { index: 0, startToken: 1, latents: 1, ended: 'restart' },
      { index: 1, startToken: 3, endToken: 5, latents: 1, ended: 'end-token' },
      { index: 2, startToken: 7, latents: 1, ended: 'running' },
    ]);
    expect(protocol.open).toEqual(protocol.blocks[2]);
    expect(decisions.map(({ block }) => block)).toEqual([undefined, 0, 0, 1, 1, 1, undefined, 2, 2]);
    expect(decisions.map(({ latentIndex }) => latentIndex).filter((i) => i !== undefined)).toEqual([0, 0, 0]);
  });

  it('of a fork goes on by itself', () => {
    const protocol = open('free', 3);
    run('free', 3, [start, pad], protocol);
    const fork = protocol.fork();
    run('free', 3, [pad, pad], protocol);
    run('free', 3, [end], fork);
    expect(protocol.blocks[0]).toMatchObject({ latents: 3, ended: 'forced' });
    expect(fork.blocks[0]).toMatchObject({ latents: 1, ended: 'end-token' });
  });

  it('has a block of markers alone where its caller wants no pads', () => {
    const protocol = open('forced', 3);
    protocol.next(start);
    expect(protocol.needsLogits(0)).toBe(false);
    expect(protocol.next(undefined, 0)).toMatchObject({ id: end, closed: { latents: 0, ended: 'forced' } });
  });
});
