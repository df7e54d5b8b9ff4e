/** What is asked of an engine about a trace. */

import { randomUUID } from 'node:crypto';
import type { AnalysisName } from '../analysis/table.ts';
import type { AnalysedImage, AnalysedInput, AnalyseRequest } from '../protocol/analyse.ts';
import { analysedRun } from '../trace/analyses.ts';
import { readBytes, type ByteSource } from '../trace/arrays.ts';
import type { Trace } from '../trace/schema.ts';

export interface AnalyseQuestion<Name extends AnalysisName> {
  name: Name;
  parameters: Record<string, unknown>;
  /** Original pictures, by the picture's id: for those that the trace keeps reduced. */
  originals?: ReadonlyMap<string, Uint8Array>;
  /** Another run, to compare with. */
  other?: { trace: Trace; container: ByteSource } | undefined;
}

/** Reads latents and pictures out of the trace's container. */
export async function analyseRequest<Name extends AnalysisName>(
  trace: Trace,
  source: ByteSource,
  { name, parameters, originals = new Map(), other }: AnalyseQuestion<Name>,
): Promise<AnalyseRequest & { name: Name }> {
  const { model } = trace;
  return {
    id: randomUUID(),
    name,
    parameters,
    run: await analysedRun(trace, source),
    ...(other !== undefined && {
      other: await analysedRun(other.trace, other.container),
      otherInput: await inputOf(other.trace, other.container),
    }),
    model: { name: model.name, fingerprint: model.fingerprint, sha256: model.sha256 },
    ...(await inputOf(trace, source, originals)),
  };
}

/** What a run was given besides its prompt. */
export async function inputOf(
  { settings, pictures, branch, model: { protocol } }: Trace,
  source: ByteSource,
  originals: ReadonlyMap<string, Uint8Array> = new Map(),
): Promise<AnalysedInput> {
  const images: AnalysedImage[] = [];
  for (const { id, name, width, height, png } of pictures) {
    const bytes = originals.get(id) ?? (await readBytes(source, png));
    images.push({ id, name, width, height, bytes });
  }
  const { minPixels, maxPixels, intervention, interventionScope } = settings;
  const { latents, repetitionPenalty, maxTokens } = settings;
  return {
    images,
    settings: { latents, repetitionPenalty, maxTokens },
    minPixels,
    maxPixels,
    protocol,
    masks: branch?.masks,
    replacedBefore: branch?.replacedBefore,
    ...(intervention !== undefined && { intervention: { kind: intervention, scope: interventionScope } }),
  };
}
