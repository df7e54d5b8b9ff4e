/**
 * Draws outside the extension host's own thread, which every extension shares. A trace may come from anyone:
 * what its pictures may be is bounded where they are decoded (src/trace/picture.ts), and whatever still takes
 * long or grows large ends here, with its thread, while the host goes on.
 */

import { Worker } from 'node:worker_threads';
import { CancelledError, messageOf, UserError } from '../../base/errors.ts';
import type { Disposable } from '../../base/disposable.ts';
import type { Drawing, Drawn } from './drawing.ts';
import type { Answer } from './worker.ts';

/** A hover takes milliseconds; nobody waits longer for one. */
const TIME_LIMIT_MS = 5_000;
/** How long a thread that has nothing to draw is kept. */
const IDLE_MS = 60_000;
/** Of objects; arrays lie outside, and what they take follows from the bounds of a picture. */
const HEAP_MB = 256;

export interface DrawerOptions {
  /** The bundle of worker.ts. */
  workerPath: string;
  timeLimitMs?: number;
  idleMs?: number;
}

interface Waiting {
  drawing: Drawing;
  settle: (answer: Answer) => void;
  fail: (error: Error) => void;
}

export class Drawer implements Disposable {
  private readonly options: Required<DrawerOptions>;
  private readonly queue: Waiting[] = [];
  private current: Waiting | undefined;
  private thread: Worker | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: DrawerOptions) {
    this.options = { timeLimitMs: TIME_LIMIT_MS, idleMs: IDLE_MS, ...options };
  }

  /** Whether a thread is there. */
  get isAwake(): boolean {
    return this.thread !== undefined;
  }

  /**
   * Draws what a hover shows, after what was asked for before.
   * @returns undefined if there is nothing to draw, or nothing that is small enough
   * @throws UserError if the picture cannot be shown, or not within a few seconds
   */
  async draw(drawing: Drawing): Promise<Drawn | undefined> {
    const answer = await new Promise<Answer>((settle, fail) => {
      this.queue.push({ drawing, settle, fail });
      this.next();
    });
    if ('drawn' in answer) return answer.drawn;
    if ('refused' in answer) throw new UserError(answer.refused);
    throw new Error(answer.defect);
  }

  dispose(): void {
    const left = [...(this.current === undefined ? [] : [this.current]), ...this.queue.splice(0)];
    this.end();
    for (const { fail } of left) fail(new CancelledError('The drawing'));
  }

  private next(): void {
    if (this.current !== undefined) return;
    clearTimeout(this.timer);
    this.current = this.queue.shift();
    if (this.current === undefined) {
      this.timer = setTimeout(() => this.end(), this.options.idleMs);
      this.timer.unref();
      return;
    }
    this.timer = setTimeout(() => this.giveUp(tooSlow(this.current!.drawing)), this.options.timeLimitMs);
    this.thread ??= this.start();
    this.thread.postMessage(this.current.drawing);
  }

  private start(): Worker {
    const thread = new Worker(this.options.workerPath, {
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
      env: {},
      execArgv: [],
    });
    // What comes from a thread that was given up is nobody's answer.
    const ifCurrent = (act: () => void): void => {
      if (thread === this.thread) act();
    };
    thread.on('message', (answer: Answer) =>
      ifCurrent(() => {
        const done = this.current;
        this.current = undefined;
        done?.settle(answer);
        this.next();
      }),
    );
    thread.on('error', (error) =>
      ifCurrent(() => this.giveUp(ended(this.current?.drawing, messageOf(error)))),
    );
    thread.on('exit', (code) =>
      ifCurrent(() => this.giveUp(ended(this.current?.drawing, `exit code ${code}`))),
    );
    thread.unref();
    return thread;
  }

  /** Ends the thread with what it was drawing; the next drawing gets another one. */
  private giveUp(error: UserError): void {
    const given = this.current;
    this.end();
    given?.fail(error);
    this.next();
  }

  private end(): void {
    clearTimeout(this.timer);
    const { thread } = this;
    this.thread = undefined;
    this.current = undefined;
    void thread?.terminate();
  }
}

function tooSlow({ picture }: Drawing): UserError {
  return new UserError({
    problem: 'A picture of this trace takes too long to draw',
    where: picture.name,
    remedy: 'Look at it in the panel.',
  });
}

function ended(drawing: Drawing | undefined, how: string): UserError {
  return new UserError({
    problem: 'A picture of this trace could not be drawn',
    found: `a thread that ended (${how})`,
    ...(drawing !== undefined && { where: drawing.picture.name }),
  });
}
