/** The pages of training runs: one for each folder, whoever started the run, back after a reload. */

import { basename } from 'node:path';
import * as vscode from 'vscode';
import * as z from 'zod';
import { DisposableStore, type Disposable } from '../../base/disposable.ts';
import { packed } from '../../protocol/pack.ts';
import { connect } from '../../protocol/rpc.ts';
import type { TrainingPageHost, TrainingPageMethods } from '../../protocol/training.ts';
import { panelHtml, resourceRoot } from '../panelHtml.ts';
import { openPlace } from '../trace/places.ts';
import type { Reporter } from '../report.ts';
import { lockedReason, manageTrust } from '../trust.ts';
import { createPage } from '../window.ts';
import { TrainingFolder } from './folder.ts';
import type { TrainingRuns } from './runs.ts';

/** Also the serializer's key and part of an activation event, so it must never change. */
export const TRAINING_PANEL = 'ilvr.training';

export interface TrainingPanelServices {
  extensionUri: vscode.Uri;
  reporter: Reporter;
  runs: TrainingRuns;
}

/** What the page keeps; the rest of it is the page's own. */
const pageState = z.looseObject({ folder: z.string() });

export class TrainingPanels implements vscode.WebviewPanelSerializer, Disposable {
  private readonly store = new DisposableStore();
  private readonly services: TrainingPanelServices;
  private readonly pages = new Map<string, TrainingPanel>();

  constructor(services: TrainingPanelServices) {
    this.services = services;
    this.store.add(vscode.window.registerWebviewPanelSerializer(TRAINING_PANEL, this));
  }

  /** The folder whose page is in front. */
  get active(): string | undefined {
    return [...this.pages].find(([, page]) => page.panel.active)?.[0];
  }

  open(folder: string): void {
    const existing = this.pages.get(folder);
    if (existing !== undefined) return existing.panel.reveal();
    const title = vscode.l10n.t('Training: {0}', basename(folder));
    this.add(createPage(TRAINING_PANEL, title, resourceRoot(this.services.extensionUri)), folder);
  }

  /** VS Code gives back a page of the last window. */
  async deserializeWebviewPanel(panel: vscode.WebviewPanel, state: unknown): Promise<void> {
    const known = pageState.safeParse(state);
    if (known.success) this.add(panel, known.data.folder);
    else panel.dispose();
  }

  dispose(): void {
    this.store.dispose();
    for (const { panel } of this.pages.values()) panel.dispose();
  }

  private add(panel: vscode.WebviewPanel, folder: string): void {
    const page = new TrainingPanel(panel, folder, this.services);
    this.pages.set(folder, page);
    panel.onDidDispose(() => {
      this.pages.delete(folder);
      page.dispose();
    });
  }
}

type Page = ReturnType<typeof connect<TrainingPageMethods, TrainingPageHost>>;

class TrainingPanel implements Disposable {
  readonly panel: vscode.WebviewPanel;
  private readonly store = new DisposableStore();
  private readonly services: TrainingPanelServices;
  private readonly folder: TrainingFolder;
  /** VS Code ends a hidden page's script; `ready` comes again. */
  private isReady = false;

  constructor(panel: vscode.WebviewPanel, folder: string, services: TrainingPanelServices) {
    const { extensionUri, reporter } = services;
    this.panel = panel;
    this.services = services;
    const { webview } = panel;
    panel.iconPath = {
      light: vscode.Uri.joinPath(extensionUri, 'media/panel-light.svg'),
      dark: vscode.Uri.joinPath(extensionUri, 'media/panel-dark.svg'),
    };
    webview.options = { enableScripts: true, localResourceRoots: [resourceRoot(extensionUri)] };
    const page: Page = connect<TrainingPageMethods, TrainingPageHost>(
      this.actions(folder, async () => page.show.asEvent({ ...this.folder.state, ...locked() })),
      packed({
        post: (message) => void webview.postMessage(message),
        on: (listener) => this.store.add(webview.onDidReceiveMessage(listener)),
      }),
    );
    this.folder = this.store.add(
      new TrainingFolder(folder, (change) => {
        if (this.isReady) void page.change.asEvent(change);
      }),
    );
    this.store.add({ dispose: () => page.$close() });
    this.store.add(
      panel.onDidChangeViewState(() => {
        if (!panel.visible) this.isReady = false;
      }),
    );
    this.store.add(
      vscode.workspace.onDidGrantWorkspaceTrust(() => {
        if (this.isReady) void page.change.asEvent({ locked: null });
      }),
    );
    reporter.watch(this.folder.start());
    webview.html = panelHtml(webview, extensionUri, panel.title, 'training');
  }

  dispose(): void {
    this.isReady = false;
    this.store.dispose();
  }

  private actions(folder: string, show: () => Promise<void>): TrainingPageHost {
    const { runs, reporter } = this.services;
    // The page cannot show errors as well as the window can, so none goes back to it.
    const shown = (action: () => Promise<unknown>) => async (): Promise<void> => reporter.watch(action());
    return {
      ready: async () => {
        await this.folder.refresh();
        // From here on changes are passed on; none can slip between the snapshot and this line.
        this.isReady = true;
        await show();
      },
      pause: shown(() => runs.pause(folder)),
      resume: shown(() => runs.resume(folder)),
      stop: shown(() => runs.stop(folder)),
      openConfig: shown(async () => openPlace(await this.configFile())),
      openError: shown(() => openPlace(this.folder.errorPlace ?? folder)),
      showFolder: shown(async () =>
        vscode.commands.executeCommand('revealFileInOS', vscode.Uri.file(`${folder}/metrics.jsonl`)),
      ),
      watch: async (request) => reporter.watch(runs.watch(folder, request)),
      look: (step, sample) => this.folder.look(step, sample),
      manageTrust: shown(async () => manageTrust()),
    };
  }

  /** The file that the run was started with; the folder's own record where that is not known. */
  private async configFile(): Promise<string> {
    return (await this.folder.status())?.config ?? `${this.folder.folder}/config.json`;
  }
}

/** Why the page's buttons are off, if they are. */
function locked(): { locked?: string } {
  const reason = lockedReason();
  return reason === undefined ? {} : { locked: reason };
}
