/** `ilvr calibrate`: every causal test on the bundled models whose latents are known, over pictures that are drawn for it. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { INTERVENTION_KINDS } from '../analysis/intervention.ts';
import { PICTURE_CHANGES } from '../analysis/pictureChange.ts';
import type { AnalysedRun } from '../analysis/run.ts';
import { ANALYSES, type AnalysisName, type AnalysisResult } from '../analysis/table.ts';
import { CancelledError } from '../base/errors.ts';
import { analyseRequest, inputOf } from '../client/analyseRequest.ts';
import { readSamples, type Sample } from '../dataset/samples.ts';
import {
  KNOWN_MODELS,
  tellsApart,
  type Calibration,
  type CalibratedTest,
  type KnownModel,
  type TestName,
} from '../evidence/calibration.ts';
import { summariesOf } from '../evidence/causality.ts';
import { withoutPicture } from '../evidence/faithfulness.ts';
import { knownWorlds } from '../examples/knownWorlds.ts';
import { requireWritable, writeJson } from '../files/replaceFile.ts';
import { generateMaps } from '../mazes/generate.ts';
import { MAP_DEFAULTS } from '../mazes/stream.ts';
import type { AnalysedInput } from '../protocol/analyse.ts';
import { REASON_DEFAULTS } from '../protocol/engine.ts';
import { analysedRun } from '../trace/analyses.ts';
import type { OpenTrace } from '../traceFile/openTrace.ts';
import { generateWorlds } from '../worlds/generate.ts';
import { EXIT, type CliContext } from './context.ts';
import { integer } from './options.ts';
import { tellingParent } from './parent.ts';
import { runRequest } from './runRequest.ts';
import { helpersOf, requestFor } from './sampleRuns.ts';
import { withModel, type Session } from './session.ts';
import { label, Styled } from './terminal.ts';

/** A model of which it is known what its latents do, and what it is asked about. */
interface Known {
  /** Its folder among the bundled models. */
  folder: string;
  /** Of the sample, or the one that the model was taught. */
  question: 'sample' | 'model';
  /** The samples that are drawn: held out, none that it was trained on. */
  draw: (folder: string, count: number, signal: AbortSignal) => Promise<string>;
}

const KNOWN: Record<KnownModel, Known> = {
  carrying: { folder: 'control-carrying', question: 'model', draw: drawMaps },
  bypassed: { folder: 'control-bypassed', question: 'model', draw: drawMaps },
  worlds: { folder: 'worlds', question: 'sample', draw: drawWorlds },
};
/** Few: the figure is a mean over maps. */
const FAITHFULNESS = { points: 2, orders: 3 };
/** With the helper pictures that a teacher selects from. */
const MAPS = { ...MAP_DEFAULTS, split: 'held-out', form: 'latents', minMoves: 2 } as const;
/** In each world as many, so that one's latents fit into another's blocks. */
const MOVES = [3];
const QUIET = (): void => undefined;

async function drawMaps(folder: string, count: number, signal: AbortSignal): Promise<string> {
  const { samplesFile } = await generateMaps(folder, { ...MAPS, count }, { signal, onProgress: QUIET });
  return samplesFile;
}

async function drawWorlds(folder: string, count: number, signal: AbortSignal): Promise<string> {
  const settings = knownWorlds(0, count, MOVES);
  return (await generateWorlds(folder, settings, { signal, onProgress: QUIET })).samplesFile;
}

interface CalibrateOptions {
  maps: number;
  out?: string;
}

/** Effects in nats, by test. */
type Effects = Map<string, number[]>;
type KnownEffects = [KnownModel, Effects];

/** Adds the command. */
export function addCalibrate(program: Command, context: CliContext, finished: (code: number) => void): void {
  program
    .command('calibrate')
    .description(
      'compute what each causal test says of the bundled models whose latents are known: two controls, and worlds',
    )
    .option('--maps <n>', 'maps, and worlds, that are drawn for it', integer('a number of maps', 2), 4)
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
    const found: KnownEffects[] = [];
    for (const [i, model] of KNOWN_MODELS.entries()) {
      const samples = await KNOWN[model].draw(join(folder, model), maps, signal);
      const told = (done: number): void => {
        terminal.error(`${model}: picture ${done} of ${maps}`);
        const fraction = (i + done / maps) / KNOWN_MODELS.length;
        context.tellParent?.({ type: 'progress', fraction });
      };
      found.push([model, await effectsOf(context, KNOWN[model], samples, told)]);
    }
    const calibration = calibrationOf(context.version, maps, Object.fromEntries(found));
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
  { folder, question }: Known,
  file: string,
  told: (done: number) => void,
): Promise<Effects> {
  const options = { model: join(context.models, folder), device: 'cpu', weights: 'float32' } as const;
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
        const asked =
          question === 'model' ? (session.loaded.defaults.question ?? sample.question) : sample.question;
        before = await testSample({ context, session }, { ...sample, question: asked }, before, note);
        told(++done);
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

async function testSample(
  { context: { signal }, session: { client } }: Place,
  sample: Sample,
  before: Other | undefined,
  note: (test: TestName, nats: number) => void,
): Promise<Other> {
  const request = { ...(await requestFor(sample, GREEDY)), helpers: await helpersOf(sample) };
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
    for (const { answer } of latents) note('faithfulness', Math.abs(withoutPicture(answer)));
    return otherOf(run!);
  });
}

const GREEDY = { ...REASON_DEFAULTS, maxTokens: 300 };

async function otherOf({ trace, container }: OpenTrace): Promise<Other> {
  return { run: await analysedRun(trace, container), input: await inputOf(trace, container) };
}

function calibrationOf(version: string, maps: number, found: Record<string, Effects>): Calibration {
  const mean = (values: readonly number[]): number => {
    const sum = values.reduce((total, value) => total + value, 0);
    return Number((sum / Math.max(1, values.length)).toPrecision(3));
  };
  const tests = [...found['carrying']!.keys()];
  const of = (test: string) =>
    Object.fromEntries(KNOWN_MODELS.map((model) => [model, mean(found[model]!.get(test) ?? [])]));
  return {
    date: new Date().toISOString().slice(0, 10),
    version,
    maps,
    versions: {
      causality: ANALYSES.causality.version,
      dependence: ANALYSES.dependence.version,
      faithfulness: ANALYSES.faithfulness.version,
    },
    tests: Object.fromEntries(tests.map((test) => [test, of(test) as CalibratedTest])),
  };
}

const COLUMN = 11;

function report({ terminal }: CliContext, calibration: Calibration): void {
  terminal.line(label('test', 16), KNOWN_MODELS.map((model) => model.padEnd(COLUMN)).join(''), 'nats');
  for (const [test, found] of Object.entries(calibration.tests)) {
    const isApart = tellsApart(test as TestName, calibration);
    terminal.line(
      label(test, 16),
      KNOWN_MODELS.map((model) => String(found[model]).padEnd(COLUMN)).join(''),
      isApart ? 'tells them apart' : new Styled('red', 'does not tell them apart: not offered'),
    );
  }
}
