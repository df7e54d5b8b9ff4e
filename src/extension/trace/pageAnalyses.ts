/**
 * What a page asks about analyses of the trace that is shown: what the trace keeps, and to compute what it does not.
 * Knows nothing of VS Code, and of a model only by what it is given.
 */

import { translated } from '../../base/l10n.ts';
import { formOf } from '../../analysis/form.ts';
import { runOnTrace } from '../../analysis/runners.ts';
import type { AnalysedRun } from '../../analysis/run.ts';
import {
  ANALYSES,
  needsModel,
  parametersOf,
  type AnalysisName,
  type AnalysisResult,
} from '../../analysis/table.ts';
import { CancelledError, UserError } from '../../base/errors.ts';
import { analyseRequest } from '../../client/analyseRequest.ts';
import type { Truth } from '../../dataset/scoring.ts';
import type { AnalysedInput, AnalyseRequest, AnalysisOutcome } from '../../protocol/analyse.ts';
import type {
  AnalysesHost,
  AnalysisAnswer,
  AnalysisPart,
  FoundAnalysis,
} from '../../protocol/panelAnalyses.ts';
import {
  analysedRun,
  loadAnyVersion,
  newestAnalysis,
  otherVersion,
  storedAnalysis,
  type AnalysisOrigin,
} from '../../trace/analyses.ts';
import { calibration, tellsApart, type TestName } from '../../evidence/calibration.ts';
import type { ArraySink } from '../../trace/arrays.ts';
import type { KeptAnalysis, Trace } from '../../trace/schema.ts';
import type { OpenTrace } from '../../traceFile/openTrace.ts';
import { requireRun, type UseTrace } from './pageRequests.ts';
import { parseAnalysisRequest } from './queryCheck.ts';

/**
 * Another run that was chosen to compare with, as analyses see it; undefined when the dialog was left.
 * Throws a UserError if it is a copy of the first one.
 */
export type ChooseOther = (than: Trace) => Promise<OtherRun | undefined>;

export interface OtherRun {
  id: string;
  run: AnalysedRun;
  input: AnalysedInput;
}

export interface Heard {
  progress: (message: string) => void;
  found: (result: AnalysisResult<AnalysisName>) => void;
}

/** With what analyses are computed; a viewer has neither model nor a place to keep them. */
export interface AnalysisMeans {
  /** Asks the model. */
  compute?: (
    request: AnalyseRequest,
    heard: Heard,
    signal: AbortSignal,
  ) => Promise<AnalysisOutcome & Omit<AnalysisOrigin, 'status'>>;
  /** Keeps a result with the run; its arrays go to the sink. */
  keep?: (make: (sink: ArraySink) => Promise<KeptAnalysis>) => Promise<void>;
  chooseOther: ChooseOther;
  /** Says which answers to the run's question are right, where a samples file knew. */
  truth?: () => Promise<Truth | undefined>;
  /** Takes that folder for the run's model, or asks for one; false where the dialog was left. */
  chooseModel?: (folder?: string) => Promise<boolean>;
  /** Computes anew what the tests say of the control models. */
  calibrate?: () => Promise<boolean>;
}

/** With which parameters, all of them. */
interface Asked {
  method: AnalysisName;
  parameters: Record<string, unknown>;
}

interface Computed {
  result: AnalysisResult<AnalysisName>;
  origin: AnalysisOrigin;
  other?: string;
}

export class PageAnalyses implements AnalysesHost {
  private readonly use: UseTrace;
  private readonly means: AnalysisMeans;
  private readonly tell: (part: AnalysisPart) => void;
  private readonly running = new Map<number, AbortController>();

  /** @param tell gets what is known while something is computed */
  constructor(use: UseTrace, means: AnalysisMeans, tell: (part: AnalysisPart) => void) {
    this.use = use;
    this.means = means;
    this.tell = tell;
  }

  /** @throws UserError if another trace is shown, or what is kept is damaged */
  async analysis(request: unknown): Promise<AnalysisAnswer> {
    const { run, method } = parseAnalysisRequest(request);
    return this.use(async (open) => {
      requireRun(open.trace.id, run);
      const kept = newestAnalysis(open.trace, method);
      if (kept === undefined) return this.answer(method, undefined, undefined);
      const other = otherVersion(kept);
      const result = await loadAnyVersion(method, kept, open.trace, open.container).catch(
        (error: unknown) => {
          // Another version may have had another form; today's own has to have today's.
          if (other === undefined) throw error;
          return undefined;
        },
      );
      const answer = this.answer(
        method,
        result === undefined ? undefined : kept.parameters,
        result && foundOf(result, kept),
      );
      return { ...answer, ...(other && { other }) };
    });
  }

  /** @throws UserError if another trace is shown, or it cannot be computed; CancelledError before anything was found */
  async analyse(request: unknown): Promise<AnalysisAnswer> {
    const { id = 0, run, method, parameters } = parseAnalysisRequest(request);
    const abort = new AbortController();
    this.running.get(id)?.abort(new CancelledError('The analysis'));
    this.running.set(id, abort);
    try {
      return await this.use(async (open) => {
        requireRun(open.trace.id, run);
        const truth = 'truth' in ANALYSES[method].parameters.shape ? await this.means.truth?.() : undefined;
        const all = truth === undefined ? parameters : { ...parameters, truth };
        const asked = { method, parameters: { ...parametersOf(method, all) } };
        const computed = await this.compute(open, asked, id, abort.signal);
        await this.keep(asked, computed);
        const { result, origin, other } = computed;
        return this.answer(method, asked.parameters, foundOf(result, { ...origin, other }));
      });
    } finally {
      if (this.running.get(id) === abort) this.running.delete(id);
    }
  }

  async calibrate(): Promise<boolean> {
    return (await this.means.calibrate?.()) ?? false;
  }

  /** @param folder asked for if absent */
  async chooseModel(folder?: string): Promise<boolean> {
    return (await this.means.chooseModel?.(folder)) ?? false;
  }

  async cancelAnalysis(id: number): Promise<void> {
    this.running.get(id)?.abort(new CancelledError('The analysis'));
  }

  cancelAll(): void {
    for (const id of this.running.keys()) void this.cancelAnalysis(id);
  }

  private async compute(
    open: OpenTrace,
    { method, parameters }: Asked,
    id: number,
    signal: AbortSignal,
  ): Promise<Computed> {
    if (!needsModel(method)) return this.compare(open, method, parameters);
    const { compute } = this.means;
    if (compute === undefined) throw new CancelledError('The analysis');
    const other = wantsOther(parameters) ? await this.otherFor(open.trace) : undefined;
    const request = await analyseRequest(open.trace, open.container, { name: method, parameters });
    const question = { ...request, ...(other && { other: other.run, otherInput: other.input }) };
    let last: AnalysisResult<AnalysisName> | undefined;
    const heard: Heard = {
      progress: (progress) => this.tell({ id, progress }),
      found: (result) => {
        last = result;
        this.tell({ id, result });
      },
    };
    const { status, result, ...origin } = await compute(question, heard, signal).catch(
      async (error: unknown) => {
        // The engine may have died on the way: what it had found is kept all the same.
        if (last !== undefined) {
          const { name, fingerprint, sha256, weights } = open.trace.model;
          const soFar = { status: 'partial' as const, model: { name, fingerprint, sha256, weights } };
          await this.keep(
            { method, parameters },
            { result: last, origin: soFar, ...(other && { other: other.id }) },
          );
        }
        throw error;
      },
    );
    if (result === undefined) throw new CancelledError('The analysis');
    return {
      result,
      origin: { ...origin, status: status === 'complete' ? 'complete' : 'partial' },
      ...(other && { other: other.id }),
    };
  }

  private async compare(
    open: OpenTrace,
    method: 'similarity',
    parameters: Asked['parameters'],
  ): Promise<Computed> {
    const other = await this.otherFor(open.trace);
    const own = await analysedRun(open.trace, open.container);
    requireComparable(own, other.run);
    const result = runOnTrace(method, [own, other.run], parametersOf(method, parameters));
    return { result, origin: { status: 'complete' }, other: other.id };
  }

  /** @throws CancelledError if the reader chooses none */
  private async otherFor(run: Trace): Promise<OtherRun> {
    const other = await this.means.chooseOther(run);
    if (other === undefined) throw new CancelledError('The analysis');
    return other;
  }

  private async keep(asked: Asked, { result, origin, other }: Computed): Promise<void> {
    await this.means.keep?.((sink) => storedAnalysis({ ...asked, other }, result, origin, sink));
  }

  /** @param parameters what was used, if anything was computed */
  private answer(
    method: AnalysisName,
    parameters: Record<string, unknown> | undefined,
    found: FoundAnalysis | undefined,
  ): AnalysisAnswer {
    const { title, method: how, source, limits } = ANALYSES[method];
    return {
      method,
      about: {
        title: translated(title),
        method: translated(how),
        source: translated(source),
        limits: translated(limits),
      },
      canCompute: !needsModel(method) || this.means.compute !== undefined,
      command: `ilvr analyse TRACE ${method} --save`,
      fields: formOf(method, parameters, isTest(method) ? (word) => tellsApart(word as TestName) : undefined),
      ...(isCalibrated(method) && { calibration: calibration() }),
      ...(found && { found }),
    };
  }
}

/** Whose words to choose among are tests, of which those that tell the controls apart are offered. */
function isTest(method: AnalysisName): boolean {
  return method === 'causality' || method === 'dependence';
}

/** Beside which the controls' figures stand. */
function isCalibrated(method: AnalysisName): boolean {
  return isTest(method) || method === 'faithfulness' || method === 'decomposition';
}

/** Another run's latents are to be fed, or its picture is to be shown. */
function wantsOther({ variants, changes }: Record<string, unknown>): boolean {
  return [variants, changes].flat().some((wish) => wish === 'swap' || wish === 'replaced');
}

function requireComparable(own: AnalysedRun, other: AnalysedRun): void {
  const [size, its] = [own, other].map(({ latents }) => latents[0]?.vector.length);
  if (size === its && size !== undefined) return;
  throw new UserError({
    problem: 'These runs cannot be compared',
    expected: 'latents of one size in both',
    found: `${size ?? 'none'} here, ${its ?? 'none'} in the other one`,
    remedy: 'Compare runs of one model, or of models of one size.',
  });
}

function foundOf(
  result: AnalysisResult<AnalysisName>,
  { status, model, device, other }: AnalysisOrigin & { other?: string | undefined },
): FoundAnalysis {
  return {
    result,
    status,
    ...(model && { model: model.name }),
    ...(device && { device: `${device.provider} (${device.name})` }),
    ...(other !== undefined && { other }),
  };
}
