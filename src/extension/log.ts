/** The extension's log: one output channel, shown by "ILVR: Show log". */

import * as vscode from 'vscode';
import { printable } from '../base/plainText.ts';

export type LogLevel = 'info' | 'warn' | 'error';

/** The engine's lines and ours go to the same place, in order; what they hold from outside is made printable. */
export class Log implements vscode.Disposable {
  private readonly channel = vscode.window.createOutputChannel('ILVR Inspector', { log: true });

  /** Writes lines of one level; nothing for a blank text. */
  write(level: LogLevel, text: string): void {
    if (text.trim() !== '') this.channel[level](printable(text));
  }

  show(): void {
    this.channel.show();
  }

  dispose(): void {
    this.channel.dispose();
  }
}
