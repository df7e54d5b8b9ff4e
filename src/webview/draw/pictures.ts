/** Decodes a trace's pictures once each, from memory: no address, so nothing for the page's policy to allow. */

import { messageOf } from '../../base/errors.ts';
import { plainPng } from '../../trace/picture.ts';
import type { TracePicture } from '../../trace/schema.ts';

/** What decoding needs of a picture. */
export interface EncodedPicture extends Pick<TracePicture, 'id' | 'name' | 'width' | 'height'> {
  /** Tells its bytes apart from those of another picture with the same id. */
  content: string;
  /** The bytes of its PNG, fetched when it is needed. */
  read: () => Promise<Uint8Array>;
}

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
  private held = new Map<string, EncodedPicture>();
  private readonly begun = new Set<string>();

  /** @param onDecoded called when another picture can be drawn */
  constructor(onDecoded: () => void) {
    this.onDecoded = onDecoded;
  }

  /** Says which pictures there are, and forgets what is not among them. */
  show(pictures: readonly EncodedPicture[]): void {
    const now = new Map(pictures.map((picture) => [picture.id, picture]));
    for (const [id, { content }] of this.held) {
      if (now.get(id)?.content === content) continue;
      this.decoded.delete(id);
      this.problems.delete(id);
      this.begun.delete(id);
    }
    this.held = now;
  }

  /** Fetches and decodes a picture, unless that has begun. */
  need(id: string): void {
    const picture = this.held.get(id);
    if (picture === undefined || this.begun.has(id)) return;
    this.begun.add(id);
    void this.decode(picture);
  }

  private async decode(picture: EncodedPicture): Promise<void> {
    const { id, content } = picture;
    const isHeld = (): boolean => this.held.get(id)?.content === content;
    try {
      const bitmaps = await decode(picture);
      if (!isHeld()) return;
      this.decoded.set(id, bitmaps);
    } catch (error) {
      if (!isHeld()) return;
      this.problems.set(id, messageOf(error));
    }
    this.onDecoded();
  }
}

async function decode(picture: EncodedPicture): Promise<Decoded> {
  const { file, width, height } = plainPng(await picture.read(), picture);
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
