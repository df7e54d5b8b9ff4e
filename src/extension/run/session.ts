/**
 * A run as the window shows it: its panel, the progress notification with its cancel button, and
 * what is offered when it fails.
 */

import * as vscode from 'vscode';
import { CancelledError, unreachable, UserError } from '../../base/errors.ts';
import { EngineDiedError } from '../../client/ends.ts';
import type { Reporter } from '../report.ts';
import type { RunController, RunPhase, RunRequest, RunResult } from './controller.ts';
import type { Runs } from './runs.ts';
import { pictureTitle } from './summary.ts';
import { SettingError, type RunSettings } from '../settings.ts';
import type { TracePanel } from '../trace/panel.ts';
import type { TracePanels } from '../trace/panels.ts';
import { choose, showProgress, type Button } from '../window.ts';

export type WhenBusy = 'ask' | 'wait' | 'stop';

/** The notification's step count changes at most this often. */
const PROGRESS_MS = 300;

export class RunSessions {
  private readonly runs: Runs;
  private readonly panels: TracePanels;
  private readonly reporter: Reporter;

  constructor(runs: Runs, panels: TracePanels, reporter: Reporter) {
    this.runs = runs;
    this.panels = panels;
    this.reporter = reporter;
  }

  /**
   * Starts a run and shows it, in `panel` or a new one. Resolves when it has ended.
   * @throws whatever kept it from giving an answer, already shown
   */
  async start(request: RunRequest, whenBusy: WhenBusy, panel?: TracePanel): Promise<RunResult> {
    await this.makeRoom(whenBusy);
    const { run, done } = this.runs.start(request);
    const before = panel?.run;
    const shown = panel ?? this.panels.open(run.id, titleOf(run));
    if (panel) panel.show(run.id);
    // Both outcomes are looked at below; the notification only waits.
    void showWhileHidden(run, done, shown);
    try {
      const result = await done;
      if (run.error !== undefined) this.reporter.show(run.error, this.remedies(run, run.error, before));
      else if (result.failure !== undefined) this.reporter.inform(result.failure);
      return result;
    } catch (error) {
      this.reporter.show(error, this.remedies(run, error, before));
      throw error;
    } finally {
      // A run that never began has nothing to show.
      if (run.trace === undefined) shown.forget(run.id, before);
    }
  }

  /** Stops a run, or the one that is going on, or asks which of several. */
  async stop(id?: string): Promise<void> {
    const active = this.runs.active().filter((run) => id === undefined || run.id === id);
    const run = active.length > 1 ? await chooseRun(active) : active[0];
    run?.cancel();
  }

  private async makeRoom(whenBusy: WhenBusy): Promise<void> {
    const active = this.runs.active();
    if (active.length === 0) return;
    const choice = whenBusy === 'ask' ? await askWhenBusy(active[0]!) : whenBusy;
    if (choice === undefined) throw new CancelledError('The run');
    if (choice === 'stop') for (const run of active) run.cancel();
  }

  /**
   * Buttons for what went wrong in `run`.
   * @param before the run that its panel showed, and shows again if this one never began
   */
  private remedies(run: RunController, error: unknown, before: string | undefined): Button[] {
    const { request } = run;
    const again = (settings: Partial<RunSettings>): Promise<unknown> =>
      this.start(
        { ...request, settings: { ...request.settings, ...settings } },
        'ask',
        this.panels.find(run.id) ?? (before === undefined ? undefined : this.panels.find(before)),
      );
    const remedies: Button[] = [];
    if (error instanceof EngineDiedError) {
      remedies.push({ title: vscode.l10n.t('Run again'), run: () => again({}) });
    }
    const mayBeDevice = error instanceof EngineDiedError || !(error instanceof UserError);
    if (request.settings.device !== 'cpu' && (mayBeDevice || request.settings.device !== 'auto')) {
      remedies.push({ title: vscode.l10n.t('Run on CPU'), run: () => again({ device: 'cpu' }) });
    }
    const isModel = run.failedWhile === 'loading' && error instanceof UserError;
    if (isModel && !(error instanceof SettingError)) {
      remedies.push({
        title: vscode.l10n.t('Select model folder'),
        run: async () => {
          const model = await vscode.commands.executeCommand<string | undefined>('ilvr.selectModel');
          // A branch wants the one model that made its parent, so that with it there is nothing left to decide.
          if (model !== undefined && request.branch !== undefined) await again({ model });
        },
      });
    }
    return remedies;
  }
}

/** The panel itself says what goes on and can stop it; a notification does where it cannot be seen. */
async function showWhileHidden(
  run: RunController,
  done: Promise<RunResult>,
  panel: TracePanel,
): Promise<void> {
  let isOver = false;
  const over = done
    .catch(() => undefined)
    .then(() => {
      isOver = true;
    });
  for (;;) {
    await Promise.race([over, panel.whenVisible(false)]);
    // Set by `over` while this waited.
    if (isOver as boolean) return;
    await showRun(run, Promise.race([over, panel.whenVisible(true)]));
  }
}

function showRun(run: RunController, until: Promise<void>): Thenable<void> {
  const title = vscode.l10n.t('ILVR: {0}', titleOf(run));
  return showProgress(title, async (report, token) => {
    const listener = token.onCancellationRequested(() => run.cancel());
    const timer = setInterval(() => report(run.describe()), PROGRESS_MS);
    try {
      await until;
    } finally {
      clearInterval(timer);
      listener.dispose();
    }
  });
}

async function askWhenBusy(active: RunController): Promise<'wait' | 'stop' | undefined> {
  const choices = [
    { label: vscode.l10n.t('Wait until it has ended'), choice: 'wait' as const },
    { label: vscode.l10n.t('Stop it; its trace so far is kept'), choice: 'stop' as const },
  ];
  const picked = await choose(choices, {
    title: vscode.l10n.t('A run on {0} is going on', titleOf(active)),
    placeholder: active.describe(),
  });
  return picked?.choice;
}

function phaseText(phase: RunPhase): string {
  switch (phase) {
    case 'waiting':
      return vscode.l10n.t('waiting');
    case 'loading':
      return vscode.l10n.t('loading the model');
    case 'running':
      return vscode.l10n.t('running');
    case 'ended':
      return vscode.l10n.t('ended');
    default:
      return unreachable(phase);
  }
}

async function chooseRun(active: RunController[]): Promise<RunController | undefined> {
  const items = active.map((run) => ({
    label: titleOf(run),
    description: phaseText(run.phase),
    detail: run.request.question,
    run,
  }));
  return (await choose(items, { title: vscode.l10n.t('Stop which run?') }))?.run;
}

function titleOf({ request }: RunController): string {
  return pictureTitle(request.images.map(({ name }) => name));
}
