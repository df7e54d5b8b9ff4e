/** One request to an engine, folded into a trace; its arrays are in a file for as long as they are looked at. */

import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CancelledError, messageOf, UserError } from '../base/errors.ts';
import { EngineStoppedError } from '../client/ends.ts';
import { vectorsOf } from '../client/latents.ts';
import type { EngineClient } from '../client/engineClient.ts';
import type { LatentIntervention, ReasonRequest, ReasonVariant } from '../protocol/engine.ts';
import { applyEvent, finishTrace, startTrace, type ReasonEvent } from '../trace/events.ts';
import type { Trace } from '../trace/schema.ts';
import { FileContainer } from '../traceFile/container.ts';
import { requireTwo } from '../traceFile/identity.ts';
import { openTrace, OpenTrace } from '../traceFile/openTrace.ts';

/** Where the arrays go is not the caller's business. */
export type RunRequest = Omit<ReasonRequest, 'arrays'>;

/** How a run ended. */
export interface RunResult {
  /** As far as it came; absent if it did not even start. */
  run?: OpenTrace;
  /** Why it is not complete: a CancelledError, or what went wrong. */
  problem?: unknown;
}

export interface RunOptions {
  signal: AbortSignal;
  /** Puts into the file of the arrays what has to be there before the run begins. */
  prepare?: (arrays: string) => Promise<void>;
  /** Called after each event was folded. */
  report?: (trace: Trace, event: ReasonEvent) => void;
}

/**
 * Runs a request; whatever happens to the engine, what arrived is kept.
 * @param use gets the result; its arrays are gone when it resolves
 */
export async function runRequest<T>(
  client: Pick<EngineClient, 'reason'>,
  request: RunRequest,
  options: RunOptions,
  use: (result: RunResult) => Promise<T>,
): Promise<T> {
  return runVariants(client, request, [request.intervention], options, ([result]) => use(result!));
}

/** The same of several runs of a request, that differ in what is fed at their latents and go through the model together. */
export async function runVariants<T>(
  client: Pick<EngineClient, 'reason'>,
  request: RunRequest,
  interventions: readonly (LatentIntervention | undefined)[],
  options: RunOptions,
  use: (results: RunResult[]) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(path.join(tmpdir(), 'ilvr-'));
  const [own, ...variants] = interventions.map((intervention, i): ReasonVariant => ({
    id: i === 0 ? request.id : randomUUID(),
    arrays: path.join(folder, `arrays-${i}.ilvr.bin`),
    ...(intervention !== undefined && { intervention }),
  }));
  const { intervention: _, ...alike } = request;
  const runs: OpenTrace[] = [];
  try {
    await options.prepare?.(own!.arrays);
    const asked = { ...alike, ...own!, ...(variants.length > 0 && { variants }) };
    const { traces, problem } = await fold(client, asked, options);
    const results: RunResult[] = [];
    for (const [i, { arrays }] of [own!, ...variants].entries()) {
      const trace = traces[i];
      const run = trace && new OpenTrace(trace, await FileContainer.open(arrays));
      if (run !== undefined) runs.push(run);
      results.push({ ...(run && { run }), ...(problem !== undefined && { problem }) });
    }
    return await use(results);
  } finally {
    for (const run of runs) await run.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * The latents of a recorded run, in order.
 * @param forRun in which they are to stand
 * @throws UserError if it is no trace, has none, or is that run itself
 */
export async function latentsOfFile(file: string, forRun?: Trace): Promise<Float32Array[]> {
  const run = await openTrace(file);
  try {
    if (forRun !== undefined) await requireTwo(forRun, run.trace);
    const latents = await vectorsOf(run);
    if (latents.length > 0) return latents;
    throw new UserError({ problem: 'This run has no latents to give', where: file });
  } finally {
    await run.close();
  }
}

/** Traces by the place of their run in the request. */
async function fold(
  client: Pick<EngineClient, 'reason'>,
  request: ReasonRequest,
  { signal, report }: RunOptions,
): Promise<{ traces: (Trace | undefined)[]; problem?: unknown }> {
  const result: { traces: (Trace | undefined)[]; problem?: unknown } = { traces: [] };
  const { traces } = result;
  const onEvent = (event: ReasonEvent, run: number): void => {
    if (event.type === 'start') traces[run] = startTrace(event);
    const trace = traces[run];
    if (trace === undefined) return;
    if (event.type !== 'start') applyEvent(trace, event);
    report?.(trace, event);
  };
  try {
    const { status } = await client.reason(request, onEvent, signal);
    if (status === 'cancelled') result.problem = new CancelledError('The run');
  } catch (error) {
    // What ends the command may reach the engine's process too, whose end is then no failure.
    const isFailure = !signal.aborted || error instanceof CancelledError;
    result.problem = isFailure ? error : new CancelledError('The run');
  }
  for (const trace of traces) if (trace?.status === 'running') endTrace(trace, result.problem);
  return result;
}

/** For an engine that could not say itself how the run ended. */
function endTrace(trace: Trace, problem: unknown): void {
  if (problem === undefined) finishTrace(trace, 'complete');
  else if (problem instanceof EngineStoppedError) finishTrace(trace, 'cancelled', problem.message);
  else if (problem instanceof CancelledError) finishTrace(trace, 'cancelled');
  else finishTrace(trace, 'failed', messageOf(problem));
}
