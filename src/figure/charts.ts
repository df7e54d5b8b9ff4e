/** The table of charts: what each goes by, which analysis it needs, and what draws it. */

import { message, type Message } from '../base/l10n.ts';
import type { AnalysisName } from '../analysis/table.ts';
import type { Chart, ChartChoices, ChartSource } from './chart.ts';
import { sourcesChart, spanChart } from './charts/along.ts';
import { headsChart } from './charts/heads.ts';
import { lensChart } from './charts/lens.ts';
import { narrowingChart } from './charts/narrowing.ts';
import { pcaChart } from './charts/pca.ts';
import { relevanceChart } from './charts/relevance.ts';
import { similarityChart } from './charts/similarity.ts';
import { timingChart } from './charts/timing.ts';

export interface ChartKind {
  title: Message;
  /** What of a reader's choices it goes by; the others do nothing. */
  uses: readonly (keyof ChartChoices)[];
  /** The trace must keep it. */
  needs?: AnalysisName;
  /** @returns nothing where the trace has nothing to draw */
  draw: (source: ChartSource, choices: ChartChoices) => Chart | undefined | Promise<Chart | undefined>;
}

/** By the names of the tabs that show them. */
export const CHARTS = {
  span: { title: message('Span'), uses: ['layer', 'heads'], draw: spanChart },
  sources: { title: message('Sources'), uses: ['layer', 'shares'], draw: sourcesChart },
  narrowing: { title: message('Narrowing'), uses: ['layer'], draw: narrowingChart },
  similarity: { title: message('Latent similarity'), uses: [], draw: similarityChart },
  lens: { title: message('Lens'), uses: ['latent', 'picture'], needs: 'lens', draw: lensChart },
  pca: { title: message('PCA'), uses: ['plane'], needs: 'pca', draw: pcaChart },
  relevance: { title: message('Relevance'), uses: ['measure'], needs: 'relevance', draw: relevanceChart },
  attention: { title: message('All heads'), uses: ['token'], needs: 'attention', draw: headsChart },
  timing: { title: message('Timing'), uses: [], draw: timingChart },
} as const satisfies Record<string, ChartKind>;

export type ChartName = keyof typeof CHARTS;
export const CHART_NAMES = Object.keys(CHARTS) as ChartName[];

export function isChartName(name: string): name is ChartName {
  return Object.hasOwn(CHARTS, name);
}
