/** The run's end of status.json and control.json: says what it does, and does what is asked between steps. */

import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf, UserError } from '../../base/errors.ts';
import {
  CONTROL_FILE,
  controlOf,
  isAtWork,
  STATUS_FILE,
  statusOf,
  type Control,
  type RunStatus,
  type WatchRequest,
} from '../../watch/status.ts';
import { writeJson } from '../../files/replaceFile.ts';
import { writing } from './runFolder.ts';

/** How often a paused run asks whether to go on. */
const PAUSE_POLL_MS = 200;

const MACHINE = { host: hostname(), kill: process.kill.bind(process) };

type About = Pick<RunStatus, 'config' | 'device' | 'steps'>;

export class RunControl {
  private readonly folder: string;
  private readonly about: About;

  private constructor(folder: string, about: About) {
    this.folder = folder;
    this.about = about;
  }

  /**
   * Takes a run's folder for this process.
   * @throws UserError if another process is at work in it
   */
  static async open(folder: string, about: About): Promise<RunControl> {
    const status = statusOf(await textOf(path.join(folder, STATUS_FILE)));
    if (status !== undefined && status.pid !== process.pid && isAtWork(status, MACHINE)) {
      throw new UserError({
        problem: 'This run is going on already',
        found: `process ${status.pid}, ${status.state}`,
        where: folder,
        remedy: `Stop it first. If that process is something else, delete ${STATUS_FILE} there.`,
      });
    }
    const control = new RunControl(folder, about);
    await control.say('starting');
    // What was asked of the process before is not asked of this one; the watched sample stays.
    const { watch } = await control.read();
    await writeJson(path.join(folder, CONTROL_FILE), { want: 'run', ...(watch && { watch }) });
    return control;
  }

  async say(state: RunStatus['state'], error?: unknown): Promise<void> {
    const where = error instanceof UserError ? error.details.where : undefined;
    const status: RunStatus = {
      state,
      pid: process.pid,
      host: hostname(),
      ...this.about,
      time: new Date().toISOString(),
      ...(error !== undefined && { error: messageOf(error) }),
      ...(where !== undefined && { where }),
    };
    await writing(this.folder, () => writeJson(path.join(this.folder, STATUS_FILE), status));
  }

  /** What is asked for now; a file that is cut or missing asks for nothing. */
  async read(): Promise<Control> {
    return controlOf(await textOf(path.join(this.folder, CONTROL_FILE))) ?? { want: 'run' };
  }

  /** The sample to look at: as asked, else as the config says. */
  async watched(configured: WatchRequest): Promise<WatchRequest> {
    return (await this.read()).watch ?? configured;
  }

  /**
   * Between two steps: waits while the run is to pause.
   * @param save called once before it waits
   * @param look called again and again while it waits: another sample may be asked for
   * @returns false if the run is to end here
   */
  async mayGoOn(signal: AbortSignal, save: () => Promise<void>, look: () => Promise<void>): Promise<boolean> {
    const { want } = await this.read();
    if (want !== 'pause') return want === 'run';
    await save();
    await this.say('paused');
    for (;;) {
      if (signal.aborted) return false;
      const { want: now } = await this.read();
      if (now === 'stop') return false;
      if (now === 'run') break;
      await look();
      await delay(PAUSE_POLL_MS);
    }
    await this.say('running');
    return true;
  }
}

async function textOf(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => '');
}
