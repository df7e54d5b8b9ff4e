/** Pictures of the last run, encoded: whoever asks again about the same ones does not wait for the vision tower. */

import { createHash } from 'node:crypto';
import type { ProcessedImage } from '../checkpoint/pixels/image.ts';
import type { ProcessorConfig } from '../model/config.ts';
import type { PictureFeatures } from '../inference/embeddings.ts';

/** What of a picture is kept: neither its pixels nor its patches. */
export interface KeptPicture {
  image: Omit<ProcessedImage, 'rgb' | 'pixelValues'>;
  /** (tokens, C) */
  features: PictureFeatures;
}

/** Equal for the same file under the same pixel budget: all that the features depend on, beside the model. */
export function pictureKey(bytes: Uint8Array, { minPixels, maxPixels }: ProcessorConfig): string {
  return `${createHash('sha256').update(bytes).digest('hex')} ${minPixels} ${maxPixels}`;
}

/** Of one model. It holds the pictures of one run at a time, so that it takes no more than that run did. */
export class PictureMemory {
  private readonly kept = new Map<string, KeptPicture>();

  /** A run begins: what it does not ask for is forgotten. */
  keepOnly(keys: readonly string[]): void {
    for (const key of this.kept.keys()) if (!keys.includes(key)) this.kept.delete(key);
  }

  get(key: string): KeptPicture | undefined {
    return this.kept.get(key);
  }

  set(key: string, picture: KeptPicture): void {
    this.kept.set(key, picture);
  }

  forget(): void {
    this.kept.clear();
  }
}
