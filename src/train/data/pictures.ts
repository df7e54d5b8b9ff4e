/**
 * Pictures as learners take them: what a frozen tower makes of them, or patches for one that is trained. They come from
 * files or are drawn, and none is read before it is needed.
 */

import { decodeImage, type DecodedImage } from '../../checkpoint/pixels/decodeImage.ts';
import { prepareImage } from '../../checkpoint/pixels/image.ts';
import type { SamplePicture } from '../../dataset/samplePicture.ts';
import type { Model } from '../../inference/model.ts';
import { checkRoom } from '../../inference/room.ts';
import type { Picture as DrawnPicture } from '../../mazes/picture.ts';
import type { ProcessorConfig } from '../../model/config.ts';
import type { Patches, Picture } from './sequence.ts';

/** A picture that is yet to be read. */
export interface UnreadPicture {
  /** For people. */
  name: string;
  /** Where it lies, by which a reader knows it again; absent for one that is drawn. */
  file?: string;
  image: () => Promise<DecodedImage>;
}

export function pictureIn({ id, name, read }: SamplePicture): UnreadPicture {
  return { name, file: id, image: async () => decodeImage(await read(), id) };
}

export function drawnPicture(name: string, draw: () => DrawnPicture): UnreadPicture {
  return { name, image: async () => ({ ...draw(), exifOrientation: 1, format: 'generated' }) };
}

/** Of files read before; the files after that are read again each time. */
const MAX_REMEMBERED_BYTES = 2 ** 30;

export class PictureReader<P extends Picture | Patches> {
  private readonly see: (image: DecodedImage) => Promise<P>;
  private readonly remembered = new Map<string, P>();
  private bytes = 0;
  /** Drawn ones are known again by themselves, as long as somebody else holds them. */
  private readonly drawn = new WeakMap<UnreadPicture, P>();

  /** @param see gives the same for the same picture, as long as the run lasts */
  constructor(see: (image: DecodedImage) => Promise<P>) {
    this.see = see;
  }

  /** A frozen tower takes as long as the teacher and more; decoding and resizing take a while too. */
  async read(unread: UnreadPicture): Promise<P> {
    const { file, image } = unread;
    const known = file === undefined ? this.drawn.get(unread) : this.remembered.get(file);
    if (known !== undefined) return known;
    const picture = await this.see(await image());
    if (file === undefined) {
      this.drawn.set(unread, picture);
      return picture;
    }
    this.bytes += ('pixels' in picture ? picture.pixels : picture.features.data).byteLength;
    if (this.bytes <= MAX_REMEMBERED_BYTES) this.remembered.set(file, picture);
    return picture;
  }
}

/** Features of the model's tower, which stays as it is. */
export function featureReader(model: Model): PictureReader<Picture> {
  return new PictureReader(async (image) => {
    const { config, processor } = model.checkpoint;
    const picture = { name: 'a picture', source: image, inPrompt: false };
    checkRoom([picture], { config, processor, provider: model.provider, textTokens: 0 });
    const { pixels, grid } = patchesOf(image, processor);
    return { grid, features: await model.encodeImage(pixels, grid) };
  });
}

export function patchReader(processor: ProcessorConfig): PictureReader<Patches> {
  return new PictureReader(async (image) => patchesOf(image, processor));
}

function patchesOf(image: DecodedImage, processor: ProcessorConfig): Patches {
  const { pixelValues, grid } = prepareImage(image, processor);
  return { pixels: pixelValues, grid };
}
