/** The command line: arguments to calls, thrown things to exit codes. */

import { Command, CommanderError, Option } from 'commander';
import { CancelledError, messageOf, UserError } from '../base/errors.ts';
import { EngineDiedError } from '../client/ends.ts';
import { outOfMemory } from '../process/memory.ts';
import { FED, USUAL } from '../evaluation/fed.ts';
import { EXAMPLES, type ExampleKind } from '../examples/example.ts';
import { TABLE_FORMS } from '../evaluation/paperTable.ts';
import { REASON_DEFAULTS } from '../protocol/engine.ts';
import { addAnalyse } from './analyse.ts';
import { addBranch } from './branch.ts';
import { compare } from './compare.ts';
import { compareTraces, isTrace, requireOneKind } from './compareRuns.ts';
import { conformance, type ConformanceOptions } from './conformance.ts';
import { EXIT, type CliContext } from './context.ts';
import { doubt, type DoubtOptions } from './doubt.ts';
import { evaluate, type EvaluateOptions } from './evaluate.ts';
import { addExport } from './export.ts';
import { addFigure } from './figure.ts';
import { addGenerateMaps } from './generateMaps.ts';
import { addGenerateWorlds } from './generateWorlds.ts';
import { addCalibrate } from './calibrate.ts';
import { addCaches } from './caches.ts';
import { addCompareWeights } from './compareWeights.ts';
import { addCuda } from './cuda.ts';
import { addGetModel } from './getModel.ts';
import { addModel } from './model.ts';
import {
  addAskingOptions,
  addGenerationOptions,
  addModelOptions,
  fedList,
  integer,
  shareOf,
  weightsCacheOption,
} from './options.ts';
import type { ReasonOptions } from './reason.ts';
import { reasonAbout } from './reasonAbout.ts';
import { addInitialise } from './initialise.ts';
import { DEVICES } from '../tensor/device.ts';
import { WEIGHT_FORMATS } from '../tensor/weightFormat.ts';
import { Styled } from './terminal.ts';
import { addTrain } from './train.ts';
import { addReport } from './report.ts';
import { UsageError } from './usage.ts';

const EXIT_CODES = `
Exit codes:
  0    done
  1    failed: the message says why
  2    wrong arguments
  130  cancelled with Ctrl-C, or by SIGTERM or SIGHUP; a partial trace or results file is kept

Environment:
  NO_COLOR=1    no colours
  ILVR_DEBUG=1  stack traces and the engine's log`;

const FED_HELP = `
Latents (--intervene): own, the model's own; zero; noise of equal norm; mean of the run's own; swap, another run's, from its
trace (--swap-with) or a picture (--swap-image); shuffle, its own in another order; oracle, what the trainer's teacher selects
from --helper pictures, one for each block, which must not be in the prompt; dummy, the pad's embedding; markers, nothing
between the markers; none, no block at all. For mean, shuffle and oracle the run is made with its own latents first.`;

/** Commands that look at the signal and keep what there is; the others end at once. */
export const STOPPABLE: readonly string[] = [
  'reason',
  'branch',
  'analyse',
  'evaluate',
  'report',
  'doubt',
  'calibrate',
  'train',
  'compare-weights',
  'get-model',
];

/**
 * Runs the program.
 * @param args without the interpreter and the script
 * @returns the exit code; never rejects
 */
export async function runCli(args: string[], context: CliContext): Promise<number> {
  let code: number = EXIT.ok;
  const program = createProgram(context, (result) => {
    code = result;
  });
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    return report(error, context);
  }
}

/** Exported for tests of argument parsing. */
export function createProgram(context: CliContext, finished: (code: number) => void): Command {
  const { terminal } = context;
  const program = new Command('ilvr')
    .description(
      'Run a model that reasons in interleaved text and latent visual cues, and see what it attends to.',
    )
    .version(context.version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.print(text),
      writeErr: (text) => terminal.errorLines(text.trimEnd()),
    })
    .showHelpAfterError('(see --help)')
    .addHelpText('after', EXIT_CODES);
  addReason(program, context, finished);
  addEvaluate(program, context, finished);
  addReport(program, context, finished);
  addDoubt(program, context, finished);
  addCalibrate(program, context, finished);
  addCompare(program, context, finished);
  addBranch(program, context, finished);
  addAnalyse(program, context, finished);
  addConformance(program, context, finished);
  addGenerateMaps(program, context, finished);
  addGenerateWorlds(program, context, finished);
  addTrain(program, context, finished);
  addInitialise(program, context, finished);
  addExport(program, context, finished);
  addFigure(program, context, finished);
  addGetModel(program, context, finished);
  addModel(program, context, finished);
  addCaches(program, context, finished);
  addCompareWeights(program, context, finished);
  addCuda(program, context, finished);
  for (const command of program.commands) command.addHelpText('after', EXIT_CODES);
  return program;
}

function addReason(program: Command, context: CliContext, finished: (code: number) => void): void {
  const command = program
    .command('reason')
    .description('answer one question about one or more pictures')
    .argument('[image...]', 'pictures: PNG, JPEG, WebP and others')
    .addOption(
      new Option(
        '--example <kind>',
        'ask about a new picture that a bundled model knows, in place of pictures and question',
      ).choices(EXAMPLES),
    )
    .addOption(
      new Option('--helper <image...>', "pictures to compare the model's latents with")
        .argParser(collect)
        .default([], 'none'),
    )
    .option('--helpers-in-prompt', 'show the helper pictures to the model too')
    .option('--question <text>', "what to ask (default: the model's own question, if it names one)")
    .addOption(
      new Option(
        '--placement <where>',
        "pictures before the text, after it, or at each <image> of it; auto: as the model's authors ask",
      )
        .choices(['auto', 'first', 'last', 'placeholder'])
        .default(REASON_DEFAULTS.placement),
    );
  addGenerationOptions(addModelOptions(command))
    .addOption(new Option('--intervene <what>', 'what is fed at the latents').choices(FED).default('own'))
    .option('--swap-with <trace>', 'trace whose latents --intervene swap feeds')
    .option('--swap-image <image>', 'picture about which the same is asked first, for --intervene swap')
    .option('--trace <out>', 'write the trace there, and a picture of each block beside it')
    .addHelpText('after', FED_HELP)
    .action(async (images: string[], options: ReasonOptions & { example?: ExampleKind }) => {
      finished(await reasonAbout(context, images, options));
    });
}

function addEvaluate(program: Command, context: CliContext, finished: (code: number) => void): void {
  const command = program
    .command('evaluate')
    .description('answer and score a samples file in the official ILVR format')
    .argument('<file>', 'JSON Lines')
    .option('--results <out>', 'append results there; a later run goes on where it ends')
    .option('--limit <n>', 'only the first n samples', integer('a number of samples', 1));
  addGenerationOptions(addModelOptions(addAskingOptions(command)))
    .addOption(
      new Option(
        '--intervene <what>',
        `what is fed at the latents: ${FED.join(', ')}; several with commas, each against own; all: ${USUAL.join(', ')}`,
      )
        .argParser(fedList)
        .default(['own'], 'own'),
    )
    .option(
      '--tests',
      "also test each run with its own latents: KL per word without them, and the faithfulness of the first latent's map",
    )
    .option(
      '--jobs <n>',
      'engines at a time (default: a core each for a small model on the CPU)',
      integer('a number of engines', 1),
    )
    .option('--quiet', 'print the figures only, neither progress nor a line per sample')
    .addOption(
      new Option('--table <form>', 'print the figures as a table for a paper, and nothing else').choices(
        TABLE_FORMS,
      ),
    )
    .addHelpText(
      'after',
      `
--intervene swap takes the latents of the sample before of the same map size in the file, or of the
last such sample for the first; its n-th latent for the n-th, from the first again where it has fewer.`,
    )
    .action(async (file: string, options: EvaluateOptions) => {
      finished(await evaluate(context, file, options));
    });
}

function addDoubt(program: Command, context: CliContext, finished: (code: number) => void): void {
  const command = program
    .command('doubt')
    .description(
      'ask whether latents do anything, over a samples file: each replaced in every way, with intervals',
    )
    .argument('<file>', 'JSON Lines')
    .option('--limit <n>', 'only the first n samples', integer('a number of samples', 1))
    .option(
      '--resume [out]',
      'keep what is done in this file, and go on where it ends (default: SAMPLES.doubt.jsonl beside the samples)',
    )
    .option(
      '--jobs <n>',
      'engines at a time (default: a core each for a small model on the CPU)',
      integer('a number of engines', 1),
    )
    .addOption(
      new Option(
        '--table <form>',
        'print what blocks are made of as a table for a paper, and nothing else',
      ).choices(TABLE_FORMS),
    )
    .option(
      '--base <share>',
      'count the gain of blocks from this share right, as of the model before it had latents (default: of no block)',
      shareOf,
    );
  addGenerationOptions(addModelOptions(addAskingOptions(command)))
    .addHelpText('after', '\nWhat is fed in place of latents, and what each figure means: docs/method.md.')
    .action(async (file: string, options: DoubtOptions) => {
      finished(await doubt(context, file, options));
    });
}

function addCompare(program: Command, context: CliContext, finished: (code: number) => void): void {
  program
    .command('compare')
    .description('compare two traces, or two results files of `evaluate` over the same samples')
    .argument('<a>', 'a trace; or results of the one model or setting')
    .argument('<b>', 'another trace; or results of the other')
    .option('--json', 'traces: print the whole comparison as JSON')
    .addHelpText(
      'after',
      `
Traces: the texts aligned word by word with blocks as units, where they part, what each shared word's probability
became, cosines of the latents, times. Results: samples are paired, so that only those on which the two differ
decide. The difference comes with Newcombe's 95 % interval, the p value is of McNemar's exact test.`,
    )
    .action(async (a: string, b: string, { json = false }: { json?: boolean }) => {
      requireOneKind(a, b);
      finished(await (isTrace(a) ? compareTraces(context, a, b, json) : compare(context, a, b)));
    });
}

function addConformance(program: Command, context: CliContext, finished: (code: number) => void): void {
  program
    .command('conformance')
    .description('compare with a folder of reference answers')
    .argument('<dir>', 'folder of the reference answers')
    .addOption(new Option('--device <device>', 'where it runs').choices(DEVICES).default('cpu'))
    .addOption(
      new Option('--weights <format>', 'what the weights are computed in')
        .choices(WEIGHT_FORMATS)
        .default('float32'),
    )
    .addOption(weightsCacheOption())
    .option('--filter <pattern>', 'only cases whose name matches this regular expression')
    .action(async (dir: string, options: ConformanceOptions) => {
      finished(await conformance(context, dir, options));
    });
}

function collect(path: string, earlier: string[]): string[] {
  return [...earlier, path];
}

/** A user's mistake is told without a stack, a defect of ours with a hint how to see it. */
function report(thrown: unknown, { terminal, debug, signal }: CliContext): number {
  const error = outOfMemory(thrown) ?? thrown;
  // Commander has already written its own message.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  // Ctrl-C on a terminal goes to the engine's process as well; its end is then what was asked for.
  if (error instanceof CancelledError || (error instanceof EngineDiedError && signal.aborted)) {
    terminal.error('Cancelled.');
    return EXIT.cancelled;
  }
  terminal.error(new Styled('red', messageOf(error)));
  if (error instanceof UsageError) return EXIT.usage;
  if (debug && error instanceof Error) terminal.errorLines(error.stack ?? '');
  else if (!(error instanceof UserError || error instanceof EngineDiedError))
    terminal.error('This is a defect of the program; ILVR_DEBUG=1 shows where.');
  return EXIT.failed;
}
