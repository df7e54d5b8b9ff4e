/** `ilvr doubt`: the causal tests over a samples file, with intervals, and what blocks are made of. */

import { resolve } from 'node:path';
import { CancelledError, UserError } from '../base/errors.ts';
import { INTERVENTION_KINDS, type InterventionKind } from '../analysis/intervention.ts';
import type { AnalysedRun } from '../analysis/run.ts';
import type { AnalysisResult } from '../analysis/table.ts';
import { analyseRequest } from '../client/analyseRequest.ts';
import { readAllSamples, type Sample } from '../dataset/samples.ts';
import { mcNemarExact, meanInterval, pairedDifference, wilsonInterval } from '../dataset/statistics.ts';
import { couldShowLoss, SIGNIFICANCE, tooFewRight } from '../evaluation/comparison.ts';
import { decompositionTable } from '../evaluation/decomposition.ts';
import { DOUBT, DOUBT_SETTINGS, doubtEntry, untested, type DoubtEntry } from '../evaluation/doubt.ts';
import { writeTable, type TableForm } from '../evaluation/paperTable.ts';
import { ResultsFile } from '../evaluation/results.ts';
import { noSamples, questionFor } from '../evaluation/samples.ts';
import { probability } from '../evaluation/words.ts';
import { calibrationText, controlsText } from '../evidence/calibration.ts';
import { natsText, variantName, verdictRule, type Finding } from '../evidence/causality.ts';
import { analysedRun } from '../trace/analyses.ts';
import type { OpenTrace } from '../traceFile/openTrace.ts';
import { EXIT, type CliContext } from './context.ts';
import { headerFor, otherQuestion } from './evaluate.ts';
import type { GenerationOptions, ModelOptions } from './options.ts';
import { runRequest } from './runRequest.ts';
import { donorOf, helpersOf, inOrder, requestFor, swapAmong, withRestart } from './sampleRuns.ts';
import { withModels, type Session } from './session.ts';
import { label, Styled, type Terminal } from './terminal.ts';
import { truthIn } from './truth.ts';

export interface DoubtOptions extends ModelOptions, GenerationOptions {
  limit?: number;
  /** Asked instead of each sample's own question. */
  question?: string;
  /** Folder that paths to pictures count from; the file's own if absent. */
  pictures?: string;
  /** Ask in the file's words even if the model names a question of its own. */
  sampleQuestions?: boolean;
  /** Engines at a time. */
  jobs?: number;
  /** The file to go on with; true: beside the samples. */
  resume?: string | true;
  /** Print the decomposition as this table and nothing else. */
  table?: TableForm;
  /** Share right that the gain of blocks is counted from; absent: of no block. */
  base?: number;
}

const NAME = 30;

/**
 * Asks each sample, and tests its run: every variant, another sample's latents among them. Samples without a truth count
 * for words and answers, not for right and wrong; one that cannot be asked or tested says so in its row.
 * @returns the exit code
 */
export async function doubt(context: CliContext, file: string, options: DoubtOptions): Promise<number> {
  const { terminal, signal } = context;
  const samples = await samplesOf(file, options);
  const silent = options.table !== undefined;
  return withModels(
    context,
    options,
    { jobs: options.jobs, tasks: samples.length, silent },
    async (sessions) => {
      const [{ loaded }] = sessions as [Session];
      const other = otherQuestion(loaded, options, samples);
      const asked = samples.map((sample) => ({ ...sample, question: questionFor(sample, other) }));
      const header = await headerFor(context, loaded, file, options, other);
      const growing = swapAmong(asked);
      const settings = { ...header.settings, ...DOUBT_SETTINGS, [growing.setting]: growing.now };
      const path = options.resume === true ? `${file.replace(/\.jsonl$/, '')}.doubt.jsonl` : options.resume;
      const written =
        path === undefined
          ? undefined
          : await ResultsFile.openAs(path, { ...header, format: DOUBT.format, settings }, DOUBT, growing);
      try {
        const done = new Map(written?.kept);
        if (done.size > 0 && !silent) terminal.line(`Kept from an earlier run: ${done.size}.`);
        await new DoubtRuns(context, sessions, asked, options).run(done, written);
        terminal.clearProgress();
        const entries = asked.flatMap(({ line }) => done.get(line) ?? []);
        if (options.table !== undefined)
          terminal.print(writeTable(decompositionTable(entries, options.base), options.table));
        else report(terminal, entries, samples.length, options.base);
        return signal.aborted ? EXIT.cancelled : EXIT.ok;
      } finally {
        await written?.close();
      }
    },
  );
}

/** @throws UserError for a file without a sample that can be asked */
async function samplesOf(
  file: string,
  { limit = Infinity, pictures }: Pick<DoubtOptions, 'limit' | 'pictures'>,
): Promise<Sample[]> {
  const samples: Sample[] = [];
  const root = pictures === undefined ? undefined : resolve(pictures);
  for await (const { sample } of readAllSamples(file, { root })) {
    if (samples.length >= limit) break;
    samples.push(sample);
  }
  if (samples.length === 0) throw noSamples(file);
  if (samples.every(({ problem }) => problem !== undefined)) throw samples[0]!.problem!;
  return samples;
}

class DoubtRuns {
  private readonly context: CliContext;
  private readonly sessions: Session[];
  private readonly samples: Sample[];
  private readonly options: DoubtOptions;
  /** With their own latents, by line of the sample: what a swap takes. */
  private readonly runs = new Map<number, AnalysedRun>();

  constructor(context: CliContext, sessions: Session[], samples: Sample[], options: DoubtOptions) {
    [this.context, this.sessions, this.samples, this.options] = [context, sessions, samples, options];
  }

  /** Tests what is not done yet, and adds it to what is, until it is cancelled. */
  async run(done: Map<number, DoubtEntry>, written: ResultsFile<DoubtEntry> | undefined): Promise<void> {
    const { terminal, signal } = this.context;
    const count = this.samples.length;
    await inOrder(
      this.sessions,
      this.samples.filter(({ line }) => !done.has(line)),
      async (session, sample) => {
        if (signal.aborted) return undefined;
        try {
          return await withRestart(this.context, session, () => this.test(session, sample));
        } catch (error) {
          if (error instanceof CancelledError) return undefined;
          throw error;
        }
      },
      async (entry) => {
        await written?.append(entry);
        done.set(entry.line, entry);
        if (this.options.table === undefined) terminal.line(...rowOf(entry));
        terminal.passing(`${done.size} of ${count} done`, done.size / count);
      },
    );
  }

  /** @throws CancelledError, and what ends the whole */
  private async test(session: Session, sample: Sample): Promise<DoubtEntry> {
    if (sample.problem !== undefined) return untested(sample, sample.problem.message);
    try {
      return await this.withRun(session, sample, async (run) => {
        if (run.trace.latents.length === 0) return doubtEntry(sample, undefined);
        return doubtEntry(sample, await this.causality(session, sample, run));
      });
    } catch (error) {
      if (error instanceof CancelledError || !(error instanceof UserError) || session.isLost()) throw error;
      return untested(sample, error.message);
    }
  }

  private async causality(
    session: Session,
    sample: Sample,
    { trace, container }: OpenTrace,
  ): Promise<AnalysisResult<'causality'>> {
    const parameters = { variants: [...INTERVENTION_KINDS], truth: truthIn(sample) };
    const other = await this.donorFor(session, sample);
    const question = await analyseRequest(trace, container, { name: 'causality', parameters });
    const { status, result } = await session.client.analyse(
      { ...question, ...(other && { other }) },
      undefined,
      this.context.signal,
    );
    if (status === 'cancelled' || result === undefined) throw new CancelledError();
    return result;
  }

  /** As of `ilvr evaluate`; undefined where it is the sample itself, or has no run. */
  private async donorFor(session: Session, sample: Sample): Promise<AnalysedRun | undefined> {
    const donor = donorOf(this.samples, sample);
    if (donor.line === sample.line) return undefined;
    const known = this.runs.get(donor.line);
    if (known !== undefined) return known;
    try {
      return await this.withRun(session, donor, async () => this.runs.get(donor.line));
    } catch (error) {
      // Its own row tells.
      if (error instanceof UserError && !session.isLost()) return undefined;
      throw error;
    }
  }

  private async withRun<T>(
    { client }: Session,
    sample: Sample,
    use: (run: OpenTrace) => Promise<T>,
  ): Promise<T> {
    const { signal } = this.context;
    const request = { ...(await requestFor(sample, this.options)), helpers: await helpersOf(sample) };
    return runRequest(client, request, { signal }, async ({ run, problem }) => {
      if (problem !== undefined) throw problem;
      this.runs.set(sample.line, await analysedRun(run!.trace, run!.container));
      return use(run!);
    });
  }
}

const FINDINGS: Record<Finding, string> = {
  needed: 'needed',
  mixed: 'mixed',
  words: 'words alone',
  nothing: 'nothing',
  open: 'open',
};

/** "✓ map-01   LU         needed · markers alone: KL 1.66" */
function rowOf({ line, mapId, own, kinds, finding, error }: DoubtEntry): (string | Styled)[] {
  const name = ` ${(mapId ?? `line ${line}`).padEnd(8)} `;
  if (error !== undefined) return [new Styled('red', '✗'), name, error];
  if (own === undefined) return ['·', name, 'no latents to test'];
  const mark = own.right === undefined ? '·' : own.right ? new Styled('green', '✓') : new Styled('red', '✗');
  const markers = kinds.find(({ kind }) => kind === 'markers');
  const kl = markers === undefined ? '' : ` · ${variantName('markers')}: KL ${natsText(markers.kl)}`;
  return [mark, name, `${(own.answer ?? '').slice(0, 40).padEnd(10)} ${FINDINGS[finding ?? 'open']}${kl}`];
}

function report(terminal: Terminal, entries: readonly DoubtEntry[], samples: number, base?: number): void {
  terminal.line();
  if (entries.length < samples)
    terminal.line(`${entries.length} of ${samples} samples are done; these figures are of those.`);
  const failed = entries.filter(({ error }) => error !== undefined).length;
  if (failed > 0) terminal.line(label('not tested', NAME), `${failed}, in no figure`);
  const tested = entries.filter(({ own }) => own !== undefined);
  if (tested.length === 0) {
    terminal.line('No run had latents to test.');
    return;
  }
  const judged = tested.filter(({ own }) => own?.right !== undefined);
  const right = judged.filter(({ own }) => own!.right).length;
  terminal.line(
    label('its own latents', NAME),
    `${tested.length} runs · ${share(right, judged.length)} right`,
  );
  for (const kind of INTERVENTION_KINDS) reportKind(terminal, tested, kind);
  const own = { both: right, onlyA: 0 };
  if (judged.length > 0 && !couldShowLoss(own)) terminal.line(label('p', NAME), tooFewRight(own));
  const count = (finding: Finding): number => tested.filter((each) => each.finding === finding).length;
  terminal.line(
    label('verdicts', NAME),
    (['needed', 'mixed', 'words', 'nothing', 'open'] as const)
      .filter((finding) => finding !== 'open' || count(finding) > 0)
      .map((finding) => `${FINDINGS[finding]} ${count(finding)}`)
      .join(' · '),
  );
  terminal.line(label('rule', NAME), new Styled('dim', verdictRule()));
  terminal.line(label('controls', NAME), new Styled('dim', calibrationText()));
  reportDecomposition(terminal, tested, base);
}

/** KL with the interval of its mean over runs; answers and accuracy by each run's first draw. */
function reportKind(terminal: Terminal, entries: readonly DoubtEntry[], kind: InterventionKind): void {
  const tried = entries.flatMap(({ own, kinds }) => {
    const found = kinds.find((each) => each.kind === kind);
    return found === undefined ? [] : [{ own, kl: found.kl, first: found.first }];
  });
  if (tried.length === 0) return;
  const { mean, low, high } = meanInterval(tried.map(({ kl }) => kl));
  // A run that states no answer has none that could change.
  const stated = tried.filter(({ own }) => own?.answer !== undefined);
  const changed = stated.filter(({ own, first }) => first.answer !== own?.answer).length;
  const parts = [
    `KL ${natsText(mean)} (${natsText(Math.max(0, low))} to ${natsText(high)})`,
    stated.length === 0
      ? 'no run stated an answer'
      : `${share(changed, stated.length)} of the answers changed`,
  ];
  const pairs = tried.filter(({ own, first }) => own?.right !== undefined && first.right !== undefined);
  if (pairs.length > 0) {
    const both = (a: boolean, b: boolean): number =>
      pairs.filter(({ own, first }) => own!.right === a && first.right === b).length;
    const counts = {
      both: both(true, true),
      onlyA: both(true, false),
      onlyB: both(false, true),
      neither: both(false, false),
    };
    const { difference, low: from, high: to } = pairedDifference(counts);
    const points = (value: number): string => (100 * value).toFixed(1);
    const p = mcNemarExact(counts.onlyA, counts.onlyB);
    const open = p >= SIGNIFICANCE && !couldShowLoss(counts);
    parts.push(
      `${counts.both + counts.onlyB} of ${pairs.length} right, ${points(difference)} points (${points(from)} to ${points(to)}), p ${probability(p)}`,
      ...(open ? ['which decides nothing'] : []),
    );
  }
  terminal.line(label(variantName(kind), NAME), parts.join(' · '));
  terminal.line(label('', NAME), new Styled('dim', `controls: ${controlsText(kind)}`));
}

/** The table that arXiv 2606.01287 prints: what is left of the blocks, and how much of their gain is kept. */
function reportDecomposition(terminal: Terminal, entries: readonly DoubtEntry[], base?: number): void {
  const { heads, rows, notes } = decompositionTable(entries, base);
  if (rows[0]![4] === '0/0' && rows[1]![9] === '') return;
  const widths = heads.map((head, column) =>
    Math.max(...[head, ...rows.map((row) => row[column]!)].map((cell) => cell.length)),
  );
  terminal.line();
  terminal.line(new Styled('dim', 'Blocks taken apart (after arXiv 2606.01287):'));
  for (const row of [heads, ...rows])
    terminal.line(
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    );
  for (const note of notes) terminal.line(new Styled('dim', note));
}

/** "3 of 12 (8.9 to 53.2 %)" */
function share(some: number, all: number): string {
  const { low, high } = wilsonInterval(some, all);
  return `${some} of ${all} (${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)} %)`;
}
