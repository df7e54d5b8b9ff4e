/** What the parts of the comparison's page work with. */

import type { RunComparison } from '../../../comparison/compare.ts';
import type { ComparisonPageHost, ComparisonState, Side } from '../../../protocol/comparison.ts';
import type { Trace } from '../../../trace/schema.ts';
import type { ComparisonModel, ShownRun } from '../../comparisonModel.ts';
import type { ComparisonView, Looked } from '../../logic/comparison.ts';

export interface ComparisonScene {
  model: ComparisonModel;
  state: ComparisonState;
  runs: Record<Side, ShownRun>;
  traces: Record<Side, Trace>;
  comparison: RunComparison;
  view: ComparisonView;
  /** Absent where the runs have no latents and pictures at the same places. */
  looked: Looked | undefined;
  set: (values: Partial<ComparisonView>) => void;
  call: (action: (host: ComparisonPageHost) => Promise<unknown>) => void;
}
