import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import type { Sharp } from 'sharp';
import { describe, expect, test } from 'vitest';
import { parseProcessorConfig } from '../../../src/checkpoint/defaults.ts';
import { decodeImage } from '../../../src/checkpoint/pixels/decodeImage.ts';
import { prepareImage, processImage } from '../../../src/checkpoint/pixels/image.ts';
import { toPatches } from '../../../src/checkpoint/pixels/patches.ts';
import { resizeBicubic } from '../../../src/checkpoint/pixels/resize.ts';
import { roundHalfEven, smartResize } from '../../../src/checkpoint/pixels/smartResize.ts';
import { patchCoordinates } from '../../../src/model/positions.ts';
import { openSafetensors } from '../../../src/checkpoint/formats/tensorFile.ts';
import { golden, goldenJson, haveGoldens } from '../goldens.ts';
import { expectUserError } from '../support.ts';

const config = parseProcessorConfig({ max_pixels: 262144 }, 'test', 'qwen2.5-vl');

test.each([
  [0.5, 0],
  [1.5, 2],
  [2.5, 2],
  [3.5, 4],
  [2.4, 2],
  [2.6, 3],
])('%d rounds to %d, ties to even', (x, rounded) => expect(roundHalfEven(x)).toBe(rounded));

describe('size', () => {
  const limits = { minPixels: 3136, maxPixels: 12845056, factor: 28 };
  test('enlarges a tiny picture', () => expect(smartResize(1, 1, limits)).toEqual({ height: 56, width: 56 }));
  test('refuses a ratio beyond 200', async () => {
    expect(smartResize(10, 2000, limits).height).toBe(28);
    await expectUserError(() => smartResize(10, 2001, limits), '200', '2001 × 10');
  });
});

describe('bicubic', () => {
  test('keeps a picture of the same size', () => {
    const rgb = Uint8Array.from({ length: 12 }, (_, i) => i * 20);
    expect(resizeBicubic(rgb, 2, 2, 2, 2)).toEqual(rgb);
  });
  test('keeps a flat colour', () => {
    const rgb = new Uint8Array(7 * 5 * 3).fill(201);
    expect(resizeBicubic(rgb, 7, 5, 3, 11)).toEqual(new Uint8Array(3 * 11 * 3).fill(201));
  });
});

test('the pass that saves more work comes first', () => {
  // 3 × 4 pixels to 4 × 2 as Pillow 13 makes them; ten of the values are another with the other order.
  const rgb = Uint8Array.from({ length: 36 }, (_, i) => (i * i * 37) % 256);
  expect([...resizeBicubic(rgb, 3, 4, 4, 2)]).toEqual([
    102, 71, 146, 140, 100, 131, 132, 77, 130, 86, 14, 142, 164, 62, 176, 136, 181, 96, 104, 171, 70, 89, 38,
    113,
  ]);
});

describe('patches', () => {
  test('come in blocks of merged tokens', () => {
    const places = patchCoordinates({ height: 2, width: 4 }, 2).map(({ row, column }) => `${row},${column}`);
    expect(places.join(' ')).toBe('0,0 0,1 1,0 1,1 0,2 0,3 1,2 1,3');
  });
  test('hold channel, frame, row, column', () => {
    const rgb = new Uint8Array(28 * 28 * 3);
    rgb[(1 * 28 + 2) * 3 + 1] = 255; // row 1, column 2, green
    const plain: typeof config = { ...config, mean: [0, 0, 0], std: [1, 1, 1] };
    const { pixelValues, grid } = toPatches(rgb, 28, 28, plain);
    expect(grid).toEqual({ height: 2, width: 2 });
    const lit = [...pixelValues].flatMap((value, i) => (value > 0 ? [i] : []));
    expect(lit).toEqual([2 * 196 + 16, 3 * 196 + 16]); // green, first and second frame
  });
});

/** Two by two pixels: red, green / blue, white. */
const corners = {
  data: Uint8Array.from([255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255]),
  raw: { width: 2, height: 2, channels: 3 as const },
};
const picture = (): Sharp => sharp(corners.data, { raw: corners.raw });

describe('decoding', () => {
  test('drops alpha without blending', async () => {
    const rgba = Uint8Array.from([10, 20, 30, 0, 40, 50, 60, 128]);
    const png = await sharp(rgba, { raw: { width: 2, height: 1, channels: 4 } })
      .png()
      .toBuffer();
    expect([...(await decodeImage(png, 'x')).rgb]).toEqual([10, 20, 30, 40, 50, 60]);
  });
  test('repeats gray, with and without alpha', async () => {
    const gray = await sharp(Uint8Array.from([7, 200]), { raw: { width: 2, height: 1, channels: 1 } })
      .png()
      .toBuffer();
    expect([...(await decodeImage(gray, 'x')).rgb]).toEqual([7, 7, 7, 200, 200, 200]);
    const grayAlpha = await sharp(Uint8Array.from([7, 0, 200, 9]), {
      raw: { width: 2, height: 1, channels: 2 },
    })
      .png()
      .toBuffer();
    expect([...(await decodeImage(grayAlpha, 'x')).rgb]).toEqual([7, 7, 7, 200, 200, 200]);
  });
  test('reads a palette', async () => {
    const png = await picture().png({ palette: true }).toBuffer();
    expect([...(await decodeImage(png, 'x')).rgb]).toEqual([...corners.data]);
  });
  test('keeps the upper byte of 16-bit colours, but clips 16-bit gray, as Pillow does', async () => {
    const colour = await sharp(Uint16Array.from([0x1234, 0xffff, 0x00ff]), {
      raw: { width: 1, height: 1, channels: 3 },
    })
      .toColourspace('rgb16')
      .png()
      .toBuffer();
    expect((await sharp(colour).metadata()).depth).toBe('ushort');
    expect([...(await decodeImage(colour, 'x')).rgb]).toEqual([0x12, 0xff, 0x00]);
    const gray = await sharp(Uint16Array.from([0x1234, 0x0012]), {
      raw: { width: 2, height: 1, channels: 1 },
    })
      .toColourspace('grey16')
      .png()
      .toBuffer();
    expect([...(await decodeImage(gray, 'x')).rgb]).toEqual([255, 255, 255, 0x12, 0x12, 0x12]);
  });
  test('turns CMYK into RGB by the plain formula', async () => {
    const jpeg = await sharp({ create: { width: 8, height: 8, channels: 3, background: '#ff0000' } })
      .toColourspace('cmyk')
      .jpeg({ quality: 100 })
      .toBuffer();
    const { data } = await sharp(jpeg)
      .pipelineColourspace('cmyk')
      .toColourspace('cmyk')
      .raw()
      .toBuffer({ resolveWithObject: true });
    const [c, m, y, k] = [...data.subarray(0, 4)] as [number, number, number, number];
    const { rgb } = await decodeImage(jpeg, 'x');
    [c, m, y].forEach((ink, i) =>
      expect(Math.abs(rgb[i]! - ((255 - ink) * (255 - k)) / 255)).toBeLessThan(1),
    );
  });
  test('ignores an embedded colour profile', async () => {
    const png = await picture().withIccProfile('p3').png().toBuffer();
    const stored = await sharp(png, { ignoreIcc: true }).raw().toBuffer();
    expect((await sharp(png).metadata()).icc).toBeDefined();
    expect([...(await decodeImage(png, 'x')).rgb]).toEqual([...stored]);
  });
  test.each([1, 2, 3, 4, 5, 6, 7, 8])('applies and reports EXIF orientation %d', async (orientation) => {
    const upright = sharp(Uint8Array.from(Array.from({ length: 18 }, (_, i) => i * 14)), {
      raw: { width: 3, height: 2, channels: 3 },
    });
    const jpeg = await upright.png().withMetadata({ orientation }).toBuffer();
    const image = await decodeImage(jpeg, 'x');
    expect(image.exifOrientation).toBe(orientation);
    expect([image.width, image.height]).toEqual(orientation < 5 ? [3, 2] : [2, 3]);
    const firstPixel = [0, 2, 5, 3, 0, 3, 5, 2][orientation - 1]!;
    expect(image.rgb[0]).toBe(firstPixel * 3 * 14);
  });
  test('takes the first frame of an animation', async () => {
    const frames = Uint8Array.from([...Array<number>(12).fill(255), ...Array<number>(12).fill(0)]);
    const gif = await sharp(frames, { raw: { width: 2, height: 4, channels: 3, pageHeight: 2 } })
      .gif()
      .toBuffer();
    expect((await sharp(gif).metadata()).pages).toBe(2);
    expect(await decodeImage(gif, 'x')).toMatchObject({
      width: 2,
      height: 2,
      rgb: expect.toSatisfy((rgb: Uint8Array) => rgb.every((v) => v === 255)),
    });
  });
});

describe('a file is refused if it is', () => {
  test('empty', async () =>
    expectUserError(async () => decodeImage(new Uint8Array(0), 'x.png'), 'empty', 'x.png'));
  test('no picture', async () =>
    expectUserError(async () => decodeImage(new TextEncoder().encode('hello'), 'x.png'), 'x.png', 'PNG'));
  test('SVG', async () => {
    const svg = new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
    await expectUserError(async () => decodeImage(svg, 'x.svg'), 'svg');
  });
  test.each(['png', 'jpeg', 'webp', 'gif', 'tiff'] as const)('a truncated %s', async (format) => {
    const noise = Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * 7919) % 251);
    const whole = await sharp(noise, { raw: { width: 64, height: 64, channels: 3 } })
      .toFormat(format)
      .toBuffer();
    await expectUserError(
      async () => decodeImage(whole.subarray(0, Math.floor(whole.length / 2)), 'x'),
      'cannot read',
    );
  });
  test('of a hundred megapixels', async () => {
    const huge = await sharp({ create: { width: 10_000, height: 10_000, channels: 3, background: 'white' } })
      .png()
      .toBuffer();
    const before = process.memoryUsage().rss;
    await expectUserError(async () => decodeImage(huge, 'x'), '50 megapixels', '10000 × 10000');
    expect(process.memoryUsage().rss - before).toBeLessThan(100e6);
  });
});

test('processing gives a display picture of at most 2048 pixels a side', async () => {
  const wide = await sharp({ create: { width: 4096, height: 100, channels: 3, background: 'red' } })
    .png()
    .toBuffer();
  const image = await processImage(wide, 'x', config);
  expect(image.source).toEqual({ width: 4096, height: 100 });
  expect(image.mergedTokens * 4).toBe(image.grid.height * image.grid.width);
  expect(await sharp(image.displayPng).metadata()).toMatchObject({ width: 2048, height: 50, format: 'png' });
});

interface Preprocess {
  pictures: {
    image: string;
    size: [number, number];
    resized: [number, number];
    grid_thw: [number, number, number];
  }[];
  smart_resize: {
    height: number;
    width: number;
    min_pixels: number;
    max_pixels: number;
    result: [number, number];
  }[];
}

describe.skipIf(!haveGoldens)('the reference pictures', () => {
  const { pictures, smart_resize: sizes } = haveGoldens
    ? goldenJson<Preprocess>('preprocess.json')
    : { pictures: [], smart_resize: [] };
  const processor = haveGoldens
    ? parseProcessorConfig(goldenJson('flat', 'preprocessor_config.json'), 'flat', 'qwen2.5-vl')
    : config;

  test.each(sizes)(
    '$height × $width becomes $result',
    ({ height, width, min_pixels, max_pixels, result }) => {
      const resized = smartResize(height, width, {
        minPixels: min_pixels,
        maxPixels: max_pixels,
        factor: 28,
      });
      expect([resized.height, resized.width]).toEqual(result);
    },
  );

  test.each(pictures)('$image', async ({ image, size, resized, grid_thw: [t, h, w] }) => {
    const answers = await openSafetensors(golden('preprocess.safetensors'));
    const own = await decodeImage(await readFile(golden('images', image)), image);
    const decoded = answers.names.includes(`source.${image}`)
      ? { ...own, rgb: await answers.bytes(`source.${image}`) }
      : own;
    const prepared = prepareImage(decoded, processor);
    expect(prepared.source).toEqual({ width: size[0], height: size[1] });
    expect(prepared.resized).toEqual({ width: resized[0], height: resized[1] });
    expect([t, prepared.grid]).toEqual([1, { height: h, width: w }]);
    expect(Buffer.compare(prepared.rgb, await answers.bytes(`pixels.${image}`))).toBe(0);
    if (!answers.names.includes(`pixel_values.${image}`)) return;
    const expected = await answers.float32(`pixel_values.${image}`);
    expect(prepared.pixelValues.length).toBe(expected.length);
    expect(largestDifference(prepared.pixelValues, expected)).toBeLessThan(1e-6);
  });

  test.each(pictures.filter(({ image }) => image.endsWith('.jpg')))(
    '$image: our JPEG decoder is close to the reference',
    async ({ image }) => {
      const answers = await openSafetensors(golden('preprocess.safetensors'));
      const { rgb } = await decodeImage(await readFile(golden('images', image)), image);
      expect(largestDifference(rgb, await answers.bytes(`source.${image}`))).toBeLessThanOrEqual(4);
    },
  );
});

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i]! - b[i]!));
  return largest;
}
