/** The extension's log: one output channel, shown by "ILVR: Show log". */

import * as vscode from 'vscode';

export type LogLevel = 'info' | 'warn' | 'error';

/** Opens the channel; the engine's lines and ours go to the same place, in order. */
export function createLog(): vscode.LogOutputChannel {
  return vscode.window.createOutputChannel('ILVR Inspector', { log: true });
}

/** Writes one line of the level that the engine gave it. */
export function writeLog(log: vscode.LogOutputChannel, level: LogLevel, text: string): void {
  if (text.trim() !== '') log[level](text);
}
