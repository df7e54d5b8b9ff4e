/** Which trace commands such as "Export" mean when they are called without one: the one in front. */

import * as vscode from 'vscode';
import { refOf, TRACE_SCHEME, type TraceRef } from './library.ts';

export class ActiveTrace {
  private owner: object | undefined;
  private ref: TraceRef | undefined;

  /** A webview became active with `ref`. */
  enter(owner: object, ref: TraceRef): void {
    this.owner = owner;
    this.ref = ref;
  }

  /** A webview was closed. */
  leave(owner: object): void {
    if (this.owner !== owner) return;
    this.owner = undefined;
    this.ref = undefined;
  }

  /** The trace in front, or else the last one that was. */
  current(): TraceRef | undefined {
    const input = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
    if (input instanceof vscode.TabInputText && input.uri.scheme === TRACE_SCHEME) return refOf(input.uri);
    return this.ref;
  }
}
