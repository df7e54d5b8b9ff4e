/**
 * Stands in for VS Code in a plain browser page, for the page that compares two runs. Bundled into the preview page before
 * the page's own script.
 */

import { decode } from 'zod';
import { compareRuns } from '../../src/comparison/compare.ts';
import type { BlockLikeness } from '../../src/comparison/latents.ts';
import type { AnalysisResult } from '../../src/analysis/table.ts';
import type {
  ComparisonPageHost,
  ComparisonPageMethods,
  ComparisonState,
} from '../../src/protocol/comparison.ts';
import { packed } from '../../src/protocol/pack.ts';
import { connect } from '../../src/protocol/rpc.ts';
import { traceSchema, type Trace } from '../../src/trace/schema.ts';
import { ask, askForSlices } from './pageArrays.ts';
import { keptState } from './previewState.ts';

/** What the script outside the page does with it. */
export interface ComparisonControls {
  /** What the page asked for, in order, but arrays: "openRun b". */
  calls: string[];
  forget(): void;
  /** Shows two manifests. @param likeness of their latents, as the host computes it */
  compare(a: string, b: string, likeness: BlockLikeness[] | null): Promise<void>;
}

const toHost: ((message: unknown) => void)[] = [];
const calls: string[] = [];
const kept = keptState();
let shown: Pick<ComparisonState, 'a' | 'b'> | undefined;
let latents: BlockLikeness[] | null = null;

/** Invented, but of the words that both runs wrote. */
function divergence(): AnalysisResult<'divergence'> {
  const { words } = compareRuns(shown!.a.trace, shown!.b.trace);
  return {
    words: words.map(({ a, b }, i) => ({
      a,
      b,
      kl: (i % 5) * 0.2,
      reverse: (i % 5) * 0.19,
      logA: -0.1,
      logB: -0.1 - (i % 3) * 0.2,
    })),
  };
}

const page = connect<ComparisonPageMethods, ComparisonPageHost>(
  {
    ready: async () => void calls.push('ready'),
    slice: ({ id, run, query }) => askForSlices({ id, run, query }),
    cancelSlice: async ({ id }) => void (await ask({ type: 'cancel', id })),
    picture: async ({ run, picture }) => (await ask({ type: 'picture', run, picture }))[0]!,
    likeness: async () => latents,
    computeDivergence: async () => {
      calls.push('computeDivergence');
      await page.found({ result: divergence() });
    },
    cancelDivergence: async () => void calls.push('cancelDivergence'),
    openRun: async (side) => void calls.push(`openRun ${side}`),
  },
  packed({
    post: (message) => window.postMessage(message, '*'),
    on: (listener) => toHost.push(listener),
  }),
);

function traceOf(json: string): Trace {
  return decode(traceSchema, JSON.parse(json) as Parameters<typeof decode<typeof traceSchema>>[1]);
}

Object.assign(window, {
  acquireVsCodeApi: () => ({
    postMessage: (message: unknown) => toHost.forEach((listener) => listener(structuredClone(message))),
    getState: kept.get,
    setState: kept.set,
  }),
  preview: {
    calls,
    forget: kept.forget,
    compare: (a, b, likeness) => {
      latents = likeness;
      shown = {
        a: { name: 'map-05', trace: traceOf(a) },
        b: { name: 'map-05, a branch', trace: traceOf(b) },
      };
      return page.show({ ...shown, refs: { a: 'run:a', b: 'run:b' } });
    },
  } satisfies ComparisonControls,
});
