/** `ilvr report`: what a checkpoint's latents carry, by a samples file, as one HTML page. */

import { randomUUID } from 'node:crypto';
import { basename, extname, join } from 'node:path';
import { Option, type Command } from 'commander';
import { CancelledError } from '../base/errors.ts';
import { shownQuestion } from '../base/question.ts';
import type { Sample } from '../dataset/samples.ts';
import { USUAL } from '../evaluation/fed.ts';
import type { FedResults } from '../evaluation/comparison.ts';
import { chanceOf } from '../evaluation/figures.ts';
import { reportHtml, type Control, type Example, type ReportData } from '../evaluation/report.ts';
import type { SampleResult } from '../evaluation/results.ts';
import { replaceFile } from '../files/replaceFile.ts';
import type { LoadedModel } from '../protocol/engine.ts';
import { deviceLabel } from '../tensor/device.ts';
import { blockFigure } from './blockFigure.ts';
import { EXIT, type CliContext } from './context.ts';
import { withEvaluation, type Evaluation, type EvaluationOptions } from './evaluate.ts';
import {
  addAskingOptions,
  addGenerationOptions,
  integer,
  weightsCacheOption,
  weightsOption,
} from './options.ts';
import { tellingParent } from './parent.ts';
import { quoted } from './quoted.ts';
import { runRequest } from './runRequest.ts';
import { requestFor } from './sampleRuns.ts';
import { requireEnding } from './usage.ts';
import { DEVICE_CHOICES } from '../tensor/device.ts';

interface ReportOptions extends Omit<EvaluationOptions, 'intervene' | 'model'> {
  out: string;
  controls: number;
  examples: number;
}

/** Models beside the bundled one of which it is known what their latents do. */
const CONTROLS = [
  { folder: 'control-carrying', name: 'carrying', carries: true },
  { folder: 'control-bypassed', name: 'bypassed', carries: false },
] as const;

/** Blocks of an example that are drawn. */
const MAX_BLOCKS = 2;

const ABOUT = `
Every intervention of \`ilvr evaluate\` is run, and what is done already in the results file is not done again: by default
OUT.results.own.jsonl and so on, beside the page. The page needs no server and loads nothing; the same results give the
same bytes.`;

/** Adds the command. */
export function addReport(program: Command, context: CliContext, finished: (code: number) => void): void {
  const command = program
    .command('report')
    .description('write a page about what the latents of a model carry, by a samples file')
    .argument('<model>', 'Hugging Face folder of the model, or "bundled"')
    .argument('<samples>', 'JSON Lines in the official ILVR format')
    .requiredOption('--out <file>', 'page to write, .html')
    .option('--results <file>', 'results to go on with (default: beside the page)')
    .option('--limit <n>', 'only the first n samples', integer('a number of samples', 1))
    .option(
      '--controls <n>',
      'samples that the bundled controls are run on; 0 for none',
      integer('a number of samples', 0),
      40,
    )
    .option('--examples <n>', 'runs that are shown with maps', integer('a number of runs', 0), 3)
    .option('--adapter <dir>', 'folder of a LoRA adapter, as PEFT saves it, to apply to the model')
    .addOption(new Option('--device <device>', 'where it runs').choices(DEVICE_CHOICES).default('auto'))
    .addOption(weightsOption())
    .addOption(weightsCacheOption());
  addGenerationOptions(addAskingOptions(command))
    .option('--jobs <n>', 'engines at a time', integer('a number of engines', 1))
    .addHelpText('after', ABOUT)
    .action(async (model: string, samples: string, options: ReportOptions) => {
      const written = commandLine(command, [model, samples]);
      finished(await tellingParent(context, () => report(context, { model, samples, options, written })));
    });
}

interface Asked {
  model: string;
  samples: string;
  options: ReportOptions;
  /** The command as it was given. */
  written: string;
}

async function report(context: CliContext, { model, samples, options, written }: Asked): Promise<number> {
  const { out } = options;
  requireEnding(out, ['.html', '.htm'], 'A report');
  const results = options.results ?? `${out.slice(0, -extname(out).length)}.results.jsonl`;
  const asked: EvaluationOptions & { silent: boolean } = {
    ...options,
    results,
    intervene: USUAL,
    silent: true,
    ...(model !== 'bundled' && { model }),
  };
  const done = await withEvaluation(context, samples, asked, async (evaluation) => {
    const [session] = evaluation.sessions;
    return {
      evaluation,
      loaded: session!.loaded,
      examples: evaluation.finished ? await examplesOf(context, evaluation, asked, options.examples) : [],
    };
  });
  const { evaluation, loaded, examples } = done;
  const controls = evaluation.finished ? await controlsOf(context, samples, asked, options, evaluation) : {};
  context.terminal.clearProgress();
  if (context.signal.aborted) return EXIT.cancelled;
  await replaceFile(
    out,
    reportHtml({
      ...dataOf(evaluation, samples, loaded, written),
      examples,
      controls: [],
      ...controls,
      version: context.version,
    }),
  );
  context.terminal.line(out);
  return EXIT.ok;
}

function dataOf(
  { samples, header, passes }: Evaluation,
  file: string,
  loaded: LoadedModel,
  command: string,
): Omit<ReportData, 'examples' | 'controls' | 'version'> {
  const own = passes[0]!.results;
  const done = new Set(own.map(({ line }) => line));
  return {
    samples: {
      name: basename(file),
      count: samples.length,
      done: own.length,
      unusable: samples.filter(({ problem }) => problem !== undefined).length,
    },
    header,
    model: factsOf(loaded),
    passes,
    chance: chanceOf(samples.filter(({ line }) => done.has(line))),
    command,
  };
}

function factsOf({ model, device }: LoadedModel): [string, string][] {
  return [
    ['model', `${model.name}, ${(model.parameters / 1e6).toFixed(2)} M parameters, ${model.dtype}`],
    ['decoder', `${model.layers} layers, ${model.heads} heads`],
    ['latents', model.latentSize === undefined ? 'none' : `K = ${model.latentSize}`],
    ...(model.adapter === undefined ? [] : ([['adapter', model.adapter.name]] as [string, string][])),
    ['weights', model.weights ?? 'float32'],
    ['device', `${deviceLabel(device.provider)} (${device.name})`],
  ];
}

/** Both controls over the first samples; the reason where there are none. */
async function controlsOf(
  context: CliContext,
  file: string,
  asked: EvaluationOptions,
  options: ReportOptions,
  { samples }: Evaluation,
): Promise<{ controls: Control[]; noControls?: string }> {
  const limit = Math.min(options.controls, options.limit ?? Infinity);
  if (limit === 0) return { controls: [], noControls: 'They were not run for this page.' };
  if (!samples.slice(0, limit).some(({ map }) => map !== undefined)) {
    return {
      controls: [],
      noControls: 'These samples hold no maps, which are all that the bundled controls know.',
    };
  }
  const controls: Control[] = [];
  // Their own words, float32, and none of what is the other model's.
  const {
    model: _,
    adapter: __,
    question: ___,
    sampleQuestions: ____,
    system: _____,
    results = '',
    ...rest
  } = asked;
  for (const { folder, name, carries } of CONTROLS) {
    const control = {
      ...rest,
      model: join(context.models, folder),
      results: results.replace(/(\.results)?\.jsonl$/, `.${folder}.results.jsonl`),
      weights: 'float32' as const,
      limit,
      silent: true,
    };
    context.terminal.progress(`control: ${name}`);
    const passes = await withEvaluation(context, file, control, async (evaluation) => evaluation.passes);
    controls.push({ name, carries, passes });
  }
  return { controls };
}

/** Runs of samples that show most: one whose outcome depends on the latents, a right and a wrong one, then others. */
async function examplesOf(
  context: CliContext,
  evaluation: Evaluation,
  options: EvaluationOptions,
  count: number,
): Promise<Example[]> {
  const examples: Example[] = [];
  for (const { line, why } of linesToShow(evaluation.passes, count)) {
    const sample = evaluation.samples.find((one) => one.line === line)!;
    context.terminal.progress(`example: line ${line}`);
    examples.push(await exampleOf(context, evaluation, sample, why, options));
  }
  return examples;
}

function linesToShow(passes: readonly FedResults[], count: number): { line: number; why: string }[] {
  const own = (passes[0]?.results ?? []).filter(({ error }) => error === undefined);
  const others = passes
    .slice(1)
    .map(({ results }) => new Map(results.map((result) => [result.line, result])));
  const differs = ({ line, success }: SampleResult): boolean =>
    others.some((pass) => (pass.get(line)?.success ?? success) !== success);
  const wanted: [string, (result: SampleResult) => boolean][] = [
    ['the first whose outcome changes when latents are replaced', differs],
    ['the first right one that stays right', (result) => result.success && !differs(result)],
    ['the first wrong one that stays wrong', (result) => !result.success && !differs(result)],
  ];
  const found = wanted.flatMap(([why, is]) => {
    const result = own.find(is);
    return result === undefined ? [] : [{ line: result.line, why }];
  });
  return found.slice(0, count);
}

async function exampleOf(
  { signal }: CliContext,
  { passes, sessions }: Evaluation,
  sample: Sample,
  why: string,
  options: EvaluationOptions,
): Promise<Example> {
  const results = passes.flatMap(({ fed, results: all }) => {
    const result = all.find(({ line }) => line === sample.line);
    return result === undefined ? [] : [{ fed, result }];
  });
  const { result } = results[0]!;
  const request = { ...(await requestFor(sample, options)), id: randomUUID() };
  const figures = await runRequest(sessions[0]!.client, request, { signal }, async ({ run, problem }) => {
    if (problem instanceof CancelledError || run === undefined) return [];
    const drawn: string[] = [];
    for (let block = 0; block < Math.min(MAX_BLOCKS, run.trace.blocks.length); block++) {
      const figure = await blockFigure(run, block);
      if (figure !== undefined) drawn.push(figure);
    }
    return drawn;
  });
  return {
    title: sample.mapId ?? `line ${sample.line}`,
    why,
    // As it was asked.
    question: shownQuestion(request.question),
    truth: sample.answer ?? 'any plan that reaches the goal',
    text: result.text,
    result,
    outcomes: results
      .filter(({ fed }) => fed !== 'own')
      .map(({ fed, result: { success, answer } }) => ({ fed, right: success, answer })),
    figures,
  };
}

/** The command as it was given, for a shell. */
function commandLine(command: Command, args: readonly string[]): string {
  const options = command.options.flatMap((option) => {
    const key = option.attributeName();
    if (command.getOptionValueSource(key) !== 'cli' || option.long === undefined) return [];
    const value = command.getOptionValue(key) as Value;
    return value === true ? [option.long] : [option.long, quoted(textOf(value))];
  });
  return ['ilvr', 'report', ...args.map(quoted), ...options].join(' ');
}

/** Of an option: a switch, a word or number, or tokens by their index. */
type Value = true | string | number | Record<string, number>;

function textOf(value: Exclude<Value, true>): string {
  if (typeof value !== 'object') return String(value);
  return Object.entries(value)
    .map(([index, id]) => `${index}:${id}`)
    .join(',');
}
