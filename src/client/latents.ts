/** Latents of a recorded run, as they are fed in another one. */

import { UserError } from '../base/errors.ts';
import { readArray, type ByteSource } from '../trace/arrays.ts';
import type { Trace } from '../trace/schema.ts';
import { analyseRequest } from './analyseRequest.ts';
import type { EngineClient } from './engineClient.ts';

/** A trace and where its arrays are. */
export interface RecordedRun {
  trace: Trace;
  container: ByteSource;
}

/** The latents of a run, in order. */
export async function vectorsOf({ trace, container }: RecordedRun): Promise<Float32Array[]> {
  const vectors: Float32Array[] = [];
  for (const { vector } of trace.latents) vectors.push((await readArray(container, vector)).data);
  return vectors;
}

/** The same by the run's blocks. */
export async function blocksOf(run: RecordedRun): Promise<Float32Array[][]> {
  const vectors = await vectorsOf(run);
  return run.trace.blocks.map((_, block) => vectors.filter((__, i) => run.trace.latents[i]!.block === block));
}

/** What the trainer's teacher selects for a run's latents, by block; none without helper pictures beside the prompt. */
export async function targetsOf(
  client: Pick<EngineClient, 'targets'>,
  { trace, container }: RecordedRun,
  signal?: AbortSignal,
): Promise<Float32Array[][]> {
  const question = await analyseRequest(trace, container, { name: 'causality', parameters: {} });
  return client.targets(question, signal);
}

/** Whether a run has pictures that a teacher can select from: kept with it, and not seen by the model. */
export function hasHelpers({ pictures }: Pick<Trace, 'pictures'>): boolean {
  return pictures.some(({ role, range }) => role === 'helper' && range === undefined);
}

/** @throws UserError where the teacher has nothing to select from; known before a model is loaded */
export function requireHelpers(trace: Pick<Trace, 'pictures'>): void {
  if (hasHelpers(trace)) return;
  const isSeen = trace.pictures.some(({ role }) => role === 'helper');
  throw new UserError({
    problem: "The teacher's selection cannot be fed: the run has no helper pictures beside its prompt",
    expected: 'a helper picture for each block, which the model does not see',
    found: isSeen ? 'helper pictures in the prompt' : 'none',
    remedy: 'Ask again with helper pictures to compare with, and branch off that run.',
  });
}
