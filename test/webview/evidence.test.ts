/** The evidence's numbers: sources along the answer, narrowing, collapse. */

import { describe, expect, test } from 'vitest';
import { entropyOf, totalOf } from '../../src/heatmap/statistics.ts';
import { collapsedBlocks, collapseText, cosinesOf } from '../../src/evidence/cosines.ts';
import { positionName } from '../../src/webview/logic/format.ts';
import { kindsOfPositions, narrowing, positionLooks } from '../../src/evidence/narrowing.ts';
import { layerOf, sourcesOf, STACK } from '../../src/evidence/sources.ts';
import { restoreView } from '../../src/webview/logic/storedView.ts';
import { sampleRun } from './sampleTrace.ts';

const { trace, reader } = sampleRun();
/** The pictures' part of a latent's row, as it lies in the container. */
const visual = async (latent: number, layer: number) =>
  (await reader.read({ family: { of: 'visual', layer, heads: 'mean' }, from: latent, to: latent + 1 }))[0]!;

describe('sources along the answer', () => {
  test('are those of the stored rows, and stand on one another up to 1', async () => {
    const points = sourcesOf(trace, 2, 'all');
    expect(points).toHaveLength(trace.tokens.filter(({ looks }) => looks !== undefined).length);
    for (const [i, { token }] of trace.latents.entries()) {
      const point = points.find((other) => other.token === token)!;
      expect(point.mass.pictures).toBeCloseTo(totalOf(await visual(i, 2)), 3);
      expect(layerOf(point, 'prompt')[1]).toBeCloseTo(1, 2);
      STACK.slice(1).forEach((source, above) =>
        expect(layerOf(point, source)[0]).toBeCloseTo(layerOf(point, STACK[above]!)[1]),
      );
    }
  });

  test('without the prompt’s text the rest adds up to 1 in the same proportions', () => {
    const [all, rest] = [sourcesOf(trace, 1, 'all'), sourcesOf(trace, 1, 'without-prompt')];
    rest.forEach(({ mass }, i) => {
      const before = all[i]!.mass;
      expect(mass.prompt).toBe(0);
      expect(mass.pictures + mass.latents + mass.answer).toBeCloseTo(1);
      expect(mass.pictures * before.answer).toBeCloseTo(mass.answer * before.pictures);
    });
  });

  test('where nothing but the prompt is looked at, nothing is left to share', () => {
    const looks = { shape: [1, 6], data: Float32Array.from([0, 1, 0, 0, 0, 0]) };
    const lone = { ...trace, tokens: [{ ...trace.tokens[0]!, looks }] };
    expect(sourcesOf(lone, 0, 'without-prompt')).toEqual([]);
    expect(sourcesOf(lone, 0, 'all')).toHaveLength(1);
  });

  test('the switch is kept, and a stored one that is none falls back', () => {
    expect(restoreView({ shares: 'without-prompt' }).shares).toBe('without-prompt');
    expect(restoreView({ shares: 'nothing' }).shares).toBe('all');
  });
});

describe('narrowing', () => {
  test('a block narrows by the entropy at its first latent less that at its last', async () => {
    const blocks = narrowing(trace, 3);
    expect(blocks.map(({ block }) => block)).toEqual([0, 1, 2]);
    const first = entropyOf(await visual(4, 3)).bits;
    const last = entropyOf(await visual(7, 3)).bits;
    expect(blocks[1]!.first).toBeCloseTo(first, 2);
    expect(blocks[1]!.fall).toBeCloseTo(first - last, 2);
  });

  test('markers are the ends of blocks, and the answer is what stands in the box', () => {
    const kinds = kindsOfPositions(trace);
    const of = (kind: string) => [...kinds.keys()].filter((i) => kinds[i] === kind);
    expect(of('markers')).toEqual(
      trace.blocks.flatMap(({ startToken, endToken }) => [startToken, endToken!]),
    );
    expect(of('latents')).toEqual(trace.latents.map(({ token }) => token));
    expect(
      of('answer')
        .map((i) => trace.tokens[i]!.text)
        .join(''),
    ).toBe('RRD');
    expect(kinds.at(-1)).toBeUndefined();
  });

  test('means are over the positions that the trace knows; a kind without any is left out', () => {
    const looks = positionLooks(trace, 'mean');
    expect(looks.map(({ kind }) => kind)).not.toContain('markers');
    const latents = looks.find(({ kind }) => kind === 'latents')!;
    const masses = trace.latents.map(({ token }) => {
      const { data } = trace.tokens[token]!.looks!;
      return (data[0]! + data[6]! + data[12]! + data[18]!) / 4;
    });
    expect(latents.count).toBe(12);
    expect(latents.mass).toBeCloseTo(masses.reduce((sum, mass) => sum + mass, 0) / 12);
  });
});

test('a position is called by what stands there', () => {
  const { startToken, endToken } = trace.blocks[1]!;
  expect(positionName(trace, startToken)).toBe('start of block 2');
  expect(positionName(trace, startToken + 2)).toBe('block 2, latent 2');
  expect(positionName(trace, endToken!)).toBe('end of block 2');
  expect(positionName(trace, 0)).toBe('“Start”');
});

describe('collapse', () => {
  /** Cosines of the run's latents: `alike` inside these blocks, 0.2 elsewhere. */
  const cosines = (...alike: number[]) => {
    const { latents } = trace;
    const values = latents.flatMap((a) =>
      latents.map((b) => (a === b ? 1 : a.block === b.block && alike.includes(a.block) ? 0.97 : 0.2)),
    );
    return cosinesOf(trace, Float32Array.from(values));
  };

  test('is said of the blocks whose latents are nearly one vector, and of no others', () => {
    expect(collapsedBlocks(cosines(1))).toEqual([1]);
    expect(collapseText(cosines())).toBe('No block has collapsed: the latents of each differ.');
    expect(collapseText(cosines(1))).toBe('Block 2 has collapsed: its latents are nearly one vector.');
    expect(collapseText(cosines(0, 2))).toMatch(/^Blocks 1 and 3 have collapsed/);
    expect(collapseText(cosines(0, 1, 2))).toMatch(/^All blocks have collapsed/);
  });

  test('a block of one latent has nothing to collapse', () => {
    const one = { ...trace, latents: trace.latents.slice(0, 1), blocks: trace.blocks.slice(0, 1) };
    expect(collapsedBlocks(cosinesOf(one, Float32Array.of(1)))).toEqual([]);
  });
});
