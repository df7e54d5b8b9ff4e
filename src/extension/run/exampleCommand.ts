/** "Reason about an example": see ../../examples/example.ts. */

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as vscode from 'vscode';
import { CancelledError } from '../../base/errors.ts';
import type { ExampleKind } from '../../examples/example.ts';
import { makeFolder } from '../../files/makeFolder.ts';
import { requireTrust } from '../trust.ts';
import { choose } from '../window.ts';
import type { RunResult } from './controller.ts';
import type { ReasonCommand } from './reasonCommand.ts';
import { RUNS_NEED_TRUST } from './runs.ts';

export class ExampleCommand {
  private readonly context: vscode.ExtensionContext;
  private readonly command: ReasonCommand;

  constructor(context: vscode.ExtensionContext, command: ReasonCommand) {
    this.context = context;
    this.command = command;
  }

  /**
   * @param called which, from code; everything else is asked
   * @returns undefined when a dialog was left
   */
  async reason(called?: unknown): Promise<RunResult | undefined> {
    requireTrust(RUNS_NEED_TRUST);
    // Imported when it is wanted: the window starts without what draws.
    const { drawExample, EXAMPLES } = await import('../../examples/example.ts');
    const kind = EXAMPLES.find((each) => each === called) ?? (await chooseExample());
    if (kind === undefined) return undefined;
    // The example before goes: its run has kept its pictures.
    const folder = join(this.context.globalStorageUri.fsPath, 'example');
    await rm(folder, { recursive: true, force: true });
    await makeFolder(folder);
    const { question, images, helpers, model } = await drawExample(
      kind,
      folder,
      new AbortController().signal,
    );
    const uris = (paths: string[]): vscode.Uri[] => paths.map((path) => vscode.Uri.file(path));
    const options = { question, helpers: uris(helpers), settings: { model } };
    try {
      return await this.command.reasonWithoutDialogs(uris(images), options, 'ask');
    } catch (error) {
      if (error instanceof CancelledError) return undefined;
      throw error;
    }
  }
}

async function chooseExample(): Promise<ExampleKind | undefined> {
  const choices: { kind: ExampleKind; label: string; detail: string }[] = [
    {
      kind: 'world',
      label: vscode.l10n.t('A world that moves'),
      detail: vscode.l10n.t('What is the map after these moves? This model’s latents are needed'),
    },
    {
      kind: 'maze',
      label: vscode.l10n.t('A maze'),
      detail: vscode.l10n.t('Find a safe path. This model’s latents do nothing, as the tests show'),
    },
  ];
  const picked = await choose(choices, {
    title: vscode.l10n.t('Reason about which example?'),
    placeholder: vscode.l10n.t('A new picture is drawn each time; nothing is downloaded'),
  });
  return picked?.kind;
}
