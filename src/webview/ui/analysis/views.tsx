/** What shows each analysis: a table over the same names as src/analysis/table.ts, so that a new one needs its view. */

import type { VNode } from 'preact';
import type { AnalysisName, AnalysisResult, PanelAnalysis } from '../../../analysis/table.ts';
import type { Scene } from '../scene.ts';
import { CausalityView } from '../doubt/CausalityView.tsx';
import { DecompositionView } from '../doubt/DecompositionView.tsx';
import { DependenceView } from '../doubt/DependenceView.tsx';
import { FaithfulnessView } from '../doubt/FaithfulnessView.tsx';
import { AttentionView } from './AttentionView.tsx';
import { LensView } from './LensView.tsx';
import { OtherRunView } from './OtherRunView.tsx';
import { PcaView } from './PcaView.tsx';
import { RelevanceView } from './RelevanceView.tsx';

/** Draws a result, whole or partial. */
export type ResultView<Name extends AnalysisName> = (props: {
  scene: Scene;
  result: AnalysisResult<Name>;
}) => VNode | null;

export const ANALYSIS_VIEWS: { [Name in PanelAnalysis]: ResultView<Name> } = {
  attention: AttentionView,
  causality: CausalityView,
  decomposition: DecompositionView,
  dependence: DependenceView,
  faithfulness: FaithfulnessView,
  lens: LensView,
  pca: PcaView,
  relevance: RelevanceView,
  similarity: OtherRunView,
};
