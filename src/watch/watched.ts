/**
 * watch/: what the teacher selects in the helper pictures of one sample, and what the student's latents
 * select there by the same rule, as training goes on.
 *
 *   watch/sample-S-step-N.json   one look, as below
 *   watch/<hash>.png             a helper picture, once
 */

import * as z from 'zod';

export const WATCH_FOLDER = 'watch';

/** Bounds a file that anyone may have written. */
const MAX_ROW = 2 ** 16;
const row = z.array(z.number()).max(MAX_ROW);
const count = z.int().min(0);
/** Of a grid: a picture's sides are at most 200 to 1. */
const side = z
  .int()
  .min(1)
  .max(2 ** 12);

const selection = z.object({
  /** By candidate. */
  cosines: row,
  /** Softmax of the cosines, by candidate. */
  probabilities: row,
  /** Candidates that the rule picks, most similar first. */
  selected: z.array(count),
});

const block = z
  .object({
    /** Text of the answer between the block before and this one. */
    text: z.string(),
    picture: z.object({
      /** File in the same folder. */
      file: z.string().regex(/^[0-9a-f]{8,64}\.png$/),
      /** What the dataset calls it. */
      name: z.string(),
      width: count,
      height: count,
    }),
    /** Tokens of the picture, which are the patches after merging. */
    grid: z
      .object({ rows: side, columns: side })
      .refine(({ rows, columns }) => rows * columns <= MAX_ROW, `more than ${MAX_ROW} tokens`),
    /** Tokens averaged into one candidate, in raster order; those that remain at the end are dropped. */
    groupSize: z.int().min(1),
    /** With the teacher's query: the targets of this block's latents, in order. */
    teacher: selection,
    /** With each of the student's latents as the query. */
    latents: z.array(
      selection.extend({
        /** Cosine with the latent's own target; none for those beyond the targets. */
        toTarget: z.number().optional(),
      }),
    ),
  })
  .refine(({ grid, groupSize, teacher, latents }) => {
    const candidates = Math.floor((grid.rows * grid.columns) / groupSize);
    return [teacher, ...latents].every(
      ({ selected }) => selected.length <= candidates && selected.every((index) => index < candidates),
    );
  }, 'more candidates selected than there are');

const watchedStep = z.object({
  /** Steps done. */
  step: count,
  sample: count,
  /** File and line, or the number of the map. */
  where: z.string(),
  question: z.string(),
  /** 1: latents are read with the teacher's targets given; 2: with the student's own latents fed back. */
  stage: z.number(),
  /** Says why there are no blocks to see. */
  problem: z.string().optional(),
  blocks: z.array(block),
});

export type WatchedSelection = z.output<typeof selection>;
export type WatchedBlock = z.output<typeof block>;
export type WatchedStep = z.output<typeof watchedStep>;

/** @throws if the text is no look at a sample */
export function parseWatchedStep(text: string): WatchedStep {
  return watchedStep.parse(JSON.parse(text));
}

export interface WatchedName {
  sample: number;
  step: number;
}

export function watchedFile({ sample, step }: WatchedName): string {
  return `sample-${sample}-step-${step}.json`;
}

/** What a file of the folder is a look at; nothing for other files. */
export function watchedNameOf(file: string): WatchedName | undefined {
  const match = /^sample-(\d+)-step-(\d+)\.json$/.exec(file);
  return match === null ? undefined : { sample: Number(match[1]), step: Number(match[2]) };
}

/**
 * What to forget so that at most `most` looks stay, spread over the whole run. The first and the last stay.
 */
export function toForget(steps: readonly number[], most: number): number[] {
  const kept = steps.toSorted((a, b) => a - b);
  const gone: number[] = [];
  while (kept.length > Math.max(2, most)) {
    // The one whose neighbours are closest together is missed least.
    let least = 1;
    for (let i = 2; i < kept.length - 1; i++) {
      if (kept[i + 1]! - kept[i - 1]! < kept[least + 1]! - kept[least - 1]!) least = i;
    }
    gone.push(...kept.splice(least, 1));
  }
  return gone;
}
