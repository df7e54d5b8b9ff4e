/** `ilvr evaluate`: a samples file, scored. */

import { randomUUID } from 'node:crypto';
import { CancelledError, UserError } from '../base/errors.ts';
import { EngineDiedError } from '../client/engineClient.ts';
import { readSamples, type Sample } from '../dataset/samples.ts';
import {
  boxedMoves,
  finalAnswer,
  movesIn,
  normaliseAnswer,
  releasedPath,
  simulate,
  strictMoves,
} from '../dataset/scoring.ts';
import type { ReasonRequest } from '../protocol/engine.ts';
import { answerText } from '../trace/steps.ts';
import { EXIT, type CliContext } from './context.ts';
import { requestOptions, type GenerationOptions, type ModelOptions } from './options.ts';
import { readImage, runRequest } from './reason.ts';
import { appendResult, fileHash, openResults, type ResultsHeader, type SampleResult } from './results.ts';
import { withModel, type Session } from './session.ts';
import { reportScores } from './scores.ts';
import { printable } from './terminal.ts';

export interface EvaluateOptions extends ModelOptions, GenerationOptions {
  results?: string;
  limit?: number;
  /** Asked instead of each sample's own question. */
  question?: string;
  /** Ask in the file's words even if the model names a question of its own. */
  sampleQuestions?: boolean;
}

/**
 * Runs the command. Samples that were done in an earlier run of the same results file are not done again.
 * @returns the exit code
 * @throws UserError for a damaged samples or results file, before the first sample is run
 */
export async function evaluate(context: CliContext, file: string, options: EvaluateOptions): Promise<number> {
  const samples = await firstSamples(file, options.limit);
  return withModel(context, options, async (session) => {
    const other = otherQuestion(context, session, options);
    const asked = samples.map((sample) =>
      other === undefined || (other.forMapsOnly && sample.map === undefined)
        ? sample
        : { ...sample, question: other.question },
    );
    const done = await earlierResults(session, file, options, other);
    if (done.size > 0) context.terminal.line(`Kept from an earlier run: ${done.size}.`);
    const finished = await runSamples(context, session, asked, done, options);
    const results = samples.flatMap(({ line }) => done.get(line) ?? []);
    reportScores(context.terminal, samples, results);
    return finished ? EXIT.ok : EXIT.cancelled;
  });
}

/**
 * The question to put instead of the samples' own: the caller's for every sample, or the one that the
 * model was trained to answer, for maps.
 */
function otherQuestion(
  { terminal }: CliContext,
  { loaded }: Session,
  { question, sampleQuestions }: EvaluateOptions,
): { question: string; forMapsOnly: boolean } | undefined {
  if (question !== undefined) return { question, forMapsOnly: false };
  const own = loaded.defaults.question;
  if (sampleQuestions || own === undefined) return undefined;
  terminal.line(
    `${terminal.style('dim', 'asking'.padEnd(9))}the model's own question of every map: ${printable(own)}`,
  );
  terminal.line(`${' '.repeat(9)}(--sample-questions asks in the file's words)`);
  return { question: own, forMapsOnly: true };
}

/** All are read first, so that a fault in the last one shows before hours of work. */
async function firstSamples(file: string, limit = Infinity): Promise<Sample[]> {
  const samples: Sample[] = [];
  // The sample's own answer is not looked at, so its helper pictures need not be there.
  for await (const sample of readSamples(file, { plans: false })) {
    if (samples.length >= limit) break;
    if (sample.map === undefined && sample.answer === undefined) {
      throw new UserError({
        problem: 'This sample cannot be scored',
        expected: 'map_desc or original_final_answer',
        where: `${file}:${sample.line}`,
      });
    }
    samples.push(sample);
  }
  if (samples.length === 0) throw new UserError({ problem: 'This file holds no samples', where: file });
  return samples;
}

async function earlierResults(
  { loaded }: Session,
  file: string,
  options: EvaluateOptions,
  question: ReturnType<typeof otherQuestion>,
): Promise<Map<number, SampleResult>> {
  if (options.results === undefined) return new Map();
  const { repetitionPenalty = loaded.defaults.repetitionPenalty, ...rest } = requestOptions(options);
  const settings = {
    ...rest,
    repetitionPenalty,
    ...(question !== undefined && { question }),
  };
  const header: ResultsHeader = {
    format: 'ilvr-results',
    version: 1,
    samples: await fileHash(file),
    model: loaded.model.sha256 ?? loaded.model.fingerprint,
    provider: loaded.device.provider,
    settings,
  };
  return openResults(options.results, header);
}

/** @returns false if it was cancelled */
async function runSamples(
  context: CliContext,
  session: Session,
  samples: Sample[],
  done: Map<number, SampleResult>,
  options: EvaluateOptions,
): Promise<boolean> {
  const { terminal, signal } = context;
  for (const sample of samples) {
    if (done.has(sample.line)) continue;
    if (signal.aborted) return false;
    terminal.passing(`${done.size} of ${samples.length} done`, done.size / samples.length);
    const result = await withRestart(context, session, () => runSample(context, session, sample, options));
    if (result === undefined) return false;
    if (options.results !== undefined) await appendResult(options.results, result);
    done.set(sample.line, result);
    terminal.line(resultLine(context, result));
  }
  return true;
}

/**
 * One sample is lost if the engine dies, between two samples or inside one: it is started again and the
 * sample done anew. Dying twice on the same one is no accident and ends the evaluation.
 */
async function withRestart<T>({ signal }: CliContext, session: Session, run: () => Promise<T>): Promise<T> {
  await session.restore();
  try {
    return await run();
  } catch (error) {
    if (signal.aborted || !(error instanceof EngineDiedError || session.isLost())) throw error;
    await session.restore();
    return run();
  }
}

/** @returns undefined if it was cancelled */
async function runSample(
  { signal }: CliContext,
  { client, isLost }: Session,
  sample: Sample,
  options: EvaluateOptions,
): Promise<SampleResult | undefined> {
  const started = performance.now();
  const request = await requestFor(sample, options);
  const { trace, problem } = await runRequest(client, request, signal, () => undefined);
  if (problem instanceof CancelledError) return undefined;
  // A picture that the engine refuses is a wrong answer of this sample; anything else ends the evaluation.
  if (problem !== undefined && (isLost() || !(problem instanceof UserError))) throw problem;
  const text = trace === undefined ? '' : answerText(trace);
  return {
    line: sample.line,
    ...(sample.mapId !== undefined && { mapId: sample.mapId }),
    ...(sample.map !== undefined && { size: sample.map.length }),
    text,
    ...score(sample, text),
    blocks: trace?.blocks.length ?? 0,
    tokens: trace?.tokens.length ?? 0,
    milliseconds: Math.round(performance.now() - started),
    ...(problem !== undefined && { success: false, verdict: 'error', error: problem.message }),
  };
}

/** Scores an answer: by walking its plan where there is a map, else by comparing with the sample's own. */
export function score(
  { map, answer = '' }: Pick<Sample, 'map' | 'answer'>,
  text: string,
): Pick<SampleResult, 'answer' | 'verdict' | 'success' | 'strict' | 'released'> {
  if (map === undefined) {
    const found = normaliseAnswer(finalAnswer(text));
    const success = found === normaliseAnswer(answer);
    return { answer: found, verdict: success ? 'as expected' : `expected ${answer}`, success };
  }
  const moves = boxedMoves(text);
  const { success, status } = simulate(map, moves);
  const strict = strictMoves(text);
  return {
    answer: moves.join(''),
    verdict: status,
    success,
    strict: strict !== undefined && simulate(map, strict).success,
    released: simulate(map, movesIn(releasedPath(text))).success,
  };
}

async function requestFor(sample: Sample, options: EvaluateOptions): Promise<ReasonRequest> {
  const { question } = sample;
  return {
    id: randomUUID(),
    question,
    images: await Promise.all(sample.images.map(readImage)),
    // A sample's helper images belong to its own answer; nothing of them may reach the model.
    helpers: [],
    helperMode: 'reference',
    placement: question.includes('<image>') ? 'placeholder' : 'first',
    ...requestOptions(options),
  };
}

function resultLine({ terminal }: CliContext, result: SampleResult): string {
  const mark = result.success ? terminal.style('green', '✓') : terminal.style('red', '✗');
  const name = result.mapId ?? `line ${result.line}`;
  return `${mark} ${name.padEnd(8)} ${printable(result.answer).slice(0, 40).padEnd(10)} ${printable(result.error ?? result.verdict)}`;
}
