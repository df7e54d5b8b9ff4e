/** "Diagnose GPU": what the engine knows about this machine's devices, in the log. */

import * as vscode from 'vscode';
import type { EngineService } from './engineService.ts';

/** Writes the report to the log, shows it, and returns its lines. */
export async function diagnose(engine: EngineService, log: vscode.LogOutputChannel): Promise<string[]> {
  const title = vscode.l10n.t('ILVR: looking for devices …');
  const lines = await vscode.window.withProgress({ location: vscode.ProgressLocation.Window, title }, () =>
    engine.diagnose(),
  );
  log.info(`VS Code ${vscode.version}, ${process.platform}-${process.arch}, Node ${process.versions.node}`);
  for (const line of lines) log.info(line);
  log.show();
  return lines;
}
