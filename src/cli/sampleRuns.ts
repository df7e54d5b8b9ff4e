/**
 * The samples of an evaluation, run by several engines side by side. What differs in what is fed at the latents goes
 * through the model together. Results are written and shown in the order of the samples, whichever engine is done first;
 * but a swap that had to wait for another sample's latents comes after all that had not.
 */

import { randomUUID } from 'node:crypto';
import { CancelledError, UserError } from '../base/errors.ts';
import { EngineDiedError } from '../client/ends.ts';
import { blocksOf, targetsOf, vectorsOf } from '../client/latents.ts';
import { helperImagesOf, type Sample } from '../dataset/samples.ts';
import { isOfOwnRun, type Fed } from '../evaluation/fed.ts';
import type { Growing, ResultsFile, SampleResult, SampleTests } from '../evaluation/results.ts';
import { placementOf } from '../evaluation/samples.ts';
import { score } from '../evaluation/score.ts';
import { TESTS_VERSION } from '../evaluation/tests.ts';
import type { ImageInput } from '../protocol/engine.ts';
import type { ReasonEvent } from '../trace/events.ts';
import type { Trace } from '../trace/schema.ts';
import { answerText } from '../trace/steps.ts';
import type { CliContext } from './context.ts';
import { requestOptions, type GenerationOptions } from './options.ts';
import { reportNotes } from './reporter.ts';
import { interventionOf, NO_RUNS, type FedRuns } from './reason.ts';
import { runVariants, type RunRequest } from './runRequest.ts';
import { testsOf } from './sampleTests.ts';
import type { Session } from './session.ts';
import { Styled, type Part } from './terminal.ts';
import type { OpenTrace } from '../traceFile/openTrace.ts';

export interface PassOptions extends GenerationOptions {
  /** Prints the figures only. */
  quiet?: boolean;
  /** Also tests every run with its own latents. */
  tests?: boolean;
}

/** What is fed at the latents in one pass over the samples, and its results so far. */
export interface Pass {
  fed: Fed;
  /** By line of the sample. */
  done: Map<number, SampleResult>;
  /** Absent where nothing is kept. */
  written?: ResultsFile | undefined;
}

/** What a run of a sample is fed. */
interface Feeding {
  pass: Pass;
  runs: FedRuns;
}

/** What else is wanted of a run with its own latents. */
interface Wishes {
  /** What the teacher would select for it. */
  targets: boolean;
  tests: boolean;
}

/** Remarks of a file of samples that are shown: each picture could have its own. */
const MAX_NOTES = 8;

const NO_WISHES: Wishes = { targets: false, tests: false };

/** A run with its own latents, as far as others need it. */
interface OwnRun {
  vectors: Float32Array[];
  blocks: Float32Array[][];
  targets: Float32Array[][];
}

interface Asked {
  trace?: Trace;
  own?: OwnRun;
  tests?: SampleTests;
  /** How long the tests took. */
  testing?: number;
  problem?: UserError;
}

interface Timed {
  feeding: Feeding;
  asked: Asked;
  /** Of the run; of several that went together, its share. */
  milliseconds: number;
}

/** A run with the model's own latents that no pass asks for. */
const OWN: Feeding = { pass: { fed: 'own', done: new Map() }, runs: NO_RUNS };

/** Runs the samples of an evaluation: what several passes feed a sample goes through the model together. */
export class SampleRuns {
  private readonly context: CliContext;
  private readonly sessions: Session[];
  private readonly samples: Sample[];
  private readonly options: PassOptions;
  private readonly passes: readonly Pass[];
  /** Own latents by line of the sample; only kept where a swap will ask for them. */
  private readonly ownLatents = new Map<number, Float32Array[]>();
  private readonly keepsLatents: boolean;
  private readonly noted = new Set<string>();

  constructor(
    context: CliContext,
    sessions: Session[],
    samples: Sample[],
    options: PassOptions,
    passes: readonly Pass[],
  ) {
    this.context = context;
    this.sessions = sessions;
    this.samples = samples;
    this.options = options;
    this.passes = passes;
    this.keepsLatents = passes.some(({ fed }) => fed === 'swap');
  }

  /** Whether nothing is left to be done for a sample in a pass. */
  private isDone({ fed, done }: Pass, { line }: Sample): boolean {
    const result = done.get(line);
    if (result === undefined || fed !== 'own' || this.options.tests !== true) return result !== undefined;
    return result.error !== undefined || result.tests?.version === TESTS_VERSION;
  }

  /**
   * Runs what is not done yet and adds it to what is. A swap waits until all samples were seen, unless the latents that it
   * feeds are known when its sample's turn comes.
   * @returns false if it was cancelled
   */
  async run(): Promise<boolean> {
    const known = (sample: Sample): boolean => this.ownLatents.has(donorOf(this.samples, sample).line);
    return (
      (await this.round((sample, { fed }) => fed !== 'swap' || known(sample))) &&
      (await this.round(() => true))
    );
  }

  private async round(isDue: (sample: Sample, pass: Pass) => boolean): Promise<boolean> {
    const open = (sample: Sample): Pass[] =>
      this.passes.filter((pass) => !this.isDone(pass, sample) && (sample.problem ?? isDue(sample, pass)));
    return inOrder(
      this.sessions,
      this.samples.filter((sample) => this.passes.some((pass) => !this.isDone(pass, sample))),
      async (session, sample) => {
        if (this.context.signal.aborted) return undefined;
        try {
          return await withRestart(this.context, session, () =>
            this.runSample(session, sample, open(sample)),
          );
        } catch (error) {
          if (error instanceof CancelledError) return undefined;
          throw error;
        }
      },
      async (results) => {
        for (const [pass, result] of results) {
          await pass.written?.append(result);
          pass.done.set(result.line, result);
          this.report(pass, result);
        }
      },
    );
  }

  private report({ fed }: Pass, result: SampleResult): void {
    if (this.options.quiet) return;
    const { terminal } = this.context;
    terminal.line(...resultLine(result), ...(this.passes.length > 1 ? [` · ${fed}`] : []));
    const done = this.passes.reduce((sum, pass) => sum + pass.done.size, 0);
    const all = this.passes.length * this.samples.length;
    terminal.passing(`${done} of ${all} done`, done / all);
  }

  /** @throws CancelledError, and what ends the whole evaluation */
  private async runSample(
    session: Session,
    sample: Sample,
    passes: readonly Pass[],
  ): Promise<[Pass, SampleResult][]> {
    const { problem } = sample;
    if (problem !== undefined) return passes.map((pass) => [pass, notAnswered(sample, problem)]);
    const [later, first] = [
      passes.filter(({ fed }) => isOfOwnRun(fed)),
      passes.filter(({ fed }) => !isOfOwnRun(fed)),
    ];
    const feedings: Feeding[] = [];
    for (const pass of first) {
      const latents = pass.fed === 'swap' ? await this.latentsOf(session, donorOf(this.samples, sample)) : [];
      feedings.push({ pass, runs: { ...NO_RUNS, latents } });
    }
    const wishes = {
      targets: later.some(({ fed }) => fed === 'oracle'),
      tests: this.options.tests === true && first.some(({ fed }) => fed === 'own'),
    };
    if (later.length > 0 && !first.some(({ fed }) => fed === 'own')) feedings.push(OWN);
    if (feedings.length === 0) return [];
    const asked = await this.timed(session, sample, feedings, wishes);
    const own = asked.find(({ feeding: { pass } }) => pass.fed === 'own')?.asked.own;
    const [able, unable] = [
      later.filter((pass) => hasRuns(pass, own)),
      later.filter((pass) => !hasRuns(pass, own)),
    ];
    const after = able.map((pass): Feeding => ({ pass, runs: runsOf(pass, own) }));
    if (after.length > 0) asked.push(...(await this.timed(session, sample, after, NO_WISHES)));
    return [
      ...asked
        .filter(({ feeding }) => feeding !== OWN)
        .map((each): [Pass, SampleResult] => [each.feeding.pass, resultOf(sample, each)]),
      ...unable.map((pass): [Pass, SampleResult] => [pass, notAnswered(sample, NOTHING_SELECTED)]),
    ];
  }

  private async timed(
    session: Session,
    sample: Sample,
    feedings: readonly Feeding[],
    wishes: Wishes,
  ): Promise<Timed[]> {
    const started = performance.now();
    const asked = await this.ask(session, sample, feedings, wishes);
    const testing = asked.reduce((sum, each) => sum + (each.testing ?? 0), 0);
    const milliseconds = Math.round((performance.now() - started - testing) / asked.length);
    return asked.map((each, i) => ({ feeding: feedings[i]!, asked: each, milliseconds }));
  }

  /** A sample's own latents: from a run that was seen, or one for this purpose. None if it has no answer. */
  private async latentsOf(session: Session, sample: Sample): Promise<Float32Array[]> {
    const known = this.ownLatents.get(sample.line);
    if (known !== undefined) return known;
    const [asked] = await this.ask(session, sample, [OWN]);
    return asked?.own?.vectors ?? [];
  }

  /** @throws whatever ends the evaluation; a picture that the engine refuses is a problem of its sample only */
  private async ask(
    session: Session,
    sample: Sample,
    feedings: readonly Feeding[],
    wishes: Wishes = NO_WISHES,
  ): Promise<Asked[]> {
    const { client, isLost } = session;
    let request: RunRequest;
    try {
      const helpers = wishes.targets ? await helpersOf(sample) : [];
      request = { ...(await requestFor(sample, this.options)), helpers };
    } catch (error) {
      // A picture that is gone by now.
      if (error instanceof UserError) return feedings.map(() => ({ problem: error }));
      throw error;
    }
    const interventions = feedings.map(({ pass, runs }) => interventionOf(pass.fed, sample.line, runs));
    const report = (trace: Trace, { type }: ReasonEvent): void => {
      if (type === 'start') this.note(trace);
    };
    const { signal } = this.context;
    const asked = await runVariants(client, request, interventions, { signal, report }, async (results) => {
      const found: Asked[] = [];
      for (const [i, { run, problem }] of results.entries()) {
        if (problem !== undefined && (isLost() || !(problem instanceof UserError))) throw problem;
        const isOwn = run !== undefined && feedings[i]!.pass.fed === 'own';
        const own = isOwn ? await this.ownRunOf(session, run, wishes) : undefined;
        if (own !== undefined && this.keepsLatents) this.ownLatents.set(sample.line, own.vectors);
        const isTested = isOwn && wishes.tests && problem === undefined;
        found.push({
          ...(run && { trace: run.trace }),
          ...(own && { own }),
          ...(isTested && (await this.test(session, run))),
          ...(problem && { problem }),
        });
      }
      return found;
    });
    const failed = asked.some(({ problem }) => problem !== undefined);
    if (!failed || feedings.length === 1) return asked;
    // One of them took the others with it; by themselves they need not fail.
    const apart: Asked[] = [];
    for (const feeding of feedings) apart.push(...(await this.ask(session, sample, [feeding], wishes)));
    return apart;
  }

  /** Takes several times as long as the run, and is no part of its time. */
  private async test({ client }: Session, run: OpenTrace): Promise<Pick<Asked, 'tests' | 'testing'>> {
    const begun = performance.now();
    const tests = await testsOf(client, run, this.context.signal);
    return { tests, testing: performance.now() - begun };
  }

  private async ownRunOf({ client }: Session, run: OpenTrace, { targets }: Wishes): Promise<OwnRun> {
    const [vectors, blocks] = [await vectorsOf(run), await blocksOf(run)];
    if (!targets || vectors.length === 0 || run.trace.status !== 'complete')
      return { vectors, blocks, targets: [] };
    return { vectors, blocks, targets: await targetsOf(client, run, this.context.signal) };
  }

  /** Each remark is said once, before the first sample that it holds for. */
  private note({ settings }: Trace): void {
    if (this.options.quiet) return;
    const others = (settings.notes ?? []).filter((note) => !this.noted.has(note));
    const fresh = others.slice(0, Math.max(0, MAX_NOTES - this.noted.size));
    for (const note of fresh) this.noted.add(note);
    reportNotes(this.context.terminal, fresh);
  }
}

/** Where the teacher selects nothing, its pass would be the model's own. */
function hasRuns({ fed }: Pass, own: OwnRun | undefined): boolean {
  return fed !== 'oracle' || own === undefined || own.vectors.length === 0 || own.targets.length > 0;
}

const NOTHING_SELECTED = new UserError({
  problem: 'The teacher selects nothing for this sample',
  expected: 'helper pictures in its sequence_plan, and a model of ILVR',
});

/** What a pass makes of the sample's run; without one there is nothing to replace either. */
function runsOf({ fed }: Pass, own: OwnRun | undefined): FedRuns {
  const { vectors, blocks, targets }: OwnRun = own ?? { vectors: [], blocks: [], targets: [] };
  return { latents: vectors, blocks: fed === 'oracle' ? targets : blocks };
}

function resultOf(sample: Sample, { asked, milliseconds }: Timed): SampleResult {
  const { trace, problem, tests } = asked;
  const text = trace === undefined ? '' : answerText(trace);
  return {
    ...identityOf(sample),
    text,
    ...score(sample, text),
    blocks: trace?.blocks.length ?? 0,
    latents: trace?.latents.length ?? 0,
    tokens: trace?.tokens.length ?? 0,
    milliseconds,
    ...(tests && { tests }),
    ...(problem !== undefined && { success: false, verdict: 'error', error: problem.message }),
  };
}

function identityOf({ line, mapId, map }: Sample): Pick<SampleResult, 'line' | 'mapId' | 'size'> {
  return { line, ...(mapId !== undefined && { mapId }), ...(map !== undefined && { size: map.length }) };
}

function notAnswered(sample: Sample, { message }: UserError): SampleResult {
  const nothing = { text: '', answer: '', blocks: 0, latents: 0, tokens: 0, milliseconds: 0 };
  return { ...identityOf(sample), ...nothing, success: false, verdict: 'error', error: message };
}

/**
 * The sample whose latents a swap feeds: the one before of the same map size, and for the first of its size
 * the last. Samples without a map count as of one size; a sample that is alone in its size takes the one
 * before of any.
 */
export function donorOf(samples: readonly Sample[], sample: Sample): Sample {
  const asked = samples.filter(({ problem }) => problem === undefined);
  const alike = asked.filter(({ map }) => map?.length === sample.map?.length);
  const among = alike.length > 1 ? alike : asked;
  return among.at(among.indexOf(sample) - 1)!;
}

/**
 * Whose latents a sample gets depends on which samples there are. Among more of them, what is done stays where that is the
 * same sample as before: all but the first of each size.
 */
export function swapAmong(samples: readonly Sample[]): Growing {
  const stays = (line: number, before: number): boolean => {
    const earlier = samples.slice(0, before);
    const sample = earlier.find((each) => each.line === line);
    return sample !== undefined && donorOf(earlier, sample) === donorOf(samples, sample);
  };
  return { setting: 'swapAmong', now: samples.length, stays };
}

/**
 * Gives items to workers as they become free, and results on in the order of the items.
 * @param work answers undefined to stop; what comes after that item is not given on
 * @returns whether all items are done
 * @throws what `work` or `done` throws first, when no worker runs any more
 */
export async function inOrder<W, T, R>(
  workers: readonly W[],
  items: readonly T[],
  work: (worker: W, item: T) => Promise<R | undefined>,
  done: (result: R) => Promise<void>,
): Promise<boolean> {
  const waiting = new Map<number, R>();
  let [next, given] = [0, 0];
  let stopped = false;
  let giving = Promise.resolve();
  const give = async (): Promise<void> => {
    for (let result = waiting.get(given); result !== undefined; result = waiting.get(given)) {
      waiting.delete(given++);
      await done(result);
    }
  };
  const outcomes = await Promise.allSettled(
    workers.map(async (worker) => {
      try {
        while (!stopped && next < items.length) {
          const index = next++;
          const result = await work(worker, items[index]!);
          if (result === undefined) stopped = true;
          else waiting.set(index, result);
          await (giving = giving.then(give));
        }
      } catch (error) {
        stopped = true;
        throw error;
      }
    }),
  );
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return given === items.length;
}

/**
 * One sample is lost if the engine dies, between two samples or inside one: it is started again and the
 * sample done anew. Dying twice on the same one is no accident and ends the evaluation.
 */
export async function withRestart<T>(
  { signal }: CliContext,
  session: Session,
  run: () => Promise<T>,
): Promise<T> {
  await session.restore();
  try {
    return await run();
  } catch (error) {
    if (signal.aborted || !(error instanceof EngineDiedError || session.isLost())) throw error;
    await session.restore();
    return run();
  }
}

/** Only compared with the latents: the model does not see them. @throws UserError if one cannot be read */
export async function helpersOf(sample: Sample): Promise<ImageInput[]> {
  return Promise.all(helperImagesOf(sample).map(async ({ name, read }) => ({ name, bytes: await read() })));
}

/** @throws UserError if a picture cannot be read */
export async function requestFor(sample: Sample, options: GenerationOptions): Promise<RunRequest> {
  const { question } = sample;
  return {
    id: randomUUID(),
    question,
    images: await Promise.all(sample.images.map(async ({ name, read }) => ({ name, bytes: await read() }))),
    // A sample's helper images belong to its own answer; nothing of them may reach the model.
    helpers: [],
    helperMode: 'reference',
    placement: placementOf(question),
    ...requestOptions(options),
  };
}

function resultLine(result: SampleResult): Part[] {
  const mark = result.success ? new Styled('green', '✓') : new Styled('red', '✗');
  const name = result.mapId ?? `line ${result.line}`;
  const answer = result.answer.slice(0, 40).padEnd(10);
  return [mark, ` ${name.padEnd(8)} ${answer} ${result.error ?? result.verdict}`];
}
