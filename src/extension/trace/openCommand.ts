/** "Open trace…": a kept run, or a file. */

import * as vscode from 'vscode';
import type { RunStore } from '../run/store.ts';
import { pictureTitle, type RunSummary } from '../run/summary.ts';
import { choose, type Choice } from '../window.ts';
import type { TraceRef } from './library.ts';

interface TraceItem extends Choice {
  /** Absent on the item that asks for a file. */
  run?: string;
}

/** Asks which trace; undefined when the dialog was left. */
export async function chooseTrace(
  runStore: RunStore,
  title = vscode.l10n.t('Open which trace?'),
): Promise<TraceRef | undefined> {
  const runs = await runStore.list();
  const items: TraceItem[] = [
    { label: vscode.l10n.t('Choose a file…'), icon: 'folder-opened' },
    ...runs.map(itemOf),
  ];
  const picked = await choose(items, {
    title,
    matchOnDetail: true,
  });
  if (picked === undefined) return undefined;
  if (picked.run !== undefined) return { run: picked.run };
  const file = await chooseTraceFile();
  return file && { file };
}

/** Asks for a trace's file; undefined when the dialog was left. */
export async function chooseTraceFile(): Promise<vscode.Uri | undefined> {
  const files = await vscode.window.showOpenDialog({
    title: vscode.l10n.t('Open trace'),
    filters: { [vscode.l10n.t('ILVR traces')]: ['json'] },
  });
  return files?.[0];
}

function itemOf({ id, createdAt, status, question, pictures, name }: RunSummary): TraceItem {
  return {
    label: name ?? (pictureTitle(pictures) || vscode.l10n.t('(no picture yet)')),
    description: `${new Date(createdAt).toLocaleString()} · ${status}`,
    detail: question,
    run: id,
  };
}
