/** The training runs that this window has started: their processes, their pages, their place in the status bar. */

import { basename, isAbsolute } from 'node:path';
import * as vscode from 'vscode';
import { DisposableStore, type Disposable } from '../../base/disposable.ts';
import { CancelledError, UserError } from '../../base/errors.ts';
import { within } from '../../process/ending.ts';
import type { TrainingState } from '../../protocol/training.ts';
import { TRAINING_DEVICES, type TrainingDevice } from '../../tensor/device.ts';
import { progressOf, timeText } from '../../watch/progress.ts';
import type { Control, WatchRequest } from '../../watch/status.ts';
import type { Log } from '../log.ts';
import type { Reporter } from '../report.ts';
import { requireTrust } from '../trust.ts';
import { showProgress, StatusItem } from '../window.ts';
import { TrainingFolder } from './folder.ts';
import { CommandError, type ChildCommand } from '../childCommand.ts';
import { startTraining } from './process.ts';

export const TRAINING_NEEDS_TRUST = 'Training runs are started and steered in trusted workspaces only';

export interface TrainingServices {
  cliPath: string;
  log: Log;
  reporter: Reporter;
  /** Shows the page of a run. */
  show: (folder: string) => void;
  /** Makes a checkpoint the model that questions are asked of. */
  useModel: (folder: string) => Promise<unknown>;
}

interface Running {
  folder: TrainingFolder;
  process: ChildCommand<'opened'>;
}

/** A step of a large model takes its time; after this long the user may want to choose. */
const STOP_MS = 30_000;

export class TrainingRuns implements Disposable {
  private readonly store = new DisposableStore();
  private readonly services: TrainingServices;
  private readonly running = new Map<string, Running>();
  private readonly item: StatusItem;
  private readonly changed = this.store.add(new vscode.EventEmitter<void>());

  readonly onDidChange = this.changed.event;

  constructor(services: TrainingServices) {
    this.services = services;
    this.item = this.store.add(
      new StatusItem('ilvr.training', {
        name: vscode.l10n.t('ILVR training'),
        command: 'ilvr.trainingMenu',
        priority: 51,
      }),
    );
  }

  /** Folders of the runs whose processes are there. */
  get folders(): string[] {
    return [...this.running.keys()];
  }

  stateOf(folder: string): TrainingState | undefined {
    return this.running.get(folder)?.folder.state;
  }

  /**
   * Begins a run, or goes on with it.
   * @returns its folder, as soon as that is known
   * @throws CommandError if it cannot begin; TrustError
   */
  async start(config: string, device: TrainingDevice): Promise<string> {
    requireTrust(TRAINING_NEEDS_TRUST);
    const { cliPath, log } = this.services;
    const process = startTraining({
      cliPath,
      config,
      device,
      log: (level, text) => log.write(level, text),
    });
    const folder = await openedOrStopped(process);
    const followed = new TrainingFolder(folder, () => this.update());
    this.running.set(folder, { folder: followed, process });
    this.services.reporter.watch(this.untilEnd(folder, followed, process));
    await followed.start();
    this.changed.fire();
    this.update();
    return folder;
  }

  async pause(folder: string): Promise<void> {
    await this.ask(folder, { want: 'pause' });
  }

  /** A paused process goes on; where there is none, a new one does, by what the folder says of itself. */
  async resume(folder: string): Promise<void> {
    requireTrust(TRAINING_NEEDS_TRUST);
    const asked = new TrainingFolder(folder, () => undefined);
    await asked.refresh();
    if (asked.state.state === 'paused') return this.ask(folder, { want: 'run' });
    const status = await asked.status();
    if (status === undefined || !isAbsolute(status.config)) {
      throw new UserError({
        problem: 'It is not known how this run was started',
        expected: 'status.json with the absolute path of a config',
        where: folder,
        remedy: 'Start it from its config file.',
      });
    }
    await this.start(status.config, TRAINING_DEVICES.find((device) => device === status.device) ?? 'cpu');
  }

  async stop(folder: string): Promise<void> {
    await this.ask(folder, { want: 'stop' });
    const run = this.running.get(folder);
    if (run !== undefined) this.services.reporter.watch(this.offerEnd(run));
  }

  async watch(folder: string, watch: WatchRequest): Promise<void> {
    await this.ask(folder, { watch });
  }

  /** Writes what a run should do into its folder. */
  private async ask(folder: string, wanted: Partial<Control>): Promise<void> {
    requireTrust(TRAINING_NEEDS_TRUST);
    await new TrainingFolder(folder, () => undefined).ask(wanted);
  }

  dispose(): void {
    // The processes notice that nobody listens any more, and end after their step.
    for (const { folder } of this.running.values()) folder.dispose();
    this.store.dispose();
  }

  private async untilEnd(
    folder: string,
    followed: TrainingFolder,
    process: ChildCommand<'opened'>,
  ): Promise<void> {
    try {
      const isFinished = await process.ended;
      await followed.refresh();
      this.tellEnd(followed.state, isFinished);
    } catch (error) {
      const remedies = [
        { title: vscode.l10n.t('Show run'), run: () => this.services.show(folder) },
        ...(error instanceof CommandError && error.place === undefined
          ? [{ title: vscode.l10n.t('Resume'), run: () => this.resume(folder) }]
          : []),
      ];
      this.services.reporter.show(error, remedies);
    } finally {
      followed.dispose();
      this.running.delete(folder);
      this.changed.fire();
      this.update();
    }
  }

  /** A process that does not come to the end of its step can be ended without. */
  private async offerEnd({ process, folder }: Running): Promise<void> {
    if (
      await within(
        STOP_MS,
        process.ended.catch(() => undefined),
      )
    )
      return;
    this.services.reporter.inform(
      vscode.l10n.t('Training "{0}" has not finished its step yet.', folder.state.name),
      { title: vscode.l10n.t('End it now'), run: () => process.kill() },
    );
  }

  private tellEnd({ name, folder, metrics }: TrainingState, isFinished: boolean): void {
    const { reporter, show, useModel } = this.services;
    const step = metrics.at(-1)?.step ?? 0;
    if (step === 0) return;
    const checkpoint = vscode.Uri.joinPath(vscode.Uri.file(folder), 'checkpoints', `step-${step}`).fsPath;
    reporter.inform(
      isFinished
        ? vscode.l10n.t('Training "{0}" is finished after {1} steps.', name, step)
        : vscode.l10n.t('Training "{0}" was stopped after {1} steps, which are kept.', name, step),
      { title: vscode.l10n.t('Show run'), run: () => show(folder) },
      { title: vscode.l10n.t('Use this model'), run: () => useModel(checkpoint) },
    );
  }

  /** One item whatever runs: the first run's figures. */
  private update(): void {
    const [first] = this.running.values();
    void vscode.commands.executeCommand('setContext', 'ilvr.training', first !== undefined);
    if (first === undefined) return this.item.hide();
    const { state, metrics, steps, name } = first.folder.state;
    const step = metrics.at(-1)?.step ?? 0;
    const left = steps === undefined ? undefined : progressOf(metrics, steps)?.secondsLeft;
    const parts = [
      `${step}${steps === undefined ? '' : `/${steps}`}`,
      ...(left === undefined || state === 'paused' ? [] : [timeText(left)]),
    ];
    this.item.show({
      icon: state === 'paused' ? 'debug-pause' : 'sync~spin',
      text: parts.join(' · '),
      tooltip: vscode.l10n.t('ILVR training "{0}": press to show, pause or stop it', name),
      spoken: vscode.l10n.t('ILVR training {0}, step {1} of {2}', basename(name), step, steps ?? '?'),
    });
  }
}

/** The run's folder; a process that does not come so far has nothing to keep, and can be stopped. */
async function openedOrStopped(process: ChildCommand<'opened'>): Promise<string> {
  return showProgress(vscode.l10n.t('ILVR: starting the training run …'), async (_, token) => {
    token.onCancellationRequested(() => process.kill());
    try {
      return (await process.opened).folder;
    } catch (error) {
      throw token.isCancellationRequested ? new CancelledError('The training run') : error;
    }
  });
}
