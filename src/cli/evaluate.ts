/** `ilvr evaluate`: a samples file, scored. */

import type { Sample } from '../dataset/samples.ts';
import type { FedResults } from '../evaluation/comparison.ts';
import { inOrderOfFed, type Fed } from '../evaluation/fed.ts';
import { paperTable, writeTable, type TableForm } from '../evaluation/paperTable.ts';
import { passPath, ResultsFile, type ResultsHeader } from '../evaluation/results.ts';
import { questionFor, samplesToEvaluate, type OtherQuestion } from '../evaluation/samples.ts';
import { fileHash } from '../files/plainFile.ts';
import type { LoadedModel } from '../protocol/engine.ts';
import { EXIT, type CliContext } from './context.ts';
import { reportInterventions } from './interventions.ts';
import { releasedOptions, requestOptions, type GenerationOptions, type ModelOptions } from './options.ts';
import { tellingParent } from './parent.ts';
import { SampleRuns, swapAmong, type Pass, type PassOptions } from './sampleRuns.ts';
import { withModels, type Session } from './session.ts';
import { reportScores } from './scores.ts';
import { label, type Terminal } from './terminal.ts';
import { UsageError } from './usage.ts';

export interface EvaluationOptions extends ModelOptions, PassOptions {
  /** What is fed at the latents, each in turn. */
  intervene: readonly Fed[];
  /** Engines at a time. */
  jobs?: number;
  results?: string;
  limit?: number;
  /** Asked instead of each sample's own question. */
  question?: string;
  /** Folder that paths to pictures count from; the file's own if absent. */
  pictures?: string;
  /** Ask in the file's words even if the model names a question of its own. */
  sampleQuestions?: boolean;
}

export interface EvaluateOptions extends EvaluationOptions {
  /** Print this table and nothing else. */
  table?: TableForm;
}

/** A samples file evaluated, as far as it came. */
export interface Evaluation {
  /** As they were asked. */
  samples: Sample[];
  header: ResultsHeader;
  passes: FedResults[];
  /** False if it was cancelled. */
  finished: boolean;
  sessions: Session[];
}

/**
 * Runs the command.
 * @returns the exit code
 * @throws UserError as `withEvaluation`
 */
export async function evaluate(context: CliContext, file: string, options: EvaluateOptions): Promise<number> {
  const { terminal } = context;
  const { table, quiet } = options;
  requireOwn(options);
  terminal.quiet = quiet === true;
  const silent = table !== undefined;
  return tellingParent(context, () =>
    withEvaluation(context, file, { ...options, silent }, async ({ samples, passes, finished }) => {
      const done = passes[0]!.results.length;
      if (done === 0) {
        terminal.error(
          `Stopped before the first of ${samples.length} samples was done: there are no figures.`,
        );
      } else if (table !== undefined) {
        if (!finished)
          terminal.error(`${done} of ${samples.length} samples are done; the table is of those.`);
        terminal.print(writeTable(paperTable(passes), table));
      } else {
        reportScores(terminal, samples, passes[0]!.results);
        if (passes.length > 1) reportInterventions(terminal, passes);
      }
      return finished ? EXIT.ok : EXIT.cancelled;
    }),
  );
}

/** @throws UsageError where runs with their own latents, which alone are tested, are not made */
function requireOwn({ tests, intervene }: EvaluateOptions): void {
  if (tests !== true || intervene.includes('own')) return;
  throw new UsageError({
    problem: '--tests is of runs with their own latents, and none is made',
    expected: 'own among what --intervene names',
    found: intervene.join(','),
    remedy: `Give --intervene own,${intervene.join(',')}, or leave out --tests.`,
  });
}

/**
 * Evaluates a samples file. Samples that were done in an earlier run of the same results file are not done again.
 * One that cannot be asked, or scored, is told at the start and counts as not answered.
 * @param options.silent whether nothing but progress and problems is printed
 * @param use gets what there is, with the models still loaded
 * @throws UserError for a file without a sample that can, or for a damaged results file, before the first is run
 */
export async function withEvaluation<T>(
  context: CliContext,
  file: string,
  given: EvaluationOptions & { silent: boolean },
  use: (evaluation: Evaluation) => Promise<T>,
): Promise<T> {
  const { terminal } = context;
  const { silent } = given;
  // What the teacher selects for a sample is of its helper pictures.
  const samples = await samplesToEvaluate(file, { ...given, plans: given.intervene.includes('oracle') });
  tellProblems(terminal, samples);
  const passes = inOrderOfFed(given.intervene);
  const share = { jobs: given.jobs, tasks: samples.length, silent };
  return withModels(context, given, share, async (sessions) => {
    const [{ loaded }] = sessions as [Session];
    const options = releasedOptions(given, loaded);
    const other = otherQuestion(loaded, options, samples);
    if (!silent && other !== undefined && other.forMapsOnly) tellQuestion(terminal, other.question);
    const asked = samples.map((sample) => ({ ...sample, question: questionFor(sample, other) }));
    const header = await headerFor(context, loaded, file, options, other);
    const runs: Pass[] = [];
    try {
      for (const fed of passes) runs.push(await openRun(header, fed, asked, options));
      const kept = runs.reduce((sum, { done }) => sum + done.size, 0);
      if (kept > 0 && !silent) terminal.line(`Kept from an earlier run: ${kept}.`);
      context.tellParent?.({
        type: 'evaluating',
        results: runs.flatMap(({ written }) => written?.path ?? []),
      });
      const quiet = silent || options.quiet === true;
      const finished = await new SampleRuns(context, sessions, asked, { ...options, quiet }, runs).run();
      const results = runs.map(({ fed, done, written }): FedResults & { header: ResultsHeader } => ({
        fed,
        results: asked.flatMap(({ line }) => done.get(line) ?? []),
        header: written?.header ?? header,
      }));
      return await use({ samples: asked, header: results[0]!.header, passes: results, finished, sessions });
    } finally {
      for (const { written } of runs) await written?.close();
    }
  });
}

async function openRun(
  header: ResultsHeader,
  fed: Fed,
  samples: readonly Sample[],
  { results, intervene }: EvaluationOptions,
): Promise<Pass> {
  if (results === undefined) return { fed, done: new Map(), written: undefined };
  const path = intervene.length > 1 ? passPath(results, fed) : results;
  const growing = fed === 'swap' ? swapAmong(samples) : undefined;
  const settings = {
    ...header.settings,
    ...(fed !== 'own' && { intervention: fed }),
    ...(growing && { [growing.setting]: growing.now }),
  };
  const written = await ResultsFile.open(path, { ...header, settings }, growing);
  return { fed, done: new Map(written.kept), written };
}

/**
 * The question to put instead of the samples' own: the caller's for every sample, or the one that the
 * model was trained to answer, for maps where there are some.
 */
export function otherQuestion(
  loaded: LoadedModel,
  { question, sampleQuestions }: Pick<EvaluationOptions, 'question' | 'sampleQuestions'>,
  samples: readonly Pick<Sample, 'map'>[],
): OtherQuestion | undefined {
  if (question !== undefined) return { question, forMapsOnly: false };
  const own = loaded.defaults.question;
  const hasMaps = samples.some(({ map }) => map !== undefined);
  return sampleQuestions || own === undefined || !hasMaps ? undefined : { question: own, forMapsOnly: true };
}

function tellQuestion(terminal: Terminal, question: string): void {
  terminal.line(label('asking'), `the model's own question of every map: ${question}`);
  terminal.line(`${' '.repeat(9)}(--sample-questions asks in the file's words)`);
}

function tellProblems(terminal: Terminal, samples: readonly Sample[]): void {
  const problems = samples.flatMap(({ problem }) => problem ?? []);
  if (problems.length === 0) return;
  const count = `${problems.length} of ${samples.length} samples cannot be evaluated and count as not answered`;
  terminal.error(`${count}; the first: ${problems[0]!.message}`);
}

export async function headerFor(
  { version }: CliContext,
  loaded: LoadedModel,
  file: string,
  options: ModelOptions & GenerationOptions,
  question: OtherQuestion | undefined,
): Promise<ResultsHeader> {
  const { repetitionPenalty = loaded.defaults.repetitionPenalty, ...rest } = requestOptions(options);
  const { weights } = loaded.model;
  const { model, adapter } = options;
  return {
    format: 'ilvr-results',
    version: 1,
    samples: await fileHash(file, 'samples file'),
    model: loaded.model.sha256 ?? loaded.model.fingerprint,
    provider: loaded.device.provider,
    settings: {
      ...rest,
      repetitionPenalty,
      ...(question !== undefined && { question: question.question }),
      // Results that were made before there was a choice are of float32.
      ...(weights !== undefined && weights !== 'float32' && { weights }),
    },
    made: {
      at: new Date().toISOString(),
      version,
      name: loaded.model.name,
      ...(model !== undefined && { model }),
      ...(adapter !== undefined && { adapter }),
      ...(question?.forMapsOnly === true && { ownQuestions: true }),
    },
  };
}
