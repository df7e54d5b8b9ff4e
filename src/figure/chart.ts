/** What a chart is: a figure to take out, and the numbers that it is made of. */

import { t } from '../base/l10n.ts';
import type { AnalysisName, AnalysisResult } from '../analysis/table.ts';
import type { MeasureId } from '../evidence/relevance.ts';
import type { Plane } from '../evidence/scatter.ts';
import type { Shares } from '../evidence/sources.ts';
import type { Choice } from '../trace/choice.ts';
import type { RunMaps } from '../trace/runMaps.ts';
import type { Trace, TracePicture } from '../trace/schema.ts';
import type { NumberTable } from './csv.ts';
import type { Figure } from './figure.ts';
import { originText } from './maps.ts';

export interface Chart {
  figure: Figure;
  numbers: NumberTable;
}

/** What a reader chooses of a chart. Each has some of them only. */
export interface ChartChoices {
  layer: Choice;
  heads: Choice;
  shares: Shares;
  /** Index into trace.latents. */
  latent: number;
  /** Id of a picture. */
  picture: string;
  plane: Plane;
  /** Of relevance. */
  measure: MeasureId;
  /** Index of a token; of those that the result is about. */
  token: number;
}

/** The result of an analysis, and who computed how. */
export interface ChartResult<Name extends AnalysisName = AnalysisName> {
  result: AnalysisResult<Name>;
  /** How it is computed, as a sentence. */
  method: string;
  model?: string | undefined;
  device?: string | undefined;
}

/** What charts are made of. Slices that are not at hand are read. */
export interface ChartSource {
  trace: Trace;
  maps: RunMaps;
  /** What the trace keeps of an analysis; undefined where it keeps none. */
  found: <Name extends AnalysisName>(name: Name) => Promise<ChartResult<Name> | undefined>;
  png: (picture: TracePicture) => Promise<Uint8Array>;
}

/** What stands below the chart of an analysis, after its title: method, who computed it, the run. */
export function analysisCaption(trace: Trace, { method, model, device }: ChartResult): string[] {
  const computed =
    model === undefined
      ? []
      : [device === undefined ? t('Computed by {0}.', model) : t('Computed by {0} on {1}.', model, device)];
  return [method, ...computed, originText(trace)];
}
