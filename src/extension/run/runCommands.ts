/** What can be done with runs of the tree: from its menu, by key with those that are selected, or from code by id. */

import * as vscode from 'vscode';
import { UserError } from '../../base/errors.ts';
import { nameOf, type TraceLibrary } from '../trace/library.ts';
import type { TracePanels } from '../trace/panels.ts';
import { registerCommand, type Reporter } from '../report.ts';
import { askText, choose } from '../window.ts';
import type { RunResult } from './controller.ts';
import type { ReasonCommand } from './reasonCommand.ts';
import { runTitle } from './runLines.ts';
import type { Runs } from './runs.ts';
import { RunNode, type RunTree } from './runTree.ts';
import type { RunStore } from './store.ts';
import type { RunSummary } from './summary.ts';

/** VS Code's own, on a desktop. */
const REVEAL_COMMAND = 'revealFileInOS';

export interface RunCommandServices {
  tree: RunTree;
  runs: Runs;
  store: RunStore;
  library: TraceLibrary;
  panels: TracePanels;
  reason: ReasonCommand;
  reporter: Reporter;
}

export class RunCommands {
  private readonly services: RunCommandServices;

  constructor(services: RunCommandServices) {
    this.services = services;
  }

  /** The manifest's commands about runs. */
  register(): vscode.Disposable[] {
    const { reporter } = this.services;
    return [
      registerCommand(
        'ilvr.renameRun',
        reporter,
        (target: unknown, name: unknown) => this.rename(target, name),
        (_, name) => typeof name === 'string',
      ),
      registerCommand('ilvr.deleteRun', reporter, this.remove.bind(this)),
      registerCommand('ilvr.revealRun', reporter, (target: unknown) => this.reveal(target)),
      registerCommand('ilvr.openBeside', reporter, this.openBeside.bind(this)),
      registerCommand('ilvr.runAgain', reporter, (target: unknown) => this.again(target, false)),
      registerCommand('ilvr.askAgain', reporter, (target: unknown) => this.again(target, true)),
    ];
  }

  /** @param name from code; asked for if it is none */
  private async rename(target: unknown, name: unknown): Promise<void> {
    const { store } = this.services;
    const id = this.oneOf(target);
    const summary = await this.keptRun(id);
    const typed = typeof name === 'string' ? name : await askName(summary);
    if (typed !== undefined) await store.rename(id, typed);
  }

  /** Deletes runs, with all their files, when their user is sure. */
  private async remove(target: unknown, selected: unknown): Promise<void> {
    const { store, runs, library, panels } = this.services;
    const ids = this.runsOf(target, selected);
    if (ids.some((id) => runs.active().some((run) => run.id === id))) {
      throw new UserError({ problem: 'This run has not ended', remedy: 'Stop it first, then delete it.' });
    }
    const summaries = await Promise.all(ids.map(async (id) => this.keptRun(id)));
    if (!(await isSure(summaries))) return;
    for (const id of ids) {
      panels.forget(id);
      library.forget(id);
      runs.forget(id);
      await store.discard(id);
    }
  }

  /** Shows a run's file where files are shown; where that cannot be, copies its path. */
  private async reveal(target: unknown): Promise<void> {
    const { store, reporter } = this.services;
    const file = await store.find(this.oneOf(target));
    const isHere = vscode.env.remoteName === undefined && vscode.env.uiKind === vscode.UIKind.Desktop;
    if (isHere) {
      await vscode.commands.executeCommand(REVEAL_COMMAND, vscode.Uri.file(file));
      return;
    }
    await vscode.env.clipboard.writeText(file);
    reporter.inform(vscode.l10n.t('The path of the run was copied: {0}', file));
  }

  /** Shows two runs in panels beside each other. */
  private async openBeside(target: unknown, selected: unknown): Promise<void> {
    const [left, right, ...others] = this.runsOf(target, selected);
    if (left === undefined || right === undefined || others.length > 0) {
      throw new UserError({ problem: 'Two runs can be shown side by side', remedy: 'Select two runs.' });
    }
    const { panels } = this.services;
    panels.openIn(vscode.ViewColumn.One, left, await this.nameOf(left));
    panels.openIn(vscode.ViewColumn.Two, right, await this.nameOf(right));
  }

  /** Runs a run's question again, or another one that is asked for, with today's settings, in its panel. */
  private async again(target: unknown, edit: boolean): Promise<RunResult | undefined> {
    const { panels, reason } = this.services;
    const run = this.oneOf(target);
    return reason.runAgain(panels.open(run, await this.nameOf(run)), edit);
  }

  private async nameOf(run: string): Promise<string> {
    return nameOf({ run }, await this.services.library.trace({ run }));
  }

  private async keptRun(id: string): Promise<RunSummary> {
    const { store } = this.services;
    const summary = (await store.list()).find((kept) => kept.id === id);
    if (summary !== undefined) return summary;
    // Says that it is not kept, or else has no summary: then it is named by its id.
    await store.find(id);
    return { id, createdAt: '', status: 'failed', question: '', pictures: [id] };
  }

  private oneOf(target: unknown): string {
    const [first] = this.runsOf(target, undefined);
    if (first !== undefined) return first;
    throw new UserError({
      problem: 'No run is selected',
      remedy:
        'Select one in the view "Runs": by a click, Enter, or Ctrl+Shift+Enter, which does not open it.',
    });
  }

  /** Menus pass the line that was clicked and all that are selected; keys pass nothing. */
  private runsOf(target: unknown, selected: unknown): string[] {
    const given = Array.isArray(selected) && selected.length > 0 ? selected : [target];
    const ids = given.flatMap((value) => runOf(value) ?? []);
    return ids.length > 0 ? ids : this.services.tree.selection;
  }
}

/** The run that a menu or code names. */
export function runOf(target: unknown): string | undefined {
  return target instanceof RunNode ? target.run : typeof target === 'string' ? target : undefined;
}

async function askName(summary: RunSummary): Promise<string | undefined> {
  const title = vscode.l10n.t('Name of the run on {0}', runTitle({ pictures: summary.pictures }));
  return askText(title, vscode.l10n.t('Nothing: the run is called by its pictures.'), summary.name);
}

async function isSure(runs: readonly RunSummary[]): Promise<boolean> {
  const [first] = runs;
  if (first === undefined) return false;
  const what =
    runs.length === 1
      ? vscode.l10n.t('Delete "{0}" for good', runTitle(first))
      : vscode.l10n.t('Delete {0} runs for good', runs.length);
  const choices = [
    { label: what, icon: 'trash', detail: runs.map(runTitle).join(', '), sure: true },
    { label: vscode.l10n.t('Keep'), sure: false },
  ];
  return (await choose(choices, { title: vscode.l10n.t('Delete from the kept runs?') }))?.sure === true;
}
