/**
 * Examples: a picture that a bundled model knows how to read, drawn for the occasion and held out of what it was trained
 * on, with its question and the pictures to compare its latents with.
 */

import { readLines } from '../dataset/lines.ts';
import { helperImagesOf, parseSample } from '../dataset/samples.ts';
import type { Truth } from '../dataset/scoring.ts';
import { bundledReference } from '../files/bundledModels.ts';
import { generateMaps } from '../mazes/generate.ts';
import { MAP_DEFAULTS } from '../mazes/stream.ts';
import { generateWorlds, type WorldSettings } from '../worlds/generate.ts';
import { worldItem, type WorldOptions } from '../worlds/stream.ts';
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
  /** The right answer: the whole state, or the maze that a path is to be safe in. */
  truth: Truth;
}

/**
 * Draws one that nobody has seen.
 * @param folder empty
 * @throws UserError if it cannot be written
 */
export async function drawExample(kind: ExampleKind, folder: string, signal: AbortSignal): Promise<Example> {
  const options = { signal, onProgress: () => undefined };
  const maps = { ...MAP_DEFAULTS, form: 'latents', split: 'held-out' } as const;
  const { samplesFile } =
    kind === 'world'
      ? await generateWorlds(folder, livelyWorld(), options)
      : await generateMaps(folder, { ...maps, count: 1, minMoves: MOVES, seed: anySeed() }, options);
  for await (const line of readLines(samplesFile)) {
    const sample = await parseSample(line, samplesFile);
    const paths = (pictures: readonly { path?: string | undefined }[]): string[] =>
      pictures.flatMap(({ path }) => path ?? []);
    return {
      model: bundledReference(MODELS[kind]),
      question: sample.question.replaceAll('<image>', '').trim(),
      images: paths(sample.images),
      helpers: paths(helperImagesOf(sample)),
      truth: {
        ...(sample.map && { map: sample.map }),
        ...(sample.answer !== undefined && { answer: sample.answer }),
      },
    };
  }
  throw new Error(`${samplesFile} is empty`);
}

const anySeed = (): number => Math.floor(Math.random() * SEEDS);

/** One whose crates lie elsewhere in the end: a third of walks meet none, and show nothing. */
function livelyWorld(): WorldSettings {
  for (;;) {
    const settings = knownWorlds(anySeed(), 1, [MOVES]);
    if (movesCrates(settings)) return settings;
  }
}

function movesCrates(options: WorldOptions): boolean {
  const { world, states } = worldItem(options, 0);
  const after = states.at(-1)!.crates;
  return world.state.crates.some((cell) => !after.includes(cell));
}
