/** A worker thread of a run: learns its share of each step, and draws the next one's samples meanwhile. */

import { parentPort, workerData } from 'node:worker_threads';
import { messageOf, UserError } from '../../base/errors.ts';
import { onCpu } from '../parameters/parameters.ts';
import type { Learner, Losses } from '../learner.ts';
import { shareOf, type WorkerAnswer, type WorkerRequest, type WorkerStart } from './pool.ts';
import { openLearner, openStart } from './start.ts';

const start = workerData as WorkerStart;
const answer = (message: WorkerAnswer): void => parentPort!.postMessage(message);

class Share {
  private readonly learner: Learner;
  private readonly student = new Float32Array(start.student);
  private readonly teacher = start.teacher && new Float32Array(start.teacher);
  private readonly gradient = new Float32Array(start.gradient);
  private ahead: { step: number; drawn: Promise<unknown> } | undefined;

  constructor(learner: Learner) {
    this.learner = learner;
  }

  async learn(step: number): Promise<Losses> {
    const { learner } = this;
    onCpu(learner.student).data.set(this.student);
    if (this.teacher !== undefined) onCpu(learner.teacher!).data.set(this.teacher);
    const drawn = this.ahead?.step === step ? await this.ahead.drawn : await this.draw(step);
    const losses = await learner.learn(drawn, step, 1 / start.config.batch);
    this.gradient.set(onCpu(await learner.gradient.whole()).data);
    return losses;
  }

  /** Begins the next step's samples; what goes wrong is told when they are asked for. */
  lookAhead(step: number): void {
    const drawn = this.draw(step);
    drawn.catch(() => undefined);
    this.ahead = { step, drawn };
  }

  private draw(step: number): Promise<unknown> {
    const { config, index } = start;
    return this.learner.draw(shareOf(config, step, index, config.workers));
  }
}

async function main(): Promise<void> {
  const { config } = start;
  const learner = await openLearner(config, await openStart(config), { provider: 'cpu', threads: 1 });
  const share = new Share(learner);
  parentPort!.on('message', (request: WorkerRequest) => {
    if (request === 'end') {
      void learner.release().finally(() => parentPort!.close());
      return;
    }
    share.learn(request.step).then((losses) => {
      answer({ losses });
      share.lookAhead(request.step + 1);
    }, fail);
  });
  answer({ ready: true });
}

function fail(error: unknown): void {
  answer({
    failed: messageOf(error),
    ...(error instanceof UserError && { details: error.details }),
  });
}

main().catch(fail);
