/** Decodes a trace's pictures once each, from memory: no address, so nothing for the page's policy to allow. */

import { fromBase64 } from '../../base/base64.ts';
import { messageOf } from '../../base/errors.ts';
import { plainPng } from '../../trace/picture.ts';
import type { TracePicture } from '../../trace/schema.ts';

/** What decoding needs of a picture; `png` is base64. */
export type EncodedPicture = Pick<TracePicture, 'id' | 'name' | 'png' | 'width' | 'height'>;

export interface Decoded {
  full: ImageBitmap;
  /** Small copy, so that dozens of thumbnails do not each scale a photograph. */
  small: ImageBitmap;
}

/** Pixels of a small copy's longer side: a thumbnail at twice its size, for sharp screens. */
const SMALL = 160;

/** The pictures of the trace that is shown, by id, as they are decoded; those that cannot be shown, with the reason. */
export class Pictures {
  readonly decoded = new Map<string, Decoded>();
  readonly problems = new Map<string, string>();
  private readonly onDecoded: () => void;
  private wanted: EncodedPicture[] = [];

  /** @param onDecoded called when another picture can be drawn */
  constructor(onDecoded: () => void) {
    this.onDecoded = onDecoded;
  }

  /** Decodes what is new in `pictures` and forgets what they no longer hold. */
  show(pictures: EncodedPicture[]): void {
    const known = this.wanted;
    this.wanted = pictures;
    for (const old of known.filter((picture) => !pictures.includes(picture))) {
      this.decoded.delete(old.id);
      this.problems.delete(old.id);
    }
    for (const picture of pictures) if (!known.includes(picture)) void this.decode(picture);
  }

  private async decode(picture: EncodedPicture): Promise<void> {
    try {
      const bitmaps = await decode(picture);
      if (!this.wanted.includes(picture)) return;
      this.decoded.set(picture.id, bitmaps);
      this.onDecoded();
    } catch (error) {
      if (!this.wanted.includes(picture)) return;
      this.problems.set(picture.id, messageOf(error));
      this.onDecoded();
    }
  }
}

async function decode(picture: EncodedPicture): Promise<Decoded> {
  const { file, width, height } = plainPng(fromBase64(picture.png), picture);
  const full = await createImageBitmap(new Blob([file], { type: 'image/png' }));
  const scale = SMALL / Math.max(width, height);
  const small =
    scale < 1
      ? await createImageBitmap(full, {
          resizeWidth: Math.max(1, Math.round(width * scale)),
          resizeHeight: Math.max(1, Math.round(height * scale)),
          resizeQuality: 'high',
        })
      : full;
  return { full, small };
}
