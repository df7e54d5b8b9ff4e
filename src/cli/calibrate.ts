/** `ilvr calibrate`: every causal test on the two bundled controls, over maps that are drawn for it. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { INTERVENTION_KINDS } from '../analysis/intervention.ts';
import { PICTURE_CHANGES } from '../analysis/pictureChange.ts';
import type { AnalysedRun } from '../analysis/run.ts';
import type { AnalysisName, AnalysisResult } from '../analysis/table.ts';
import { CancelledError } from '../base/errors.ts';
import { analyseRequest, inputOf } from '../client/analyseRequest.ts';
import { readSamples, type Sample } from '../dataset/samples.ts';
import { tellsApart, TEST_VERSIONS, type Calibration, type TestName } from '../evidence/calibration.ts';
import { summariesOf } from '../evidence/causality.ts';
import { requireWritable, writeJson } from '../files/replaceFile.ts';
import { generateMaps } from '../mazes/generate.ts';
import { MAP_DEFAULTS } from '../mazes/stream.ts';
import type { AnalysedInput } from '../protocol/analyse.ts';
import { REASON_DEFAULTS } from '../protocol/engine.ts';
import { analysedRun } from '../trace/analyses.ts';
import type { OpenTrace } from '../traceFile/openTrace.ts';
import { EXIT, type CliContext } from './context.ts';
import { integer } from './options.ts';
import { tellingParent } from './parent.ts';
import { runRequest } from './runRequest.ts';
import { helpersOf, requestFor } from './sampleRuns.ts';
import { withModel, type Session } from './session.ts';
import { label, Styled } from './terminal.ts';

/** Of which it is known what their latents do: folders beside the bundled model. */
const CONTROLS = { carrying: 'control-carrying', bypassed: 'control-bypassed' } as const;
/** Few: the figure is a mean over maps. */
const FAITHFULNESS = { points: 2, orders: 3 };
/** None that a control was trained on, with the helper pictures that a teacher selects from. */
const MAPS = { ...MAP_DEFAULTS, split: 'held-out', form: 'latents', minMoves: 2 } as const;

interface CalibrateOptions {
  maps: number;
  out?: string;
}

/** Effects in nats, by test. */
type Effects = Map<string, number[]>;

/** Adds the command. */
export function addCalibrate(program: Command, context: CliContext, finished: (code: number) => void): void {
  program
    .command('calibrate')
    .description(
      'compute what each causal test says of the two bundled control models, whose latents are known',
    )
    .option('--maps <n>', 'maps that are drawn for it', integer('a number of maps', 2), 4)
    .option('--out <file>', 'write the figures there as JSON')
    .action(async (options: CalibrateOptions) => {
      finished(await tellingParent(context, () => calibrate(context, options)));
    });
}

async function calibrate(context: CliContext, { maps, out }: CalibrateOptions): Promise<number> {
  const { signal, terminal } = context;
  if (out !== undefined) await requireWritable(out);
  const folder = await mkdtemp(join(tmpdir(), 'ilvr-calibrate-'));
  try {
    if (out !== undefined) context.tellParent?.({ type: 'calibrating', out });
    const settings = { ...MAPS, count: maps };
    const { samplesFile } = await generateMaps(folder, settings, { signal, onProgress: () => undefined });
    const effects: Partial<Record<keyof typeof CONTROLS, Effects>> = {};
    for (const control of ['carrying', 'bypassed'] as const)
      effects[control] = await effectsOf(context, control, samplesFile, maps);
    const calibration = calibrationOf(context.version, maps, effects.carrying!, effects.bypassed!);
    terminal.clearProgress();
    report(context, calibration);
    if (out !== undefined) await writeJson(out, calibration);
    return EXIT.ok;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function effectsOf(
  context: CliContext,
  control: keyof typeof CONTROLS,
  file: string,
  maps: number,
): Promise<Effects> {
  const model = join(context.models, CONTROLS[control]);
  const options = { model, device: 'cpu', weights: 'float32' } as const;
  return withModel(
    context,
    options,
    async (session) => {
      const effects: Effects = new Map();
      const note = (test: TestName, nats: number): void => {
        effects.set(test, [...(effects.get(test) ?? []), nats]);
      };
      let before: Other | undefined;
      let done = 0;
      for await (const sample of readSamples(file)) {
        if (context.signal.aborted) throw new CancelledError('The calibration');
        before = await testMap({ context, session }, sample, before, note);
        context.terminal.error(`${control}: map ${++done} of ${maps}`);
        context.tellParent?.({
          type: 'progress',
          fraction: (done / maps + (control === 'bypassed' ? 1 : 0)) / 2,
        });
      }
      return effects;
    },
    { silent: true },
  );
}

/** Another run: its latents, and its pictures. */
interface Other {
  run: AnalysedRun;
  input: AnalysedInput;
}

interface Place {
  context: CliContext;
  session: Session;
}

async function testMap(
  { context: { signal }, session: { client, loaded } }: Place,
  sample: Sample,
  before: Other | undefined,
  note: (test: TestName, nats: number) => void,
): Promise<Other> {
  const asked = { ...sample, question: loaded.defaults.question ?? sample.question };
  const request = { ...(await requestFor(asked, GREEDY)), helpers: await helpersOf(sample) };
  return runRequest(client, request, { signal }, async ({ run, problem }) => {
    if (problem !== undefined) throw problem;
    const ask = async <Name extends AnalysisName>(
      name: Name,
      parameters: Record<string, unknown>,
    ): Promise<AnalysisResult<Name>> => {
      const question = await analyseRequest(run!.trace, run!.container, { name, parameters });
      const other = before && { other: before.run, otherInput: before.input };
      const { status, result } = await client.analyse({ ...question, ...other }, undefined, signal);
      if (status === 'cancelled' || result === undefined) throw new CancelledError('The calibration');
      return result;
    };
    const causality = await ask('causality', { variants: [...INTERVENTION_KINDS] });
    for (const { kind, kl } of summariesOf(causality)) if (kl !== undefined) note(kind, kl.mean);
    const { changes } = await ask('dependence', { changes: [...PICTURE_CHANGES] });
    for (const { change, through } of changes) if (through !== undefined) note(change, through.kl);
    const { latents } = await ask('faithfulness', FAITHFULNESS);
    for (const { answer } of latents) note('faithfulness', Math.abs(answer.deletion.data.at(-1)!));
    return otherOf(run!);
  });
}

const GREEDY = { ...REASON_DEFAULTS, maxTokens: 300 };

async function otherOf({ trace, container }: OpenTrace): Promise<Other> {
  return { run: await analysedRun(trace, container), input: await inputOf(trace, container) };
}

function calibrationOf(version: string, maps: number, carrying: Effects, bypassed: Effects): Calibration {
  const mean = (values: readonly number[]): number => {
    const sum = values.reduce((total, value) => total + value, 0);
    return Number((sum / Math.max(1, values.length)).toPrecision(3));
  };
  return {
    date: new Date().toISOString().slice(0, 10),
    version,
    maps,
    versions: TEST_VERSIONS,
    tests: Object.fromEntries(
      [...carrying].map(([test, values]) => [
        test,
        { carrying: mean(values), bypassed: mean(bypassed.get(test) ?? []) },
      ]),
    ),
  };
}

function report({ terminal }: CliContext, calibration: Calibration): void {
  terminal.line(label('test', 16), 'carrying   bypassed   nats');
  for (const [test, { carrying, bypassed }] of Object.entries(calibration.tests)) {
    const isApart = tellsApart(test as TestName, calibration);
    terminal.line(
      label(test, 16),
      `${String(carrying).padEnd(10)} ${String(bypassed).padEnd(10)} `,
      isApart ? 'tells them apart' : new Styled('red', 'does not tell them apart: not offered'),
    );
  }
}
