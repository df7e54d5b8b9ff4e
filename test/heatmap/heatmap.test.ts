/** The colour law, the scale rule, the contour and the readings, against answers worked out by hand. */

import { describe, expect, test } from 'vitest';
import { CONTOUR_SHARE, CURVE } from '../../src/heatmap/constants.ts';
import {
  contourLine,
  enclosed,
  inset,
  layBorders,
  loopsAround,
  patchesHolding,
} from '../../src/heatmap/contour.ts';
import { patchBox, placeText, type Box } from '../../src/heatmap/grid.ts';
import { HATCH, LAWS, paintMap, paintOf, paintWords, wordOfColour } from '../../src/heatmap/law.ts';
import type { HeatMap } from '../../src/heatmap/map.ts';
import { diverging, sequential } from '../../src/heatmap/palettes.ts';
import { layMap } from '../../src/heatmap/pixels.ts';
import { masked, relative } from '../../src/heatmap/readings.ts';
import { barPlace, barValue, scaleOf, strengthOf, type Scale } from '../../src/heatmap/scale.ts';
import { entropyOf, isNearlyUniform, Looks, percentile } from '../../src/heatmap/statistics.ts';

const luma = ([red, green, blue]: readonly number[]): number =>
  0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;

/** A map of one row, or of as many rows as its columns leave. */
function mapOf(values: number[], more: Partial<HeatMap> = {}): HeatMap {
  const all = Float32Array.from(values);
  const total = values.reduce((sum, value) => sum + (value || 0), 0);
  return {
    kind: 'attention',
    reading: 'raw',
    rows: 1,
    columns: values.length,
    values: all,
    unit: 'attention probability',
    caption: 'A map.',
    peak: values.indexOf(Math.max(...values.filter((value) => !Number.isNaN(value)))),
    mass: total,
    entropy: entropyOf(all),
    ...more,
  };
}

describe('the law', () => {
  const scale = scaleOf([mapOf([0, 0.125, 0.5])]);

  test('zero is invisible in the heat, and dimmed most in the spotlight', () => {
    expect(paintOf(0, { law: 'heat', scale, strength: 0.8 }).alpha).toBe(0);
    expect(paintOf(0, { law: 'spotlight', scale, strength: 0.8 }).alpha).toBe(0.8);
  });

  test('what is looked at most keeps the picture in the spotlight, and is covered in the heat', () => {
    expect(paintOf(0.5, { law: 'spotlight', scale, strength: 0.8 }).alpha).toBe(0);
    expect(paintOf(0.5, { law: 'heat', scale, strength: 0.8 })).toEqual({
      colour: sequential(1),
      alpha: 0.8,
    });
  });

  test('between them more is always more, and the same value is always the same paint', () => {
    for (const law of LAWS) {
      const alphas = [0, 0.125, 0.25, 0.375, 0.5].map(
        (value) => paintOf(value, { law, scale, strength: 1 }).alpha,
      );
      const ordered = alphas.toSorted((a, b) => (law === 'heat' ? a - b : b - a));
      expect(alphas, law).toEqual(ordered);
      expect(new Set(alphas).size, law).toBe(5);
    }
    expect(paintOf(0.125, { law: 'heat', scale, strength: 1 }).alpha).toBeCloseTo(0.25 ** CURVE, 12);
  });

  test('no strength leaves the picture alone', () => {
    for (const law of LAWS) expect(paintOf(0.2, { law, scale, strength: 0 }).alpha, law).toBe(0);
  });

  test('a patch without a value is neither lit nor nothing', () => {
    for (const law of LAWS) {
      const { alpha } = paintOf(NaN, { law, scale, strength: 0.85 });
      expect(alpha, law).toBeGreaterThan(0);
      expect(alpha, law).toBeLessThan(0.85);
    }
  });

  test('a map is painted patch by patch, as RGBA', () => {
    const pixels = paintMap(Float32Array.of(0, 0.5), { law: 'heat', scale, strength: 1 });
    expect([...pixels]).toEqual([...sequential(0), 0, 253, 231, 37, 255]);
  });

  test('a map is painted as each of its patches is, whatever was painted before it', () => {
    const values = Float32Array.from({ length: 501 }, (_, i) => (i === 500 ? NaN : i / 500 - 0.4));
    const diverging: Scale = { ...scale, min: -0.3, max: 0.3, diverging: true };
    const drawings = LAWS.flatMap((law) =>
      [scale, diverging].flatMap((of) => [0.8, 0.3].map((strength) => ({ law, scale: of, strength }))),
    );
    for (const drawing of [...drawings, ...drawings]) {
      const alone = [...values].flatMap((value) => {
        const { colour, alpha } = paintOf(value, drawing);
        return [...colour, Math.round(alpha * 255)];
      });
      const far = [...paintMap(values, drawing)].map((byte, i) => Math.abs(byte - alone[i]!));
      // Values that are nearly the same may be painted alike: a step of one byte at most.
      expect(Math.max(...far)).toBeLessThanOrEqual(1);
    }
  });
});

describe('colours', () => {
  test('viridis has its published ends and rises in lightness', () => {
    expect([sequential(0), sequential(1)]).toEqual([
      [68, 1, 84],
      [253, 231, 37],
    ]);
    const lumas = [0, 0.25, 0.5, 0.75, 1].map((at) => luma(sequential(at)));
    expect(lumas).toEqual(lumas.toSorted((a, b) => a - b));
  });

  test('the diverging colours are light in the middle, blue below, red above', () => {
    expect(luma(diverging(0))).toBeGreaterThan(230);
    expect(diverging(-1)[2]).toBeGreaterThan(diverging(-1)[0]);
    expect(diverging(1)[0]).toBeGreaterThan(diverging(1)[2]);
  });
});

describe('the scale', () => {
  test('ends at the 99th percentile of all maps together, and knows what lies beyond', () => {
    const many = Array.from({ length: 10 }, (_, i) => mapOf(Array.from({ length: 20 }, () => (i + 1) / 100)));
    const outlier = mapOf([0.9]);
    const scale = scaleOf([...many, outlier]);
    // 201 values: the 199th is the 99th percentile by nearest rank.
    expect(scale.max).toBeCloseTo(0.1, 6);
    expect(scale.most).toBeCloseTo(0.9, 6);
    expect(strengthOf(0.9, scale)).toBe(1);
    expect(scaleOf([outlier]).max).toBeCloseTo(0.9, 6);
  });

  test('percentiles are by nearest rank', () => {
    const sorted = Float32Array.of(1, 2, 3, 4);
    expect([0, 0.25, 0.26, 0.5, 0.99, 1].map((share) => percentile(sorted, share))).toEqual([
      1, 1, 2, 2, 4, 4,
    ]);
    expect(percentile(new Float32Array(), 0.5)).toBeNaN();
  });

  test('of attention begins at zero, even where nothing is zero', () => {
    const scale = scaleOf([mapOf([0.2, 0.3])]);
    expect([scale.min, scale.zero]).toEqual([0, 0]);
    expect(strengthOf(0.15, scale)).toBeCloseTo(0.5, 6);
  });

  test('of attention that is zero nearly everywhere ends at what there is', () => {
    const values = Array.from({ length: 400 }, (_, i) => (i === 7 ? 0.25 : 0));
    expect(scaleOf([mapOf(values)]).max).toBe(0.25);
  });

  test('of a selection draws nothing at chance and below', () => {
    const scale = scaleOf([mapOf([0.1, 0.2, 0.3, 0.4], { kind: 'selection' })]);
    expect(scale.zero).toBeCloseTo(0.25, 6);
    expect([0.1, 0.25].map((value) => strengthOf(value, scale))).toEqual([0, 0]);
    expect(strengthOf(scale.max, scale)).toBe(1);
    expect(barPlace(scale.zero, scale)).toBeCloseTo(0.5, 5);
  });

  test('of cosines has 0 in the middle, however they lie', () => {
    const scale = scaleOf([mapOf([0.2, 0.4, 0.8], { kind: 'similarity' })]);
    expect(scale.min).toBe(-scale.max);
    expect(barPlace(0, scale)).toBe(0.5);
    expect(strengthOf(-scale.max / 2, scale)).toBe(-0.5);
    expect(strengthOf(-9, scale)).toBe(-1);
  });

  test('without extent claims nothing', () => {
    for (const kind of ['attention', 'selection', 'similarity'] as const) {
      const scale = scaleOf([mapOf([0, 0, 0], { kind })]);
      expect(strengthOf(0, scale), kind).toBe(0);
      expect(barPlace(0, scale), kind).toBeNaN();
    }
    expect(scaleOf([]).max).toBe(1);
  });

  test('leaves out patches without a value, which have no place on it', () => {
    const scale = scaleOf([mapOf([NaN, 0.5, 0.25])]);
    expect([scale.least, scale.most]).toEqual([0.25, 0.5]);
    expect(strengthOf(NaN, scale)).toBeNaN();
    expect(barPlace(NaN, scale)).toBeNaN();
  });

  test('reads both ways', () => {
    const scale = scaleOf([mapOf([-0.5, 0.25], { kind: 'similarity' })]);
    for (const at of [0, 0.3, 1]) expect(barPlace(barValue(at, scale), scale)).toBeCloseTo(at, 6);
  });
});

describe('figures', () => {
  test('entropy is that of the values made to sum 1', () => {
    expect(entropyOf(Float32Array.of(2, 2, 2, 2))).toEqual({ bits: 2, uniformBits: 2 });
    expect(entropyOf(Float32Array.of(1, 0, NaN, 1)).bits).toBe(1);
    expect(entropyOf(Float32Array.of(0, 0)).bits).toBe(0);
  });

  test('nearly uniform is above 99 % of the most there can be', () => {
    expect(isNearlyUniform({ bits: 4.951, uniformBits: 5 })).toBe(true);
    expect(isNearlyUniform({ bits: 4.949, uniformBits: 5 })).toBe(false);
    expect(isNearlyUniform({ bits: 0, uniformBits: 0 })).toBe(false);
  });

  test('a sink is the largest patch of more than half of the queries, and of several', () => {
    const looks = (peaks: number[]): Looks => {
      const all = new Looks();
      for (const peak of peaks) all.add(Float32Array.from({ length: 4 }, (_, i) => (i === peak ? 0.4 : 0.1)));
      return all;
    };
    expect(looks([2, 2, 1]).sink).toEqual({ patch: 2, queries: 2 });
    expect(looks([2, 2, 1, 0]).sink).toBeUndefined();
    expect(looks([2]).sink).toBeUndefined();
    expect(looks([2, 2, 1]).mass).toBeCloseTo(0.7, 6);
    expect(looks([0, 1]).entropy.uniformBits).toBe(2);
  });
});

describe('readings', () => {
  test('masked takes the sink out of values, peak and entropy, and says how much it held', () => {
    const map = masked(mapOf([0.3, 0.1, 0.2]), { patch: 0, queries: 9, of: 12 });
    expect(map.values[0]).toBeNaN();
    expect(map).toMatchObject({ reading: 'masked', peak: 2, removed: { patch: 0 } });
    expect(map.removed!.share).toBeCloseTo(0.5, 6);
    expect(map.caption).toContain('row 1, column 1, with 50 % of this map');
    expect(map.entropy!.uniformBits).toBe(1);
  });

  test('where there is no sink, masked says so and changes nothing', () => {
    const map = masked(mapOf([0.3, 0.1]), undefined);
    expect([...map.values]).toEqual([...Float32Array.of(0.3, 0.1)]);
    expect(map.caption).toContain('Nothing is masked');
    expect(map.removed).toBeUndefined();
  });

  test('relative is the difference from the mean, drawn both ways from 0', () => {
    const map = relative(mapOf([0.3, 0.1]), Float32Array.of(0.1, 0.2));
    expect(map.values[0]).toBeCloseTo(0.2, 6);
    expect(map.values[1]).toBeCloseTo(-0.1, 6);
    const scale = scaleOf([map]);
    expect([scale.diverging, scale.zero]).toEqual([true, 0]);
    expect(paintOf(map.values[1]!, { law: 'spotlight', scale, strength: 0.8 }).alpha).toBe(0.8);
  });
});

describe('the contour', () => {
  const grid = { rows: 3, columns: 3 };
  const around = (...patches: number[]) =>
    loopsAround(new Set(patches), grid).map((loop) => loop.map(({ x, y }) => `${x},${y}`).join(' '));

  test('goes around the fewest patches that hold the share', () => {
    const values = Float32Array.of(0.1, 0.4, 0.2, 0.3);
    expect([...patchesHolding(values, 0.5)]).toEqual([1, 3]);
    expect([...patchesHolding(values, 0.4)]).toEqual([1]);
    expect(patchesHolding(values, 1).size).toBe(4);
    expect(patchesHolding(values, 0).size).toBe(0);
    expect(patchesHolding(Float32Array.of(0, 0), 0.5).size).toBe(0);
    expect([...patchesHolding(Float32Array.of(NaN, 0.2, 0.1), 0.5)]).toEqual([1]);
  });

  test('of one patch is its border, with the patch on its right', () => {
    expect(around(4)).toEqual(['1,1 2,1 2,2 1,2']);
  });

  test('turns only where the set does', () => {
    expect(around(0, 1, 3)).toEqual(['0,0 2,0 2,1 1,1 1,2 0,2']);
  });

  test('has a loop for each part, and patches that touch at a corner are apart', () => {
    expect(around(0, 4)).toEqual(['0,0 1,0 1,1 0,1', '1,1 2,1 2,2 1,2']);
    expect(around(1, 3)).toEqual(['1,0 2,0 2,1 1,1', '1,1 1,2 0,2 0,1']);
  });

  test('goes around a hole as well, the other way', () => {
    const loops = around(0, 1, 2, 3, 5, 6, 7, 8);
    expect(loops).toHaveLength(2);
    expect(loops[0]).toBe('0,0 3,0 3,3 0,3');
    expect(loops[1]!.split(' ').toSorted()).toEqual(['1,1', '1,2', '2,1', '2,2']);
    expect(loops[1]).toContain('1,2 2,2');
  });

  test('uses every border once, whatever the set', () => {
    const next = numbers(7);
    for (let round = 0; round < 200; round++) {
      const size = { rows: 1 + Math.floor(next() * 6), columns: 1 + Math.floor(next() * 6) };
      const all = Array.from({ length: size.rows * size.columns }, (_, i) => i);
      const set = new Set(all.filter(() => next() < 0.5));
      let area = 0;
      for (const loop of loopsAround(set, size)) {
        loop.forEach(({ x, y }, i) => {
          const to = loop[(i + 1) % loop.length]!;
          expect(Number(x === to.x) + Number(y === to.y)).toBe(1);
          area += (x * to.y - to.x * y) / 2;
        });
      }
      expect(area).toBe(set.size);
    }
  });

  test('moved inwards stays around the same patches, at convex and concave corners', () => {
    const loop = loopsAround(new Set([0, 1, 3]), grid)[0]!.map(({ x, y }) => ({ x: x * 10, y: y * 10 }));
    expect(
      inset(loop, 2)
        .map(({ x, y }) => `${x},${y}`)
        .join(' '),
    ).toBe('2,2 18,2 18,8 8,8 8,18 2,18');
  });

  test('holds the same patches as sorting all of them would, whatever the values', () => {
    const next = numbers(11);
    for (let round = 0; round < 300; round++) {
      // Few different values, so that many are equal.
      const values = Float32Array.from(
        { length: 1 + Math.floor(next() * 40) },
        () => Math.floor(next() * 6) / 8,
      );
      const share = next();
      const order = [...values.keys()].toSorted((a, b) => values[b]! - values[a]! || a - b);
      const wanted = share * values.reduce((sum, value) => sum + value, 0) * (1 - 1e-6);
      let [held, count] = [0, 0];
      while (held < wanted) held += values[order[count++]!]!;
      expect([...patchesHolding(values, share)]).toEqual(order.slice(0, count).toSorted((a, b) => a - b));
    }
  });

  test('on pixels is what lies so near to a patch outside of it', () => {
    const next = numbers(5);
    for (let round = 0; round < 60; round++) {
      const size = { rows: 1 + Math.floor(next() * 5), columns: 1 + Math.floor(next() * 5) };
      const set = new Set([...Array(size.rows * size.columns).keys()].filter(() => next() < 0.6));
      const frame = { width: size.columns * 6 + 1, height: size.rows * 6 + 2 };
      const inside = new Uint8Array(frame.width * frame.height);
      for (const patch of set) fill(inside, frame.width, patchBox(size, patch, frame));
      const depth = 1 + Math.floor(next() * 3);
      const laid = new Uint8Array(inside.length);
      layBorders(set, size, frame, depth, (x0, y0, x1, y1) => fill(laid, frame.width, { x0, y0, x1, y1 }));
      const isOut = (x: number, y: number): boolean =>
        x < 0 || y < 0 || x >= frame.width || y >= frame.height || inside[y * frame.width + x] === 0;
      const isNear = (x: number, y: number): boolean => {
        for (let dy = -depth; dy <= depth; dy++)
          for (let dx = -depth; dx <= depth; dx++) if (isOut(x + dx, y + dy)) return true;
        return false;
      };
      const wanted = inside.map((is, at) =>
        Number(is === 1 && isNear(at % frame.width, Math.floor(at / frame.width))),
      );
      expect(laid).toEqual(wanted);
    }
  });

  test('of a small map is laid with its cells, in its place, and nowhere else', () => {
    const size = { rows: 2, columns: 2 };
    const values = Float32Array.of(0.1, 0.4, NaN, 0.2);
    const scale: Scale = { min: 0, max: 0.4, zero: 0, least: 0, most: 0.4, diverging: false };
    const drawing = { law: 'heat', scale, strength: 1 } as const;
    const pixels = { words: new Uint32Array(30 * 20), width: 30 };
    const frame = { left: 7, width: 20, height: 20 };
    layMap(pixels, frame, { ...size, values, ...drawing, enclosed: new Set([1]) }, 1);
    const paints = paintWords(values, drawing);
    const at = (x: number, y: number): number => pixels.words[y * 30 + x]!;
    expect([at(8, 8), at(22, 15), at(24, 13)]).toEqual([paints[0], paints[3], paints[3]]);
    expect([at(6, 8), at(27, 8)]).toEqual([0, 0]);
    const [white, black] = [wordOfColour([255, 255, 255]), wordOfColour([0, 0, 0])];
    // Patches of ten pixels: a black edge, a white line, and the cell.
    expect([17, 18, 19, 25, 26].map((x) => at(x, 5))).toEqual([black, white, paints[1], white, black]);
    // Without a value: stripes along the diagonal.
    const stripe = wordOfColour(HATCH.colour);
    expect([at(7, 12), at(7, 13), at(7, 14)]).toEqual([stripe, stripe, paints[2]]);
  });

  test('is thin where patches are small, and never thicker than two pixels', () => {
    expect(contourLine(2)).toEqual({ outer: 0, line: 1, inner: 0 });
    expect(contourLine(7)).toEqual({ outer: 1, line: 1, inner: 0 });
    expect(contourLine(20)).toEqual({ outer: 1, line: 1, inner: 1 });
    expect(contourLine(300)).toEqual({ outer: 2, line: 2, inner: 2 });
  });

  test('is not drawn where it would claim more than there is', () => {
    expect([...enclosed(mapOf([0.5, 0.1, 0.1]), CONTOUR_SHARE)]).toEqual([0]);
    expect(enclosed(mapOf([0.1, 0.1, 0.1]), CONTOUR_SHARE).size).toBe(0);
    expect(enclosed(mapOf([0.003, 0.0001, 0.0001]), CONTOUR_SHARE).size).toBe(0);
    expect(enclosed(mapOf([0.5, 0.1], { kind: 'similarity' }), CONTOUR_SHARE).size).toBe(0);
    expect([...enclosed(mapOf([0.3, 0.4, 0.3], { selected: new Set([2]) }), CONTOUR_SHARE)]).toEqual([2]);
  });
});

/** Numbers from 0 to 1, the same ones each time. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 1103515245 + 12345) % 2 ** 31) / 2 ** 31;
}

function fill(pixels: Uint8Array, width: number, { x0, y0, x1, y1 }: Box): void {
  for (let y = y0; y < y1; y++) pixels.fill(1, y * width + x0, y * width + x1);
}

test('patches cover every pixel exactly once, at any size', () => {
  for (const side of [7, 30, 91, 200]) {
    const hits = new Uint8Array(side * side);
    for (let patch = 0; patch < 49; patch++) {
      const { x0, y0, x1, y1 } = patchBox({ rows: 7, columns: 7 }, patch, { width: side, height: side });
      for (let y = y0; y < y1; y++) for (let x = x0; x < x1; x++) hits[y * side + x]!++;
    }
    expect(hits.every((count) => count === 1)).toBe(true);
  }
  expect(placeText(5, { rows: 2, columns: 3 })).toBe('row 2, column 3');
});
