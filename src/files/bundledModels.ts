/** Models that come with the program, by their names: "bundled:worlds" wherever a model's folder is asked for. */

import path from 'node:path';
import { UserError } from '../base/errors.ts';

/** Folders of `models`. The first is taken where none is chosen. */
export const BUNDLED_MODELS = ['maze', 'worlds', 'control-carrying', 'control-bypassed'] as const;
export type BundledModel = (typeof BUNDLED_MODELS)[number];

const PREFIX = 'bundled:';

/** How a bundled model is named where a folder could stand. */
export const bundledReference = (name: BundledModel): string => `${PREFIX}${name}`;

/**
 * The bundled model that a text names; undefined if it is a folder's path.
 * @throws UserError if there is none of that name
 */
export function bundledModelIn(text: string): BundledModel | undefined {
  if (!text.startsWith(PREFIX)) return undefined;
  const name = text.slice(PREFIX.length);
  const found = BUNDLED_MODELS.find((each) => each === name);
  if (found !== undefined) return found;
  throw new UserError({
    problem: 'No bundled model has this name',
    expected: BUNDLED_MODELS.map(bundledReference).join(', '),
    found: text,
    choose: 'model',
  });
}

/**
 * Absolute path of the folder that a text means: a bundled model's name, or a path; the first bundled model without a text.
 * @param models folder of the bundled models
 * @throws UserError for a bundled model that there is not
 */
export function folderOfModel(models: string, text?: string): string {
  if (text === undefined) return path.join(models, BUNDLED_MODELS[0]);
  const bundled = bundledModelIn(text);
  return bundled === undefined ? path.resolve(text) : path.join(models, bundled);
}
