/**
 * Runs every causal test on the two bundled controls, whose latents carry the answer by construction or cannot reach it,
 * and writes what they said to src/evidence/calibrated.ts, which pages and the command line show beside each test.
 *
 *     npx tsx scripts/calibrate.ts
 */

import '../src/ort/noTelemetry.ts';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { INTERVENTION_KINDS } from '../src/analysis/intervention.ts';
import { ANALYSES, type AnalysisName, type AnalysisResult } from '../src/analysis/table.ts';
import { openCheckpoint } from '../src/checkpoint/checkpoint.ts';
import { analyseRequest } from '../src/client/analyseRequest.ts';
import { helperImagesOf, readSamples } from '../src/dataset/samples.ts';
import { analyse } from '../src/engine/analyse.ts';
import type { CalibratedTest, Calibration } from '../src/evidence/calibration.ts';
import { summariesOf } from '../src/evidence/causality.ts';
import { Model } from '../src/inference/model.ts';
import { analysedRun } from '../src/trace/analyses.ts';
import type { OpenTrace } from '../src/traceFile/openTrace.ts';
import { completeRun } from '../test/fixtures/reasonRun.ts';

const ROOT = join(import.meta.dirname, '..');
const FILE = join(ROOT, 'src/evidence/calibrated.ts');
const MAPS = 4;
/** Few: the figure is a mean over maps. */
const FAITHFULNESS = { points: 2, orders: 3 };

/** One effect, by test. */
type Effects = Map<string, number[]>;

async function effectsOf(name: string): Promise<Effects> {
  const model = await Model.open(await openCheckpoint(join(ROOT, 'models', name)), 'cpu');
  const effects: Effects = new Map();
  const note = (test: string, kl: number): void => {
    effects.set(test, [...(effects.get(test) ?? []), kl]);
  };
  let other: OpenTrace | undefined;
  let done = 0;
  for await (const sample of readSamples(join(ROOT, 'examples/samples.jsonl'))) {
    if (done++ >= MAPS) break;
    const helpers = await Promise.all(
      helperImagesOf(sample).map(async (helper) => ({ name: helper.name, bytes: await helper.read() })),
    );
    const run = await completeRun(model, { image: sample.images[0]!.path!, helpers, maxTokens: 300 });
    const ask = <Name extends AnalysisName>(analysis: Name, parameters: Record<string, unknown>) =>
      resultOf(model, run, other, analysis, parameters);
    const causality = await ask('causality', { variants: [...INTERVENTION_KINDS] });
    for (const { kind, kl } of summariesOf(causality)) if (kl !== undefined) note(kind, kl.mean);
    const { changes } = await ask('dependence', {});
    for (const { change, through } of changes) if (through) note(change, through.kl);
    const { latents } = await ask('faithfulness', FAITHFULNESS);
    for (const { answer } of latents) note('faithfulness', Math.abs(answer.deletion.data.at(-1)!));
    other = run;
    console.log(`${name}: map ${done} of ${MAPS}`);
  }
  await model.release();
  return effects;
}

async function resultOf<Name extends AnalysisName>(
  model: Model,
  { trace, container }: OpenTrace,
  other: OpenTrace | undefined,
  name: Name,
  parameters: Record<string, unknown>,
): Promise<AnalysisResult<Name>> {
  const request = await analyseRequest(trace, container, { name, parameters });
  const donor = other && (await analysedRun(other.trace, other.container));
  const { result } = await analyse(
    {
      model,
      identity: { name: 'control', fingerprint: model.checkpoint.fingerprint },
      found: () => undefined,
      progress: () => undefined,
      pause: async () => undefined,
    },
    { ...request, ...(donor && { other: donor }) },
  );
  return result as AnalysisResult<Name>;
}

const [carrying, bypassed] = [await effectsOf('control-carrying'), await effectsOf('control-bypassed')];
const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
const short = (value: number): number => Number(value.toPrecision(3));
const tests = Object.fromEntries(
  [...carrying].map(([test, values]): [string, CalibratedTest] => [
    test,
    { carrying: short(mean(values)), bypassed: short(mean(bypassed.get(test) ?? [])) },
  ]),
);
const calibration: Calibration = {
  date: new Date().toISOString().slice(0, 10),
  maps: MAPS,
  versions: {
    causality: ANALYSES.causality.version,
    dependence: ANALYSES.dependence.version,
    faithfulness: ANALYSES.faithfulness.version,
  },
  tests,
};
const head = '/** Written by scripts/calibrate.ts; see ./calibration.ts. */\n\n';
writeFileSync(FILE, `${head}export const CALIBRATED = ${JSON.stringify(calibration, null, 2)};\n`);
execFileSync('npx', ['prettier', '--write', FILE]);
console.log(calibration);
