/** `ilvr generate-worlds`: worlds that change with every move, with questions about what they are in the end. */

import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { SPLITS } from '../mazes/split.ts';
import { generateWorlds, type WorldSettings } from '../worlds/generate.ts';
import { MAX_CELL } from '../mazes/style.ts';
import { MAX_MOVES, parseMoves } from '../worlds/notation.ts';
import { parseChoices, parseNumbers, parseStyles } from '../worlds/parse.ts';
import { WORLD_FORMS, WORLD_QUESTIONS } from '../worlds/questions.ts';
import { MAX_WORLD_SIZE, MIN_WORLD_SIZE, WORLD_DEFAULTS } from '../worlds/stream.ts';
import { DYNAMICS } from '../worlds/world.ts';
import { EXIT, type CliContext } from './context.ts';
import { integer, readWith } from './options.ts';

const ABOUT = `
Writes pictures, samples.jsonl in the official ILVR format and generator.json, which holds the settings. The
same settings give the same bytes; a run that was stopped goes on when it is started again.

A question names moves in words; the steps of its answer repeat each move, then think in a latent block whose helper
image shows the world after it. No step states a cell. Dynamics: crates (pushed one cell on), ice (they slide until
something stops them), doors (opened or closed each time something comes onto the switch), swaps (the player changes
places with a crate). Questions: state (the whole of it: . ground # wall ~ hole $ crate @ player ^ switch
+ closed door ' open door), player and crates (their cells), cell (what is there), door (is it open). Each line has "chance", the share that an even guess gets.
Evaluate with --sample-questions.`;

/** Adds the command. */
export function addGenerateWorlds(
  program: Command,
  context: CliContext,
  finished: (code: number) => void,
): void {
  const lengths = (text: string): number[] => parseNumbers('number of moves', text, 0, MAX_MOVES);
  const sizes = (text: string): number[] =>
    parseNumbers('size of a world', text, MIN_WORLD_SIZE, MAX_WORLD_SIZE);
  const dynamics = (text: string) => parseChoices('kind of dynamics', text, DYNAMICS);
  const questions = (text: string) => parseChoices('kind of question', text, WORLD_QUESTIONS);
  program
    .command('generate-worlds')
    .description('draw worlds that change with every move, with questions and answers')
    .argument('<out>', 'folder to write to')
    .requiredOption('--count <n>', 'how many worlds', integer('a number of worlds', 1))
    .option('--sizes <range>', 'cells a side, 3 to 6: 3-6, or 4', readWith(sizes), WORLD_DEFAULTS.sizes)
    .option('--dynamics <kinds>', DYNAMICS.join(', '), readWith(dynamics), WORLD_DEFAULTS.dynamics)
    .option('--moves <range>', 'how many moves, in turn: 4-6', readWith(lengths), WORLD_DEFAULTS.moves)
    .addOption(
      new Option('--walk <moves>', 'the same moves in every world: "up left left"')
        .argParser(readWith(parseMoves))
        .conflicts('moves'),
    )
    .option('--seed <n>', 'other seeds give other worlds', integer('a seed', 0), WORLD_DEFAULTS.seed)
    .addOption(
      new Option('--split <side>', 'no walk begins in the same layout on both sides, the player aside')
        .choices(SPLITS)
        .default(WORLD_DEFAULTS.split),
    )
    .option('--questions <kinds>', WORLD_QUESTIONS.join(', '), readWith(questions), WORLD_DEFAULTS.questions)
    .addOption(
      new Option('--form <form>', 'what stands between question and answer')
        .choices(WORLD_FORMS)
        .default(WORLD_DEFAULTS.form),
    )
    .option(
      '--style <seeds>',
      'seeds of styles, by chance, or varied',
      readWith(parseStyles),
      WORLD_DEFAULTS.style,
    )
    .option(
      '--cell <pixels>',
      "a cell's side, if not the style's own",
      integer('a number of pixels', 8, MAX_CELL),
    )
    .option('--alike <n>', 'as many in a row have the same number of moves', integer('a number', 1), 1)
    .option('--walks <n>', 'lines for each world, with moves of their own', integer('a number', 1), 1)
    .addHelpText('after', ABOUT)
    .action(async (out: string, settings: WorldSettings) => {
      finished(await generate(context, out, settings));
    });
}

async function generate(
  { terminal, signal }: CliContext,
  out: string,
  settings: WorldSettings,
): Promise<number> {
  const { count } = settings;
  const { samplesFile, kept, redrawn } = await generateWorlds(resolve(out), settings, {
    signal,
    onProgress: (done) => terminal.passing(`${done} of ${count} worlds`, done / count),
  });
  terminal.clearProgress();
  if (kept > 0) terminal.line(`Kept from an earlier run: ${kept}.`);
  if (redrawn > 0) terminal.line(`Drawn again, as pictures of ${redrawn} were gone or cut.`);
  terminal.line(`${count} worlds: ${samplesFile}`);
  return EXIT.ok;
}
