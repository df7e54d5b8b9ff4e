/** What a run's panel computes analyses with: the engine, the run's own file, and other runs. */

import * as vscode from 'vscode';
import type { Disposable } from '../../base/disposable.ts';
import { inputOf } from '../../client/analyseRequest.ts';
import { analysedRun, keepAnalysis } from '../../trace/analyses.ts';
import { extendTrace } from '../../traceFile/extendTrace.ts';
import { requireTwo } from '../../traceFile/identity.ts';
import type { Truth } from '../../dataset/scoring.ts';
import type { EngineService } from '../engineService.ts';
import { withPercentage } from '../run/controller.ts';
import { RUNS_NEED_TRUST, type Runs } from '../run/runs.ts';
import type { RunStore } from '../run/store.ts';
import { readRunSettings, type RunSettings } from '../settings.ts';
import { requireTrust } from '../trust.ts';
import type { TraceLibrary, TraceRef } from './library.ts';
import { chooseTrace } from './openCommand.ts';
import type { AnalysisMeans, ChooseOther } from './pageAnalyses.ts';

interface Services {
  context: vscode.ExtensionContext;
  engine: EngineService;
  runs: Runs;
  runStore: RunStore;
  library: TraceLibrary;
  calibrate: () => Promise<boolean>;
}

export class RunAnalyses {
  private readonly services: Services;
  /** Asks for another run, by a list of the kept ones and files. */
  readonly chooseOther: ChooseOther;
  /** Folders that were chosen for the models of runs, by the runs' ids. */
  private readonly folders = new Map<string, string>();

  constructor(services: Services) {
    this.services = services;
    this.chooseOther = otherRun(services);
  }

  /** @param runId the run that the panel shows */
  meansOf(runId: () => string): AnalysisMeans {
    return {
      compute: (...asked) => this.compute({ run: runId() }, ...asked),
      keep: (make) => this.keep(runId(), make),
      chooseOther: this.chooseOther,
      truth: () => this.truthOf(runId()),
      chooseModel: (folder) => this.chooseModel(runId(), folder),
      calibrate: this.services.calibrate,
    };
  }

  /** The folder that is chosen is that of the next runs too, as everywhere. */
  private async chooseModel(run: string, given?: string): Promise<boolean> {
    const uri = given === undefined ? undefined : vscode.Uri.file(given);
    const folder = await vscode.commands.executeCommand<string | undefined>('ilvr.selectModel', uri);
    if (folder === undefined) return false;
    this.folders.set(run, folder);
    return true;
  }

  /** A run was judged if the sample of its picture asks its question. */
  private async truthOf(run: string): Promise<Truth | undefined> {
    const { runs, library } = this.services;
    const { verdict } = await library.trace({ run });
    return verdict === undefined ? undefined : (await runs.sampleOf(run))?.truth;
  }

  /** Asks the model of a run, or the one that is set today where that is not known any more. */
  async compute(ref: TraceRef, ...asked: Parameters<Compute>): ReturnType<Compute> {
    return compute(this.services, { ref, settings: this.settingsFor(ref) }, ...asked);
  }

  private settingsFor(ref: TraceRef): RunSettings {
    const { context, runs } = this.services;
    const own = 'run' in ref ? runs.get(ref.run)?.request.settings : undefined;
    const chosen = 'run' in ref ? this.folders.get(ref.run) : undefined;
    if (chosen !== undefined) return readRunSettings(context, { ...own, model: chosen });
    return own ?? readRunSettings(context);
  }

  /** Keeps a result with a run. */
  async keep(run: string, make: Parameters<NonNullable<AnalysisMeans['keep']>>[0]): Promise<void> {
    return keepInRun(this.services, run, make);
  }
}

type Compute = NonNullable<AnalysisMeans['compute']>;

/** When nothing else goes on: the engine does one thing at a time. */
async function compute(
  { engine, library }: Services,
  { ref, settings }: { ref: TraceRef; settings: RunSettings },
  ...[request, { progress, found }, signal]: Parameters<Compute>
): ReturnType<Compute> {
  requireTrust(RUNS_NEED_TRUST);
  const { model: folder, adapter, device } = settings;
  // Computed as the run was.
  const { weights = settings.weights } = (await library.trace(ref)).model;
  const listener = engine.onProgress(({ id, message, fraction }) => {
    if (id === request.id) progress(withPercentage(message, fraction));
  });
  let held: Disposable | undefined;
  try {
    progress(vscode.l10n.t('Waiting for another run or analysis …'));
    held = await engine.turn(signal);
    progress(vscode.l10n.t('Loading the model …'));
    const load = { id: request.id, folder, device, weights, ...(adapter !== undefined && { adapter }) };
    const loaded = await engine.load(load, signal);
    const outcome = await engine.analyse(request, found, signal);
    const { name, fingerprint, sha256, weights: format } = loaded.model;
    return { ...outcome, model: { name, fingerprint, sha256, weights: format }, device: loaded.device };
  } finally {
    held?.dispose();
    listener.dispose();
  }
}

/** In the run's file, and in the trace that the window has in memory while the run is a recent one. */
async function keepInRun(
  { runs, runStore, library }: Services,
  id: string,
  make: Parameters<NonNullable<AnalysisMeans['keep']>>[0],
): Promise<void> {
  const written = await extendTrace(await runStore.find(id), async (trace, sink) =>
    keepAnalysis(trace, await make(sink)),
  );
  const live = runs.get(id)?.trace;
  if (live !== undefined) {
    live.arrays = { bytes: written.arrays.bytes };
    if (written.analyses !== undefined) live.analyses = written.analyses;
  }
  library.reopen({ run: id });
}

function otherRun({ library, runStore }: Services): ChooseOther {
  return async (than) => {
    const ref = await chooseTrace(runStore);
    if (ref === undefined) return undefined;
    return library.use(ref, async ({ trace, container }) => {
      await requireTwo(than, trace);
      const [run, input] = [await analysedRun(trace, container), await inputOf(trace, container)];
      return { id: trace.id, run, input };
    });
  };
}
