import { describe, expect, it } from 'vitest';
import { LatentProtocol, type Decision, type LatentMode } from '../../src/inference/latentProtocol.ts';

const [pad, start, end] = [100, 101, 102];

/** Feeds the model's choices one by one; choices inside a forced block are not asked for. */
function run(mode: LatentMode, size: number, choices: number[]): Decision[] {
  const protocol = new LatentProtocol({ pad, start, end }, size, mode);
  const left = [...choices];
  const decisions: Decision[] = [];
  while (left.length > 0 || !protocol.needsLogits) {
    decisions.push(protocol.next(protocol.needsLogits ? left.shift() : undefined));
  }
  return decisions;
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
    const protocol = new LatentProtocol({ pad, start, end }, 2, 'forced');
    protocol.next(start);
    expect(protocol.needsLogits).toBe(false);
  });

  it('bans pad and end outside, nothing inside', () => {
    const protocol = new LatentProtocol({ pad, start, end }, 2, 'forced');
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
    expect(ids(run('free', 2, [start, 7, 55]))).toEqual([start, pad, pad, end]);
  });

  it('is ended by force after K pads', () => {
    expect(run('free', 1, [start, pad]).at(-1)).toMatchObject({ id: end, forced: true });
  });
});

it('a model without latent tokens only writes', () => {
  const protocol = new LatentProtocol(undefined, 8, 'free');
  expect(protocol.next(start).kind).toBe('text');
});
