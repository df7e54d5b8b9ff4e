/** Which trace commands such as "Export" mean when they are called without one: the one in front. */

import * as vscode from 'vscode';
import type { PanelSelection } from '../../protocol/panel.ts';
import { isSameRef, refOf, TRACE_SCHEME, type TraceRef } from './library.ts';

type Looking = () => Promise<PanelSelection | undefined>;

export class ActiveTrace {
  private owner: object | undefined;
  private ref: TraceRef | undefined;
  private selection: Looking = async () => undefined;

  /** A webview became active with `ref`; `selection` tells what is looked at there. */
  enter(owner: object, ref: TraceRef, selection: Looking): void {
    this.owner = owner;
    this.ref = ref;
    this.selection = selection;
  }

  /** What is looked at of a trace, if it is the one of the last active webview. */
  async lookedAt(ref: TraceRef): Promise<PanelSelection | undefined> {
    return this.ref !== undefined && isSameRef(ref, this.ref) ? this.selection() : undefined;
  }

  /** A webview was closed. */
  leave(owner: object): void {
    if (this.owner !== owner) return;
    this.owner = undefined;
    this.ref = undefined;
    this.selection = async () => undefined;
  }

  /** The trace in front, or else the last one that was. */
  current(): TraceRef | undefined {
    const input = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
    if (input instanceof vscode.TabInputText && input.uri.scheme === TRACE_SCHEME) return refOf(input.uri);
    return this.ref;
  }
}
