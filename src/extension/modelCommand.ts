/** "Select model folder": the bundled model, one used before, or a folder from disk. */

import * as vscode from 'vscode';
import { UserError } from '../base/errors.ts';
import { modelFolder, SECTION } from './settings.ts';
import { choose, type Choice } from './window.ts';

const RECENT_KEY = 'ilvr.models';
const RECENT_LENGTH = 8;

interface ModelItem extends Choice {
  /** Value of the setting; undefined asks for a folder. */
  folder?: string;
}

/**
 * Sets "ilvr.model".
 * @param folder asked for if absent
 * @returns the folder that runs will use, or undefined when the dialog was left
 */
export async function selectModel(
  context: vscode.ExtensionContext,
  folder?: vscode.Uri,
): Promise<string | undefined> {
  const value = folder === undefined ? await chooseModel(context) : folder.fsPath;
  if (value === undefined) return undefined;
  if (value !== '') await requireCheckpoint(value);
  const configuration = vscode.workspace.getConfiguration(SECTION);
  await configuration.update('model', value === '' ? undefined : value, targetOf(configuration));
  await remember(context.globalState, value);
  return modelFolder(context, value);
}

/** A workspace that already chooses its own model goes on doing so. */
function targetOf(configuration: vscode.WorkspaceConfiguration): vscode.ConfigurationTarget {
  return configuration.inspect('model')?.workspaceValue === undefined
    ? vscode.ConfigurationTarget.Global
    : vscode.ConfigurationTarget.Workspace;
}

async function chooseModel(context: vscode.ExtensionContext): Promise<string | undefined> {
  const current = modelFolder(context);
  const used = (folder: string): string =>
    modelFolder(context, folder) === current ? vscode.l10n.t('in use') : '';
  const items: ModelItem[] = [
    {
      label: vscode.l10n.t('Bundled model'),
      description: used(''),
      detail: vscode.l10n.t('Small; trained on drawn maps'),
      folder: '',
    },
    ...context.globalState
      .get<string[]>(RECENT_KEY, [])
      .map((folder) => ({ label: folder, description: used(folder), folder })),
    { label: vscode.l10n.t('Choose a folder…'), icon: 'folder-opened' },
  ];
  const picked = await choose(items, {
    title: vscode.l10n.t('Which model?'),
    placeholder: vscode.l10n.t('A folder in Hugging Face layout: config.json, weights, tokenizer'),
  });
  if (picked === undefined || picked.folder !== undefined) return picked?.folder;
  const [folder] =
    (await vscode.window.showOpenDialog({
      title: vscode.l10n.t('Select model folder'),
      canSelectFiles: false,
      canSelectFolders: true,
      openLabel: vscode.l10n.t('Select'),
    })) ?? [];
  return folder?.fsPath;
}

/** The engine checks everything; this only keeps a slip of the mouse out of the settings. */
async function requireCheckpoint(folder: string): Promise<void> {
  const config = vscode.Uri.joinPath(vscode.Uri.file(folder), 'config.json');
  try {
    await vscode.workspace.fs.stat(config);
  } catch (error) {
    throw new UserError(
      {
        problem: 'This folder holds no model',
        expected: 'a Hugging Face checkpoint with config.json',
        found: 'no config.json',
        where: folder,
        remedy: 'Choose the folder that the model was downloaded to.',
      },
      { cause: error },
    );
  }
}

async function remember(memory: vscode.Memento, folder: string): Promise<void> {
  if (folder === '') return;
  const others = memory.get<string[]>(RECENT_KEY, []).filter((other) => other !== folder);
  await memory.update(RECENT_KEY, [folder, ...others].slice(0, RECENT_LENGTH));
}
