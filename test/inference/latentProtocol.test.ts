import { describe, expect, it } from 'vitest';
import { LatentProtocol, type Decision } from '../../src/inference/latentProtocol.ts';
import { COVT } from '../../src/model/families/covt.ts';
import type { Family } from '../../src/model/families/family.ts';
import { freed, ILVR } from '../../src/model/families/ilvr.ts';
import { LASER } from '../../src/model/families/laser.ts';
import { distanceStrategy, LVR } from '../../src/model/families/lvr.ts';
import { MIRAGE } from '../../src/model/families/mirage.ts';
import { MONET } from '../../src/model/families/monet.ts';
import { SKILA } from '../../src/model/families/skila.ts';
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

/** A family's protocol with ids of these tests. */
function familyProtocol({ record }: Family, changes: Partial<Protocol> = {}): LatentProtocol {
  const marker = (id: number) => ({ name: String(id), id });
  const tokens = { pad: marker(pad), start: marker(start), end: marker(end) };
  const protocol: Protocol = { ...record, tokens, count: 3, countFrom: 'setting', ...changes };
  return new LatentProtocol({ protocol, endIds: [stop], endVector: Float32Array.of(1, 0) });
}

/** What choices become: `*` behind what is fed as a latent, `|` before an end of the run. */
function trail(protocol: LatentProtocol, choices: readonly number[]): string {
  const left = [...choices];
  const words: string[] = [];
  while (left.length > 0 || !protocol.needsLogits()) {
    const { id, kind, feed } = protocol.next(protocol.needsLogits() ? left.shift() : undefined);
    words.push(`${kind === 'end' ? '|' : ''}${NAMES[id] ?? id}${feed === 'latent' ? '*' : ''}`);
  }
  return words.join(' ');
}

const NAMES: Readonly<Record<number, string>> = {
  [pad]: 'pad',
  [start]: 'start',
  [end]: 'end',
  [stop]: 'stop',
};

const ends = ({ blocks }: LatentProtocol): [latents: number, ended: string][] =>
  blocks.map(({ latents, ended }) => [latents, ended]);

describe('the protocols of other families', () => {
  it.each<[string, Family, number[], string, [number, string][]]>([
    [
      'Monet: latents begin at start, ids are its own',
      MONET,
      [7, start, 8, 9, 1, 2],
      '7 start* 8* 9* end 1 2',
      [[3, 'forced']],
    ],
    ['Monet: its end', MONET, [start, 8, end, 9], 'start* 8* end 9', [[2, 'end-token']]],
    [
      'Monet: a start inside is an id like others',
      MONET,
      [start, start, 8],
      'start* start* 8* end',
      [[3, 'forced']],
    ],
    ['Monet: a stop token inside ends the answer', MONET, [start, 8, stop], 'start* 8* |stop', [[2, 'stop']]],
    [
      'LVR: exactly n, without an end',
      LVR,
      [start, 8, stop, end, 9],
      'start 8* stop* end* 9',
      [[3, 'forced']],
    ],
    [
      'LVR: a block right after a block',
      LVR,
      [start, 8, 8, 8, start, 9],
      'start 8* 8* 8* start 9*',
      [
        [3, 'forced'],
        [1, 'running'],
      ],
    ],
    [
      'SkiLa: everything but end becomes a pad',
      SKILA,
      [start, start, stop, end, 9],
      'start pad* pad* end 9',
      [[2, 'end-token']],
    ],
    ['SkiLa: full', SKILA, [start, 8, 8, 8], 'start pad* pad* pad* end', [[3, 'forced']]],
    ['SkiLa: end right after start', SKILA, [start, end, 9], 'start end 9', [[0, 'end-token']]],
    [
      'Mirage: a restart keeps the count',
      MIRAGE,
      [start, 8, start, 8, 8, 8],
      'start pad* start pad* pad* end',
      [
        [1, 'restart'],
        [2, 'forced'],
      ],
    ],
    [
      'Mirage: a later block ends by an end token, if the model chose none before',
      MIRAGE,
      [start, 8, 8, 8, 8, start, 1, 2, 3, 4, end, 9],
      'start pad* pad* pad* end start pad* pad* pad* pad* end 9',
      [
        [3, 'forced'],
        [4, 'end-token'],
      ],
    ],
    [
      'Mirage: else never, and the token keeps its id',
      MIRAGE,
      [start, 8, end, start, 1, 2, 3, 4, end, 5],
      'start pad* end start pad* pad* pad* pad* end* pad*',
      [
        [1, 'end-token'],
        [6, 'running'],
      ],
    ],
    ['Laser: begins with start, ends itself', LASER, [8, end, 9], 'start 8* end 9', [[1, 'end-token']]],
    ['Laser: ends after three equal ids', LASER, [8, 8, 8, 9], 'start 8* 8* 8* end 9', [[3, 'repeats']]],
  ])('%s', (_, family, choices, expected, account) => {
    const protocol = familyProtocol(family, family.record.name === 'Laser' ? { count: 9 } : {});
    expect(trail(protocol, choices)).toBe(expected);
    expect(ends(protocol)).toEqual(account);
  });

  it('CoVT: tokens of a kind are a block, and fed as they are', () => {
    const visual = [pad, start].map((id) => ({ name: String(id), id }));
    const protocol = familyProtocol(COVT, { tokens: { visual } });
    expect(protocol.openers).toEqual([pad, start]);
    expect(trail(protocol, [7, pad, pad, start, 8, stop])).toBe('7 pad pad start 8 |stop');
    expect(ends(protocol)).toEqual([
      [2, 'text'],
      [1, 'text'],
    ]);
  });

  it('LVR: a vector near the learned one ends a block, also the state that chose start; a start inside counts anew', () => {
    const rules = distanceStrategy('cosine', 0.1);
    const [near, far] = [Float32Array.of(2, 0.1), Float32Array.of(0, 1)];
    const feed = (states: Float32Array[], choices: number[]): LatentProtocol => {
      const protocol = familyProtocol(LVR, rules);
      choices.forEach((choice, i) => {
        protocol.next(choice);
        protocol.fed(states[i] ?? far);
      });
      return protocol;
    };
    expect(ends(feed([far, far, near], [start, 8, 8, 9]))).toEqual([[2, 'distance']]);
    expect(ends(feed([near], [start, 8, 9]))).toEqual([[0, 'distance']]);
    expect(ends(feed([], [start, 8, start, 8, 8, 8, 9]))).toEqual([[5, 'forced']]);
  });

  it('LVR: the limit waits for the end of a block whose start was fed', () => {
    const protocol = familyProtocol(LVR);
    protocol.next(start);
    expect(protocol.outlastsLimit).toBe(false);
    protocol.next(8);
    expect(protocol.outlastsLimit).toBe(true);
    for (const choice of [8, 8, 9]) protocol.next(choice);
    expect(protocol.outlastsLimit).toBe(false);
  });
});
