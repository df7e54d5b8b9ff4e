/**
 * Examples: a picture that a bundled model knows how to read, drawn for the occasion and held out of what it was trained
 * on, with its question and the pictures to compare its latents with.
 */

import { readLines } from '../dataset/lines.ts';
import { helperImagesOf, parseSample } from '../dataset/samples.ts';
import { bundledReference } from '../files/bundledModels.ts';
import { generateMaps } from '../mazes/generate.ts';
import { MAP_DEFAULTS } from '../mazes/stream.ts';
import { generateWorlds } from '../worlds/generate.ts';
import { knownWorlds } from './knownWorlds.ts';

/** - world: moves through a world; its model needs its latents - maze: a safe path; its model does not */
export const EXAMPLES = ['world', 'maze'] as const;
export type ExampleKind = (typeof EXAMPLES)[number];

const MODELS = { world: 'worlds', maze: 'maze' } as const;
/** As many as make an example worth looking at: a block of latents follows each. */
const MOVES = 3;
const SEEDS = 2 ** 31;

export interface Example {
  /** The bundled model that knows it, by its name where a folder could stand. */
  model: string;
  question: string;
  /** Absolute paths of the picture that is asked about, and of those after each move. */
  images: string[];
  helpers: string[];
}

/**
 * Draws one that nobody has seen.
 * @param folder empty
 * @throws UserError if it cannot be written
 */
export async function drawExample(kind: ExampleKind, folder: string, signal: AbortSignal): Promise<Example> {
  const seed = Math.floor(Math.random() * SEEDS);
  const options = { signal, onProgress: () => undefined };
  const maps = { ...MAP_DEFAULTS, form: 'latents', split: 'held-out' } as const;
  const { samplesFile } =
    kind === 'world'
      ? await generateWorlds(folder, knownWorlds(seed, 1, [MOVES]), options)
      : await generateMaps(folder, { ...maps, count: 1, minMoves: MOVES, seed }, options);
  for await (const line of readLines(samplesFile)) {
    const sample = await parseSample(line, samplesFile);
    const paths = (pictures: readonly { path?: string | undefined }[]): string[] =>
      pictures.flatMap(({ path }) => path ?? []);
    return {
      model: bundledReference(MODELS[kind]),
      question: sample.question.replaceAll('<image>', '').trim(),
      images: paths(sample.images),
      helpers: paths(helperImagesOf(sample)),
    };
  }
  throw new Error(`${samplesFile} is empty`);
}
