/** `ilvr analyse`: what can be asked of a recorded run, answered in the terminal and kept in its trace. */

import { basename } from 'node:path';
import { Argument, InvalidArgumentError, Option, type Command } from 'commander';
import { runOnTrace } from '../analysis/runners.ts';
import {
  ANALYSES,
  ANALYSIS_NAMES,
  needsModel,
  parametersOf,
  type AnalysisName,
  type AnalysisResult,
} from '../analysis/table.ts';
import { CancelledError, UserError } from '../base/errors.ts';
import { inBytes } from '../process/memory.ts';
import { analyseRequest } from '../client/analyseRequest.ts';
import { compareRuns } from '../comparison/compare.ts';
import type { AnalysisOutcome } from '../protocol/analyse.ts';
import {
  analysedRun,
  keepAnalysis,
  keptAnalysis,
  loadResult,
  newestAnalysis,
  otherVersion,
  storedAnalysis,
  type AnalysisKey,
  type AnalysisOrigin,
} from '../trace/analyses.ts';
import type { KeptAnalysis, Trace, TracePicture } from '../trace/schema.ts';
import { deadBytes } from '../traceFile/compact.ts';
import { extendTrace } from '../traceFile/extendTrace.ts';
import { requireTwo } from '../traceFile/identity.ts';
import { openTrace, type OpenTrace } from '../traceFile/openTrace.ts';
import { withModelOf } from './asRun.ts';
import { otherSettings } from './keptSettings.ts';
import { asJson, reportAnalysis, whyUntried } from './analysisReport.ts';
import { EXIT, type CliContext } from './context.ts';
import { deviceLabel } from '../tensor/device.ts';
import { addModelOptions, readWith, type ModelOptions } from './options.ts';
import { readImage } from './reason.ts';
import { regionFrom, regionIn, REGION_FORM, type Region } from './region.ts';
import type { Session } from './session.ts';
import { label } from './terminal.ts';
import { truthFrom } from './truth.ts';
import { asUsage, UsageError } from './usage.ts';

interface AnalyseOptions extends ModelOptions {
  set: Record<string, unknown>;
  image: string[];
  other?: string;
  truth?: string;
  samples?: string;
  region?: Region;
  json?: boolean;
  save?: boolean;
  again?: boolean;
}

/** Parameters that have options of their own, in which people say them otherwise. */
const OWN_OPTIONS = { truth: '--truth or --samples', region: '--region' } as const;
type OwnOption = keyof typeof OWN_OPTIONS;

function takes(name: AnalysisName, parameter: OwnOption): boolean {
  return parameter in ANALYSES[name].parameters.shape;
}

const settable = (name: AnalysisName): string =>
  Object.keys(ANALYSES[name].parameters.shape)
    .filter((parameter) => !(parameter in OWN_OPTIONS))
    .join(', ');

const taking = (parameter: OwnOption): string =>
  ANALYSIS_NAMES.filter((name) => takes(name, parameter)).join(', ');

const ABOUT = `
Analyses: ${ANALYSIS_NAMES.map((name) => `${name} (${settable(name)})`).join('; ')}.
What is in parentheses can be set: --set words=5 --set methods='["rollout"]'. docs/method.md explains each measure. A result
that the trace keeps is shown without a model, unless --again is given.

The right answer lets ${taking('truth')} say right or wrong: --truth LU, or --samples FILE.jsonl, of which the sample with
the run's picture and question is taken. --region ${REGION_FORM} is what ${taking('region')} masks: patches of the first
picture from 1, both corners included.`;

/** Adds the command. */
export function addAnalyse(program: Command, context: CliContext, finished: (code: number) => void): void {
  const command = program
    .command('analyse')
    .description('analyse a recorded run: what its latents say, resemble, and pass on to the answer')
    .argument('<trace>', 'trace of the run')
    .addArgument(new Argument('<analysis>', 'what to compute').choices(ANALYSIS_NAMES));
  addModelOptions(command)
    .option('--set <name=value>', 'a parameter of the analysis, as JSON; may be repeated', parameterFrom, {})
    .option(
      '--image <image...>',
      'original pictures, by their names: a trace keeps those above 2048 pixels a side reduced',
      [],
    )
    .option('--other <trace>', 'trace of another run to compare with')
    .addOption(
      new Option('--truth <answer>', 'the right answer, as a samples file has it').conflicts('samples'),
    )
    .option('--samples <file>', 'samples file that knows the right answer')
    .addOption(
      new Option('--region <corners>', `region to mask: ${REGION_FORM}`).argParser(readWith(regionFrom)),
    )
    .option('--json', 'print the whole result as JSON')
    .option('--save', 'keep the result in the trace')
    .option('--again', 'compute it even if the trace keeps it')
    .addHelpText('after', ABOUT)
    .action(async (trace: string, name: AnalysisName, options: AnalyseOptions) => {
      finished(await analyse(context, trace, name, options));
    });
}

/** "words=5": a name and a value in JSON; what is no JSON is a text. */
function parameterFrom(text: string, earlier: Record<string, unknown>): Record<string, unknown> {
  const [, name, value] = /^(\w+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined)
    throw new InvalidArgumentError(`Expected name=value, found "${text}".`);
  try {
    return { ...earlier, [name]: JSON.parse(value) as unknown };
  } catch {
    return { ...earlier, [name]: value };
  }
}

/** A result and where it comes from. */
interface Computed {
  result?: AnalysisResult<AnalysisName>;
  origin: AnalysisOrigin;
}

async function analyse(
  context: CliContext,
  file: string,
  name: AnalysisName,
  options: AnalyseOptions,
): Promise<number> {
  checkOptions(name, options);
  asUsage(() => parametersOf(name, options.set));
  requireSecond(name, options.other);
  return withTrace(file, async (run) => {
    const parameters = {
      ...parametersOf(name, { ...options.set, ...(await ownParameters(run.trace, options)) }),
    };
    const answer = async (other?: OpenTrace): Promise<number> => {
      await checkOther(name, run, other);
      const key = { method: name, parameters, ...(other && { other: other.trace.id }) };
      return answerFrom(context, file, { run, other }, { key, options });
    };
    return options.other === undefined ? answer() : withTrace(options.other, answer);
  });
}

/** @throws UsageError for an option that the analysis does not take, or is set in another way */
function checkOptions(name: AnalysisName, { set, truth, samples, region }: AnalyseOptions): void {
  const given: Record<OwnOption, boolean> = {
    truth: truth !== undefined || samples !== undefined,
    region: region !== undefined,
  };
  for (const parameter of Object.keys(OWN_OPTIONS) as OwnOption[]) {
    const option = OWN_OPTIONS[parameter];
    if (given[parameter] && !takes(name, parameter)) {
      throw new UsageError({
        problem: `The analysis ${name} takes no ${parameter}`,
        expected: `one of ${taking(parameter)}`,
        found: option,
        remedy: `Leave out ${option}.`,
      });
    }
    if (parameter in set) {
      throw new UsageError({
        problem: `The ${parameter} has an option of its own`,
        expected: option,
        found: `--set ${parameter}=…`,
      });
    }
  }
  if (truth?.trim() === '')
    throw new UsageError({ problem: 'The right answer is empty', expected: 'a text', found: '--truth ""' });
}

/** @throws UserError where the run has no such region, or the file no such sample */
async function ownParameters(
  trace: Trace,
  { truth, samples, region }: AnalyseOptions,
): Promise<Record<string, unknown>> {
  const known = samples === undefined ? truth && { answer: truth } : await truthFrom(samples, trace);
  return { ...(known && { truth: known }), ...(region && { region: firstPicture(trace, region) }) };
}

function firstPicture(trace: Trace, region: Region): number[] {
  if (region.picture === undefined) return [...regionIn(trace, region).corners];
  throw new UserError({
    problem: 'The region is one of the first picture',
    expected: REGION_FORM,
    found: `a region of ${region.picture}`,
  });
}

async function withTrace<T>(file: string, use: (run: OpenTrace) => Promise<T>): Promise<T> {
  const run = await openTrace(file);
  try {
    return await use(run);
  } finally {
    await run.close();
  }
}

interface Runs {
  run: OpenTrace;
  /** To compare with. */
  other: OpenTrace | undefined;
}

interface Asked {
  key: AnalysisKey;
  options: AnalyseOptions;
}

/** What the trace keeps, or what is computed now; prints it, and keeps it if that is wanted. */
async function answerFrom(context: CliContext, file: string, runs: Runs, asked: Asked): Promise<number> {
  const { run } = runs;
  const { key, options } = asked;
  const kept = options.again === true ? undefined : keptAnalysis(run.trace, key);
  const complete = kept?.status === 'complete' ? kept : undefined;
  if (complete === undefined) tellOther(context, run, key.method);
  if (complete === undefined && options.again !== true) tellSettings(context, run, key);
  const { result, origin } =
    complete === undefined
      ? await compute(context, runs, asked)
      : { result: await loadResult(key.method, complete, run.trace, run.container), origin: complete };
  if (result !== undefined) {
    if (options.save === true && complete === undefined) await save(context, file, key, { result, origin });
    if (options.json === true) context.terminal.print(`${asJson(key, origin, result)}\n`);
    else {
      if (complete !== undefined) context.terminal.line(label('kept'), keptText(complete));
      if (origin.status === 'partial') context.terminal.line(label('stopped'), STOPPED);
      reportAnalysis(context.terminal, key.method, result, run.trace);
    }
  }
  return conclude(context, asked, { ...(result && { result }), origin });
}

/** Says what the result itself does not: that it is none, or not the whole. @returns the exit code */
function conclude({ terminal }: CliContext, { key, options }: Asked, { result, origin }: Computed): number {
  if (origin.status === 'partial') {
    if (result === undefined) terminal.error('Stopped before anything was found.');
    else if (options.json === true) terminal.error(STOPPED);
    return EXIT.cancelled;
  }
  const untried = result && whyUntried(key.method, result);
  if (untried === undefined) return EXIT.ok;
  terminal.error(untried);
  return EXIT.failed;
}

const STOPPED =
  'Stopped on the way: this is a partial result, and its figures and verdict are not those of the whole.';

/** "with the run, computed 2026-11-30 14:02 UTC · maze · CPU (…)" */
function keptText({ createdAt, model, device }: KeptAnalysis): string {
  const when = `with the run, computed ${createdAt.slice(0, 16).replace('T', ' ')} UTC`;
  const where = device && `${device.provider} (${device.name})`;
  return [when, model?.name, where].filter((part) => part !== undefined).join(' · ');
}

/** What another version computed does not stand for what today's does. */
function tellOther({ terminal }: CliContext, { trace }: OpenTrace, method: AnalysisName): void {
  const kept = newestAnalysis(trace, method);
  const other = kept && otherVersion(kept);
  if (other === undefined) return;
  const { version, today, createdAt } = other;
  terminal.error(
    `The trace keeps a result of ${createdAt.slice(0, 10)} by version ${version} of this method; it is computed anew by version ${today}.`,
  );
}

/** A result with other settings is not shown in place of what was asked. */
function tellSettings({ terminal }: CliContext, { trace }: OpenTrace, key: AnalysisKey): void {
  const others = otherSettings(trace, key);
  if (others.length === 0) return;
  terminal.error(
    `The trace keeps ${key.method} with other settings; repeat their options to see it: ${others.join('; ')}. It is computed now with those given.`,
  );
}

/** @throws UsageError if the analysis compares nothing, or compares and has nothing to compare with */
function requireSecond(name: AnalysisName, other: string | undefined): void {
  const { secondRun } = ANALYSES[name];
  if (other === undefined && secondRun === 'required') {
    throw new UsageError({
      problem: `The analysis ${name} is between two runs`,
      expected: '--other TRACE, of another run of the same model',
      found: 'no other run',
    });
  }
  if (other === undefined || secondRun !== false) return;
  throw new UsageError({
    problem: `The analysis ${name} takes no second run`,
    remedy: 'Leave out --other.',
  });
}

/**
 * @throws UserError if it is the run itself, or the runs cannot be compared so: vectors of other sizes, or of no one model
 *   where it takes one
 */
async function checkOther(name: AnalysisName, run: OpenTrace, other: OpenTrace | undefined): Promise<void> {
  if (other === undefined) return;
  await requireTwo(run.trace, other.trace);
  const why = name === 'divergence' ? compareRuns(run.trace, other.trace).noDivergence : undefined;
  if (why !== undefined) {
    throw new UserError({
      problem: 'Between these runs no divergence can be computed',
      expected: `a run of ${computedBy(run)}`,
      found: `a run of ${computedBy(other)}`,
      remedy: why,
    });
  }
  const [own, its] = [run, other].map(({ trace }) => trace.model.hiddenSize);
  if (own === its) return;
  throw new UserError({
    problem: 'These runs cannot be compared',
    expected: `latents of ${own} numbers in both`,
    found: `${its} in the other one`,
    remedy: 'Compare runs of one model, or of models of one size.',
  });
}

/** "maze (92d5fc2f0a7a), float32, CPU" */
function computedBy({ trace: { model, device } }: OpenTrace): string {
  const { name, sha256, fingerprint, weights = 'float32' } = model;
  return `${name} (${(sha256 ?? fingerprint).slice(0, 12)}), ${weights}, ${deviceLabel(device.provider)}`;
}

async function compute(context: CliContext, { run, other }: Runs, asked: Asked): Promise<Computed> {
  const { key } = asked;
  const { method: name } = key;
  if (!needsModel(name)) {
    const own = await analysedRun(run.trace, run.container);
    const second = other && (await analysedRun(other.trace, other.container));
    const result = runOnTrace(name, [own, second], parametersOf(name, key.parameters));
    return { result, origin: { status: 'complete' } };
  }
  return computeWithModel(context, run, other, asked);
}

async function computeWithModel(
  context: CliContext,
  run: OpenTrace,
  other: OpenTrace | undefined,
  { key, options }: Asked,
): Promise<Computed> {
  const originals = await originalsOf(run.trace.pictures, options.image);
  const ask = async ({ client, loaded }: Session): Promise<Computed> => {
    const { method: name, parameters } = key;
    const request = await analyseRequest(run.trace, run.container, { name, parameters, originals, other });
    const { status, result } = await outcomeOf(() => client.analyse(request, undefined, context.signal));
    context.terminal.clearProgress();
    const { name: model, fingerprint, sha256, weights } = loaded.model;
    return {
      ...(result !== undefined && { result }),
      origin: {
        status: status === 'complete' ? 'complete' : 'partial',
        model: { name: model, fingerprint, sha256, weights },
        device: loaded.device,
      },
    };
  };
  // JSON alone goes to the output, so that another program can read it.
  return withModelOf(context, { trace: run.trace, options, silent: options.json === true }, ask);
}

/** A cancel before the engine has begun leaves nothing. */
async function outcomeOf(ask: () => Promise<AnalysisOutcome>): Promise<AnalysisOutcome> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof CancelledError) return { status: 'cancelled' };
    throw error;
  }
}

export async function originalsOf(
  pictures: readonly TracePicture[],
  paths: readonly string[],
): Promise<Map<string, Uint8Array>> {
  const originals = new Map<string, Uint8Array>();
  for (const path of paths) {
    const picture = pictures.find(({ id, name }) => name === basename(path) && !originals.has(id));
    if (picture === undefined) {
      throw new UserError({
        problem: 'This is no picture of the run',
        expected: `one of ${pictures.map(({ name }) => name).join(', ')}`,
        found: basename(path),
        where: path,
      });
    }
    originals.set(picture.id, (await readImage(path)).bytes);
  }
  return originals;
}

async function save(
  { terminal }: CliContext,
  file: string,
  key: AnalysisKey,
  { result, origin }: Required<Computed>,
): Promise<void> {
  const written = await extendTrace(file, async (trace, sink) => {
    keepAnalysis(trace, await storedAnalysis(key, result, origin, sink));
  });
  terminal.error(`kept in ${file}`);
  const dead = deadBytes(written);
  if (dead === 0) return;
  terminal.error(
    `${inBytes(dead)} of its arrays are of results that were computed again; "Export trace" writes it without them`,
  );
}
