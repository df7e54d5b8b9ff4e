/** `ilvr reason`: one question about some pictures, answered in the terminal. */

import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { CancelledError, messageOf, UserError } from '../base/errors.ts';
import type { ImageInput, LoadedModel, ReasonRequest } from '../protocol/engine.ts';
import { applyEvent, finishTrace, startTrace, type ReasonEvent } from '../trace/events.ts';
import type { Trace } from '../trace/schema.ts';
import { EXIT, type CliContext } from './context.ts';
import { requestOptions, type GenerationOptions, type ModelOptions } from './options.ts';
import { reportEvent, reportSummary } from './reporter.ts';
import { withModel } from './session.ts';
import type { EngineClient } from '../client/engineClient.ts';
import { writeTraceFiles } from './traceOutput.ts';

export interface ReasonOptions extends ModelOptions, GenerationOptions {
  helper: string[];
  helpersInPrompt?: boolean;
  /** Absent: the model's own, if it names one. */
  question?: string;
  placement: ReasonRequest['placement'];
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
  return withModel(context, options, async ({ client, loaded }) => {
    const request = requestFor(images, helpers, questionOf(options, loaded), options);
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
    // Ctrl-C reaches the engine's process too; its end is then no failure.
    result.problem = signal.aborted ? new CancelledError('The run') : error;
  }
  if (result.trace?.status === 'running') endTrace(result.trace, result.problem);
  return result;
}

/** For an engine that could not say itself how the run ended. */
function endTrace(trace: Trace, problem: unknown): void {
  if (problem === undefined) finishTrace(trace, 'complete');
  else if (problem instanceof CancelledError) finishTrace(trace, 'cancelled');
  else finishTrace(trace, 'failed', messageOf(problem));
}

async function conclude({ terminal }: CliContext, trace: Trace, out: string | undefined): Promise<void> {
  reportSummary(terminal, trace);
  if (out === undefined) return;
  const [file, ...strips] = await writeTraceFiles(trace, out);
  const pictures = strips.length === 1 ? '1 picture' : `${strips.length} pictures`;
  terminal.line(`${terminal.style('dim', 'trace'.padEnd(9))}${file} and ${pictures} of its blocks beside it`);
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
  try {
    return { name: basename(path), bytes: await readFile(path) };
  } catch (error) {
    throw new UserError(
      { problem: 'This picture cannot be read', found: messageOf(error), where: path },
      { cause: error },
    );
  }
}
