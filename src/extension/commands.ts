/** The commands of the manifest, each a line or two. */

import * as vscode from 'vscode';
import * as z from 'zod';
import { UserError } from '../base/errors.ts';
import type { PanelSelection } from '../protocol/panel.ts';
import type { ActiveTrace } from './trace/active.ts';
import type { CalibrationCommand } from './calibration.ts';
import { manageCaches } from './cachesCommand.ts';
import { selectDevice } from './deviceCommand.ts';
import { diagnose } from './diagnose.ts';
import { evaluateSamples, isEvaluateOptions, writeReport } from './evaluation/command.ts';
import type { SamplesEditors } from './evaluation/editor.ts';
import type { EngineService } from './engineService.ts';
import type { CompareCommand } from './comparison/command.ts';
import type { TraceExporter } from './trace/exportCommand.ts';
import type { Log } from './log.ts';
import { selectModel } from './modelCommand.ts';
import { chooseTrace } from './trace/openCommand.ts';
import type { BranchCommand } from './run/branchCommand.ts';
import type { ExampleCommand } from './run/exampleCommand.ts';
import type { ReasonCommand } from './run/reasonCommand.ts';
import { isOptions, registerCommand, type Reporter } from './report.ts';
import { runOf, type RunCommands } from './run/runCommands.ts';
import type { RunSessions } from './run/session.ts';
import type { RunStore } from './run/store.ts';
import type { TraceDocuments } from './trace/document.ts';
import type { TraceEditors } from './trace/editor.ts';
import { selectWeights } from './weightsCommand.ts';
import { isTrainOptions, type TrainCommand } from './training/command.ts';
import type { TraceLinks } from './trace/links.ts';
import { nameOf, type TraceLibrary, type TraceRef } from './trace/library.ts';
import type { TracePanels } from './trace/panels.ts';

export interface CommandServices {
  context: vscode.ExtensionContext;
  log: Log;
  reporter: Reporter;
  active: ActiveTrace;
  engine: EngineService;
  library: TraceLibrary;
  runStore: RunStore;
  documents: TraceDocuments;
  exporter: TraceExporter;
  panels: TracePanels;
  editors: TraceEditors;
  sessions: RunSessions;
  reason: ReasonCommand;
  examples: ExampleCommand;
  ofRuns: RunCommands;
  links: TraceLinks;
  compare: CompareCommand;
  branches: BranchCommand;
  train: TrainCommand;
  samples: SamplesEditors;
  /** Folder of packed weights. */
  weightsCache: string;
  calibrate: CalibrationCommand;
}

/** Argument of `ilvr.showLatent`, the link in hovers: a run's id or a file's URI, and what to select. */
const latentLink = z.object({
  run: z.string().optional(),
  file: z.string().optional(),
  latent: z.int().min(0),
});

export function registerCommands(services: CommandServices): vscode.Disposable[] {
  const {
    active,
    context,
    documents,
    engine,
    exporter,
    log,
    reason,
    examples,
    reporter,
    runStore,
    sessions,
    train,
    ofRuns,
    links,
  } = services;
  const command = (id: string, handler: (target: unknown) => unknown): vscode.Disposable =>
    registerCommand(id, reporter, handler);
  return [
    registerCommand(
      'ilvr.reason',
      reporter,
      (target: unknown, more: unknown) => reason.reason(target, more),
      (_, more) => isOptions(more),
    ),
    registerCommand(
      'ilvr.reasonAboutExample',
      reporter,
      (example: unknown) => examples.reason(example),
      (example) => typeof example === 'string',
    ),
    command('ilvr.stop', (target) => sessions.stop(runOf(target))),
    command('ilvr.copyLink', (target) => links.copy(refIn(target, active))),
    registerCommand(
      'ilvr.openLink',
      reporter,
      (target: unknown) => links.openCommand(target),
      (target) => typeof target === 'string',
    ),
    registerCommand(
      'ilvr.compare',
      reporter,
      (...given: unknown[]) => services.compare.compare(...given),
      (...[, , options]) => options !== undefined,
    ),
    registerCommand(
      'ilvr.branch',
      reporter,
      async (target: unknown, options: unknown) => {
        const ref = refIn(target, active);
        if (isOptions(options)) return services.branches.fromCode(ref, options);
        return services.branches.fromPage(ref, await active.lookedAt(ref));
      },
      (_, options) => isOptions(options),
    ),
    ...ofRuns.register(),
    registerCommand(
      'ilvr.exportTrace',
      reporter,
      (target: unknown, file: unknown) =>
        exporter.export(refIn(target, active), file instanceof vscode.Uri ? file : undefined),
      (_, file) => file instanceof vscode.Uri,
    ),
    command('ilvr.openAsText', (target) => documents.show(refIn(target, active))),
    command('ilvr.openTrace', async (target) => {
      const ref = target === undefined ? await chooseTrace(runStore) : refIn(target, active);
      if (ref) await showTrace(services, ref);
    }),
    command('ilvr.showLatent', (link) => {
      const { run, file, latent } = latentLink.parse(link);
      const ref = run !== undefined ? { run } : { file: vscode.Uri.parse(file ?? '', true) };
      return showTrace(services, ref, { latent });
    }),
    registerCommand(
      'ilvr.selectModel',
      reporter,
      (folder: unknown) => selectModel(context, folder instanceof vscode.Uri ? folder : undefined),
      (folder) => folder instanceof vscode.Uri,
    ),
    registerCommand(
      'ilvr.getModel',
      reporter,
      async (name: unknown, options: unknown) => {
        // Imported when it is wanted: the window starts without the hub's library.
        const { getModel } = await import('./getModel.ts');
        return getModel({ context, reporter }, name, options);
      },
      (_, options) => options !== undefined,
    ),
    registerCommand(
      'ilvr.train',
      reporter,
      (target: unknown, options: unknown) => train.train(target, options),
      (_, options) => isTrainOptions(options),
    ),
    command('ilvr.watchTraining', (target) => train.watch(target)),
    command('ilvr.pauseTraining', (folder) => train.pause(folder)),
    command('ilvr.resumeTraining', (folder) => train.resume(folder)),
    command('ilvr.stopTraining', (folder) => train.stop(folder)),
    command('ilvr.trainingMenu', () => train.menu()),
    registerCommand(
      'ilvr.evaluate',
      reporter,
      (target: unknown, options: unknown) => evaluateSamples(services.samples, target, options),
      (_, options) => isEvaluateOptions(options),
    ),
    command('ilvr.writeReport', (target) => writeReport(services.samples, target)),
    registerCommand(
      'ilvr.selectDevice',
      reporter,
      (choice: unknown) => selectDevice(engine, context.asAbsolutePath('dist/engine.cjs'), choice),
      (choice) => choice !== undefined,
    ),
    registerCommand(
      'ilvr.selectWeights',
      reporter,
      (choice: unknown) => selectWeights(context, engine, choice),
      (choice) => choice !== undefined,
    ),
    command('ilvr.manageCaches', () => manageCaches(services.weightsCache)),
    command('ilvr.showLog', () => log.show()),
    registerCommand(
      'ilvr.calibrate',
      reporter,
      (options: unknown) => services.calibrate.run(options),
      isOptions,
    ),
    command('ilvr.diagnose', () => diagnose(engine, log)),
  ];
}

/** Shows a trace in its panel or editor, with a place selected if one is given. */
export async function showTrace(
  { panels, editors, library }: Pick<CommandServices, 'panels' | 'editors' | 'library'>,
  ref: TraceRef,
  selection?: PanelSelection,
): Promise<void> {
  if ('file' in ref) return editors.open(ref.file, selection);
  // A run that has not begun has a panel, and no trace yet.
  const shown = panels.find(ref.run);
  if (shown !== undefined) return shown.reveal(selection);
  const name = nameOf(ref, await library.trace(ref));
  panels.open(ref.run, name).reveal(selection);
}

/** A run from code or the tree, or a file from code or a menu; else the trace in front. */
function refIn(target: unknown, active: ActiveTrace): TraceRef {
  const run = runOf(target);
  if (run !== undefined) return { run };
  if (target instanceof vscode.Uri && target.path.endsWith('.json')) return { file: target };
  const ref = active.current();
  if (ref !== undefined) return ref;
  throw new UserError({
    problem: 'No trace is open',
    remedy: 'Open one with "ILVR: Open trace…", or reason about an image first.',
  });
}
