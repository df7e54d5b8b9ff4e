/**
 * Data-parallel learning: each worker thread has a learner of its own for its share of a step, on a core of
 * its own, because one thread's products do not wait for another's. Weights and gradients are in memory that
 * all threads see; the runtime takes no shared memory, so a worker copies the weights once a step.
 */

import { Worker } from 'node:worker_threads';
import { UserError, type ErrorDetails } from '../../base/errors.ts';
import { onCpu, type ParameterSet } from '../parameters/parameters.ts';
import { Means, type Learner, type Losses } from '../learner.ts';
import type { LearntSets } from '../step.ts';
import type { RunConfig } from './config.ts';

export interface Learning {
  /** Losses of a step, whose gradient is then in that of the run's own learner. */
  learn(step: number): Promise<Losses>;
  release(): Promise<void>;
}

/** Positions of a worker's share of a step's samples. */
export function shareOf({ batch }: RunConfig, step: number, worker: number, workers: number): number[] {
  const [first, end] = [worker, worker + 1].map((n) => Math.floor((n * batch) / workers));
  return Array.from({ length: end! - first! }, (_, i) => step * batch + first! + i);
}

/** All in this thread. */
export function alone(config: RunConfig, learner: Learner): Learning {
  return {
    learn: async (step) =>
      learner.learn(await learner.draw(shareOf(config, step, 0, 1)), step, 1 / config.batch),
    release: async () => undefined,
  };
}

export interface WorkerStart {
  config: RunConfig;
  index: number;
  /** float32 numbers in memory that all threads see. */
  student: SharedArrayBuffer;
  teacher?: SharedArrayBuffer;
  gradient: SharedArrayBuffer;
}

/** To a worker: the step to learn, or the end. */
export type WorkerRequest = { step: number } | 'end';

export type WorkerAnswer = { ready: true } | { losses: Losses } | { failed: string; details?: ErrorDetails };

/**
 * Starts the workers.
 * @param script bundle of ./worker.ts
 * @param own what the optimiser and the moving average write and read, on the CPU
 */
export async function openPool(config: RunConfig, script: string, own: LearntSets): Promise<Learning> {
  const shared = (set: ParameterSet): SharedArrayBuffer => new SharedArrayBuffer(onCpu(set).data.byteLength);
  const student = shared(own.student);
  const teacher = own.teacher === undefined ? undefined : shared(own.teacher);
  const members = Array.from({ length: config.workers }, (_, index) => {
    const gradient = shared(own.student);
    const start: WorkerStart = { config, index, student, gradient, ...(teacher && { teacher }) };
    return new Member(script, start, new Float32Array(gradient));
  });
  await Promise.all(members.map((member) => member.answer()));
  return {
    learn: async (step) => {
      new Float32Array(student).set(onCpu(own.student).data);
      if (teacher !== undefined) new Float32Array(teacher).set(onCpu(own.teacher!).data);
      const shares = await Promise.all(members.map((member) => member.learn(step)));
      const means = new Means(config.batch);
      const sums = onCpu(await own.gradient.whole()).data;
      shares.forEach((losses, i) => {
        means.add(losses, shareOf(config, step, i, members.length).length);
        const added = members[i]!.gradient;
        if (i === 0) sums.set(added);
        else for (let n = 0; n < sums.length; n++) sums[n]! += added[n]!;
      });
      return means.values;
    },
    release: async () => {
      await Promise.all(members.map((member) => member.end()));
    },
  };
}

class Member {
  readonly gradient: Float32Array;
  private readonly worker: Worker;
  private readonly gone: Promise<never>;

  constructor(script: string, start: WorkerStart, gradient: Float32Array) {
    this.gradient = gradient;
    this.worker = new Worker(script, { workerData: start });
    this.gone = new Promise((_, fail) => {
      this.worker.once('error', fail);
      this.worker.once('exit', (code) => fail(new Error(`a worker thread ended with code ${code}`)));
    });
    this.gone.catch(() => undefined);
  }

  async learn(step: number): Promise<Losses> {
    const answer = this.answer();
    this.send({ step });
    return (await answer) as Losses;
  }

  /** The next message. @throws what the worker failed with */
  async answer(): Promise<Losses | undefined> {
    const message = new Promise<WorkerAnswer>((done) => this.worker.once('message', done));
    const answer = await Promise.race([message, this.gone]);
    if ('failed' in answer)
      throw answer.details === undefined ? new Error(answer.failed) : new UserError(answer.details);
    return 'losses' in answer ? answer.losses : undefined;
  }

  /** Asked, not terminated: a thread that is ended while the runtime computes takes the process with it. */
  async end(): Promise<void> {
    const exit = new Promise<void>((done) => this.worker.once('exit', () => done()));
    this.send('end');
    await exit;
  }

  private send(request: WorkerRequest): void {
    this.worker.postMessage(request);
  }
}
