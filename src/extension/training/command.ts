/**
 * "Train on dataset…": from a config file, or from a dataset for which one is written. And what can be
 * done with a run that goes on, or that somebody else has started.
 */

import { stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import * as vscode from 'vscode';
import { UserError } from '../../base/errors.ts';
import { readPlainFile } from '../../files/plainFile.ts';
import type { TrainingDevice } from '../../tensor/device.ts';
import { deviceSetting, modelFolder } from '../settings.ts';
import { requireTrust } from '../trust.ts';
import { configFor, CONFIG_ENDING, freeConfigName, type TemplateChoices } from './template.ts';
import type { TrainingPanels } from './panels.ts';
import { chooseTrainingDevice } from './process.ts';
import { TRAINING_NEEDS_TRUST, type TrainingRuns } from './runs.ts';
import { choose, showInformation } from '../window.ts';

/** Second argument of `ilvr.train` when it is called from code: no dialog is shown. */
export interface TrainOptions {
  device?: TrainingDevice;
}

const MAX_FOUND = 30;
const MAX_CONFIG_BYTES = 2 ** 20;

export class TrainCommand {
  private readonly context: vscode.ExtensionContext;
  private readonly runs: TrainingRuns;
  private readonly panels: TrainingPanels;

  constructor(context: vscode.ExtensionContext, runs: TrainingRuns, panels: TrainingPanels) {
    this.context = context;
    this.runs = runs;
    this.panels = panels;
  }

  /**
   * @param target a config file or a dataset
   * @returns the run's folder, or undefined when a dialog was left or a config was written to be looked at
   */
  async train(target?: unknown, options?: unknown): Promise<string | undefined> {
    requireTrust(TRAINING_NEEDS_TRUST);
    const file = target instanceof vscode.Uri ? target : (configInEditor() ?? (await chooseFile()));
    if (file === undefined) return undefined;
    if (file.path.endsWith('.jsonl')) return this.writeConfig(file);
    const device = isTrainOptions(options)
      ? (options.device ?? 'cpu')
      : await chooseTrainingDevice(this.context.asAbsolutePath('dist/engine.cjs'), deviceSetting());
    await vscode.workspace.textDocuments.find(({ uri }) => uri.toString() === file.toString())?.save();
    const folder = await this.runs.start(file.fsPath, device);
    this.panels.open(folder);
    return folder;
  }

  /** Shows a run by its folder, by a file of it, or by the config that it was started with. */
  async watch(target?: unknown): Promise<void> {
    const chosen = target instanceof vscode.Uri ? target : await chooseRun(this.runs.folders);
    if (chosen !== undefined) this.panels.open(await runFolderOf(chosen.fsPath));
  }

  async pause(folder?: unknown): Promise<void> {
    await this.runs.pause(this.which(folder));
  }

  async resume(folder?: unknown): Promise<void> {
    await this.runs.resume(this.which(folder));
  }

  async stop(folder?: unknown): Promise<void> {
    await this.runs.stop(this.which(folder));
  }

  /** What the status bar's item offers. */
  async menu(): Promise<void> {
    const folder = this.which(undefined);
    const isPaused = this.runs.stateOf(folder)?.state === 'paused';
    const items = [
      { icon: 'graph-line', label: vscode.l10n.t('Show'), run: async () => this.panels.open(folder) },
      isPaused
        ? { icon: 'debug-continue', label: vscode.l10n.t('Resume'), run: () => this.runs.resume(folder) }
        : { icon: 'debug-pause', label: vscode.l10n.t('Pause'), run: () => this.runs.pause(folder) },
      { icon: 'debug-stop', label: vscode.l10n.t('Stop and keep'), run: () => this.runs.stop(folder) },
    ];
    const picked = await choose(items, { title: vscode.l10n.t('Training') });
    await picked?.run();
  }

  /** The run that is meant: named, in front, or the only one. */
  private which(folder: unknown): string {
    const found = typeof folder === 'string' ? folder : (this.panels.active ?? this.runs.folders[0]);
    if (found !== undefined) return found;
    throw new UserError({
      problem: 'No training run is open',
      remedy: 'Open one with "ILVR: Watch training run…".',
    });
  }

  /** Writes a config beside the dataset, opens it, and offers to start. */
  private async writeConfig(dataset: vscode.Uri): Promise<string | undefined> {
    const choices = await this.choose(dataset.fsPath);
    if (choices === undefined) return undefined;
    const file = vscode.Uri.file(await freeConfigName(dataset.fsPath));
    const text = await configFor(file.fsPath, choices);
    await vscode.workspace.fs.writeFile(file, new TextEncoder().encode(text));
    await vscode.window.showTextDocument(file);
    let folder: string | undefined;
    const start = async (): Promise<void> => {
      folder = await this.train(file);
    };
    await showInformation(
      vscode.l10n.t('The config of the run is written. Change what you like, then start it.'),
      [{ title: vscode.l10n.t('Start training'), run: start }],
    );
    return folder;
  }

  private async choose(dataset: string): Promise<TemplateChoices | undefined> {
    const model = await this.chooseModel();
    if (model === undefined) return undefined;
    const stages = [
      {
        label: vscode.l10n.t('Stage 1: alignment'),
        detail: vscode.l10n.t(
          'The teacher selects features of the helper images; latents learn to match them',
        ),
        stage: 1 as const,
      },
      {
        label: vscode.l10n.t('Stage 2: relaxation'),
        detail: vscode.l10n.t('Latents are the model’s own; only the text is learnt. Goes on from stage 1'),
        stage: 2 as const,
      },
    ];
    const picked = await choose(stages, { title: vscode.l10n.t('Which stage?') });
    return picked && { dataset, model, stage: picked.stage };
  }

  private async chooseModel(): Promise<string | undefined> {
    const [set, bundled] = [modelFolder(this.context), modelFolder(this.context, '')];
    const items = [
      ...(set === bundled ? [] : [{ label: set, description: vscode.l10n.t('in use'), folder: set }]),
      { label: vscode.l10n.t('Bundled model'), folder: bundled },
      { icon: 'folder-opened', label: vscode.l10n.t('Choose a folder…'), folder: undefined },
    ];
    const picked = await choose(items, {
      title: vscode.l10n.t('Which model is to be trained?'),
    });
    if (picked === undefined || picked.folder !== undefined) return picked?.folder;
    const [folder] =
      (await vscode.window.showOpenDialog({ canSelectFiles: false, canSelectFolders: true })) ?? [];
    return folder?.fsPath;
  }
}

/** True for a call from code with options; menus pass arrays of files or an editor's group. */
export function isTrainOptions(value: unknown): value is TrainOptions {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && 'device' in value;
}

function configInEditor(): vscode.Uri | undefined {
  const uri = vscode.window.activeTextEditor?.document.uri;
  return uri?.path.endsWith(CONFIG_ENDING) === true ? uri : undefined;
}

async function chooseFile(): Promise<vscode.Uri | undefined> {
  const [configs, datasets] = await Promise.all(
    [`**/*${CONFIG_ENDING}`, '**/*.jsonl'].map((pattern) =>
      vscode.workspace.findFiles(pattern, '**/{node_modules,checkpoints,watch}/**', MAX_FOUND),
    ),
  );
  const item = (uri: vscode.Uri, description: string) => ({
    label: vscode.workspace.asRelativePath(uri),
    description,
    uri,
  });
  const items = [
    ...configs!.map((uri) => item(uri, vscode.l10n.t('config'))),
    ...datasets!
      .filter(({ path }) => !path.endsWith('/metrics.jsonl'))
      .map((uri) => item(uri, vscode.l10n.t('dataset'))),
    { icon: 'folder-opened', label: vscode.l10n.t('Choose a file…'), description: '', uri: undefined },
  ];
  const picked = await choose(items, {
    title: vscode.l10n.t('Train on which dataset, or by which config?'),
    placeholder: vscode.l10n.t('A samples file in the official ILVR format, or the config of a run'),
  });
  if (picked === undefined || picked.uri !== undefined) return picked?.uri;
  const [file] =
    (await vscode.window.showOpenDialog({
      title: vscode.l10n.t('Dataset or config'),
      filters: { [vscode.l10n.t('Datasets and configs')]: ['jsonl', 'json'] },
    })) ?? [];
  return file;
}

async function chooseRun(running: readonly string[]): Promise<vscode.Uri | undefined> {
  const found = await vscode.workspace.findFiles('**/metrics.jsonl', '**/node_modules/**', MAX_FOUND);
  const folders = [...new Set([...running, ...found.map(({ fsPath }) => dirname(fsPath))])];
  const items = [
    ...folders.map((folder) => ({
      label: vscode.workspace.asRelativePath(folder),
      uri: vscode.Uri.file(folder),
    })),
    { icon: 'folder-opened', label: vscode.l10n.t('Choose a folder…'), uri: undefined },
  ];
  const picked = await choose(items, { title: vscode.l10n.t('Watch which run?') });
  if (picked === undefined || picked.uri !== undefined) return picked?.uri;
  const [folder] =
    (await vscode.window.showOpenDialog({ canSelectFiles: false, canSelectFolders: true })) ?? [];
  return folder;
}

/** @throws UserError if the path leads to no run */
async function runFolderOf(path: string): Promise<string> {
  const isFolder = (await stat(path)).isDirectory();
  const folder = isFolder ? path : ((await runInConfig(path)) ?? dirname(path));
  const isRun = await stat(join(folder, 'config.json')).then(
    () => true,
    () => false,
  );
  if (isRun) return folder;
  throw new UserError({
    problem: 'There is no training run',
    expected: 'a folder with config.json and metrics.jsonl',
    where: folder,
    remedy: 'Choose the folder that the config names in "run"; it comes into being when the run begins.',
  });
}

/**
 * The folder that a config names; nothing for other files.
 * @throws TrustError, as it may be a folder of another machine
 */
async function runInConfig(file: string): Promise<string | undefined> {
  if (!file.endsWith(CONFIG_ENDING)) return undefined;
  requireTrust('The folder that a config names is opened in trusted workspaces only');
  try {
    const { run } = JSON.parse(
      new TextDecoder().decode(await readPlainFile(file, { maxBytes: MAX_CONFIG_BYTES })),
    ) as {
      run?: unknown;
    };
    if (typeof run !== 'string') return undefined;
    return isAbsolute(run) ? run : resolve(dirname(file), run);
  } catch {
    return undefined;
  }
}
