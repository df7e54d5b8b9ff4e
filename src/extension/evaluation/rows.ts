/** Rows of the table: samples joined with their results, filtered and sorted. No VS Code. */

import { unreachable } from '../../base/errors.ts';
import type { Fed } from '../../evaluation/fed.ts';
import { MOVED } from '../../evidence/causality.ts';
import type { SampleResult, SampleTests } from '../../evaluation/results.ts';
import { csvOf } from '../../figure/csv.ts';
import {
  MAX_CELL_LETTERS,
  MAX_ROWS_AT_ONCE,
  type Column,
  type Outcome,
  type Row,
  type RowQuery,
  type Rows,
  type TestFilter,
} from '../../protocol/evaluation.ts';
import type { Pass } from './resultsFiles.ts';
import type { SampleEntry } from './samplesFile.ts';

export class TableRows {
  private entries: readonly SampleEntry[] = [];
  private passes: readonly Pass[] = [];
  private version = 0;
  /** Of the last query, so that scrolling sorts nothing. */
  private ordered: { key: string; entries: SampleEntry[] } | undefined;

  /** @param version raised whenever rows may have changed */
  show(entries: readonly SampleEntry[], passes: readonly Pass[], version: number): void {
    this.entries = entries;
    this.passes = passes;
    this.version = version;
    this.ordered = undefined;
  }

  rows(query: RowQuery, from: number, count: number): Rows {
    const all = this.order(query);
    const start = Math.max(0, from);
    const seen = all.slice(start, start + Math.min(count, MAX_ROWS_AT_ONCE));
    const rows = seen.map((entry) => this.rowOf(entry, query.fed));
    return { version: this.version, count: all.length, from: start, rows };
  }

  entry(line: number): SampleEntry | undefined {
    return this.entries.find((entry) => entry.line === line);
  }

  /** All rows that pass the filters, in their order. */
  csv(query: RowQuery): string {
    const heads = [
      'line',
      'id',
      'size',
      'question',
      'truth',
      'answer',
      'outcome',
      'blocks',
      'latents',
      'tokens',
      'milliseconds',
      'KL without latents',
      'map faithfulness',
      'map faithfulness from',
      'map faithfulness to',
      'problem',
      ...this.passes.map(({ fed }) => `with ${fed}`),
    ];
    const rows = this.order(query).map((entry) => {
      const row = this.rowOf(entry, query.fed);
      const { line, id, size, question, truth, answer, outcome, blocks, latents, tokens, milliseconds } = row;
      const facts = [line, id, size, question, truth, answer, outcome, blocks, latents, tokens, milliseconds];
      const { value, low, high } = row.faithfulness ?? {};
      return [...facts, row.kl, value, low, high, row.problem ?? row.untested, ...row.outcomes];
    });
    return csvOf({ heads, rows });
  }

  private order(query: RowQuery): SampleEntry[] {
    const key = JSON.stringify(query);
    if (this.ordered?.key === key) return this.ordered.entries;
    const text = query.text.trim().toLowerCase();
    const results = this.passes.find(({ fed }) => fed === query.fed)?.results;
    const kept = this.entries.filter(
      (entry) =>
        (query.size === undefined || entry.size === query.size) &&
        this.hasOutcome(entry, query, results) &&
        (query.tests === undefined || passesTest(this.testsOf(entry), query.tests)) &&
        (text === '' ||
          entry.searched.includes(text) ||
          results?.get(entry.line)?.answer.toLowerCase().includes(text) === true),
    );
    const own = this.passes.find(({ fed }) => fed === 'own')?.results;
    const entries = sorted(kept, query, results, own);
    this.ordered = { key, entries };
    return entries;
  }

  private testsOf({ line }: SampleEntry): SampleTests | undefined {
    return this.passes.find(({ fed }) => fed === 'own')?.results.get(line)?.tests;
  }

  private hasOutcome(
    entry: SampleEntry,
    { outcome }: RowQuery,
    results: ReadonlyMap<number, SampleResult> | undefined,
  ): boolean {
    if (outcome === 'all') return true;
    if (outcome !== 'differs') return outcomeOf(entry, results) === outcome;
    const found = this.passes.flatMap((pass) => pass.results.get(entry.line)?.success ?? []);
    return found.includes(true) && found.includes(false);
  }

  private rowOf(entry: SampleEntry, fed: Fed): Row {
    const results = this.passes.find((pass) => pass.fed === fed)?.results;
    const result = results?.get(entry.line);
    const { line, id, question, truth, size, picture } = entry;
    const problem = entry.problem ?? result?.error;
    return {
      line,
      ...(id !== undefined && { id }),
      question,
      truth,
      ...(size !== undefined && { size }),
      hasPicture: picture !== undefined,
      outcome: outcomeOf(entry, results),
      ...(problem !== undefined && { problem: problem.slice(0, MAX_CELL_LETTERS) }),
      ...(result !== undefined && {
        answer: result.answer.slice(0, MAX_CELL_LETTERS),
        blocks: result.blocks,
        tokens: result.tokens,
        milliseconds: result.milliseconds,
      }),
      ...(result?.latents !== undefined && { latents: result.latents }),
      ...testCells(this.testsOf(entry)),
      outcomes: this.passes.map((pass) => outcomeOf(entry, pass.results)),
    };
  }
}

function testCells(tests: SampleTests | undefined): Pick<Row, 'kl' | 'faithfulness' | 'untested'> {
  if (tests === undefined) return {};
  const { kl, faithfulness, problem } = tests;
  return {
    ...(kl !== undefined && { kl }),
    ...(faithfulness && { faithfulness }),
    ...(problem !== undefined && { untested: problem.slice(0, MAX_CELL_LETTERS) }),
  };
}

/** What was not tested passes no such filter. */
function passesTest(tests: SampleTests | undefined, filter: TestFilter): boolean {
  const { kl, faithfulness } = tests ?? {};
  switch (filter) {
    case 'moves':
      return kl !== undefined && kl >= MOVED;
    case 'still':
      return kl !== undefined && kl < MOVED;
    case 'faithful':
      return faithfulness !== undefined && faithfulness.low > 0;
    case 'unfaithful':
      return faithfulness !== undefined && faithfulness.low <= 0;
    default:
      return unreachable(filter);
  }
}

function outcomeOf(entry: SampleEntry, results: ReadonlyMap<number, SampleResult> | undefined): Outcome {
  if (entry.problem !== undefined) return 'unusable';
  const result = results?.get(entry.line);
  if (result === undefined) return 'open';
  if (result.error !== undefined) return 'failed';
  return result.success ? 'right' : 'wrong';
}

/** Rank of an outcome: what calls for a look comes first. */
const RANKS: Record<Outcome, number> = { unusable: 0, failed: 1, wrong: 2, right: 3, open: 4 };

function sorted(
  entries: SampleEntry[],
  { sort, down }: RowQuery,
  results: ReadonlyMap<number, SampleResult> | undefined,
  own: ReadonlyMap<number, SampleResult> | undefined,
): SampleEntry[] {
  if (sort === 'line') return down ? entries.toReversed() : entries;
  // Tests are of the runs with their own latents, whichever are shown.
  const of = sort === 'kl' || sort === 'faithfulness' ? own : results;
  const keyed = entries.map((entry) => ({ entry, key: keyOf(entry, sort, of) }));
  const sign = down ? -1 : 1;
  keyed.sort((a, b) => {
    // What has no value stands last either way.
    if (a.key === undefined || b.key === undefined)
      return Number(a.key === undefined) - Number(b.key === undefined);
    return a.key < b.key ? -sign : a.key > b.key ? sign : 0;
  });
  return keyed.map(({ entry }) => entry);
}

function keyOf(
  entry: SampleEntry,
  column: Exclude<Column, 'line'>,
  results: ReadonlyMap<number, SampleResult> | undefined,
): string | number | undefined {
  const result = results?.get(entry.line);
  switch (column) {
    case 'question':
      return entry.question;
    case 'truth':
      return entry.truth;
    case 'answer':
      return result?.answer;
    case 'outcome':
      return RANKS[outcomeOf(entry, results)];
    case 'blocks':
      return result?.blocks;
    case 'tokens':
      return result?.tokens;
    case 'time':
      return result?.milliseconds;
    case 'kl':
      return result?.tests?.kl;
    case 'faithfulness':
      return result?.tests?.faithfulness?.value;
    default:
      return unreachable(column);
  }
}
