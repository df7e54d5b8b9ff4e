/**
 * Links to places in traces: made from what is looked at, and opened. A link opens a kept run, or a file that is open or
 * lies in the workspace; for any other its user chooses the file. Its id decides whether that is the trace.
 */

import * as vscode from 'vscode';
import { UserError } from '../../base/errors.ts';
import type { PanelSelection } from '../../protocol/panel.ts';
import type { Reporter } from '../report.ts';
import type { Runs } from '../run/runs.ts';
import type { RunStore } from '../run/store.ts';
import { TRACE_SUFFIX } from '../../traceFile/manifest.ts';
import { askText } from '../window.ts';
import type { ActiveTrace } from './active.ts';
import { EDITOR_TYPE } from './editor.ts';
import { baseName, nameOf, type TraceLibrary, type TraceRef } from './library.ts';
import { LINK_PATH, linkQuery, parseLink, placeIn, type TraceLink } from './link.ts';
import { chooseTraceFile } from './openCommand.ts';

/** Traces of a workspace among which one of the link's name is looked for. */
const MAX_FILES = 1000;
/** Of that name, so many are opened. */
const MAX_OPENED = 20;

export interface LinkServices {
  extensionId: string;
  library: TraceLibrary;
  runs: Runs;
  store: RunStore;
  active: ActiveTrace;
  reporter: Reporter;
  show: (ref: TraceRef, selection?: PanelSelection) => Promise<unknown>;
}

export class TraceLinks implements vscode.UriHandler {
  private readonly services: LinkServices;

  constructor(services: LinkServices) {
    this.services = services;
  }

  /** VS Code asks before it passes on a link from another program. */
  handleUri(uri: vscode.Uri): void {
    this.services.reporter.watch(this.open(uri));
  }

  /** Copies a link to a trace, of the one in front with what is looked at. */
  async copy(ref: TraceRef): Promise<string> {
    const { library, active, extensionId, reporter } = this.services;
    const trace = await library.trace(ref);
    const place = (await active.lookedAt(ref)) ?? {};
    const file = 'file' in ref ? baseName(ref.file) : nameOf(ref, trace) + TRACE_SUFFIX;
    const query = linkQuery(trace, file, place);
    const link = `${vscode.env.uriScheme}://${extensionId}${LINK_PATH}?${query}`;
    await vscode.env.clipboard.writeText(link);
    reporter.inform(vscode.l10n.t('A link to this place was copied. It works wherever the trace is.'));
    return link;
  }

  /** @param target a link, asked for if it is none */
  async openCommand(target: unknown): Promise<void> {
    const link =
      typeof target === 'string'
        ? target
        : await askText(vscode.l10n.t('Open link'), vscode.l10n.t('A link that "Copy link" has made'));
    if (link === undefined || link.trim() === '') return;
    await this.open(vscode.Uri.parse(link.trim(), true));
  }

  /** @throws UserError if it is no link to a trace, or the trace has no such place */
  async open(uri: vscode.Uri): Promise<void> {
    const { extensionId } = this.services;
    if (uri.path !== LINK_PATH || uri.authority.toLowerCase() !== extensionId.toLowerCase()) {
      throw new UserError({
        problem: 'This is no link to a trace',
        expected: `…://${extensionId}${LINK_PATH}?id=…`,
        found: uri.toString(true).slice(0, 200),
      });
    }
    const link = parseLink(uri.query);
    const ref = await this.find(link);
    if (ref === undefined) this.askForFile(link);
    else await this.show(ref, link);
  }

  private async show(ref: TraceRef, link: TraceLink): Promise<void> {
    const { library, show } = this.services;
    const trace = await library.trace(ref);
    let place: PanelSelection;
    try {
      place = placeIn(trace, link);
    } catch (error) {
      await show(ref);
      throw error;
    }
    await show(ref, place);
  }

  private async find(link: TraceLink): Promise<TraceRef | undefined> {
    const { runs, store } = this.services;
    const { id, file } = link;
    if (runs.get(id)?.trace !== undefined || (await store.has(id))) return { run: id };
    const named = file === undefined ? [] : await filesNamed(file);
    for (const candidate of [...openFiles(), ...named]) {
      if (await this.isTrace({ file: candidate }, id)) return { file: candidate };
    }
    return undefined;
  }

  /** False also for a file that cannot be read: it is not the one. */
  private async isTrace(ref: TraceRef, id: string): Promise<boolean> {
    const trace = await this.services.library.trace(ref).catch(() => undefined);
    return trace?.id === id;
  }

  private askForFile(link: TraceLink): void {
    const name = link.file ?? link.id;
    const choose = async (): Promise<void> => {
      const file = await chooseTraceFile();
      if (file === undefined) return;
      const { id } = await this.services.library.trace({ file });
      if (id !== link.id) {
        throw new UserError({
          problem: 'This file holds another trace than the link names',
          expected: link.id,
          found: id,
          where: baseName(file),
        });
      }
      await this.show({ file }, link);
    };
    this.services.reporter.inform(
      vscode.l10n.t('The trace "{0}" is not among your runs, open files or workspace.', name),
      { title: vscode.l10n.t('Choose its file…'), run: choose },
    );
  }
}

/** Traces that are open in their editor. */
function openFiles(): vscode.Uri[] {
  return vscode.window.tabGroups.all
    .flatMap(({ tabs }) => tabs.map(({ input }) => input))
    .flatMap((input) =>
      input instanceof vscode.TabInputCustom && input.viewType === EDITOR_TYPE ? input.uri : [],
    );
}

/** Traces of the workspace; the name is compared, as in a pattern it could mean others. */
async function filesNamed(name: string): Promise<vscode.Uri[]> {
  const files = await vscode.workspace.findFiles(`**/*${TRACE_SUFFIX}`, undefined, MAX_FILES);
  return files.filter((file) => baseName(file) === name).slice(0, MAX_OPENED);
}
