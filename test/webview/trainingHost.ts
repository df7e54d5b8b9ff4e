/**
 * Stands in for VS Code in a plain browser page, for the page of a training run. Bundled into the preview
 * page before the page's own script.
 */

import { packed } from '../../src/protocol/pack.ts';
import { connect } from '../../src/protocol/rpc.ts';
import type {
  Look,
  TrainingChange,
  TrainingPageHost,
  TrainingPageMethods,
  TrainingState,
} from '../../src/protocol/training.ts';
import { keptState } from './previewState.ts';

/** What the script outside the page does with it. */
export interface TrainingControls {
  /** What the page asked for, in order: "watch 3 5". */
  calls: string[];
  state: unknown;
  /** Nothing is stored of the page when it goes. */
  forget(): void;
  show(state: TrainingState, looks: Look[]): Promise<void>;
  change(change: TrainingChange): Promise<void>;
}

const toHost: ((message: unknown) => void)[] = [];
const calls: string[] = [];
const state = keptState();
let known: Look[] = [];

const record =
  (name: string) =>
  async (...args: unknown[]): Promise<void> => {
    calls.push([name, ...args.map((arg) => JSON.stringify(arg))].join(' '));
  };

const page = connect<TrainingPageMethods, TrainingPageHost>(
  {
    ready: record('ready'),
    pause: record('pause'),
    resume: record('resume'),
    stop: record('stop'),
    openConfig: record('openConfig'),
    openError: record('openError'),
    manageTrust: record('manageTrust'),
    showFolder: async () => {
      throw new Error('The preview has no folders.');
    },
    watch: record('watch'),
    look: async (step, sample) => {
      const look = known.find(({ watched }) => watched.step === step && watched.sample === sample);
      if (look === undefined) throw new Error(`There is no look at sample ${sample} after step ${step}.`);
      return look;
    },
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
    get state() {
      return state.get();
    },
    forget: state.forget,
    show: (next, looks) => {
      known = looks;
      return page.show(next);
    },
    change: (change) => page.change(change),
  } satisfies TrainingControls,
});
