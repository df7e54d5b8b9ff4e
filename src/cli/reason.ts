/** `ilvr reason`: one question about some pictures, answered in the terminal. */

import { randomUUID } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { basename } from 'node:path';
import { CancelledError, unreachable, UserError } from '../base/errors.ts';
import { ownQuestion } from '../checkpoint/checkpoint.ts';
import type { Truth } from '../dataset/scoring.ts';
import { isOfOwnRun, type Fed } from '../evaluation/fed.ts';
import { verdictBy } from '../evaluation/verdict.ts';
import { readPictureFile } from '../files/pictureFile.ts';
import { targetOf } from '../files/replaceFile.ts';
import type { ImageInput, LatentIntervention, LoadedModel, ReasonRequest } from '../protocol/engine.ts';
import type { ReasonEvent } from '../trace/events.ts';
import type { Trace } from '../trace/schema.ts';
import { EXIT, type CliContext } from './context.ts';
import {
  loadOptions,
  releasedOptions,
  requestOptions,
  type GenerationOptions,
  type ModelOptions,
} from './options.ts';
import { reportEvent, reportSummary } from './reporter.ts';
import { withModel } from './session.ts';
import { label } from './terminal.ts';
import type { EngineClient } from '../client/engineClient.ts';
import { blocksOf, targetsOf, vectorsOf } from '../client/latents.ts';
import type { OpenTrace } from '../traceFile/openTrace.ts';
import { latentsOfFile, runRequest, type RunRequest } from './runRequest.ts';
import { writeTraceFiles } from './traceOutput.ts';
import { requireEnding, UsageError } from './usage.ts';

export interface ReasonOptions extends ModelOptions, GenerationOptions {
  helper: string[];
  helpersInPrompt?: boolean;
  /** Absent: the model's own, if it names one. */
  question?: string;
  placement: ReasonRequest['placement'];
  intervene: Fed;
  /** Whose latents are fed when they are swapped: a trace's, or those of the same question about a picture. */
  swapWith?: string;
  swapImage?: string;
  /** Where the trace goes. */
  trace?: string;
}

/** The right answer, and where it is from. */
interface KnownTruth {
  truth: Truth;
  source: string;
}

/**
 * Runs the command.
 * @param known the right answer, for a verdict on a run that ends by itself
 * @returns the exit code
 * @throws UserError for a picture, model or setting that does not work; CancelledError while loading
 */
export async function reason(
  context: CliContext,
  imagePaths: string[],
  options: ReasonOptions,
  known?: KnownTruth,
): Promise<number> {
  checkNeeds(options);
  const question = options.question ?? (await requireOwnQuestion(context, options));
  const images = await Promise.all(imagePaths.map(readImage));
  const helpers = await Promise.all(options.helper.map(readImage));
  if (options.trace !== undefined) {
    await checkTracePath(options.trace, {
      pictures: [
        ...imagePaths,
        ...options.helper,
        ...(options.swapImage === undefined ? [] : [options.swapImage]),
      ],
      traces: options.swapWith === undefined ? [] : [options.swapWith],
    });
  }
  const donor: Donor = {
    ...(options.swapWith !== undefined && { latents: await latentsOfFile(options.swapWith) }),
    ...(options.swapImage !== undefined && { image: await readImage(options.swapImage) }),
  };
  return withModel(context, options, async ({ client, loaded }) => {
    const own = requestFor(images, helpers, question, options, loaded);
    const runs = await runsFor(context, client, own, { fed: options.intervene, donor });
    const intervention = interventionOf(options.intervene, 0, runs);
    const request = { ...own, ...(intervention !== undefined && { intervention }) };
    const report = (trace: Trace, event: ReasonEvent): void => reportEvent(context.terminal, trace, event);
    return runRequest(client, request, { signal: context.signal, report }, async ({ run, problem }) => {
      context.terminal.clearProgress();
      if (run !== undefined && known !== undefined) tellVerdict(run.trace, known);
      if (run !== undefined) await conclude(context, run, options.trace);
      if (problem instanceof CancelledError) return EXIT.cancelled;
      if (problem !== undefined) throw problem;
      return EXIT.ok;
    });
  });
}

function tellVerdict(trace: Trace, { truth, source }: KnownTruth): void {
  const verdict = verdictBy(trace, truth, source);
  if (verdict !== undefined) trace.verdict = verdict;
}

/** What is read, and must not be lost. */
interface ReadFiles {
  pictures: readonly string[];
  traces: readonly string[];
}

/**
 * Before anything is computed: the trace would be lost otherwise.
 * @throws UsageError for another ending; UserError if it can be written to no such place, or would replace what is read
 */
export async function checkTracePath(trace: string, { pictures, traces }: ReadFiles): Promise<void> {
  const target = await targetOf(trace);
  const read = [
    ...pictures.map((file) => ({ file, what: 'a picture' })),
    ...traces.map((file) => ({ file, what: 'a trace that is read' })),
  ];
  for (const { file, what } of read) {
    if ((await realpath(file)) !== target) continue;
    throw new UserError({
      problem: `The trace would replace ${what}`,
      expected: 'another file after --trace',
      found: file,
      where: trace,
    });
  }
  requireEnding(trace, ['.json'], 'A trace');
}

/** @throws UsageError where what an intervention is made of is not given, or is given to another one */
function checkNeeds({ intervene, swapWith, swapImage, helper, helpersInPrompt }: ReasonOptions): void {
  const donors = [swapWith, swapImage].filter((given) => given !== undefined);
  if (donors.length !== (intervene === 'swap' ? 1 : 0)) {
    throw new UsageError({
      problem:
        intervene === 'swap'
          ? '--intervene swap feeds the latents of one other run'
          : 'Only --intervene swap feeds the latents of another run',
      expected:
        intervene === 'swap'
          ? '--swap-with TRACE or --swap-image PICTURE'
          : 'neither --swap-with nor --swap-image',
      found: donors.length === 0 ? 'neither' : donors.join(' and '),
    });
  }
  if (intervene !== 'oracle' || (helper.length > 0 && helpersInPrompt !== true)) return;
  throw new UsageError({
    problem: '--intervene oracle feeds what the teacher selects from helper pictures',
    expected: '--helper PICTURE for each block, and no --helpers-in-prompt',
    found: helper.length === 0 ? 'no helper picture' : '--helpers-in-prompt',
  });
}

/** Whose latents are swapped in. */
interface Donor {
  latents?: Float32Array[];
  image?: ImageInput;
}

/** What an intervention is made of, from the runs that it takes to know. */
async function runsFor(
  { signal }: CliContext,
  client: EngineClient,
  own: RunRequest,
  { fed, donor: { latents, image } }: { fed: Fed; donor: Donor },
): Promise<FedRuns> {
  if (latents !== undefined) return { ...NO_RUNS, latents };
  if (image === undefined && !isOfOwnRun(fed)) return NO_RUNS;
  const request = { ...own, id: randomUUID(), ...(image !== undefined && { images: [image] }) };
  return runRequest(client, request, { signal }, async ({ run, problem }) => {
    if (problem !== undefined) throw problem;
    const blocks = fed === 'oracle' ? await targetsOf(client, run!, signal) : await blocksOf(run!);
    if (fed === 'oracle' && blocks.length === 0) throw nothingSelected(own.helpers.length);
    return { latents: await vectorsOf(run!), blocks };
  });
}

function nothingSelected(helpers: number): UserError {
  return new UserError({
    problem: 'The teacher selects nothing for this run',
    expected: 'a model of ILVR, and a run with blocks of its length',
    found: helpers === 1 ? 'none for 1 helper picture' : `none for ${helpers} helper pictures`,
    remedy: 'Feed something else with --intervene, or ask a model that thinks in latents as ILVR does.',
  });
}

/** What runs leave to one whose latents are replaced. */
export interface FedRuns {
  /** Of another run for a swap, of its own for their mean. */
  latents: Float32Array[];
  /** By block: its own to be shuffled, or what the teacher selects for it. */
  blocks: Float32Array[][];
}

export const NO_RUNS: FedRuns = { latents: [], blocks: [] };

/**
 * What the engine is told about its latents.
 * @param sample tells the noise, or the order, of several samples apart
 */
export function interventionOf(
  fed: Fed,
  sample: number,
  { latents, blocks }: FedRuns,
): LatentIntervention | undefined {
  switch (fed) {
    case 'own':
      return undefined;
    case 'noise':
      return { kind: fed, sample };
    case 'mean':
    case 'swap':
      return { kind: fed, latents };
    case 'shuffle':
      return { kind: fed, sample, blocks };
    case 'oracle':
      return { kind: fed, blocks };
    case 'zero':
    case 'dummy':
    case 'markers':
    case 'none':
      return { kind: fed };
    default:
      return unreachable(fed);
  }
}

/** Says what came of a run, and writes its trace where one is wanted. */
export async function conclude(
  { terminal }: CliContext,
  run: OpenTrace,
  out: string | undefined,
): Promise<void> {
  reportSummary(terminal, run.trace);
  if (out === undefined) return;
  const { files, strips } = await writeTraceFiles(run, out);
  const pictures = strips.length === 1 ? '1 picture' : `${strips.length} pictures`;
  terminal.line(
    label('trace'),
    strips.length === 0
      ? files.join(' and ')
      : `${files.join(' and ')}${files.length > 1 ? ',' : ''} and ${pictures} of its blocks beside it`,
  );
}

function requestFor(
  images: ImageInput[],
  helpers: ImageInput[],
  question: string,
  options: ReasonOptions,
  loaded: LoadedModel,
): RunRequest {
  return {
    id: randomUUID(),
    question,
    images,
    helpers,
    helperMode: options.helpersInPrompt ? 'prompt' : 'reference',
    placement: options.placement,
    ...requestOptions(releasedOptions(options, loaded)),
  };
}

/** Asked before anything is loaded, which may take a minute. @throws UserError if the model names no question */
async function requireOwnQuestion({ models }: CliContext, options: ReasonOptions): Promise<string> {
  const { folder } = loadOptions(options, models);
  const question = await ownQuestion(folder);
  if (question !== undefined) return question;
  throw new UserError({
    problem: 'There is no question',
    found: `a model, ${basename(folder)}, that names none of its own in ilvr.json`,
    remedy: 'Give one with --question.',
  });
}

/** @throws UserError if the file cannot be read */
export async function readImage(path: string): Promise<ImageInput> {
  return { name: basename(path), bytes: await readPictureFile(path) };
}
