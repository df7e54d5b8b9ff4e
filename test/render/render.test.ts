import { decode, encode } from 'fast-png';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/base/errors.ts';
import { patchBox, type Box } from '../../src/heatmap/grid.ts';
import type { HeatMap } from '../../src/heatmap/map.ts';
import { drawMap, type MapStyle } from '../../src/render/overlay.ts';
import { drawnSize, pictureAt, rasterOf, type EncodedPicture } from '../../src/render/picture.ts';
import { encodePng, pngUnder } from '../../src/render/png.ts';
import { blank, resample, tint, type Raster } from '../../src/render/raster.ts';
import { drawStrip } from '../../src/render/strip.ts';
import type { MapSelector } from '../../src/trace/maps.ts';
import { chunk, encoded, png } from '../fixtures/png.ts';
import { smallRun } from '../fixtures/smallTrace.ts';

const ATTENTION: MapSelector = { kind: 'attention', picture: 'image-1', layer: 'mean', heads: 'mean' };

const run = smallRun();
const { trace, maps } = run;
const latent = trace.latents[1]!;
for (const kind of ['attention', 'selection', 'similarity'] as const) {
  for (const picture of ['image-1', 'helper-1']) await maps.load({ ...ATTENTION, kind, picture });
}
const picture = await run.picture(trace.pictures[0]!);
/** The same size in one grey, so that every difference comes from the map. */
const grey = encoded({ name: 'grey', ...flat(24, 16, 128) });

/** A latent's map as the product draws it: on the scale of the run. */
function draw(selector: MapSelector, style: Partial<MapStyle> = {}, ground: EncodedPicture = grey): Raster {
  return drawMap(maps.map(latent, selector)!, maps.scale(selector, 'raw', 'run'), ground, style);
}

describe('a rendered map', () => {
  it('keeps the proportions of the picture', () => {
    const { width, height } = draw(ATTENTION, { width: 90 }, picture);
    expect([width, height]).toEqual([90, 60]);
  });

  it('is flat inside each token: one number, one colour', () => {
    for (const law of ['spotlight', 'heat'] as const) {
      const raster = draw(ATTENTION, { width: 91, contour: 0, law });
      for (let patch = 0; patch < 6; patch++) {
        const colours = coloursIn(raster, patchBox({ rows: 2, columns: 3 }, patch, raster));
        expect(colours.size, `${law}, patch ${patch}`).toBe(1);
      }
    }
  });

  it('keeps the picture where the attention is largest in the spotlight, and where it is nothing in the heat', () => {
    const map: HeatMap = {
      ...maps.map(latent, ATTENTION)!,
      values: Float32Array.of(0, 1, 2, 3, 4, 0),
    };
    const scale = { min: 0, zero: 0, max: 4, least: 0, most: 4, diverging: false };
    const brightness = (law: 'spotlight' | 'heat'): number[] => {
      const raster = drawMap(map, scale, grey, { width: 90, contour: 0, law });
      return [...map.values.keys()].map((patch) => {
        const { x0, y0 } = patchBox(map, patch, raster);
        return raster.rgba[(y0 * raster.width + x0) * 4]!;
      });
    };
    const spot = brightness('spotlight');
    expect(spot[4]).toBe(128);
    expect(spot.slice(0, 5)).toEqual(spot.slice(0, 5).toSorted((a, b) => a - b));
    expect(spot[0]).toBeLessThan(40);
    expect([brightness('heat')[0], brightness('heat')[5]]).toEqual([128, 128]);
  });

  it('has a white contour in a black one inside the patches that hold half of the mass', () => {
    const values = Float32Array.of(0.1, 0.1, 0.1, 0.1, 0.5, 0.1);
    const map: HeatMap = { ...maps.map(latent, ATTENTION)!, values };
    delete map.entropy;
    const scale = { min: 0, zero: 0, max: 0.5, least: 0.1, most: 0.5, diverging: false };
    const raster = drawMap(map, scale, grey, { width: 90, law: 'heat' });
    const { x0, y0, x1, y1 } = patchBox(map, 4, raster);
    const at = (x: number, y: number): string =>
      raster.rgba.subarray((y * 90 + x) * 4, (y * 90 + x) * 4 + 3).join();
    for (const [x, y, inwards] of [
      [x0, 45, 1],
      [x1 - 1, 45, -1],
    ] as const) {
      expect([at(x, y), at(x + inwards, y), at(x + 2 * inwards, y)]).toEqual([
        '0,0,0',
        '255,255,255',
        '0,0,0',
      ]);
    }
    expect([at(45, y0), at(45, y1 - 1)]).toEqual(['0,0,0', '0,0,0']);
    expect(at(x0 - 1, 45)).not.toBe('0,0,0');
  });

  it('does not exist as attention over a helper picture that the model never saw', () => {
    const helper = { ...ATTENTION, picture: 'helper-1' };
    expect(maps.map(latent, helper)).toBeUndefined();
    expect(draw({ ...helper, kind: 'selection' })).toBeDefined();
  });

  it('hatches tokens that have no value instead of giving them a colour', () => {
    const similarity = maps.map(latent, { ...ATTENTION, kind: 'similarity' })!;
    const gap = { ...similarity, values: similarity.values.slice() };
    gap.values[4] = NaN;
    const raster = drawMap(gap, maps.scale(ATTENTION, 'raw', 'run'), grey, { width: 90 });
    expect(coloursIn(raster, patchBox({ rows: 2, columns: 3 }, 4, raster)).size).toBe(2);
  });

  it('refuses a picture that is no PNG, cut off, or of another size than stated', () => {
    const damaged = [
      new TextEncoder().encode('not a picture, whatever its length may be'),
      picture.png.slice(0, 80),
      encodePng(blank(3, 3)),
    ];
    for (const bytes of damaged) {
      const { name, width, height } = picture;
      expect(() => draw(ATTENTION, {}, encoded({ name, width, height, png: bytes }))).toThrow(UserError);
    }
  });
});

describe('pictures', () => {
  it('are read alike from every kind of PNG', () => {
    const kinds = [
      { channels: 1, data: Uint8Array.of(0, 255, 128, 64) },
      { channels: 2, data: Uint8Array.of(0, 255, 255, 255, 128, 255, 64, 255) },
      { channels: 3, data: Uint8Array.from([0, 255, 128, 64].flatMap((v) => [v, v, v])) },
      { channels: 4, data: Uint8Array.from([0, 255, 128, 64].flatMap((v) => [v, v, v, 255])) },
      { channels: 1, depth: 16 as const, data: Uint16Array.from([0, 65535, 128 * 257, 64 * 257]) },
    ];
    const expected = [0, 255, 128, 64].flatMap((v) => [v, v, v, 255]);
    for (const kind of kinds) {
      const bytes = encode({ width: 2, height: 2, ...kind });
      const raster = rasterOf(encoded({ name: 'x', width: 2, height: 2, png: bytes }));
      expect([...raster.rgba]).toEqual(expected);
    }
  });

  it('inflate to their pixels and no further, however much there is', () => {
    const endless = png({ width: 8, height: 8, pixels: new Uint8Array(2 ** 28) });
    expect(() => rasterOf(encoded({ name: 'bomb', width: 8, height: 8, png: endless }))).toThrow(
      /cannot be shown.*in bomb/,
    );
    const short = png({ width: 8, height: 8, pixels: new Uint8Array(71) });
    expect(() => rasterOf(encoded({ name: 'short', width: 8, height: 8, png: short }))).toThrow(
      /71 of 72 bytes/,
    );
  });

  it('with a colour that their palette does not have are refused', () => {
    const before = [chunk('PLTE', new Uint8Array(6))];
    const pixels = Uint8Array.of(0, 1, 0, 0, 7);
    const indexed = png({ width: 1, height: 2, colourType: 3, before, pixels: pixels.subarray(1) });
    expect(() => rasterOf(encoded({ name: 'odd', width: 1, height: 2, png: indexed }))).toThrow(UserError);
  });

  it('interlaced are read as others are', () => {
    const raw = Uint8Array.of(0, 10, 0, 30, 0, 20, 40);
    const interlaced = png({ width: 2, height: 2, interlace: 1, pixels: raw.subarray(0, 7) });
    const raster = rasterOf(encoded({ name: 'x', width: 2, height: 2, png: interlaced }));
    expect([0, 4, 8, 12].map((at) => raster.rgba[at])).toEqual([10, 30, 20, 40]);
  });

  it('smaller than the trace states, as a photograph’s, are drawn in its proportions', () => {
    const small = png({ width: 20, height: 10 });
    expect(drawnSize({ width: 4000, height: 2000 }, 100)).toEqual({ width: 100, height: 50 });
    expect(pictureAt(encoded({ name: 'x', width: 4000, height: 2000, png: small }), 100).height).toBe(50);
  });

  it('much higher than wide are drawn narrower, so that no drawing is more than 8 widths high', () => {
    expect(drawnSize({ width: 10, height: 2000 }, 100)).toEqual({ width: 4, height: 800 });
    expect(drawnSize({ width: 2000, height: 10 }, 100)).toEqual({ width: 100, height: 1 });
  });

  it('are averaged when they shrink and repeated when they grow', () => {
    const source = blank(2, 1);
    tint(source, { x0: 0, y0: 0, x1: 1, y1: 1 }, [0, 0, 0], 1);
    tint(source, { x0: 1, y0: 0, x1: 2, y1: 1 }, [200, 100, 50], 1);
    expect([...resample(source, 1, 1).rgba]).toEqual([100, 50, 25, 255]);
    expect(coloursIn(resample(source, 8, 4), { x0: 0, y0: 0, x1: 8, y1: 4 }).size).toBe(2);
  });
});

describe('a block strip', () => {
  const strip = (selector: MapSelector): Raster => {
    const drawn = trace.latents.slice(0, 2).map((each) => maps.map(each, selector)!);
    return drawStrip(drawn, maps.scale(selector, 'raw', 'run'), picture, { width: 60, gap: 4 })!;
  };

  it('shows K maps in a row with transparent gaps, and the mass of each below it', () => {
    const raster = strip(ATTENTION);
    expect([raster.width, raster.height]).toEqual([124, 40 + 5]);
    expect(raster.rgba[61 * 4 + 3]).toBe(0);
    const mass = maps.map(trace.latents[0]!, ATTENTION)!.mass!;
    const bar = Array.from({ length: 60 }, (_, x) => raster.rgba[(42 * 124 + x) * 4 + 2]!);
    expect(bar.filter((blue) => blue === bar[0]).length).toBe(Math.round(60 * mass));
  });

  it('has no bars where there is no attention, and does not exist without maps', () => {
    expect(strip({ ...ATTENTION, kind: 'selection' }).height).toBe(40);
    expect(drawStrip([], maps.scale(ATTENTION, 'raw', 'run'), picture)).toBeUndefined();
  });
});

describe('PNG', () => {
  it('gives back the pixels that went in', () => {
    const map = draw(ATTENTION, { width: 60 }, picture);
    const { data, channels } = decode(encodePng(map));
    expect(channels).toBe(3);
    expect([...data]).toEqual([...map.rgba].filter((_, i) => i % 4 !== 3));
  });

  it('shrinks until it fits, and no further than needed', () => {
    const file = pngUnder(30_000, 400, noise)!;
    expect(file.length).toBeLessThanOrEqual(30_000);
    expect(file.length).toBeGreaterThan(24_000);
    expect(pngUnder(100, 400, noise)).toBeUndefined();
    expect(pngUnder(30_000, 400, () => undefined)).toBeUndefined();
  });
});

/** Incompressible pixels, the same on every run. */
function noise(width: number): Raster {
  const raster = blank(width, width);
  let state = 1;
  raster.rgba.forEach((_, i) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    raster.rgba[i] = i % 4 === 3 ? 255 : state >>> 24;
  });
  return raster;
}

function flat(
  width: number,
  height: number,
  value: number,
): Pick<EncodedPicture, 'width' | 'height' | 'png'> {
  const data = new Uint8Array(width * height * 3).fill(value);
  return { width, height, png: encode({ width, height, data, channels: 3 }) };
}

function coloursIn({ width, rgba }: Raster, { x0, y0, x1, y1 }: Box): Set<string> {
  const colours = new Set<string>();
  for (let y = y0; y < y1; y++) {
    for (let x = x0; x < x1; x++) {
      const at = (y * width + x) * 4;
      colours.add(rgba.subarray(at, at + 4).join());
    }
  }
  return colours;
}
