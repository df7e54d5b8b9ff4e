/** `ilvr doubt`: the causal tests over a samples file, with intervals. */

import { CancelledError } from '../base/errors.ts';
import { INTERVENTION_KINDS, type InterventionKind } from '../analysis/intervention.ts';
import type { AnalysisResult } from '../analysis/table.ts';
import { analyseRequest } from '../client/analyseRequest.ts';
import { readSamples, type Sample } from '../dataset/samples.ts';
import { mcNemarExact, meanInterval, pairedDifference, wilsonInterval } from '../dataset/statistics.ts';
import { calibrationText, controlsText } from '../evidence/calibration.ts';
import { summariesOf, variantName, verdictOf, type Finding } from '../evidence/causality.ts';
import { number } from '../evidence/format.ts';
import { questionFor } from '../evaluation/samples.ts';
import { analysedRun } from '../trace/analyses.ts';
import { EXIT, type CliContext } from './context.ts';
import type { GenerationOptions, ModelOptions } from './options.ts';
import { runRequest } from './runRequest.ts';
import { helpersOf, requestFor } from './sampleRuns.ts';
import { withModel, type Session } from './session.ts';
import { label, Styled, type Terminal } from './terminal.ts';

export interface DoubtOptions extends ModelOptions, GenerationOptions {
  limit?: number;
}

type Causality = AnalysisResult<'causality'>;
type Run = Awaited<ReturnType<typeof analysedRun>>;

const NAME = 30;

/**
 * Asks each sample, and tests its run: every variant, another sample's latents among them. Samples without a truth count
 * for words and answers, not for right and wrong.
 * @returns the exit code
 */
export async function doubt(context: CliContext, file: string, options: DoubtOptions): Promise<number> {
  const samples: Sample[] = [];
  for await (const sample of readSamples(file)) {
    if (samples.length >= (options.limit ?? Infinity)) break;
    samples.push(sample);
  }
  return withModel(context, options, async (session) => {
    const results: Causality[] = [];
    let before: Run | undefined;
    try {
      for (const sample of samples) {
        context.terminal.passing(
          `${results.length} of ${samples.length} done`,
          results.length / samples.length,
        );
        const { result, run } = await testOne(context, session, sample, options, before);
        if (result !== undefined) results.push(result);
        before = run ?? before;
      }
    } catch (error) {
      if (!(error instanceof CancelledError)) throw error;
    }
    context.terminal.clearProgress();
    report(context.terminal, results);
    return context.signal.aborted ? EXIT.cancelled : EXIT.ok;
  });
}

async function testOne(
  context: CliContext,
  { client, loaded }: Session,
  sample: Sample,
  options: DoubtOptions,
  before: Run | undefined,
): Promise<{ result?: Causality; run?: Run }> {
  const { question: own } = loaded.defaults;
  // Maps are asked what the model was trained to be asked, as `ilvr evaluate` does.
  const asked = {
    ...sample,
    question: questionFor(sample, own === undefined ? undefined : { question: own, forMapsOnly: true }),
  };
  const request = { ...(await requestFor(asked, options)), helpers: await helpersOf(sample) };
  return runRequest(client, request, { signal: context.signal }, async ({ run, problem }) => {
    if (problem !== undefined) throw problem;
    if (run!.trace.latents.length === 0) return {};
    const own = await analysedRun(run!.trace, run!.container);
    const parameters = { variants: [...INTERVENTION_KINDS], truth: truthOf(sample) };
    const question = await analyseRequest(run!.trace, run!.container, { name: 'causality', parameters });
    const { status, result } = await client.analyse(
      { ...question, ...(before && { other: before }) },
      undefined,
      context.signal,
    );
    if (status === 'cancelled') throw new CancelledError();
    return { run: own, ...(result && { result }) };
  });
}

function truthOf({ map, answer }: Sample): { map?: number[][]; answer?: string } | undefined {
  if (map === undefined && answer === undefined) return undefined;
  return { ...(map && { map }), ...(answer !== undefined && { answer }) };
}

function report(terminal: Terminal, results: readonly Causality[]): void {
  if (results.length === 0) {
    terminal.line('No run had latents to test.');
    return;
  }
  const judged = results.filter(({ own }) => own?.right !== undefined);
  const right = judged.filter(({ own }) => own!.right).length;
  terminal.line(
    label('its own latents', NAME),
    `${results.length} runs · ${share(right, judged.length)} right`,
  );
  for (const kind of INTERVENTION_KINDS) reportKind(terminal, results, kind);
  const findings = results.map((result) => verdictOf(result).finding);
  const count = (finding: Finding): number => findings.filter((each) => each === finding).length;
  terminal.line(
    label('verdicts', NAME),
    `needed ${count('needed')} · mixed ${count('mixed')} · words alone ${count('words')} · nothing ${count('nothing')}`,
  );
  terminal.line(label('rule', NAME), new Styled('dim', verdictOf(results[0]!).rule));
  terminal.line(label('controls', NAME), new Styled('dim', calibrationText()));
}

/** KL with the interval of its mean over runs; answers and accuracy by each run's first draw. */
function reportKind(terminal: Terminal, results: readonly Causality[], kind: InterventionKind): void {
  const tried = results.flatMap((result) => {
    const summary = summariesOf(result).find((each) => each.kind === kind && each.kl !== undefined);
    const [first] = result.variants.find((each) => each.kind === kind)?.free ?? [];
    return summary === undefined || first === undefined
      ? []
      : [{ own: result.own, kl: summary.kl!.mean, first }];
  });
  if (tried.length === 0) return;
  const { mean, low, high } = meanInterval(tried.map(({ kl }) => kl));
  const changed = tried.filter(({ own, first }) => first.answer !== own?.answer).length;
  const parts = [
    `KL ${number(mean)} (${number(Math.max(0, low))} to ${number(high)})`,
    `${share(changed, tried.length)} of the answers changed`,
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
    parts.push(
      `${counts.both + counts.onlyB} of ${pairs.length} right, ${points(difference)} points (${points(from)} to ${points(to)}), p ${mcNemarExact(counts.onlyA, counts.onlyB).toFixed(3)}`,
    );
  }
  terminal.line(label(variantName(kind), NAME), parts.join(' · '));
  terminal.line(label('', NAME), new Styled('dim', `controls: ${controlsText(kind)}`));
}

/** "3 of 12 (8.9 to 53.2 %)" */
function share(some: number, all: number): string {
  const { low, high } = wilsonInterval(some, all);
  return `${some} of ${all} (${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)} %)`;
}
