/**
 * Stands in for VS Code in a plain browser page, for the page of a samples file: its rows are filtered and sorted by
 * the host's own code. Bundled into the preview page before the page's own script.
 */

import { fromBase64 } from '../../src/base/base64.ts';
import type { Pass } from '../../src/extension/evaluation/resultsFiles.ts';
import { TableRows } from '../../src/extension/evaluation/rows.ts';
import type { SampleEntry } from '../../src/extension/evaluation/samplesFile.ts';
import type { EvaluationPageHost, EvaluationPageMethods, TableState } from '../../src/protocol/evaluation.ts';
import { packed } from '../../src/protocol/pack.ts';
import { connect } from '../../src/protocol/rpc.ts';
import { keptState } from './previewState.ts';
import { sampleEntries, samplePasses } from './sampleTable.ts';

/** What the script outside the page does with it. */
export interface EvaluationControls {
  /** What the page asked for, in order, but rows and pictures: "openRun 3". */
  calls: string[];
  /** How many rows were asked for. */
  asked: number;
  /** Nothing is stored of the page when it goes. */
  forget(): void;
  /** @param count of samples; of the first `done` there are results */
  table(state: TableState, count: number, done: number, picture: string): Promise<void>;
}

const toHost: ((message: unknown) => void)[] = [];
const calls: string[] = [];
const state = keptState();
let picture = '';
let asked = 0;
const rows = new TableRows();

const record =
  (name: string) =>
  async (...args: unknown[]): Promise<void> => {
    calls.push([name, ...args.map((arg) => JSON.stringify(arg))].join(' '));
  };

const page = connect<EvaluationPageMethods, EvaluationPageHost>(
  {
    ready: record('ready'),
    rows: async (query, from, count) => {
      asked += count;
      return rows.rows(query, from, count);
    },
    picture: async (line) =>
      line % 7 === 0
        ? { problem: 'This picture is too large to be shown.' }
        : { bytes: fromBase64(picture), type: 'image/png', width: 192, height: 192 },
    start: record('start'),
    stop: record('stop'),
    choose: record('choose'),
    selectModel: record('selectModel'),
    openRun: record('openRun'),
    openLine: record('openLine'),
    exportFigures: record('exportFigures'),
    exportRows: record('exportRows'),
    writeReport: record('writeReport'),
    manageTrust: record('manageTrust'),
  },
  packed({
    post: (message) => window.postMessage(message, '*'),
    on: (listener) => toHost.push(listener),
  }),
);

Object.assign(window, {
  acquireVsCodeApi: () => ({
    postMessage: (message: unknown) => toHost.forEach((listener) => listener(structuredClone(message))),
    getState: state.get,
    setState: state.set,
  }),
  preview: {
    calls,
    forget: state.forget,
    get asked() {
      return asked;
    },
    table: (next, count, done, png) => {
      picture = png;
      const entries: SampleEntry[] = sampleEntries(count);
      const passes: Pass[] = samplePasses(entries, done);
      rows.show(entries, passes, next.version);
      return page.show(next);
    },
  } satisfies EvaluationControls,
});
