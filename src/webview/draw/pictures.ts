/** Decodes a trace's pictures once each, from memory: no address, so nothing for the page's policy to allow. */

import { useEffect, useState } from 'preact/hooks';
import { fromBase64 } from '../../base/base64.ts';
import type { TracePicture } from '../../trace/schema.ts';

export interface Decoded {
  full: ImageBitmap;
  /** Small copy, so that dozens of thumbnails do not each scale a photograph. */
  small: ImageBitmap;
}

/** Pixels of a small copy's longer side: a thumbnail at twice its size, for sharp screens. */
const SMALL = 160;

const decoding = new WeakMap<TracePicture, Promise<Decoded>>();

/** The pictures that are decoded so far, by id; renders again as they come. A broken one stays absent. */
export function usePictures(pictures: TracePicture[]): ReadonlyMap<string, Decoded> {
  const [decoded, setDecoded] = useState<ReadonlyMap<string, Decoded>>(new Map());
  useEffect(() => {
    let current = true;
    const ready = new Map<string, Decoded>();
    setDecoded(ready);
    for (const picture of pictures) {
      decode(picture).then(
        (bitmaps) => {
          ready.set(picture.id, bitmaps);
          if (current) setDecoded(new Map(ready));
        },
        (error: unknown) => console.error(`picture ${picture.name} cannot be decoded`, error),
      );
    }
    return () => {
      current = false;
    };
  }, [pictures]);
  return decoded;
}

function decode(picture: TracePicture): Promise<Decoded> {
  let promise = decoding.get(picture);
  if (promise === undefined) decoding.set(picture, (promise = decodeNow(picture)));
  return promise;
}

async function decodeNow({ png, width, height }: TracePicture): Promise<Decoded> {
  const full = await createImageBitmap(new Blob([fromBase64(png)], { type: 'image/png' }));
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
