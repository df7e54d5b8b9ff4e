/** Maps as a folder of samples: see ./sampleFolder.ts. */

import { SAFE, START, startOf, type GridMap } from '../dataset/scoring.ts';
import { shortestLength, type Position } from './grid.ts';
import type { Picture } from './picture.ts';
import type { Question, QuestionKind } from './questions.ts';
import {
  fillFolder,
  MAX_COUNT,
  type DrawnItem,
  type Generated,
  type GenerateOptions,
} from './sampleFolder.ts';
import {
  checkMapOptions,
  checkWhole,
  MAP_DEFAULTS,
  mapItem,
  questionsPerMap,
  type MapItem,
  type MapOptions,
} from './stream.ts';

export interface GeneratorSettings extends MapOptions {
  /** Maps; each has as many lines as there are questions. */
  count: number;
  /** One for all sizes. */
  minMoves: number;
}

/** Rises when the same settings would no longer give the same bytes. */
const GENERATOR_VERSION = 3;
/**
 * Fills a folder with maps, or goes on where an earlier run of the same settings ended.
 * @throws UserError for bad settings, or a folder that cannot be filled
 * @throws CancelledError when the signal is aborted; what is complete stays
 */
export async function generateMaps(
  folder: string,
  given: GeneratorSettings,
  options: GenerateOptions,
): Promise<Generated> {
  const settings = inOrder(given);
  checkMapOptions(settings);
  checkWhole('count', settings.count, 1, MAX_COUNT);
  return fillFolder(
    folder,
    {
      format: 'ilvr-maps',
      version: GENERATOR_VERSION,
      command: commandFor(settings),
      settings,
      count: settings.count,
      linesPerItem: questionsPerMap(settings),
      draw: (index) => drawn(mapItem(settings, index)),
    },
    options,
  );
}

/** Settings in one order, so that the same ones are the same bytes in generator.json. */
function inOrder({
  count,
  sizes,
  seed,
  split,
  questions,
  alternate,
  style,
  form,
  wording,
  minMoves,
}: GeneratorSettings): GeneratorSettings {
  return { count, sizes, seed, split, questions, alternate, style, form, wording, minMoves };
}

/** The command line that makes a folder with these settings. */
export function commandFor(settings: GeneratorSettings): string {
  const { count, sizes, seed, split, questions, alternate, style, wording, form, minMoves } = settings;
  return [
    'ilvr generate-maps OUT',
    `--count ${count} --sizes ${sizes.join(',')} --seed ${seed} --split ${split}`,
    `--questions ${questions.join(',')} --style ${style} --wording ${wording} --min-moves ${minMoves}`,
    ...(alternate.length === 0 ? [] : ['--alternate', alternate.join(',')]),
    ...(form === MAP_DEFAULTS.form ? [] : ['--form', form]),
  ].join(' ');
}

function drawn(item: MapItem): DrawnItem {
  const name = `map-${String(item.index + 1).padStart(6, '0')}`;
  const pictures = new Map<string, Picture>([[`${name}.png`, item.picture]]);
  const lines = item.questions.map((question) => {
    const plan = question.steps.map((step) => {
      if (step.type === 'text') return step;
      const file = helperName(name, step.player);
      if (!pictures.has(file)) pictures.set(file, item.drawHelper(step.player));
      return { type: 'latent', helper_image: file };
    });
    return `${JSON.stringify(sampleLine(name, item, question, plan))}\n`;
  });
  return { pictures, lines: lines.join('') };
}

/** A helper image is named by where its player stands, row and column from 1: plans that meet there share it. */
function helperName(name: string, [row, column]: Position): string {
  return `${name}-player-${row + 1}-${column + 1}.png`;
}

/** One line; what comes after map_desc is ours and ignored by other readers. */
function sampleLine(name: string, { map, style }: MapItem, question: Question, plan: object[]): object {
  const scored = mapForScoring(map, question);
  return {
    text_input: question.text,
    image_input: `${name}.png`,
    sequence_plan: plan,
    original_final_answer: FINAL_ANSWERS[question.kind](question.answer),
    map_id: name,
    ...(scored !== undefined && { map_desc: scored }),
    ...(question.kind !== 'plan' && { map_drawn: map }),
    kind: question.kind,
    shortest: shortestLength(map),
    style: style.seed,
  };
}

/**
 * What the released rule finds in the answer, so that an evaluation by comparison is right: it takes the rest
 * of the line after "Answer:", box and all. Plans are scored by walking and keep their moves.
 */
const FINAL_ANSWERS: Record<QuestionKind, (answer: string) => string> = {
  plan: (moves) => moves,
  'plan-from': (moves) => moves,
  describe: (text) => text,
  judge: (letter) => `\\boxed{${letter}}`,
  hole: (word) => `\\boxed{${word}}`,
};

/** Only plans are walked; one from a cell is walked from that cell, wherever the picture has its player. */
function mapForScoring(map: GridMap, { kind, from }: Question): GridMap | undefined {
  if (kind !== 'plan' && kind !== 'plan-from') return undefined;
  const [startRow, startColumn] = startOf(map);
  const [fromRow, fromColumn] = from ?? [startRow, startColumn];
  const moved = map.map((cells) => [...cells]);
  moved[startRow]![startColumn] = SAFE;
  moved[fromRow]![fromColumn] = START;
  return moved;
}
