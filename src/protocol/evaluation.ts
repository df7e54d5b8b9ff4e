/**
 * A samples file as a table: both directions of the channel between the extension host and the page.
 *
 * The host holds the rows; the page asks for those that are seen, in the order and under the filters that it names.
 */

import type { Difference } from '../evaluation/comparison.ts';
import type { Fed } from '../evaluation/fed.ts';
import type { Mean, Share } from '../evaluation/figures.ts';
import type { TableForm } from '../evaluation/paperTable.ts';

/** Rows that a table may have; what a file holds beyond is told. */
export const MAX_TABLE_ROWS = 100_000;
/** Rows that are asked for at a time. */
export const MAX_ROWS_AT_ONCE = 200;
/** What can be searched for, and what is shown of a text in a cell. */
export const MAX_CELL_LETTERS = 300;

/** Host → page. */
export interface EvaluationPageMethods {
  /** Replaces everything but the rows, which are asked for again where `version` is another. */
  show(state: TableState): Promise<void>;
}

/** Page → host. */
export interface EvaluationPageHost {
  /** The page's script has started; the host answers with `show`. */
  ready(): Promise<void>;
  rows(query: RowQuery, from: number, count: number): Promise<Rows>;
  /** The first picture of a sample. */
  picture(line: number): Promise<RowPicture>;
  start(choice: StartChoice): Promise<void>;
  /** Ends the evaluation after the samples at work; what is done is kept. */
  stop(): Promise<void>;
  /** Shows another evaluation of these samples. */
  choose(id: string): Promise<void>;
  selectModel(): Promise<void>;
  /** Runs a sample as the evaluation did, with all that is looked at, and shows it in the panel. */
  openRun(line: number): Promise<void>;
  /** Opens the samples file as text, at a line. */
  openLine(line: number): Promise<void>;
  /** Saves or copies figures or rows. */
  exportFigures(form: TableForm, to: 'file' | 'clipboard'): Promise<void>;
  exportRows(query: RowQuery): Promise<void>;
  /** Runs what is left of every intervention, and writes a page about what the latents carry. */
  writeReport(limit?: number): Promise<void>;
  /** Opens VS Code's page about trust, which unlocks the page. */
  manageTrust(): Promise<void>;
}

export interface StartChoice {
  /** What is fed at the latents, each in turn. */
  passes: Fed[];
  /** Whether each run with its own latents is tested too. */
  tests: boolean;
  /** Only the first so many samples. */
  limit?: number;
}

export interface TableState {
  /** Raised when rows may have changed. */
  version: number;
  name: string;
  file: string;
  /** Samples read so far; all of them once `reading` is false. */
  samples: number;
  reading: boolean;
  /** The file holds more samples than a table shows. */
  cut: boolean;
  /** Samples that cannot be asked or scored, and why the first of them. */
  unusable: number;
  problem?: string;
  /** Why there is no table at all. */
  failure?: string;
  /** Rows of the maps that occur, ascending. */
  sizes: number[];
  /** Name of the model that a start would evaluate. */
  model: string;
  /** Evaluations of these samples that are at hand, the newest first. */
  evaluations: { id: string; name: string }[];
  evaluation?: EvaluationState;
  /** Why nothing can be started or opened from the page; absent when it can. */
  locked?: string;
}

export interface EvaluationState {
  id: string;
  /** Whether its process is at work. */
  running: boolean;
  /** What goes on before the first sample. */
  starting?: boolean;
  /** Why it ended before its time. */
  failure?: string;
  /** Model, device, settings, in words. */
  facts: string[];
  passes: PassState[];
  /** Over the runs that were tested; absent where none was. */
  tests?: TestsState;
  /** Samples done in all passes, and to be done. */
  done: number;
  total: number;
  secondsLeft?: number;
}

/** KL per word without latents, in nats, and the first map's score. */
export interface TestsState {
  kl?: Mean;
  faithfulness?: Mean;
}

/** The figures of one pass, as `ilvr evaluate` has them. */
export interface PassState {
  fed: Fed;
  all: Share;
  sizes: { size: number; share: Share }[];
  notAnswered: number;
  /** Against own. */
  effect?: Omit<Difference, 'counts'> & {
    /** Too few answers are right for p to say anything of a loss. */
    open: boolean;
  };
}

export const OUTCOMES = ['right', 'wrong', 'failed', 'open', 'unusable'] as const;
/** How a sample stands in a pass; `failed`: it was asked and there is no answer; `open`: it was not asked yet. */
export type Outcome = (typeof OUTCOMES)[number];

export const COLUMNS = [
  'line',
  'question',
  'truth',
  'answer',
  'outcome',
  'blocks',
  'tokens',
  'time',
  'kl',
  'faithfulness',
] as const;
export type Column = (typeof COLUMNS)[number];

/**
 * - moves, still: the words move by MOVED nats or more without latents, or by less
 * - faithful, unfaithful: the map's score lies above 0 with its whole interval, or does not
 */
export const TEST_FILTERS = ['moves', 'still', 'faithful', 'unfaithful'] as const;
export type TestFilter = (typeof TEST_FILTERS)[number];

export interface RowQuery {
  /** Whose answers are shown. */
  fed: Fed;
  /** `differs`: right in one pass and wrong in another. */
  outcome: Outcome | 'all' | 'differs';
  /** By the tests of the run with its own latents; absent: all. */
  tests?: TestFilter;
  /** Rows of the map. */
  size?: number;
  /** Letters that question, truth, answer or id hold; any case. */
  text: string;
  sort: Column;
  down: boolean;
}

export interface Rows {
  version: number;
  /** How many pass the filters. */
  count: number;
  from: number;
  rows: Row[];
}

export interface Row {
  line: number;
  id?: string;
  question: string;
  truth: string;
  size?: number;
  hasPicture: boolean;
  outcome: Outcome;
  /** Why it cannot be asked, or has no answer. */
  problem?: string;
  answer?: string;
  blocks?: number;
  latents?: number;
  tokens?: number;
  milliseconds?: number;
  /** Tests of the run with its own latents: nats per word without them; the first map's score. */
  kl?: number;
  faithfulness?: { value: number; low: number; high: number };
  /** Why they could not be made. */
  untested?: string;
  /** Of every pass, in their order. */
  outcomes: Outcome[];
}

export interface RowPicture {
  /** The file's bytes, bounded; of a format that browsers decode. */
  bytes?: Uint8Array;
  type?: string;
  /** In pixels. */
  width?: number;
  height?: number;
  /** Why it is not shown. */
  problem?: string;
}
