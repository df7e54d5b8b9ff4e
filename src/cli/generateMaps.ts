/** `ilvr generate-maps`: maps with questions and answers, drawn in many styles. */

import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { generateMaps, type GeneratorSettings } from '../mazes/generate.ts';
import { parseQuestions, parseSizes, parseStyle } from '../mazes/parse.ts';
import { PLAN_FORMS, WORDINGS } from '../mazes/questions.ts';
import { SPLITS } from '../mazes/split.ts';
import { MAP_DEFAULTS, questionsPerMap } from '../mazes/stream.ts';
import { EXIT, type CliContext } from './context.ts';
import { integer, readWith } from './options.ts';

const ABOUT = `
Writes pictures, samples.jsonl in the official ILVR format and generator.json, which holds the settings. The
same settings give the same bytes; a run that was stopped goes on when it is started again.

Kinds of questions: plan, plan-from (a given cell), describe (the map), judge (a plan: A goal, B hole, C
neither), hole (at a cell?). Evaluate kinds other than plan with --sample-questions.`;

/** Adds the command. */
export function addGenerateMaps(
  program: Command,
  context: CliContext,
  finished: (code: number) => void,
): void {
  program
    .command('generate-maps')
    .description('draw maps with questions and answers, to train and test on')
    .argument('<out>', 'folder to write to')
    .requiredOption('--count <n>', 'how many maps', integer('a number of maps', 1))
    .option('--sizes <range>', 'cells a side, 3 to 8: 3-6, or 3,5', readWith(parseSizes), MAP_DEFAULTS.sizes)
    .option('--seed <n>', 'other seeds give other maps', integer('a seed', 0), MAP_DEFAULTS.seed)
    .addOption(
      new Option('--split <side>', 'no size, holes and goal together are on both sides')
        .choices(SPLITS)
        .default(MAP_DEFAULTS.split),
    )
    .option(
      '--questions <kinds>',
      'asked of every map, as plan,describe',
      readWith(parseQuestions),
      MAP_DEFAULTS.questions,
    )
    .option(
      '--alternate <kinds>',
      'one of these besides, in turn',
      readWith(parseQuestions),
      MAP_DEFAULTS.alternate,
    )
    .option('--style <seed>', 'one style for all maps, or varied', readWith(parseStyle), MAP_DEFAULTS.style)
    .addOption(
      new Option('--form <form>', 'how plans are written; with latents they have helper images')
        .choices(PLAN_FORMS)
        .default(MAP_DEFAULTS.form),
    )
    .addOption(
      new Option('--wording <form>', 'of the plan question: as the bundled model knows it, or as VSP asks')
        .choices(WORDINGS)
        .default(MAP_DEFAULTS.wording),
    )
    .option(
      '--min-moves <n>',
      'leave out maps with a shorter way to the goal',
      integer('a number of moves', 1),
      MAP_DEFAULTS.minMoves,
    )
    .addHelpText('after', ABOUT)
    .action(async (out: string, options: GeneratorSettings) => {
      finished(await generate(context, out, options));
    });
}

async function generate(
  { terminal, signal }: CliContext,
  out: string,
  settings: GeneratorSettings,
): Promise<number> {
  const { count } = settings;
  const { samplesFile, kept, redrawn } = await generateMaps(resolve(out), settings, {
    signal,
    onProgress: (done) => terminal.passing(`${done} of ${count} maps`, done / count),
  });
  terminal.clearProgress();
  if (kept > 0) terminal.line(`Kept from an earlier run: ${kept}.`);
  if (redrawn > 0) terminal.line(`Drawn again, as pictures of ${redrawn} were gone or cut.`);
  terminal.line(`${count} maps, ${count * questionsPerMap(settings)} questions: ${samplesFile}`);
  return EXIT.ok;
}
