/** The editor that shows a samples file as a table, evaluates it, and opens any sample's run. */

import { basename, extname } from 'node:path';
import * as vscode from 'vscode';
import { DisposableStore } from '../../base/disposable.ts';
import { UserError } from '../../base/errors.ts';
import type { Sample } from '../../dataset/samples.ts';
import { USUAL } from '../../evaluation/fed.ts';
import { paperTable, writeTable, type TableForm } from '../../evaluation/paperTable.ts';
import type { ResultsHeader } from '../../evaluation/results.ts';
import { placementOf, questionFor } from '../../evaluation/samples.ts';
import type {
  EvaluationPageHost,
  EvaluationPageMethods,
  StartChoice,
  TableState,
} from '../../protocol/evaluation.ts';
import { packed } from '../../protocol/pack.ts';
import { connect } from '../../protocol/rpc.ts';
import { panelHtml, resourceRoot } from '../panelHtml.ts';
import type { SamplesTableApi } from '../api.ts';
import type { Reporter } from '../report.ts';
import type { RunRequest } from '../run/controller.ts';
import type { RunSessions } from '../run/session.ts';
import { modelFolder, readRunSettings, type RunSettings } from '../settings.ts';
import { openPlace } from '../trace/places.ts';
import { showProgress } from '../window.ts';
import { lockedReason, manageTrust, requireTrust } from '../trust.ts';
import { EVALUATION_NEEDS_TRUST, type EvaluationPlan, type Evaluations } from './processes.ts';
import { SamplesTable } from './table.ts';

/** Also part of the manifest, so it must never change. */
export const SAMPLES_EDITOR = 'ilvr.samples';

/** States are sent at most this often while samples are read or answered. */
const SEND_MS = 200;

export interface SamplesServices {
  context: vscode.ExtensionContext;
  reporter: Reporter;
  evaluations: Evaluations;
  sessions: RunSessions;
  weightsCache: string;
  /** Shows a run that is kept. @returns false if it is not there any more */
  showRun: (run: string) => Promise<boolean>;
}

export class SamplesEditors implements vscode.CustomReadonlyEditorProvider {
  private readonly services: SamplesServices;
  private readonly pages = new Map<string, SamplesPage>();
  private readonly waiting = new Map<string, (page: SamplesPage) => void>();

  constructor(services: SamplesServices) {
    this.services = services;
  }

  /** Anything may be opened: what is wrong with it stands in the page. */
  openCustomDocument(uri: vscode.Uri): vscode.CustomDocument {
    return { uri, dispose: () => undefined };
  }

  resolveCustomEditor({ uri }: vscode.CustomDocument, panel: vscode.WebviewPanel): void {
    const key = uri.toString();
    const page = new SamplesPage(panel, uri, this.services);
    this.pages.set(key, page);
    this.waiting.get(key)?.(page);
    this.waiting.delete(key);
    panel.onDidDispose(() => {
      if (this.pages.get(key) === page) this.pages.delete(key);
      page.dispose();
    });
  }

  /** The file whose table is in front. */
  get active(): vscode.Uri | undefined {
    const { activeTab } = vscode.window.tabGroups.activeTabGroup;
    const input = activeTab?.input;
    return input instanceof vscode.TabInputCustom && input.viewType === SAMPLES_EDITOR
      ? input.uri
      : undefined;
  }

  page(file: vscode.Uri): SamplesPage | undefined {
    return this.pages.get(file.toString());
  }

  /** Opens a file's table. */
  async open(file: vscode.Uri): Promise<SamplesPage> {
    const key = file.toString();
    const opened = new Promise<SamplesPage>((resolve) => this.waiting.set(key, resolve));
    await vscode.commands.executeCommand('vscode.openWith', file, SAMPLES_EDITOR);
    const shown = this.pages.get(key);
    if (shown === undefined) return opened;
    this.waiting.delete(key);
    return shown;
  }
}

type Page = ReturnType<typeof connect<EvaluationPageMethods, EvaluationPageHost>>;

export class SamplesPage implements SamplesTableApi, vscode.Disposable {
  private readonly store = new DisposableStore();
  private readonly services: SamplesServices;
  private readonly uri: vscode.Uri;
  private readonly page: Page;
  private readonly table: SamplesTable;
  private readonly read: Promise<void>;
  /** Runs of rows that were opened, by evaluation and line. */
  private readonly opened = new Map<string, string>();
  private isReady = false;
  private sending: ReturnType<typeof setTimeout> | undefined;

  constructor(panel: vscode.WebviewPanel, uri: vscode.Uri, services: SamplesServices) {
    const { context, evaluations, reporter } = services;
    const { extensionUri } = context;
    [this.uri, this.services] = [uri, services];
    const { webview } = panel;
    webview.options = { enableScripts: true, localResourceRoots: [resourceRoot(extensionUri)] };
    this.table = this.store.add(new SamplesTable(uri.fsPath, evaluations, () => this.send()));
    this.page = connect<EvaluationPageMethods, EvaluationPageHost>(
      this.actions(),
      packed({
        post: (message) => void webview.postMessage(message),
        on: (listener) => this.store.add(webview.onDidReceiveMessage(listener)),
      }),
    );
    this.store.add({ dispose: () => this.page.$close() });
    this.store.add(evaluations.onDidChange(() => reporter.watch(this.table.search())));
    this.store.add(
      panel.onDidChangeViewState(() => {
        if (!panel.visible) this.isReady = false;
      }),
    );
    this.store.add(vscode.workspace.onDidGrantWorkspaceTrust(() => this.send()));
    this.store.add(vscode.workspace.onDidChangeConfiguration(() => this.send()));
    this.read = this.table.start();
    reporter.watch(this.read);
    webview.html = panelHtml(webview, extensionUri, panel.title, 'evaluation');
  }

  /**
   * Starts an evaluation of the file, or goes on with it.
   * @returns its id and whether it came to its end
   * @throws CommandError, TrustError, SettingError
   */
  async start(
    choice: StartChoice,
    overrides: Partial<RunSettings> = {},
  ): Promise<{ results: string; ended: Promise<boolean> }> {
    await this.read;
    const { evaluations } = this.services;
    const { id, ended } = await evaluations.start(this.plan(choice, overrides));
    await this.table.choose(id);
    // Whoever waits for the end finds in the table what was written last; why it failed, the page says to all.
    const seen = this.seenTo(ended);
    seen.catch(() => undefined);
    return { results: id, ended: seen };
  }

  private async seenTo(ended: Promise<boolean>): Promise<boolean> {
    try {
      return await ended;
    } finally {
      await this.table.refresh(true);
    }
  }

  /**
   * Writes a report, with progress that can be cancelled.
   * @param out where it goes; asked for if absent
   * @returns where it was written; undefined if it was not
   */
  async writeReport(
    limit: number | undefined,
    out?: string,
    overrides: Partial<RunSettings> = {},
  ): Promise<string | undefined> {
    await this.read;
    const choice = { passes: [...USUAL], tests: false, ...(limit !== undefined && { limit }) };
    const plan = this.plan(choice, overrides);
    const file = out ?? (await this.askReportFile(plan.modelName));
    if (file === undefined) return undefined;
    const command = await this.services.evaluations.report(plan, file);
    const title = vscode.l10n.t('ILVR: writing the report on {0} …', plan.modelName);
    const isDone = await showProgress(title, async (_, token) => {
      token.onCancellationRequested(() => command.stop());
      const { results } = await command.opened;
      if (results[0] !== undefined) await this.table.search();
      return command.ended;
    });
    if (!isDone) return undefined;
    const uri = vscode.Uri.file(file);
    this.services.reporter.inform(
      vscode.l10n.t('The report is written: {0}', file),
      { title: vscode.l10n.t('Open in browser'), run: () => vscode.env.openExternal(uri) },
      {
        title: vscode.l10n.t('Show in folder'),
        run: () => vscode.commands.executeCommand('revealFileInOS', uri),
      },
    );
    return file;
  }

  /** Ends the evaluation that is shown after the samples at work. */
  stop(): void {
    const { evaluation } = this.table.state();
    if (evaluation !== undefined) this.services.evaluations.stop(evaluation.id);
  }

  /** The figures as `ilvr evaluate --table` prints them. */
  figures(form: TableForm): string {
    return writeTable(paperTable(this.table.results()), form);
  }

  /** What the page is shown. */
  state(): TableState {
    const locked = lockedReason();
    return {
      ...this.table.state(),
      model: this.modelName(),
      ...(locked !== undefined && { locked }),
    };
  }

  dispose(): void {
    this.isReady = false;
    clearTimeout(this.sending);
    this.store.dispose();
  }

  private send(): void {
    if (!this.isReady || this.sending !== undefined) return;
    this.sending = setTimeout(() => {
      this.sending = undefined;
      if (this.isReady) void this.page.show.asEvent(this.state());
    }, SEND_MS);
  }

  private actions(): EvaluationPageHost {
    const { reporter } = this.services;
    // The page cannot show errors as well as the window can, so none goes back to it.
    const shown =
      <Args extends unknown[]>(action: (...args: Args) => Promise<unknown>) =>
      async (...args: Args): Promise<void> =>
        reporter.watch(action(...args));
    return {
      ready: async () => {
        this.isReady = true;
        await this.page.show.asEvent(this.state());
      },
      rows: async (query, from, count) => this.table.rows.rows(query, from, count),
      picture: async (line) => {
        const entry = this.table.rows.entry(line);
        return entry === undefined ? {} : this.table.samples.picture(entry);
      },
      start: shown(async (choice: StartChoice) => this.start(choice)),
      stop: async () => this.stop(),
      choose: (id) => this.table.choose(id),
      selectModel: shown(async () => vscode.commands.executeCommand('ilvr.selectModel')),
      openRun: shown((line: number) => this.openRun(line)),
      openLine: shown((line: number) => openPlace(`${this.uri.fsPath}:${line}`)),
      exportFigures: shown((form: TableForm, to: 'file' | 'clipboard') => this.exportFigures(form, to)),
      exportRows: shown(async (query: Parameters<EvaluationPageHost['exportRows']>[0]) =>
        this.save(this.table.rows.csv(query), 'csv', 'rows'),
      ),
      writeReport: shown((limit?: number) => this.writeReport(limit)),
      manageTrust: shown(async () => manageTrust()),
    };
  }

  private plan(choice: StartChoice, overrides: Partial<RunSettings>): EvaluationPlan {
    const { context, weightsCache } = this.services;
    const { samples } = this.table;
    if (samples.hash === undefined || samples.failure !== undefined) {
      throw new UserError({
        problem: 'These samples cannot be evaluated',
        ...(samples.failure !== undefined && { found: samples.failure }),
        where: samples.file,
      });
    }
    const { model, ...settings } = readRunSettings(context, overrides);
    return {
      ...choice,
      file: samples.file,
      pictures: samples.pictures,
      hash: samples.hash,
      settings: { ...settings, ...(model !== modelFolder(context, '') && { model }) },
      modelName: this.modelName(overrides),
      weightsCache,
    };
  }

  /** Empty where a setting is wrong; a start then says which. */
  private modelName(overrides: Partial<RunSettings> = {}): string {
    try {
      const { model, adapter } = readRunSettings(this.services.context, overrides);
      return [model, ...(adapter === undefined ? [] : [adapter])].map((path) => basename(path)).join('+');
    } catch {
      return '';
    }
  }

  /** The run as the evaluation made it: the same question and settings, this time with all that is looked at. */
  async openRun(line: number): Promise<string | undefined> {
    requireTrust(EVALUATION_NEEDS_TRUST);
    const { sessions, showRun } = this.services;
    const entry = this.table.rows.entry(line);
    if (entry === undefined) return undefined;
    const { shown } = this.table;
    const key = `${shown?.id ?? ''}:${line}`;
    const known = this.opened.get(key);
    if (known !== undefined && (await showRun(known))) return known;
    const sample = await this.table.samples.sample(entry);
    const { runId } = await sessions.start(await this.runRequest(sample, shown?.header), 'ask');
    this.opened.set(key, runId);
    return runId;
  }

  private async runRequest(sample: Sample, header: ResultsHeader | undefined): Promise<RunRequest> {
    const question = questionFor(sample, otherQuestion(header));
    const images = await Promise.all(
      sample.images.map(async ({ name, read }) => ({ name, bytes: await read() })),
    );
    const settings = readRunSettings(this.services.context, {
      ...settingsOf(header),
      placement: placementOf(question),
    });
    return {
      question,
      images,
      helpers: [],
      settings,
      sample: {
        source: basename(this.uri.fsPath),
        question: sample.question,
        pictures: images.length,
        truth: { map: sample.map, answer: sample.answer },
      },
    };
  }

  private async askReportFile(model: string): Promise<string | undefined> {
    const { fsPath } = this.uri;
    const stem = fsPath.slice(0, -extname(fsPath).length);
    const file = await vscode.window.showSaveDialog({
      defaultUri: vscode.Uri.file(`${stem}.${model.replaceAll(/[^\w.-]+/g, '-')}.html`),
      filters: { HTML: ['html'] },
    });
    return file?.fsPath;
  }

  private async exportFigures(form: TableForm, to: 'file' | 'clipboard'): Promise<void> {
    const text = this.figures(form);
    if (to === 'clipboard') await vscode.env.clipboard.writeText(text);
    else await this.save(text, { markdown: 'md', latex: 'tex', csv: 'csv' }[form], 'figures');
  }

  private async save(text: string, ending: string, what: string): Promise<void> {
    const { fsPath } = this.uri;
    const stem = fsPath.slice(0, -extname(fsPath).length);
    const file = await vscode.window.showSaveDialog({
      defaultUri: vscode.Uri.file(`${stem}.${what}.${ending}`),
      filters: { [ending.toUpperCase()]: [ending] },
    });
    if (file !== undefined) await vscode.workspace.fs.writeFile(file, new TextEncoder().encode(text));
  }
}

function otherQuestion(
  header: ResultsHeader | undefined,
): { question: string; forMapsOnly: boolean } | undefined {
  const question = header?.settings['question'];
  if (typeof question !== 'string') return undefined;
  return { question, forMapsOnly: header?.made?.ownQuestions === true };
}

/** What an evaluation's header says of a run; checked where settings are. */
function settingsOf(header: ResultsHeader | undefined): Partial<RunSettings> {
  if (header === undefined) return {};
  const { settings, provider, made } = header;
  const keys = [
    'latents',
    'protocol',
    'seed',
    'temperature',
    'topP',
    'maxTokens',
    'repetitionPenalty',
    'system',
    'minPixels',
    'maxPixels',
  ] as const;
  const known = Object.fromEntries(keys.flatMap((key) => (key in settings ? [[key, settings[key]]] : [])));
  return {
    ...(known as Partial<RunSettings>),
    device: provider,
    weights: (settings['weights'] ?? 'float32') as RunSettings['weights'],
    ...(made && { model: made.model ?? '', ...(made.adapter !== undefined && { adapter: made.adapter }) }),
  };
}
