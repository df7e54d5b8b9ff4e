/** Worlds as a folder of samples: see ../mazes/sampleFolder.ts. */

import { UserError } from '../base/errors.ts';
import type { Picture } from '../mazes/picture.ts';
import {
  fillFolder,
  MAX_COUNT,
  type DrawnItem,
  type Generated,
  type GenerateOptions,
} from '../mazes/sampleFolder.ts';
import { stateText } from './notation.ts';
import { checkWorldOptions, WORLD_DEFAULTS, worldItem, type WorldItem, type WorldOptions } from './stream.ts';
import type { State } from './world.ts';

export interface WorldSettings extends Omit<WorldOptions, 'against'> {
  /** Worlds, of one line each. */
  count: number;
}

/** Rises when the same settings would no longer give the same bytes. */
const GENERATOR_VERSION = 1;

/**
 * Fills a folder with worlds, or goes on where an earlier run of the same settings ended.
 * @throws UserError for bad settings, or a folder that cannot be filled
 * @throws CancelledError when the signal is aborted; what is complete stays
 */
export async function generateWorlds(
  folder: string,
  given: WorldSettings,
  options: GenerateOptions,
): Promise<Generated> {
  const settings = inOrder(given);
  checkWorldOptions(settings);
  const { count } = settings;
  if (!Number.isInteger(count) || count < 1 || count > MAX_COUNT)
    throw new UserError({
      problem: 'Worlds cannot be generated with this count',
      expected: `a whole number from 1 to ${MAX_COUNT}`,
      found: String(count),
    });
  return fillFolder(
    folder,
    {
      format: 'ilvr-worlds',
      version: GENERATOR_VERSION,
      command: worldCommand(settings),
      settings,
      count,
      linesPerItem: 1,
      draw: (index) => drawn(worldItem(settings, index)),
    },
    options,
  );
}

function inOrder(given: WorldSettings): WorldSettings {
  const { count, sizes, dynamics, seed, split, moves, walk, alike, walks, questions, form, style, cell } =
    given;
  return {
    count,
    sizes,
    dynamics,
    seed,
    split,
    ...(walk === undefined ? { moves } : { moves: [walk.length], walk }),
    alike,
    walks,
    questions,
    form,
    style,
    ...(cell !== undefined && { cell }),
  };
}

/** The command line that makes a folder with these settings. */
export function worldCommand(settings: WorldSettings): string {
  const { count, sizes, dynamics, seed, split, moves, walk, alike, walks, questions, form, style, cell } =
    settings;
  return [
    'ilvr generate-worlds OUT',
    `--count ${count} --sizes ${sizes.join(',')} --dynamics ${dynamics.join(',')}`,
    walk === undefined ? `--moves ${moves.join(',')}` : `--walk ${walk.join(',')}`,
    `--questions ${questions.join(',')} --seed ${seed} --split ${split}`,
    `--style ${style === 'varied' ? style : style.join(',')}`,
    ...(form === WORLD_DEFAULTS.form ? [] : [`--form ${form}`]),
    ...(alike === WORLD_DEFAULTS.alike ? [] : [`--alike ${alike}`]),
    ...(walks === WORLD_DEFAULTS.walks ? [] : [`--walks ${walks}`]),
    ...(cell === undefined ? [] : [`--cell ${cell}`]),
  ].join(' ');
}

function drawn(item: WorldItem): DrawnItem {
  const { index, world, states, question, moves } = item;
  const name = `world-${String(index + 1).padStart(6, '0')}`;
  const pictures = new Map<string, Picture>([[`${name}.png`, item.picture()]]);
  let count = 0;
  const plan = question.steps.map((step) => {
    if (step.type === 'text') return step;
    const file = `${name}-after-${++count}.png`;
    pictures.set(file, item.drawHelper(step.state));
    return { type: 'latent', helper_image: file };
  });
  const written = (state: State): string => stateText(world.layout, state);
  const line = {
    text_input: question.text,
    image_input: `${name}.png`,
    sequence_plan: plan,
    original_final_answer: question.answer,
    map_id: name,
    // What comes from here on is ours and ignored by other readers.
    kind: question.kind,
    dynamics: world.layout.dynamics,
    size: world.layout.size,
    moves: moves.length,
    chance: question.chance,
    states: [world.state, ...states].map(written),
    style: item.artist.style.seed,
  };
  return { pictures, lines: `${JSON.stringify(line)}\n` };
}
