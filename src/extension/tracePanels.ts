/** All run panels of the window, and their return after a reload. */

import * as vscode from 'vscode';
import { DisposableStore, type Disposable } from '../base/disposable.ts';
import { UserError } from '../base/errors.ts';
import { resourceRoot } from './panelHtml.ts';
import { panelTitle, TracePanel, type PanelServices } from './tracePanel.ts';

/** Also the serializer's key and part of an activation event, so it must never change. */
export const PANEL_TYPE = 'ilvr.panel';

export class TracePanels implements vscode.WebviewPanelSerializer, Disposable {
  private readonly store = new DisposableStore();
  private readonly services: PanelServices;
  private readonly panels = new Set<TracePanel>();

  constructor(services: PanelServices) {
    this.services = services;
    this.store.add(vscode.window.registerWebviewPanelSerializer(PANEL_TYPE, this));
  }

  /** The panel that shows a run, opened if there is none. */
  open(runId: string): TracePanel {
    const existing = this.find(runId);
    if (existing) {
      existing.reveal();
      return existing;
    }
    const panel = vscode.window.createWebviewPanel(
      PANEL_TYPE,
      panelTitle(undefined),
      vscode.ViewColumn.Active,
      {
        enableScripts: true,
        localResourceRoots: [resourceRoot(this.services.extensionUri)],
      },
    );
    return this.add(panel, runId);
  }

  find(runId: string): TracePanel | undefined {
    return [...this.panels].find(({ run }) => run === runId);
  }

  /** VS Code gives back a panel with the state that its page stored. */
  async deserializeWebviewPanel(panel: vscode.WebviewPanel, state: unknown): Promise<void> {
    const runId = runIdIn(state);
    if (runId === undefined) {
      panel.dispose();
      this.services.reporter.record(new UserError({ problem: 'A panel came back without its run' }));
      return;
    }
    this.add(panel, runId);
  }

  dispose(): void {
    this.store.dispose();
    for (const panel of this.panels) panel.dispose();
  }

  private add(panel: vscode.WebviewPanel, runId: string): TracePanel {
    const shown = new TracePanel(panel, runId, this.services);
    this.panels.add(shown);
    panel.onDidDispose(() => {
      this.panels.delete(shown);
      shown.dispose();
    });
    return shown;
  }
}

function runIdIn(state: unknown): string | undefined {
  const { runId } = (typeof state === 'object' && state !== null ? state : {}) as { runId?: unknown };
  return typeof runId === 'string' ? runId : undefined;
}
