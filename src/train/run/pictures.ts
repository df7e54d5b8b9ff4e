/** Pictures as the trainer takes them: what a frozen tower makes of them, or patches for one that is trained. */

import { decodeImage, type DecodedImage } from '../../checkpoint/pixels/decodeImage.ts';
import { prepareImage } from '../../checkpoint/pixels/image.ts';
import { readPictureFile } from '../../files/pictureFile.ts';
import type { Model } from '../../inference/model.ts';
import type { ProcessorConfig } from '../../model/config.ts';
import type { Patches, Picture } from '../sequence.ts';

/** Of files read before; the files after that are read again each time. */
const MAX_REMEMBERED_BYTES = 2 ** 30;

export class PictureReader<P extends Picture | Patches> {
  readonly read: (image: DecodedImage) => Promise<P>;
  private readonly remembered = new Map<string, P>();
  private bytes = 0;

  /** @param read gives the same for the same picture, as long as the run lasts */
  constructor(read: (image: DecodedImage) => Promise<P>) {
    this.read = read;
  }

  /** A frozen tower takes as long as the teacher and more; decoding and resizing take a while too. */
  async file(file: string): Promise<P> {
    const known = this.remembered.get(file);
    if (known !== undefined) return known;
    const picture = await this.read(await decodeImage(await readPictureFile(file), file));
    this.bytes += ('pixels' in picture ? picture.pixels : picture.features.data).byteLength;
    if (this.bytes <= MAX_REMEMBERED_BYTES) this.remembered.set(file, picture);
    return picture;
  }
}

/** Features of the model's tower, which stays as it is. */
export function featureReader(model: Model): PictureReader<Picture> {
  return new PictureReader(async (image) => {
    const { pixels, grid } = patchesOf(image, model.checkpoint.processor);
    return { grid, features: await model.encodeImage(pixels, grid) };
  });
}

export function patchReader(processor: ProcessorConfig): PictureReader<Patches> {
  return new PictureReader(async (image) => patchesOf(image, processor));
}

export function patchesOf(image: DecodedImage, processor: ProcessorConfig): Patches {
  const { pixelValues, grid } = prepareImage(image, processor);
  return { pixels: pixelValues, grid };
}

/** A drawn picture as if it had been decoded. */
export function asImage(picture: { width: number; height: number; rgb: Uint8Array }): DecodedImage {
  return { ...picture, exifOrientation: 1, format: 'generated' };
}
