/**
 * The samples of an evaluation, run once: by several engines side by side, with what is fed at the latents.
 * Results are written and shown in the order of the samples, whichever engine is done first.
 */

import { randomUUID } from 'node:crypto';
import { CancelledError, UserError } from '../base/errors.ts';
import { EngineDiedError } from '../client/ends.ts';
import type { Sample } from '../dataset/samples.ts';
import type { Fed } from '../evaluation/fed.ts';
import type { ResultsFile, SampleResult } from '../evaluation/results.ts';
import { placementOf } from '../evaluation/samples.ts';
import { score } from '../evaluation/score.ts';
import type { ReasonEvent } from '../trace/events.ts';
import type { Trace } from '../trace/schema.ts';
import { answerText } from '../trace/steps.ts';
import type { CliContext } from './context.ts';
import { requestOptions, type GenerationOptions } from './options.ts';
import { reportNotes } from './reporter.ts';
import { interventionOf } from './reason.ts';
import { runRequest, vectorsOf, type RunRequest } from './runRequest.ts';
import type { Session } from './session.ts';
import { Styled, type Part } from './terminal.ts';

export interface PassOptions extends GenerationOptions {
  /** Prints the figures only. */
  quiet?: boolean;
}

/** Runs samples. One evaluation's passes share it, as a swap feeds what another pass has seen. */
export class SamplePass {
  private readonly context: CliContext;
  private readonly sessions: Session[];
  private readonly samples: Sample[];
  private readonly options: PassOptions;
  /** Own latents by line of the sample; only kept where a swap will ask for them. */
  private readonly ownLatents = new Map<number, Float32Array[]>();
  private readonly keepsLatents: boolean;
  private noted = false;

  /** @param swaps whether one of the passes is a swap */
  constructor(
    context: CliContext,
    sessions: Session[],
    samples: Sample[],
    options: PassOptions,
    swaps: boolean,
  ) {
    this.context = context;
    this.sessions = sessions;
    this.samples = samples;
    this.options = options;
    this.keepsLatents = swaps;
  }

  /**
   * Runs what is not done yet and adds it to `done`.
   * @param file to add the results to
   * @returns false if it was cancelled
   */
  async run(fed: Fed, done: Map<number, SampleResult>, file: ResultsFile | undefined): Promise<boolean> {
    const left = this.samples.filter(({ line }) => !done.has(line));
    return inOrder(
      this.sessions,
      left,
      async (session, sample) => {
        if (this.context.signal.aborted) return undefined;
        try {
          return await withRestart(this.context, session, () => this.runSample(session, sample, fed));
        } catch (error) {
          if (error instanceof CancelledError) return undefined;
          throw error;
        }
      },
      async (result) => {
        await file?.append(result);
        done.set(result.line, result);
        this.report(fed, result, done.size);
      },
    );
  }

  private report(fed: Fed, result: SampleResult, done: number): void {
    if (this.options.quiet) return;
    const { terminal } = this.context;
    terminal.line(...resultLine(result));
    const pass = fed === 'own' ? '' : `${fed}: `;
    terminal.passing(`${pass}${done} of ${this.samples.length} done`, done / this.samples.length);
  }

  /** @throws CancelledError, and what ends the whole evaluation */
  private async runSample(session: Session, sample: Sample, fed: Fed): Promise<SampleResult> {
    if (sample.problem !== undefined) return notAnswered(sample, sample.problem);
    const started = performance.now();
    const latents = fed === 'swap' ? await this.latentsOf(session, donorOf(this.samples, sample)) : [];
    const keeps = fed === 'own' && this.keepsLatents;
    const { trace, vectors, problem } = await this.ask(session, sample, fed, latents, keeps);
    if (vectors !== undefined) this.ownLatents.set(sample.line, vectors);
    const text = trace === undefined ? '' : answerText(trace);
    return {
      ...identityOf(sample),
      text,
      ...score(sample, text),
      blocks: trace?.blocks.length ?? 0,
      latents: trace?.latents.length ?? 0,
      tokens: trace?.tokens.length ?? 0,
      milliseconds: Math.round(performance.now() - started),
      ...(problem !== undefined && { success: false, verdict: 'error', error: problem.message }),
    };
  }

  /** A sample's own latents: from a run that was seen, or one for this purpose. None if it has no answer. */
  private async latentsOf(session: Session, sample: Sample): Promise<Float32Array[]> {
    const known = this.ownLatents.get(sample.line);
    if (known !== undefined) return known;
    const { vectors = [] } = await this.ask(session, sample, 'own', [], true);
    this.ownLatents.set(sample.line, vectors);
    return vectors;
  }

  /** @throws whatever ends the evaluation; a picture that the engine refuses is a problem of its sample only */
  private async ask(
    { client, isLost }: Session,
    sample: Sample,
    fed: Fed,
    latents: Float32Array[],
    keeps: boolean,
  ): Promise<{ trace?: Trace; vectors?: Float32Array[]; problem?: UserError }> {
    const intervention = interventionOf(fed, sample.line, latents);
    let own: RunRequest;
    try {
      own = await requestFor(sample, this.options);
    } catch (error) {
      // A picture that is gone by now.
      if (error instanceof UserError) return { problem: error };
      throw error;
    }
    const request = { ...own, ...(intervention !== undefined && { intervention }) };
    const report = (trace: Trace, { type }: ReasonEvent): void => {
      if (type === 'start') this.note(trace);
    };
    return runRequest(client, request, { signal: this.context.signal, report }, async ({ run, problem }) => {
      if (problem !== undefined && (isLost() || !(problem instanceof UserError))) throw problem;
      return {
        ...(run && { trace: run.trace }),
        ...(run && keeps && { vectors: await vectorsOf(run) }),
        ...(problem instanceof UserError && { problem }),
      };
    });
  }

  /** What holds for all samples is said once, before the first. */
  private note(trace: Trace): void {
    if (this.noted || this.options.quiet) return;
    this.noted = true;
    reportNotes(this.context.terminal, trace);
  }
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

async function requestFor(sample: Sample, options: GenerationOptions): Promise<RunRequest> {
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
