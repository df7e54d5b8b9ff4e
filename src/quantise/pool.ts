/** Runs an import's tasks in threads, or one at a time in this one. */

import { Worker } from 'node:worker_threads';
import { UserError } from '../base/errors.ts';
import { TaskRunner, type Task } from './tasks.ts';
import type { WorkerAnswer } from './worker.ts';

export interface Pool {
  /** How many tasks may run at once. */
  readonly size: number;
  /** @returns what `TaskRunner.run` returns */
  run(task: Task): Promise<string>;
  /** Ends the threads, also in the middle of a task. */
  close(): Promise<void>;
}

/** @param workers absent: everything in this thread, with a pause after each task */
export function openPool(workers?: { script: string; count: number }): Pool {
  if (workers === undefined) {
    const runner = new TaskRunner();
    return {
      size: 1,
      run: async (task) => {
        await new Promise((resolve) => setImmediate(resolve));
        return runner.run(task);
      },
      close: async () => runner.close(),
    };
  }
  const members = Array.from({ length: workers.count }, () => new Member(workers.script));
  const idle = [...members];
  return {
    size: members.length,
    run: async (task) => {
      const member = idle.pop()!;
      try {
        return await member.run(task);
      } finally {
        idle.push(member);
      }
    },
    close: async () => {
      await Promise.all(members.map((member) => member.end()));
    },
  };
}

class Member {
  private readonly worker: Worker;
  private readonly gone: Promise<never>;

  constructor(script: string) {
    this.worker = new Worker(script);
    this.gone = new Promise((_, fail) => {
      this.worker.once('error', fail);
      this.worker.once('exit', (code) => fail(new Error(`a thread of the import ended with code ${code}`)));
    });
    this.gone.catch(() => undefined);
  }

  async run(task: Task): Promise<string> {
    const message = new Promise<WorkerAnswer>((done) => this.worker.once('message', done));
    this.worker.postMessage(task);
    const answer = await Promise.race([message, this.gone]);
    if (!('failed' in answer)) return answer.digest;
    if (answer.details !== undefined) throw new UserError(answer.details);
    throw Object.assign(new Error(answer.failed), answer.code !== undefined && { code: answer.code });
  }

  /** No runtime of models works in these threads, so they may be ended at once. */
  async end(): Promise<void> {
    await this.worker.terminate();
  }
}
