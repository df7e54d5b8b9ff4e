/** "Select model folder": the bundled model, one used before, or a folder from disk. */

import * as vscode from 'vscode';
import { bundledModelIn, bundledReference } from '../files/bundledModels.ts';
import { findConfig } from '../files/modelFolder.ts';
import { modelFolder, saveSetting } from './settings.ts';
import { choose, type Choice } from './window.ts';

const RECENT_KEY = 'ilvr.models';
const RECENT_LENGTH = 8;
const WORLDS = bundledReference('worlds');

interface ModelItem extends Choice {
  /** Value of the setting; undefined asks for a folder. */
  folder?: string;
  /** Whether it is fetched, by a command of its own. */
  fetched?: boolean;
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
  // The engine checks everything; this only keeps a slip of the mouse out of the settings.
  await findConfig(modelFolder(context, value), 'model');
  await saveSetting('model', value === '' ? undefined : value);
  await remember(context.globalState, value);
  return modelFolder(context, value);
}

/** Sets "ilvr.adapter" to a folder. @throws UserError if it holds none */
export async function selectAdapter(folder: string): Promise<void> {
  await findConfig(folder, 'adapter');
  await saveSetting('adapter', folder);
}

async function chooseModel(context: vscode.ExtensionContext): Promise<string | undefined> {
  const current = modelFolder(context);
  const used = (folder: string): string =>
    modelFolder(context, folder) === current ? vscode.l10n.t('in use') : '';
  const items: ModelItem[] = [
    {
      label: vscode.l10n.t('Bundled model'),
      description: used(''),
      detail: vscode.l10n.t('Small; trained on drawn maps. Its latents do nothing'),
      folder: '',
    },
    {
      label: vscode.l10n.t('Bundled model of worlds'),
      description: used(WORLDS),
      detail: vscode.l10n.t('Small; follows moves through a drawn world. Its latents are needed'),
      folder: WORLDS,
    },
    ...context.globalState
      .get<string[]>(RECENT_KEY, [])
      .map((folder) => ({ label: folder, description: used(folder), folder })),
    { label: vscode.l10n.t('Choose a folder…'), icon: 'folder-opened' },
    { label: vscode.l10n.t('Get one from the Hugging Face hub…'), icon: 'cloud-download', fetched: true },
  ];
  const picked = await choose(items, {
    title: vscode.l10n.t('Which model?'),
    placeholder: vscode.l10n.t('A folder in Hugging Face layout: config.json, weights, tokenizer'),
  });
  if (picked === undefined || picked.folder !== undefined) return picked?.folder;
  if (picked.fetched === true) {
    await vscode.commands.executeCommand('ilvr.getModel');
    return undefined;
  }
  const [folder] =
    (await vscode.window.showOpenDialog({
      title: vscode.l10n.t('Select model folder'),
      canSelectFiles: false,
      canSelectFolders: true,
      openLabel: vscode.l10n.t('Select'),
    })) ?? [];
  return folder?.fsPath;
}

async function remember(memory: vscode.Memento, folder: string): Promise<void> {
  if (folder === '' || bundledModelIn(folder) !== undefined) return;
  const others = memory.get<string[]>(RECENT_KEY, []).filter((other) => other !== folder);
  await memory.update(RECENT_KEY, [folder, ...others].slice(0, RECENT_LENGTH));
}
