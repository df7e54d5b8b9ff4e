/**
 * Trust in the workspace. Looking at traces and runs needs none; whatever starts a process, writes into a run's
 * folder or opens what a file of somebody else names asks here first, where it acts, whoever calls it.
 */

import * as vscode from 'vscode';
import { UserError } from '../base/errors.ts';

/** Something that a workspace must be trusted for. */
export class TrustError extends UserError {
  constructor(problem: string) {
    super({
      problem,
      remedy: 'Traces and runs can be looked at all the same. To go on here, trust this workspace first.',
    });
    this.name = 'TrustError';
  }
}

/**
 * @param problem what is not done, as a sentence without its full stop
 * @throws TrustError in a workspace whose files must not decide what happens
 */
export function requireTrust(problem: string): void {
  if (!vscode.workspace.isTrusted) throw new TrustError(problem);
}

/** Why buttons are off; undefined in a trusted workspace. */
export function lockedReason(): string | undefined {
  if (vscode.workspace.isTrusted) return undefined;
  return vscode.l10n.t('This workspace is not trusted: nothing is started, written or opened for it.');
}

/** Opens VS Code's own page about trust in the workspace. */
export function manageTrust(): Thenable<unknown> {
  return vscode.commands.executeCommand('workbench.trust.manage');
}
