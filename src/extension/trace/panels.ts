/**
 * All run panels of the window, and their return after a reload. A page's stored state is the page's
 * own; which run it showed is noted here, under the panel's title, which VS Code gives back and which
 * is made unique for that.
 */

import * as vscode from 'vscode';
import { DisposableStore, type Disposable } from '../../base/disposable.ts';
import { UserError } from '../../base/errors.ts';
import { plainText } from '../../base/plainText.ts';
import { resourceRoot } from '../panelHtml.ts';
import { createPage } from '../window.ts';
import { TracePanel, type PanelRuns, type PanelServices } from './panel.ts';

/** Also the serializer's key and part of an activation event, so it must never change. */
export const PANEL_TYPE = 'ilvr.panel';
const MEMORY_KEY = 'ilvr.panels';
/** Of a tab; it is a key too, so it must be what the tab shows. */
const MAX_TITLE = 100;
/** Panels that are remembered; more than anyone keeps open. */
const REMEMBERED = 50;

export class TracePanels implements vscode.WebviewPanelSerializer, Disposable {
  private readonly store = new DisposableStore();
  private readonly services: PanelServices;
  private readonly memory: vscode.Memento;
  private readonly panels = new Set<TracePanel>();

  constructor(services: Omit<PanelServices, 'remember'>, memory: vscode.Memento) {
    this.services = { ...services, remember: this.remember.bind(this) };
    this.memory = memory;
    this.store.add(vscode.window.registerWebviewPanelSerializer(PANEL_TYPE, this));
  }

  /**
   * The panel that shows a run, else one that has it among others, else a new one.
   * @param name for its title
   */
  open(runId: string, name: string): TracePanel {
    const existing = this.find(runId) ?? [...this.panels].find((panel) => panel.has(runId));
    if (existing) {
      if (existing.run !== runId) existing.show(runId);
      existing.reveal();
      return existing;
    }
    return this.openNew(runId, name, vscode.ViewColumn.Active);
  }

  /** The panel that shows a run, in that column; a new one even if another has it among others. */
  openIn(column: vscode.ViewColumn, runId: string, name: string): TracePanel {
    const existing = this.find(runId);
    existing?.reveal(undefined, column);
    return existing ?? this.openNew(runId, name, column);
  }

  /** The runs of each panel. */
  runs(): PanelRuns[] {
    return [...this.panels].map(({ runs }) => runs);
  }

  /** Takes a run out of all panels. */
  forget(runId: string): void {
    this.panels.forEach((panel) => panel.forget(runId));
  }

  private openNew(runId: string, name: string, column: vscode.ViewColumn): TracePanel {
    const runs = { shown: runId, history: [runId] };
    const title = uniqueTitle(plainText(`ILVR: ${name}`, MAX_TITLE));
    this.remember(title, runs);
    const root = resourceRoot(this.services.extensionUri);
    return this.add(createPage(PANEL_TYPE, title, root, column), runs);
  }

  find(runId: string): TracePanel | undefined {
    return [...this.panels].find(({ run }) => run === runId);
  }

  /** VS Code gives back a panel of the last window, at the latest when it is looked at. */
  async deserializeWebviewPanel(panel: vscode.WebviewPanel): Promise<void> {
    const runs = this.remembered()[panel.title];
    if (runs !== undefined) {
      // An older version remembered the run that was shown.
      this.add(panel, typeof runs === 'string' ? { shown: runs, history: [runs] } : runs);
      return;
    }
    panel.dispose();
    this.services.reporter.record(
      new UserError({ problem: 'A panel came back whose run is not known', found: panel.title }),
    );
  }

  dispose(): void {
    this.store.dispose();
    for (const panel of this.panels) panel.dispose();
  }

  private remember(title: string, runs: PanelRuns): void {
    const { [title]: _, ...others } = this.remembered();
    const entries = Object.entries({ ...others, [title]: runs }).slice(-REMEMBERED);
    this.services.reporter.watch(this.memory.update(MEMORY_KEY, Object.fromEntries(entries)));
  }

  /** Runs by panel titles, oldest first. */
  private remembered(): Record<string, PanelRuns | string> {
    return this.memory.get<Record<string, PanelRuns | string>>(MEMORY_KEY, {});
  }

  private add(panel: vscode.WebviewPanel, runs: PanelRuns): TracePanel {
    const shown = new TracePanel(panel, runs, this.services);
    this.panels.add(shown);
    panel.onDidDispose(() => {
      this.panels.delete(shown);
      shown.dispose();
    });
    return shown;
  }
}

/** Panels in background tabs exist before VS Code gives them back, so tabs are asked, not panels. */
function uniqueTitle(wanted: string): string {
  const taken = new Set(vscode.window.tabGroups.all.flatMap(({ tabs }) => tabs.map(({ label }) => label)));
  let title = wanted;
  for (let copy = 2; taken.has(title); copy++) title = `${wanted} (${copy})`;
  return title;
}
