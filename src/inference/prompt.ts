/** A prompt as the decoder reads it. */

import type { Position } from '../model/positions.ts';
import type { Embeddings } from './embeddings.ts';

/** What is read before the first new token; see `Model.embedPrompt`. */
export interface Prompt {
  ids: readonly number[];
  /** (ids, C) */
  embeddings: Embeddings;
  positions: readonly Position[];
  /** Next position minus length. */
  delta: number;
  /** A key for what stands at each picture's pads; absent: nothing of the prompt is kept for a later run. */
  pictureKeys?: readonly string[];
}
