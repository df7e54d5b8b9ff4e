/** What the reader looks at, as a wish and resolved against a trace. */

import type { Shown } from './resolve.ts';
import type { View } from './view.ts';

/** What the reader looks at. */
export interface Gaze {
  view: View;
  /** Token under the pointer or the keyboard's cursor; index into trace.tokens. */
  token: number | undefined;
  /** Latent under the pointer; index into trace.latents. */
  pointed: number | undefined;
}

export interface Target extends Gaze {
  /** Id of its trace. */
  run: string;
  shown: Shown;
  /** How many tokens are asked for what they pay. */
  paid: number;
  /** How many latents have maps at hand, from the first on. */
  covered: number;
}
