/** A run as analyses see it: what it was asked, what it wrote, and the vectors of its latents. No trace is needed. */

/** A latent that was fed. */
export interface AnalysedLatent {
  block: number;
  /** 0-based place in its block. */
  index: number;
  /** Index among the new tokens. */
  token: number;
  /** (C) */
  vector: Float32Array;
}

export interface AnalysedToken {
  id: number;
  text: string;
  kind: 'text' | 'latent-start' | 'latent' | 'latent-end' | 'end';
}

export interface AnalysedPicture {
  id: string;
  name: string;
  /** Merged tokens: rows × columns. */
  rows: number;
  columns: number;
  /** Index of its first token in the sequence; absent when it was not part of the prompt. */
  start?: number;
}

export interface AnalysedRun {
  promptIds: readonly number[];
  tokens: readonly AnalysedToken[];
  blocks: readonly {
    startToken: number;
    latents: number;
    endToken?: number | undefined;
    /** It was left without its latents, and what follows stands where it would have stood with them. */
    emptied?: boolean;
  }[];
  latents: readonly AnalysedLatent[];
  pictures: readonly AnalysedPicture[];
}
