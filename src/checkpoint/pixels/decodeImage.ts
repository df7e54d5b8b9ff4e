/**
 * Picture files → RGB bytes, as PIL's `Image.open(…).convert("RGB")` gives them: alpha is dropped, not
 * blended; embedded colour profiles are ignored; of an animation the first frame is taken.
 *
 * One deviation, because users expect it: the EXIF orientation is applied (and reported). Known differences:
 * AVIF (another decoder) and the colour of transparent GIF pixels (PIL takes it from the palette, libvips
 * gives black). Compared with Pillow 13: PNG, JPEG, WebP and TIFF are equal byte for byte.
 */
import sharp from 'sharp';
import type { Metadata, Sharp, SharpOptions } from 'sharp';
import { UserError, messageOf } from '../../base/errors.ts';
import { outOfMemory } from '../../process/memory.ts';

/** More than any camera photo that the model's 12.8 megapixel budget would not shrink anyway; 150 MB of RGB. */
export const MAX_IMAGE_PIXELS = 50_000_000;

/** SVG and PDF are programs for a renderer rather than pictures, and PIL opens neither. */
const FORMATS = ['jpeg', 'png', 'webp', 'gif', 'tiff', 'heif', 'avif'];

export interface DecodedImage {
  /** Pixels, upright. */
  width: number;
  height: number;
  /** [height, width, 3] */
  rgb: Uint8Array;
  /** EXIF orientation that was undone, 1 to 8; 1 if there was none. */
  exifOrientation: number;
  /** "jpeg", "png", … */
  format: string;
}

/**
 * Upright size of a picture, from its header alone.
 * @param name for messages
 * @throws UserError if it is empty, no picture, or larger than 50 megapixels
 */
export async function pictureSize(
  bytes: Uint8Array,
  name: string,
): Promise<{ width: number; height: number }> {
  const { width, height, orientation = 1 } = await inspect(bytes, name);
  // From 5 on, EXIF orientations turn by a quarter.
  return orientation >= 5 ? { width: height, height: width } : { width, height };
}

/**
 * Decodes a whole picture file.
 * @param name for messages
 * @throws UserError if it is empty, no picture, truncated, or larger than 50 megapixels
 */
export async function decodeImage(bytes: Uint8Array, name: string): Promise<DecodedImage> {
  const { format, space, orientation } = await inspect(bytes, name);
  const image = open(bytes, { limitInputPixels: MAX_IMAGE_PIXELS }).autoOrient();
  try {
    const { data, info } = await rawPixels(image, space).toBuffer({ resolveWithObject: true });
    const rgb = toRgb(data, space, info.channels);
    return { width: info.width, height: info.height, rgb, exifOrientation: orientation ?? 1, format };
  } catch (error) {
    const remedy = 'The file is damaged or cut short; save or download it again.';
    throw outOfMemory(error) ?? unreadable(name, messageOf(error), remedy);
  }
}

/**
 * An upright PNG for display, scaled down to fit `maxSide` pixels.
 * @param image [height, width, 3]
 */
export async function encodePng(
  { rgb, width, height }: Pick<DecodedImage, 'rgb' | 'width' | 'height'>,
  maxSide: number,
): Promise<Uint8Array> {
  const image = sharp(rgb, { raw: { width, height, channels: 3 } });
  return image.resize(maxSide, maxSide, { fit: 'inside', withoutEnlargement: true }).png().toBuffer();
}

/** Reads the header alone, so that a huge picture is refused before any memory is taken for it. */
async function inspect(bytes: Uint8Array, name: string): Promise<Metadata> {
  if (bytes.length === 0)
    throw unreadable(name, 'an empty file', 'Choose another file, or save this one again.');
  let metadata: Metadata;
  try {
    metadata = await open(bytes, { limitInputPixels: false }).metadata();
  } catch (error) {
    throw unreadable(name, messageOf(error), 'Open a PNG, JPEG, WebP, GIF, TIFF or AVIF file.');
  }
  const { format, width, height } = metadata;
  if (!FORMATS.includes(format)) {
    throw unreadable(name, `a file of type ${format}`, 'Convert it to PNG first.');
  }
  if (width * height > MAX_IMAGE_PIXELS) throw tooLarge(width, height, name);
  return metadata;
}

function open(bytes: Uint8Array, options: SharpOptions): Sharp {
  return sharp(bytes, { failOn: 'truncated', ignoreIcc: true, ...options });
}

/** Uncompressed values. The two special spaces stay as stored; sharp would convert them in its own way. */
function rawPixels(image: Sharp, space: string): Sharp {
  switch (space) {
    case 'cmyk':
      return image.pipelineColourspace('cmyk').toColourspace('cmyk').raw({ depth: 'uchar' });
    case 'grey16':
      return image.pipelineColourspace('grey16').toColourspace('grey16').raw({ depth: 'ushort' });
    default:
      return image.toColourspace('srgb').removeAlpha().raw({ depth: 'uchar' });
  }
}

function toRgb(data: Buffer, space: string, channels: number): Uint8Array {
  if (space === 'cmyk') return cmykToRgb(data);
  if (space === 'grey16')
    return gray16ToRgb(new Uint16Array(data.buffer, data.byteOffset, data.length / 2), channels);
  return toThreeChannels(data, channels);
}

/**
 * 16-bit gray: Pillow's `I16_RGB` clips to 255, which leaves most such pictures white; that is what the
 * reference feeds its model. With alpha, Pillow reads the upper bytes instead (raw mode "LA;16B").
 */
function gray16ToRgb(values: Uint16Array, channels: number): Uint8Array {
  const gray = new Uint8Array(values.length / channels);
  for (let i = 0; i < gray.length; i++) {
    const value = values[i * channels]!;
    gray[i] = channels === 1 ? Math.min(value, 255) : value >> 8;
  }
  return toThreeChannels(gray, 1);
}

/** Pillow's `cmyk2rgb`: (255 - K) - C × (255 - K) / 255 per ink, with its integer division (MULDIV255). */
function cmykToRgb(cmyk: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((cmyk.length / 4) * 3);
  for (let from = 0, to = 0; from < cmyk.length; from += 4) {
    const light = 255 - cmyk[from + 3]!;
    for (let ink = 0; ink < 3; ink++) {
      const product = cmyk[from + ink]! * light + 128;
      rgb[to++] = Math.max(0, light - (((product >> 8) + product) >> 8));
    }
  }
  return rgb;
}

function toThreeChannels(data: Uint8Array, channels: number): Uint8Array {
  if (channels === 3) return data;
  const rgb = new Uint8Array((data.length / channels) * 3);
  for (let pixel = 0; pixel * 3 < rgb.length; pixel++) {
    // One or two channels are gray (and alpha); four are RGB and alpha.
    for (let c = 0; c < 3; c++) rgb[pixel * 3 + c] = data[pixel * channels + (channels < 3 ? 0 : c)]!;
  }
  return rgb;
}

function tooLarge(width: number, height: number, name: string): UserError {
  return new UserError({
    problem: 'the picture is too large',
    expected: `at most ${MAX_IMAGE_PIXELS / 1e6} megapixels`,
    found: `${width} × ${height}, ${((width * height) / 1e6).toFixed(1)} megapixels`,
    where: name,
    remedy: 'Scale it down; the model sees at most about 13 megapixels.',
  });
}

function unreadable(name: string, found: string, remedy: string): UserError {
  return new UserError({
    problem: 'cannot read the picture',
    expected: 'a picture file',
    found,
    where: name,
    remedy,
  });
}
