/** A run as a line of the tree: label, description, tooltip, and what a screen reader says. */

import * as vscode from 'vscode';
import { unreachable } from '../../base/errors.ts';
import { deviceLabel } from '../../tensor/device.ts';
import type { TreeLine } from '../window.ts';
import { pictureTitle, type RunSummary, type SettingChange } from './summary.ts';

/** Of a question on one line. */
const MAX_QUESTION = 60;

/** A run as the tree shows it. */
export interface ShownRun {
  summary: RunSummary;
  /** What a run of this window is doing now; absent when it is not going on here. */
  live?: string;
  /** Against the run before it about the same pictures. */
  changes: SettingChange[];
}

/** The user's name of a run, or its pictures. */
export function runTitle({ name, pictures }: Pick<RunSummary, 'name' | 'pictures'>): string {
  return name ?? (pictureTitle(pictures) || vscode.l10n.t('(no picture yet)'));
}

/** The line of a run. */
export function runLine(run: ShownRun): TreeLine {
  const { summary, live, changes } = run;
  const title = runTitle(summary);
  const answer = answerOf(run);
  const changed = changes.map(changeText);
  const asked = summary.question.slice(0, MAX_QUESTION);
  const time = new Date(summary.createdAt).toLocaleTimeString([], { timeStyle: 'short' });
  const description = [live, summary.branch?.what, answer, time, ...changed, asked, machineOf(summary)];
  return {
    id: summary.id,
    label: title,
    description: description.filter(Boolean).join(' · '),
    tooltip: detailsOf(run).join('\n'),
    spoken: [title, stateOf(run), ...detailsOf(run)].join('. '),
    icon: iconOf(run),
    kind: live === undefined ? 'run' : 'run.live',
    command: {
      command: 'ilvr.openTrace',
      title: vscode.l10n.t('Open'),
      arguments: [summary.id],
    },
  };
}

/** The line of a day. */
export function dayLine(day: string, runs: readonly RunSummary[]): TreeLine {
  const [today, yesterday] = [dayOf(new Date()), dayOf(new Date(Date.now() - 86_400_000))];
  const date = new Date(runs[0]?.createdAt ?? day).toLocaleDateString([], { dateStyle: 'full' });
  const label =
    day === today ? vscode.l10n.t('Today') : day === yesterday ? vscode.l10n.t('Yesterday') : date;
  return {
    id: `day ${day}`,
    label,
    spoken: vscode.l10n.t('{0}: {1} runs', label, runs.length),
    tooltip: date,
    kind: 'day',
    isGroup: true,
  };
}

/** The day of a time, where the reader is: "2026-1-31". */
export function dayOf(date: Date): string {
  return [date.getFullYear(), date.getMonth() + 1, date.getDate()].join('-');
}

function answerOf({ summary: { answer, verdict } }: ShownRun): string | undefined {
  if (answer === undefined) return undefined;
  return verdict === undefined ? answer : `${answer} ${verdict.right ? '✓' : '✗'}`;
}

/** Everything of a run, a line each. */
function detailsOf({ summary, changes }: ShownRun): string[] {
  const { pictures, question, answer, verdict, createdAt, weights, device, milliseconds } = summary;
  const lines = [
    pictures.length > 0 && vscode.l10n.t('Pictures: {0}', pictures.join(', ')),
    vscode.l10n.t('Question: {0}', question),
    summary.branch !== undefined && vscode.l10n.t('Branch: {0}', summary.branch.what),
    answer !== undefined && vscode.l10n.t('Answer: {0}', answer),
    verdict !== undefined && verdictText(verdict),
    machineOf(summary) !== '' && vscode.l10n.t('Model: {0}', machineOf(summary)),
    device !== undefined && vscode.l10n.t('Device: {0}', device.name),
    weights !== undefined && vscode.l10n.t('Weights: {0}', weights),
    changes.length > 0 &&
      vscode.l10n.t(
        'Other than the run before it on the same pictures: {0}',
        changes.map(changeText).join(', '),
      ),
    vscode.l10n.t('Begun: {0}', new Date(createdAt).toLocaleString()),
    milliseconds !== undefined && vscode.l10n.t('Took: {0} s', (milliseconds / 1000).toFixed(1)),
  ];
  return lines.filter((line) => line !== false);
}

function verdictText({ right, expected, source }: NonNullable<RunSummary['verdict']>): string {
  if (right) return vscode.l10n.t('Right, according to {0}', source);
  return expected === undefined
    ? vscode.l10n.t('Wrong, according to {0}', source)
    : vscode.l10n.t('Wrong, according to {0}: expected {1}', source, expected);
}

function machineOf({ model, device }: RunSummary): string {
  return [model, device && deviceLabel(device.provider)].filter(Boolean).join(' · ');
}

function changeText({ setting, value }: SettingChange): string {
  return `${setting} ${value ?? vscode.l10n.t('as the model has it')}`;
}

function stateOf({ summary: { status, verdict }, live }: ShownRun): string {
  if (live !== undefined) return live;
  switch (status) {
    case 'complete':
      return verdict === undefined
        ? vscode.l10n.t('complete')
        : verdict.right
          ? vscode.l10n.t('right')
          : vscode.l10n.t('wrong');
    case 'cancelled':
      return vscode.l10n.t('stopped');
    case 'failed':
      return vscode.l10n.t('failed');
    case 'running':
      return vscode.l10n.t('not ended: of another window, or interrupted');
    default:
      return unreachable(status);
  }
}

function iconOf({ summary: { status, verdict }, live }: ShownRun): NonNullable<TreeLine['icon']> {
  if (live !== undefined) return { id: 'loading~spin' };
  switch (status) {
    case 'complete':
      if (verdict === undefined) return { id: 'circle-filled' };
      return verdict.right
        ? { id: 'pass', colour: 'testing.iconPassed' }
        : { id: 'error', colour: 'testing.iconFailed' };
    case 'cancelled':
      return { id: 'circle-slash' };
    case 'failed':
      return { id: 'warning', colour: 'list.warningForeground' };
    case 'running':
      return { id: 'question' };
    default:
      return unreachable(status);
  }
}
