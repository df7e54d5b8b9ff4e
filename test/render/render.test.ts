import { decode, encode } from 'fast-png';
import { describe, expect, it } from 'vitest';
import { toBase64 } from '../../src/base/base64.ts';
import { UserError } from '../../src/base/errors.ts';
import { colourOf, fractionOf } from '../../src/render/colour.ts';
import { renderMap, tokenBox } from '../../src/render/overlay.ts';
import { rasterOf } from '../../src/render/picture.ts';
import { encodePng, pngUnder } from '../../src/render/png.ts';
import { blank, resample, tint, type Raster } from '../../src/render/raster.ts';
import { renderBlockStrip } from '../../src/render/strip.ts';
import { mapOf, type MapSelector } from '../../src/trace/maps.ts';
import { smallTrace } from '../fixtures/smallTrace.ts';

const ATTENTION: MapSelector = { kind: 'attention', picture: 'image-1', layer: 'mean', heads: 'mean' };

describe('colour', () => {
  it('runs from dark to light on both palettes', () => {
    for (const palette of ['viridis', 'cividis'] as const) {
      const luma = [0, 0.25, 0.5, 0.75, 1].map((t) => {
        const [r, g, b] = colourOf(t, palette);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      });
      expect(luma).toEqual(luma.toSorted((a, b) => a - b));
    }
  });

  it('has the published ends of viridis', () => {
    expect(colourOf(0, 'viridis')).toEqual([68, 1, 84]);
    expect(colourOf(1, 'viridis')).toEqual([253, 231, 37]);
  });

  it('clamps values outside the scale, keeps NaN, and claims nothing on an empty scale', () => {
    expect(fractionOf(-1, { min: 0, max: 2 })).toBe(0);
    expect(fractionOf(5, { min: 0, max: 2 })).toBe(1);
    expect(fractionOf(NaN, { min: 0, max: 2 })).toBeNaN();
    expect(fractionOf(3, { min: 3, max: 3 })).toBe(0.5);
  });
});

describe('a rendered map', () => {
  const trace = smallTrace();
  const latent = trace.latents[1]!;

  it('keeps the proportions of the picture', () => {
    const { width, height } = renderMap(trace, latent, ATTENTION, { width: 90 })!;
    expect([width, height]).toEqual([90, 60]);
  });

  it('is flat inside each token: one number, one colour', () => {
    const plain = { ...trace, pictures: trace.pictures.map((picture) => withPixels(picture, 128)) };
    const raster = renderMap(plain, latent, ATTENTION, { width: 91, mark: false })!;
    for (let token = 0; token < 6; token++) {
      const colours = coloursIn(raster, tokenBox({ rows: 2, columns: 3 }, token, raster));
      expect(colours.size, `token ${token}`).toBe(1);
    }
  });

  it('covers every pixel with exactly one token, at any width', () => {
    for (const width of [7, 30, 91, 200]) {
      const hits = new Uint8Array(width * width);
      for (let token = 0; token < 49; token++) {
        const { x0, y0, x1, y1 } = tokenBox({ rows: 7, columns: 7 }, token, { width, height: width });
        for (let y = y0; y < y1; y++) for (let x = x0; x < x1; x++) hits[y * width + x]!++;
      }
      expect(hits.every((count) => count === 1)).toBe(true);
    }
  });

  it('is brightest where the attention is largest', () => {
    const plain = { ...trace, pictures: trace.pictures.map((picture) => withPixels(picture, 128)) };
    const raster = renderMap(plain, latent, ATTENTION, { width: 90, mark: false })!;
    const map = mapOf(plain, latent, ATTENTION)!;
    const lumas = [...map.values.keys()].map((token) => {
      const { x0, y0 } = tokenBox(map, token, raster);
      const at = (y0 * raster.width + x0) * 4;
      return 0.2126 * raster.rgba[at]! + 0.7152 * raster.rgba[at + 1]! + 0.0722 * raster.rgba[at + 2]!;
    });
    expect(lumas.indexOf(Math.max(...lumas))).toBe(map.peak);
  });

  it('does not exist as attention over a helper picture that the model never saw', () => {
    expect(renderMap(trace, latent, { ...ATTENTION, picture: 'helper-1' })).toBeUndefined();
    expect(renderMap(trace, latent, { ...ATTENTION, kind: 'selection', picture: 'helper-1' })).toBeDefined();
  });

  it('hatches tokens that have no value instead of giving them a colour', () => {
    const gap = smallTrace();
    gap.latents[1]!.comparisons[0]!.similarity.data[4] = NaN;
    const similarity: MapSelector = { ...ATTENTION, kind: 'similarity' };
    const raster = renderMap(gap, gap.latents[1]!, similarity, { width: 90, mark: false })!;
    expect(coloursIn(raster, tokenBox({ rows: 2, columns: 3 }, 4, raster)).size).toBe(2);
  });

  it('refuses a picture that is no PNG, cut off, or of another size than stated', () => {
    const damaged = [
      toBase64(new TextEncoder().encode('not a picture, whatever its length may be')),
      trace.pictures[0]!.png.slice(0, 80),
      toBase64(encodePng(blank(3, 3))),
    ];
    for (const png of damaged) {
      const pictures = [{ ...trace.pictures[0]!, png }];
      expect(() => renderMap({ ...trace, pictures }, latent, ATTENTION)).toThrow(UserError);
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
      const png = toBase64(encode({ width: 2, height: 2, ...kind }));
      const raster = rasterOf({ ...smallTrace().pictures[0]!, width: 2, height: 2, png });
      expect([...raster.rgba]).toEqual(expected);
    }
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
  it('shows K maps in a row with transparent gaps', () => {
    const strip = renderBlockStrip(smallTrace(), 0, ATTENTION, { width: 60, gap: 4 })!;
    expect([strip.width, strip.height]).toEqual([124, 40]);
    expect(strip.rgba[61 * 4 + 3]).toBe(0);
  });

  it('exists for a partial block and not for a block without latents', () => {
    const partial = smallTrace('cancelled');
    expect(renderBlockStrip(partial, 1, ATTENTION, { width: 60 })!.width).toBe(60);
    expect(renderBlockStrip({ ...partial, latents: [] }, 1, ATTENTION)).toBeUndefined();
  });
});

describe('PNG', () => {
  it('gives back the pixels that went in', () => {
    const map = renderMap(smallTrace(), smallTrace().latents[0]!, ATTENTION, { width: 60 })!;
    const { data, channels } = decode(encodePng(map));
    expect(channels).toBe(3);
    expect([...data]).toEqual([...map.rgba].filter((_, i) => i % 4 !== 3));
  });

  it('shrinks until it fits, and no further than needed', () => {
    const png = pngUnder(30_000, 400, noise)!;
    expect(png.length).toBeLessThanOrEqual(30_000);
    expect(png.length).toBeGreaterThan(24_000);
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

function withPixels<T extends { width: number; height: number; png: string }>(picture: T, grey: number): T {
  const { width, height } = picture;
  const data = new Uint8Array(width * height * 3).fill(grey);
  return { ...picture, png: toBase64(encode({ width, height, data, channels: 3 })) };
}

function coloursIn(
  { width, rgba }: Raster,
  { x0, y0, x1, y1 }: { x0: number; y0: number; x1: number; y1: number },
): Set<string> {
  const colours = new Set<string>();
  for (let y = y0; y < y1; y++) {
    for (let x = x0; x < x1; x++) {
      const at = (y * width + x) * 4;
      colours.add(rgba.subarray(at, at + 4).join());
    }
  }
  return colours;
}
