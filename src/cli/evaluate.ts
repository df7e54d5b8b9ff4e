/** `ilvr evaluate`: a samples file, scored. */

import { join, parse, resolve } from 'node:path';
import { UserError } from '../base/errors.ts';
import { readAllSamples, type Sample } from '../dataset/samples.ts';
import { FED, type Fed } from '../evaluation/fed.ts';
import { ResultsFile, type ResultsHeader, type SampleResult } from '../evaluation/results.ts';
import { fileHash } from '../files/plainFile.ts';
import type { LoadedModel } from '../protocol/engine.ts';
import { EXIT, type CliContext } from './context.ts';
import { reportInterventions } from './interventions.ts';
import { requestOptions, type ModelOptions } from './options.ts';
import { SamplePass, type PassOptions } from './samplePass.ts';
import { withModels, type Session } from './session.ts';
import { reportScores } from './scores.ts';
import { label, type Terminal } from './terminal.ts';

export interface EvaluateOptions extends ModelOptions, PassOptions {
  /** What is fed at the latents; all: each of them in turn. */
  intervene: Fed | 'all';
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

/**
 * Runs the command. Samples that were done in an earlier run of the same results file are not done again.
 * One that cannot be asked, or scored, is told at the start and counts as not answered.
 * @returns the exit code
 * @throws UserError for a file without a sample that can, or for a damaged results file, before the first is run
 */
export async function evaluate(context: CliContext, file: string, options: EvaluateOptions): Promise<number> {
  const { terminal } = context;
  terminal.quiet = options.quiet === true;
  const samples = await firstSamples(file, options);
  tellProblems(terminal, samples);
  const passes = options.intervene === 'all' ? FED : [options.intervene];
  return withModels(context, options, { jobs: options.jobs, tasks: samples.length }, async (sessions) => {
    const [{ loaded }] = sessions as [Session];
    const other = otherQuestion(context, loaded, options);
    const asked = samples.map((sample) =>
      other === undefined || (other.forMapsOnly && sample.map === undefined)
        ? sample
        : { ...sample, question: other.question },
    );
    const header = await headerFor(loaded, file, options, other);
    const runs: Run[] = [];
    try {
      for (const fed of passes) runs.push(await openRun(header, fed, samples.length, options));
      const kept = runs.reduce((sum, { done }) => sum + done.size, 0);
      if (kept > 0) terminal.line(`Kept from an earlier run: ${kept}.`);
      const pass = new SamplePass(context, sessions, asked, options, passes.includes('swap'));
      let finished = true;
      for (const { fed, done, written } of runs) finished &&= await pass.run(fed, done, written);
      report(terminal, samples, runs);
      return finished ? EXIT.ok : EXIT.cancelled;
    } finally {
      for (const { written } of runs) await written?.close();
    }
  });
}

/** One pass over the samples. */
interface Run {
  fed: Fed;
  /** Results by line of the sample. */
  done: Map<number, SampleResult>;
  /** Absent where nothing is kept. */
  written: ResultsFile | undefined;
}

async function openRun(
  header: ResultsHeader,
  fed: Fed,
  count: number,
  { results, intervene }: EvaluateOptions,
): Promise<Run> {
  if (results === undefined) return { fed, done: new Map(), written: undefined };
  const path = intervene === 'all' ? resultsPath(results, fed) : results;
  const settings = {
    ...header.settings,
    ...(fed !== 'own' && { intervention: fed }),
    // Whose latents a sample gets depends on which samples there are.
    ...(fed === 'swap' && { swapAmong: count }),
  };
  const written = await ResultsFile.open(path, { ...header, settings });
  return { fed, done: new Map(written.kept), written };
}

/** "out/r.jsonl" → "out/r.zero.jsonl" */
function resultsPath(path: string, fed: Fed): string {
  const { dir, name, ext } = parse(path);
  return join(dir, `${name}.${fed}${ext}`);
}

function report(terminal: Terminal, samples: Sample[], runs: Run[]): void {
  const resultsOf = ({ done }: Run): SampleResult[] => samples.flatMap(({ line }) => done.get(line) ?? []);
  reportScores(terminal, samples, resultsOf(runs[0]!));
  if (runs.length === 1) return;
  reportInterventions(
    terminal,
    runs.map((run) => ({ fed: run.fed, results: resultsOf(run) })),
  );
}

/**
 * The question to put instead of the samples' own: the caller's for every sample, or the one that the
 * model was trained to answer, for maps.
 */
function otherQuestion(
  { terminal }: CliContext,
  loaded: LoadedModel,
  { question, sampleQuestions }: EvaluateOptions,
): { question: string; forMapsOnly: boolean } | undefined {
  if (question !== undefined) return { question, forMapsOnly: false };
  const own = loaded.defaults.question;
  if (sampleQuestions || own === undefined) return undefined;
  terminal.line(label('asking'), `the model's own question of every map: ${own}`);
  terminal.line(`${' '.repeat(9)}(--sample-questions asks in the file's words)`);
  return { question: own, forMapsOnly: true };
}

/** All are read first, so that a fault in the last one shows before hours of work. */
async function firstSamples(
  file: string,
  { limit = Infinity, pictures }: EvaluateOptions,
): Promise<Sample[]> {
  const samples: Sample[] = [];
  const root = pictures === undefined ? undefined : resolve(pictures);
  // The sample's own answer is not looked at, so its helper pictures need not be there.
  for await (const sample of readAllSamples(file, { plans: false, root })) {
    if (samples.length >= limit) break;
    samples.push(withScoring(sample, file));
  }
  if (samples.length === 0) throw new UserError({ problem: 'This file holds no samples', where: file });
  if (samples.every(({ problem }) => problem !== undefined)) throw samples[0]!.problem!;
  return samples;
}

function withScoring(sample: Sample, file: string): Sample {
  if (sample.problem !== undefined || sample.map !== undefined || sample.answer !== undefined) return sample;
  const problem = new UserError({
    problem: 'This sample cannot be scored',
    expected: 'map_desc or original_final_answer',
    where: `${file}:${sample.line}`,
  });
  return { ...sample, problem };
}

function tellProblems(terminal: Terminal, samples: readonly Sample[]): void {
  const problems = samples.flatMap(({ problem }) => problem ?? []);
  if (problems.length === 0) return;
  const count = `${problems.length} of ${samples.length} samples cannot be evaluated and count as not answered`;
  terminal.error(`${count}; the first: ${problems[0]!.message}`);
}

async function headerFor(
  loaded: LoadedModel,
  file: string,
  options: EvaluateOptions,
  question: ReturnType<typeof otherQuestion>,
): Promise<ResultsHeader> {
  const { repetitionPenalty = loaded.defaults.repetitionPenalty, ...rest } = requestOptions(options);
  const { weights } = loaded.model;
  return {
    format: 'ilvr-results',
    version: 1,
    samples: await fileHash(file, 'samples file'),
    model: loaded.model.sha256 ?? loaded.model.fingerprint,
    provider: loaded.device.provider,
    settings: {
      ...rest,
      repetitionPenalty,
      ...(question !== undefined && { question }),
      // Results that were made before there was a choice are of float32.
      ...(weights !== undefined && weights !== 'float32' && { weights }),
    },
  };
}
