/**
 * Where errors end. Commands are wrapped here, so that everything thrown below is shown once, with
 * buttons that help, and written to the log; a stack trace only for defects of ours.
 */

import * as vscode from 'vscode';
import { CancelledError, messageOf, UserError } from '../base/errors.ts';
import { EngineDiedError } from '../client/ends.ts';
import { plainText } from '../base/plainText.ts';
import type { FolderKind } from '../files/modelFolder.ts';
import { CommandError } from './childCommand.ts';
import type { Log } from './log.ts';
import { selectAdapter } from './modelCommand.ts';
import { openPlace } from './trace/places.ts';
import { SettingError } from './settings.ts';
import { manageTrust, TrustError } from './trust.ts';
import { showError, showInformation, shownError, type Button } from './window.ts';

export class Reporter {
  /** The last message that was shown, as it was shown. */
  lastError: string | undefined;
  private readonly log: Log;
  /** An error passes several rims on its way out; the innermost knows the best buttons. */
  private readonly shown = new WeakSet<object>();

  constructor(log: Log) {
    this.log = log;
  }

  /** Writes `error` to the log and remembers it, without a notification. */
  record(error: unknown): string {
    const message = messageOf(error);
    this.lastError = plainText(message);
    const expected = error instanceof UserError || error instanceof EngineDiedError;
    this.log.write('error', expected || !(error instanceof Error) ? message : (error.stack ?? message));
    return message;
  }

  /** Shows `error` unless the user caused it by cancelling. Does not wait for a button. */
  show(error: unknown, remedies: Button[] = []): void {
    if (error instanceof CancelledError || error instanceof vscode.CancellationError) return;
    if (error instanceof Error) {
      if (this.shown.has(error)) return;
      this.shown.add(error);
    }
    const message = this.record(error);
    const usual = remediesFor(error).filter(({ title }) => !remedies.some((other) => other.title === title));
    const buttons = [...remedies, ...usual, this.showLog()];
    this.watch(showError(message, buttons));
  }

  /** Shows a message that is no error, with buttons; does not wait for one. */
  inform(message: string, ...buttons: Button[]): void {
    this.watch(showInformation(message, buttons));
  }

  /** A listener or timer's promise: its failure is shown rather than lost. */
  watch(promise: PromiseLike<unknown>): void {
    promise.then(undefined, (error: unknown) => this.show(error));
  }

  private showLog(): Button {
    return { title: vscode.l10n.t('Show log'), run: () => this.log.show() };
  }
}

/** True for options of a call from code; menus pass arrays of what is selected, or an editor's group. */
export function isOptions(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !('groupId' in value);
}

/**
 * Registers a command whose failure is shown.
 * @param isCall tells a call from code, which also gets the rejection, from a menu's or key's
 */
export function registerCommand<Args extends unknown[]>(
  id: string,
  reporter: Reporter,
  handler: (...args: Args) => unknown,
  isCall: (...args: Args) => boolean = () => false,
): vscode.Disposable {
  return vscode.commands.registerCommand(id, async (...args: Args) => {
    try {
      return await handler(...args);
    } catch (error) {
      reporter.show(error);
      if (isCall(...args)) throw shownError(error);
      return undefined;
    }
  });
}

function remediesFor(error: unknown): Button[] {
  if (error instanceof TrustError) return [{ title: vscode.l10n.t('Manage trust'), run: manageTrust }];
  if (error instanceof CommandError && error.place !== undefined) {
    const { place } = error;
    return [{ title: vscode.l10n.t('Open file'), run: () => openPlace(place) }];
  }
  if (error instanceof UserError && error.details.instead !== undefined) {
    const { kind, folder } = error.details.instead;
    return [{ title: vscode.l10n.t('Use that folder'), run: () => selectInstead(kind, folder) }];
  }
  if (error instanceof UserError && error.details.choose === 'model') {
    const run = (): unknown => vscode.commands.executeCommand('ilvr.selectModel');
    return [{ title: vscode.l10n.t('Select model folder'), run }];
  }
  if (!(error instanceof SettingError)) return [];
  return [{ title: vscode.l10n.t('Open settings'), run: () => openSettings(error.setting) }];
}

async function selectInstead(kind: FolderKind, folder: string): Promise<void> {
  if (kind === 'adapter') await selectAdapter(folder);
  else await vscode.commands.executeCommand('ilvr.selectModel', vscode.Uri.file(folder));
}

/** Opens the settings editor at one setting. */
export function openSettings(setting: string): Thenable<unknown> {
  return vscode.commands.executeCommand('workbench.action.openSettings', `@id:${setting}`);
}
