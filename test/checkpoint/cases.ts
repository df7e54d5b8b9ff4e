/** The cases handed out with the project, where they are: folders like those that people report, with upstream's answers. */

import { existsSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import { largestDifference } from '../../src/conformance/check.ts';
import { openSafetensors } from '../../src/checkpoint/formats/tensorFile.ts';
import { withModel } from '../fixtures/smallCheckpoint.ts';

const cases = process.env['ILVR_CASES'] ?? path.resolve(import.meta.dirname, '../../../shared/data/cases');

export const haveCases = existsSync(path.join(cases, 'prompt.safetensors'));

export function caseFile(...names: string[]): string {
  return path.join(cases, ...names);
}

/** Claims that a folder answers the common prompt as upstream does. */
export async function expectUpstreamLogits(
  folder: string,
  expected: string,
  adapter?: string,
): Promise<void> {
  const prompt = await openSafetensors(caseFile('prompt.safetensors'));
  const [, height = 0, width = 0] = await prompt.int64('image_grid_thw');
  const ids = await prompt.int64('input_ids');
  const pixels = await prompt.float32('pixel_values');
  const logits = await withModel(folder, adapter, async (model) => {
    const grid = { height, width };
    const features = await model.encodeImage(pixels, grid);
    const { embeddings, positions } = await model.embedPrompt(ids, [{ features, grid }]);
    const { hidden } = await model.prefill(model.newCache(), embeddings, positions);
    return model.logits(hidden);
  });
  const answer = await openSafetensors(expected);
  expect(logits.shape).toEqual(answer.info('logits').shape);
  expect(largestDifference(logits.data, await answer.float32('logits'))).toBeLessThan(1e-3);
}
