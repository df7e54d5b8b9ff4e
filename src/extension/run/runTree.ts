/** The tree of runs: those that go on in this window and those that are kept, by days, newest first. */

import * as vscode from 'vscode';
import { DisposableStore, type Disposable } from '../../base/disposable.ts';
import type { TraceLibrary } from '../trace/library.ts';
import { showTree, treeItem } from '../window.ts';
import type { RunController } from './controller.ts';
import { dayLine, dayOf, runLine, type ShownRun } from './runLines.ts';
import type { Runs } from './runs.ts';
import type { RunStore } from './store.ts';
import { runBefore, settingChanges, summaryOf, type RunSummary } from './summary.ts';

/** Of the manifest. */
const VIEW = 'ilvr.runs';

/** A day or a run of the tree, as commands of its menus get it. */
export class RunNode {
  /** Of the run; absent for a day. */
  readonly run: string | undefined;
  readonly day: string;

  constructor(day: string, run?: string) {
    this.day = day;
    this.run = run;
  }
}

export interface RunTreeServices {
  runs: Runs;
  store: RunStore;
  library: TraceLibrary;
}

export class RunTree implements vscode.TreeDataProvider<RunNode>, Disposable {
  private readonly owned = new DisposableStore();
  private readonly services: RunTreeServices;
  private readonly view: vscode.TreeView<RunNode>;
  private readonly changed = this.owned.add(new vscode.EventEmitter<undefined>());
  /** Of the lines that are shown; read anew when the tree asks for its days. */
  private shown: ShownRun[] = [];

  readonly onDidChangeTreeData = this.changed.event;

  constructor(services: RunTreeServices) {
    this.services = services;
    const { runs, store, library } = services;
    this.view = this.owned.add(showTree(VIEW, this));
    const refresh = (): void => this.changed.fire(undefined);
    this.owned.add(store.onDidChange(refresh));
    this.owned.add(runs.onDidChange(refresh));
    this.owned.add(
      library.onDidChange((ref) => {
        if ('run' in ref) refresh();
      }),
    );
    // Other windows keep runs in the same folder.
    this.owned.add(this.view.onDidChangeVisibility(({ visible }) => visible && refresh()));
  }

  /** The runs that are selected. */
  get selection(): string[] {
    return this.view.selection.flatMap(({ run }) => run ?? []);
  }

  async getChildren(node?: RunNode): Promise<RunNode[]> {
    if (node === undefined) {
      this.shown = await this.list();
      return [...new Set(this.shown.map(({ summary }) => dayOfRun(summary)))].map((day) => new RunNode(day));
    }
    const { run } = node;
    return this.shown
      .filter(({ summary }) =>
        run === undefined
          ? dayOfRun(summary) === node.day && !this.hasParent(summary)
          : summary.branch?.parent === run,
      )
      .map(({ summary }) => new RunNode(node.day, summary.id));
  }

  getTreeItem({ day, run }: RunNode): vscode.TreeItem {
    const found = this.shown.find(({ summary }) => summary.id === run);
    if (found !== undefined) {
      const isParent = this.shown.some(({ summary }) => summary.branch?.parent === run);
      return treeItem({ ...runLine(found), isGroup: isParent });
    }
    const runs = this.shown.map(({ summary }) => summary).filter((summary) => dayOfRun(summary) === day);
    return treeItem(dayLine(day, runs));
  }

  /** All lines, days and runs, from top to bottom. */
  async lines(): Promise<vscode.TreeItem[]> {
    const days = await this.getChildren();
    const below = async (node: RunNode): Promise<RunNode[]> => {
      const children = await this.getChildren(node);
      return [node, ...(await Promise.all(children.map(below))).flat()];
    };
    const nodes = await Promise.all(days.map(below));
    return nodes.flat().map((node) => this.getTreeItem(node));
  }

  /** A branch whose parent is not kept any more stands by itself, and so does one that claims to be its own. */
  private hasParent({ id, branch }: RunSummary): boolean {
    const seen = new Set([id]);
    for (let parent = branch?.parent; parent !== undefined;) {
      const found = this.shown.find(({ summary }) => summary.id === parent);
      if (found === undefined) return seen.size > 1;
      if (seen.has(parent)) return false;
      seen.add(parent);
      parent = found.summary.branch?.parent;
    }
    return seen.size > 1;
  }

  dispose(): void {
    this.owned.dispose();
  }

  private async list(): Promise<ShownRun[]> {
    const { runs, store } = this.services;
    const kept = await store.list();
    const live = new Map(runs.active().map((run) => [run.id, run]));
    const names = new Map(kept.map(({ id, name }) => [id, name]));
    const growing = [...live.values()].map((run) => withName(liveSummary(run), names.get(run.id)));
    const all = [...growing, ...kept.filter(({ id }) => !live.has(id))];
    const newestFirst = all.toSorted((a, b) => b.createdAt.localeCompare(a.createdAt));
    return newestFirst.map((summary, at) => {
      const run = live.get(summary.id);
      const before = runBefore(newestFirst, at);
      return {
        summary,
        ...(run !== undefined && { live: liveText(run) }),
        changes: before === undefined ? [] : settingChanges(before, summary),
      };
    });
  }
}

/** Of a run that may not have begun: then of what it was asked. */
function liveSummary({ id, trace, request, createdAt }: RunController): RunSummary {
  if (trace !== undefined && trace.pictures.length > 0) return summaryOf(trace);
  const pictures = request.images.map(({ name }) => name);
  return { id, createdAt, status: 'running', question: request.question, pictures };
}

function withName(summary: RunSummary, name: string | undefined): RunSummary {
  return name === undefined ? summary : { ...summary, name };
}

function liveText(run: RunController): string {
  return run.phase === 'waiting' ? vscode.l10n.t('waits for its turn') : run.describe();
}

function dayOfRun({ createdAt }: RunSummary): string {
  return dayOf(new Date(createdAt));
}
