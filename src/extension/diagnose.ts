/** "Diagnose GPU": what the engine knows about this machine's devices, in the log. */

import * as vscode from 'vscode';
import type { EngineService } from './engineService.ts';
import type { Log } from './log.ts';
import { showWork } from './window.ts';

/** Writes the report to the log, shows it, and returns its lines. */
export async function diagnose(engine: EngineService, log: Log): Promise<string[]> {
  const title = vscode.l10n.t('ILVR: looking for devices …');
  const lines = await showWork(title, () => engine.diagnose());
  const { platform, arch, versions } = process;
  log.write('info', `VS Code ${vscode.version}, ${platform}-${arch}, Node ${versions.node}`);
  for (const line of lines) log.write('info', line);
  log.show();
  return lines;
}
