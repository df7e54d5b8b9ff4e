/** What is asked of an engine about a trace. */

import { randomUUID } from 'node:crypto';
import type { AnalysedRun } from '../analysis/run.ts';
import type { AnalysisName } from '../analysis/table.ts';
import type { AnalyseRequest } from '../protocol/analyse.ts';
import { analysedRun } from '../trace/analyses.ts';
import { readBytes, type ByteSource } from '../trace/arrays.ts';
import type { Trace } from '../trace/schema.ts';

export interface AnalyseQuestion<Name extends AnalysisName> {
  name: Name;
  parameters: Record<string, unknown>;
  /** Original pictures, by the picture's id: for those that the trace keeps reduced. */
  originals?: ReadonlyMap<string, Uint8Array>;
  /** Another run, to compare with. */
  other?: AnalysedRun | undefined;
}

/** Reads latents and pictures out of the trace's container. */
export async function analyseRequest<Name extends AnalysisName>(
  trace: Trace,
  source: ByteSource,
  { name, parameters, originals = new Map(), other }: AnalyseQuestion<Name>,
): Promise<AnalyseRequest & { name: Name }> {
  const { model, settings, pictures } = trace;
  const images: AnalyseRequest['images'] = [];
  for (const { id, name: picture, width, height, png } of pictures) {
    const bytes = originals.get(id) ?? (await readBytes(source, png));
    images.push({ id, name: picture, width, height, bytes });
  }
  return {
    id: randomUUID(),
    name,
    parameters,
    run: await analysedRun(trace, source),
    ...(other !== undefined && { other }),
    model: { name: model.name, fingerprint: model.fingerprint, sha256: model.sha256 },
    images,
    minPixels: settings.minPixels,
    maxPixels: settings.maxPixels,
    ...(settings.intervention !== undefined && {
      intervention: { kind: settings.intervention, scope: settings.interventionScope },
    }),
  };
}
