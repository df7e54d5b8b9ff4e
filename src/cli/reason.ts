/** `ilvr reason`: one question about some pictures, answered in the terminal. */

import { randomUUID } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { basename } from 'node:path';
import { CancelledError, messageOf, unreachable, UserError } from '../base/errors.ts';
import { readPictureFile } from '../files/pictureFile.ts';
import { targetOf } from '../files/replaceFile.ts';
import type { ImageInput, LatentIntervention, LoadedModel, ReasonRequest } from '../protocol/engine.ts';
import { applyEvent, finishTrace, startTrace, type ReasonEvent } from '../trace/events.ts';
import type { Trace } from '../trace/schema.ts';
import { EXIT, type CliContext } from './context.ts';
import { requestOptions, type Fed, type GenerationOptions, type ModelOptions } from './options.ts';
import { reportEvent, reportSummary } from './reporter.ts';
import { withModel } from './session.ts';
import { label } from './terminal.ts';
import { EngineStoppedError } from '../client/ends.ts';
import type { EngineClient } from '../client/engineClient.ts';
import { writeTraceFiles } from './traceOutput.ts';

export interface ReasonOptions extends ModelOptions, GenerationOptions {
  helper: string[];
  helpersInPrompt?: boolean;
  /** Absent: the model's own, if it names one. */
  question?: string;
  placement: ReasonRequest['placement'];
  intervene: Fed;
  /** Whose latents are fed when they are swapped. */
  swapImage?: string;
  /** Where the trace goes. */
  trace?: string;
}

/**
 * Runs the command.
 * @returns the exit code
 * @throws UserError for a picture, model or setting that does not work; CancelledError while loading
 */
export async function reason(
  context: CliContext,
  imagePaths: string[],
  options: ReasonOptions,
): Promise<number> {
  const images = await Promise.all(imagePaths.map(readImage));
  const helpers = await Promise.all(options.helper.map(readImage));
  if (options.trace !== undefined) await checkTracePath(options.trace, [...imagePaths, ...options.helper]);
  const swapImages = await Promise.all(swapImagesOf(options).map(readImage));
  return withModel(context, options, async ({ client, loaded }) => {
    const own = requestFor(images, helpers, questionOf(options, loaded), options);
    const latents = await latentsToSwapIn(context, client, { ...own, images: swapImages });
    const intervention = interventionOf(options.intervene, 0, latents);
    const request = { ...own, ...(intervention !== undefined && { intervention }) };
    const { trace, problem } = await runRequest(client, request, context.signal, (current, event) =>
      reportEvent(context.terminal, current, event),
    );
    context.terminal.clearProgress();
    if (trace !== undefined) await conclude(context, trace, options.trace);
    if (problem instanceof CancelledError) return EXIT.cancelled;
    if (problem !== undefined) throw problem;
    return EXIT.ok;
  });
}

/**
 * Before anything is computed: the trace would be lost otherwise.
 * @throws UserError if it can be written to no such place, or would replace a picture
 */
async function checkTracePath(trace: string, pictures: readonly string[]): Promise<void> {
  const target = await targetOf(trace);
  for (const picture of pictures) {
    if ((await realpath(picture)) !== target) continue;
    throw new UserError({
      problem: 'The trace would replace a picture',
      expected: 'another file after --trace',
      found: picture,
      where: trace,
    });
  }
}

/** @throws UserError where there is a picture to swap with and no swap, or the other way round */
function swapImagesOf({ intervene, swapImage }: ReasonOptions): string[] {
  if ((intervene === 'swap') === (swapImage !== undefined)) return swapImage === undefined ? [] : [swapImage];
  throw new UserError({
    problem: '--intervene swap and --swap-image go together',
    found: swapImage === undefined ? 'no picture whose latents to take' : `--intervene ${intervene}`,
    remedy: 'Give both, or neither.',
  });
}

/** The latents of the same question about the picture to swap with; none where there is no such picture. */
async function latentsToSwapIn(
  { signal }: CliContext,
  client: EngineClient,
  request: ReasonRequest,
): Promise<Float32Array[]> {
  if (request.images.length === 0) return [];
  const { trace, problem } = await runRequest(
    client,
    { ...request, id: randomUUID() },
    signal,
    () => undefined,
  );
  if (problem !== undefined) throw problem;
  return vectorsOf(trace!);
}

/** The latents of a run, in order. */
export function vectorsOf({ latents }: Trace): Float32Array[] {
  return latents.map(({ vector }) => vector.data);
}

/**
 * What the engine is told about its latents.
 * @param sample tells the noise of several samples apart
 * @param latents what a swap puts in
 */
export function interventionOf(
  fed: Fed,
  sample: number,
  latents: Float32Array[],
): LatentIntervention | undefined {
  switch (fed) {
    case 'own':
      return undefined;
    case 'noise':
      return { kind: fed, sample };
    case 'swap':
      return { kind: fed, latents };
    case 'zero':
    case 'markers':
      return { kind: fed };
    default:
      return unreachable(fed);
  }
}

/** How a run ended. */
export interface RunResult {
  /** As far as it came; absent if it did not even start. */
  trace?: Trace;
  /** Why it is not complete: a CancelledError, or what went wrong. */
  problem?: unknown;
}

/**
 * Runs a request and folds its events; whatever happens to the engine, what arrived is kept.
 * @param report is called after each event was folded
 */
export async function runRequest(
  client: Pick<EngineClient, 'reason'>,
  request: ReasonRequest,
  signal: AbortSignal,
  report: (trace: Trace, event: ReasonEvent) => void,
): Promise<RunResult> {
  const result: RunResult = {};
  const fold = (event: ReasonEvent): void => {
    if (event.type === 'start') result.trace = startTrace(event);
    else if (result.trace !== undefined) applyEvent(result.trace, event);
    if (result.trace !== undefined) report(result.trace, event);
  };
  try {
    const { status } = await client.reason(request, fold, signal);
    if (status === 'cancelled') result.problem = new CancelledError('The run');
  } catch (error) {
    // What ends the command may reach the engine's process too, whose end is then no failure.
    const isFailure = !signal.aborted || error instanceof CancelledError;
    result.problem = isFailure ? error : new CancelledError('The run');
  }
  if (result.trace?.status === 'running') endTrace(result.trace, result.problem);
  return result;
}

/** For an engine that could not say itself how the run ended. */
function endTrace(trace: Trace, problem: unknown): void {
  if (problem === undefined) finishTrace(trace, 'complete');
  else if (problem instanceof EngineStoppedError) finishTrace(trace, 'cancelled', problem.message);
  else if (problem instanceof CancelledError) finishTrace(trace, 'cancelled');
  else finishTrace(trace, 'failed', messageOf(problem));
}

async function conclude({ terminal }: CliContext, trace: Trace, out: string | undefined): Promise<void> {
  reportSummary(terminal, trace);
  if (out === undefined) return;
  const [file, ...strips] = await writeTraceFiles(trace, out);
  const pictures = strips.length === 1 ? '1 picture' : `${strips.length} pictures`;
  terminal.line(label('trace'), `${file} and ${pictures} of its blocks beside it`);
}

function requestFor(
  images: ImageInput[],
  helpers: ImageInput[],
  question: string,
  options: ReasonOptions,
): ReasonRequest {
  return {
    id: randomUUID(),
    question,
    images,
    helpers,
    helperMode: options.helpersInPrompt ? 'prompt' : 'reference',
    placement: options.placement,
    ...requestOptions(options),
  };
}

function questionOf({ question }: ReasonOptions, { defaults, model }: LoadedModel): string {
  const asked = question ?? defaults.question;
  if (asked !== undefined) return asked;
  throw new UserError({
    problem: 'There is no question',
    found: `a model, ${model.name}, that names none of its own in ilvr.json`,
    remedy: 'Give one with --question.',
  });
}

/** @throws UserError if the file cannot be read */
export async function readImage(path: string): Promise<ImageInput> {
  return { name: basename(path), bytes: await readPictureFile(path) };
}
