/** The runs that benches are made with: as large as those of real models. */

import type { SampleSize } from '../../test/webview/sampleTrace.ts';

/** Short steps: lines of one word and blocks of two latents. */
const SHORT = { latents: 2, helpers: 1, lines: 4, words: 1 };

export interface SampleCase {
  /** What it is called on the command line. */
  id: string;
  name: string;
  size: Partial<SampleSize>;
}

export const SAMPLE_CASES = {
  '7b': {
    id: '7b',
    name: '28 layers × 28 heads × 784 patches × 64 latents, 300 words',
    size: {
      layers: 28,
      heads: 28,
      side: 28,
      hiddenSize: 3584,
      helpers: 1,
      blocks: 8,
      latents: 8,
      lines: 1,
      words: 36,
    },
  },
  '1000': { id: '1000', name: '1,000 short steps', size: { ...SHORT, blocks: 200 } },
  '3000': { id: '3000', name: '3,000 short steps', size: { ...SHORT, blocks: 600 } },
} satisfies Record<string, SampleCase>;
