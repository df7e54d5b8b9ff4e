/** Wires the extension together. Nothing happens before a command, a trace or a restored panel asks. */

import { join } from 'node:path';
import * as vscode from 'vscode';
import { ActiveTrace } from './trace/active.ts';
import { setBundle } from '../base/l10n.ts';
import type { InspectorApi } from './api.ts';
import type { PanelSelection } from '../protocol/panel.ts';
import { registerCommands, showTrace } from './commands.ts';
import { CompareCommand } from './comparison/command.ts';
import { ComparisonPanels, type ComparisonServices } from './comparison/panels.ts';
import { Drawer } from './draw/drawer.ts';
import { CalibrationCommand } from './calibration.ts';
import { EngineService } from './engineService.ts';
import { TraceExporter } from './trace/exportCommand.ts';
import { SAMPLES_EDITOR, SamplesEditors, type SamplesServices } from './evaluation/editor.ts';
import { Evaluations } from './evaluation/processes.ts';
import { Log } from './log.ts';
import { selectModel } from './modelCommand.ts';
import { ExampleCommand } from './run/exampleCommand.ts';
import { ReasonCommand } from './run/reasonCommand.ts';
import { Reporter } from './report.ts';
import { RunCommands } from './run/runCommands.ts';
import { BranchCommand } from './run/branchCommand.ts';
import { Runs } from './run/runs.ts';
import { RunTree } from './run/runTree.ts';
import { RunSessions } from './run/session.ts';
import { RunStore } from './run/store.ts';
import { StatusBar } from './statusBar.ts';
import { TraceDocuments } from './trace/document.ts';
import { registerTraceEditor, TraceEditors } from './trace/editor.ts';
import { registerTraceHover } from './trace/hover.ts';
import { TraceLibrary, type TraceRef } from './trace/library.ts';
import { registerTraceOutline } from './trace/outline.ts';
import { TraceLinks, type LinkServices } from './trace/links.ts';
import { RunAnalyses } from './trace/runAnalyses.ts';
import { TracePanels } from './trace/panels.ts';
import { TraceFiles } from './trace/traceFiles.ts';
import { TrainCommand } from './training/command.ts';
import { TrainingPanels } from './training/panels.ts';
import { TrainingRuns } from './training/runs.ts';

let atEnd: (() => Promise<void>) | undefined;

export function activate(context: vscode.ExtensionContext): InspectorApi {
  setBundle(vscode.l10n.bundle);
  const { extensionUri, subscriptions } = context;
  const own = <T extends vscode.Disposable>(item: T): T => {
    subscriptions.push(item);
    return item;
  };
  const log = own(new Log());
  const reporter = new Reporter(log);
  const active = new ActiveTrace();
  const runFolder = join(context.globalStorageUri.fsPath, 'runs');
  const store = own(new RunStore(runFolder, (error) => reporter.show(error)));

  const weightsCache = join(context.globalStorageUri.fsPath, 'weights');
  const calibrate = new CalibrationCommand({ context, log });
  reporter.watch(calibrate.restore());
  const engine = own(new EngineService(context.asAbsolutePath('dist/engine.cjs'), weightsCache, log));
  const runs = own(new Runs(engine, store));
  const files = new TraceFiles({
    unpackWorker: context.asAbsolutePath('dist/unpackWorker.cjs'),
    warn: (error) => reporter.show(error),
  });
  const library = own(new TraceLibrary(runs, store, files));
  atEnd = async () => {
    await store.flush();
    library.dispose();
    await files.close();
  };
  const documents = own(new TraceDocuments(library));
  const exporter = new TraceExporter(library, reporter);

  const views = {
    extensionUri,
    library,
    reporter,
    active,
    memory: context.globalState,
    exportTrace: exporter.export.bind(exporter),
    openAsText: documents.show.bind(documents),
    compareWith: (ref: TraceRef) => compare.compareWith(ref),
    branch: (ref: TraceRef, lookedAt?: PanelSelection) => branches.fromPage(ref, lookedAt),
    analyses: new RunAnalyses({
      context,
      engine,
      runs,
      runStore: store,
      library,
      calibrate: () => calibrate.compute(),
    }),
  };
  const panels = own(
    new TracePanels(
      {
        ...views,
        engine,
        runs,
        runAgain: (panel, edit) => reason.runAgain(panel, edit),
        summaries: () => store.list(),
      },
      context.workspaceState,
    ),
  );
  const editors = new TraceEditors(views);
  const sessions = new RunSessions(runs, panels, reporter);
  const running = { context, sessions, runs, runStore: store, library, panels };
  const branches = new BranchCommand(running);
  const reason = new ReasonCommand(running, branches);
  const examples = new ExampleCommand(context, reason);

  const atHand = { runs, store, library, panels, reporter };
  const tree = own(new RunTree(atHand));
  const show: LinkServices['show'] = (ref, place) => showTrace({ panels, editors, library }, ref, place);
  const links = new TraceLinks({ ...atHand, extensionId: context.extension.id, active, show });
  own(vscode.window.registerUriHandler(links));
  const ofRuns = new RunCommands({ ...atHand, tree, reason });

  const train = trainCommand(context, { log, reporter }, own);

  const samples = samplesEditors(
    {
      context,
      log,
      reporter,
      sessions,
      weightsCache,
      showRun: (run) => showKept(store, () => show({ run }), run),
    },
    own,
  );

  own(registerTraceEditor(editors));
  const drawer = own(new Drawer({ workerPath: context.asAbsolutePath('dist/drawWorker.cjs') }));
  own(registerTraceHover(library, drawer));
  own(registerTraceOutline(library));
  const compare = compareCommand(
    { ...views, runStore: store, tree, show: (ref) => showTrace({ panels, editors, library }, ref) },
    own,
  );
  own(new StatusBar(context, engine, runs));
  for (const command of registerCommands({
    context,
    log,
    reporter,
    active,
    engine,
    library,
    runStore: store,
    documents,
    exporter,
    panels,
    editors,
    sessions,
    reason,
    examples,
    ofRuns,
    links,
    compare,
    branches,
    train,
    samples,
    weightsCache,
    calibrate,
  })) {
    own(command);
  }
  own(runs.onDidChange(() => setRunning(runs)));

  return {
    runs: () => store.list(),
    traceOf: (run) => library.trace({ run }),
    onEvent: (listener, self, disposables) =>
      runs.onEvent(({ run, event }) => listener.call(self, { runId: run.id, event }), undefined, disposables),
    enginePid: () => engine.pid,
    lastError: () => reporter.lastError,
    runLines: () => tree.lines(),
    samplesTable: (file) => samples.page(file),
    panelRuns: () => panels.runs(),
    panelAnalyses: (run) => panels.find(run)?.analyses,
  };
}

/** The window closes or the extension is switched off: what a run has given so far is kept. */
export async function deactivate(): Promise<void> {
  await atEnd?.();
}

/** The command that compares two runs, with its pages. */
function compareCommand(
  services: ComparisonServices & { active: ActiveTrace; runStore: RunStore; tree: RunTree },
  own: <T extends vscode.Disposable>(item: T) => T,
): CompareCommand {
  const { active, runStore, tree } = services;
  const panels = own(new ComparisonPanels(services));
  return new CompareCommand({ panels, active, runStore, selectedRuns: () => tree.selection });
}

/** The command about training, with all that it needs. */
function trainCommand(
  context: vscode.ExtensionContext,
  { log, reporter }: { log: Log; reporter: Reporter },
  own: <T extends vscode.Disposable>(item: T) => T,
): TrainCommand {
  const training = own(
    new TrainingRuns({
      cliPath: context.asAbsolutePath('dist/cli.cjs'),
      log,
      reporter,
      show: (folder) => trainingPanels.open(folder),
      useModel: (folder) => selectModel(context, vscode.Uri.file(folder)),
    }),
  );
  const trainingPanels = own(
    new TrainingPanels({ extensionUri: context.extensionUri, reporter, runs: training }),
  );
  return new TrainCommand(context, training, trainingPanels);
}

/** The tables of samples files, with all that they need. */
function samplesEditors(
  services: Omit<SamplesServices, 'evaluations'> & { log: Log },
  own: <T extends vscode.Disposable>(item: T) => T,
): SamplesEditors {
  const { context, log, reporter } = services;
  const cliPath = context.asAbsolutePath('dist/cli.cjs');
  const evaluations = own(new Evaluations({ cliPath, log, reporter }));
  const editors = new SamplesEditors({ ...services, evaluations });
  own(
    vscode.window.registerCustomEditorProvider(SAMPLES_EDITOR, editors, {
      supportsMultipleEditorsPerDocument: false,
    }),
  );
  return editors;
}

/** Shows a run if it is still kept. */
async function showKept(store: RunStore, show: () => Promise<unknown>, run: string): Promise<boolean> {
  if (!(await store.list()).some(({ id }) => id === run)) return false;
  await show();
  return true;
}

/** For the manifest's `when` clauses. */
function setRunning(runs: Runs): void {
  void vscode.commands.executeCommand('setContext', 'ilvr.running', runs.active().length > 0);
}
