/**
 * One who takes part: a process that has opened its model and does what it is asked, one line of JSON after the other.
 * Racers in TypeScript call `serve`; PyTorch's (`racer.py`) speaks the same lines.
 */

import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

export type Task =
  /** Reads these from an empty context. */
  | { do: 'prefill'; ids: number[] }
  /** Reads so many more, one at a time. */
  | { do: 'decode'; tokens: number; capture: boolean }
  /** Feeds so many latents. */
  | { do: 'latents'; tokens: number }
  /** So many steps of each of so many variants of one run, a latent block among them. */
  | { do: 'variants'; rows: number; steps: number }
  /** The features of a square picture of side² tokens. */
  | { do: 'tower'; side: number };

export interface Timing {
  /** Of each token, or of the whole task. */
  ms: number[];
  /** What of that is the head's, where it is a graph of its own. */
  head?: number[];
  /** Milliseconds of the processors for the whole task: what others take from them does not count. */
  processor: number;
}

/** Said once the model is open. */
export interface Opened {
  ms: number;
  /** Of that, what does not grow with the layers, where the racer knows it. */
  fixed?: number;
  /** Private memory that opening and a first token took, bytes. */
  memory: number;
}

export interface Racer {
  prefill(ids: readonly number[]): Promise<void>;
  /** @returns milliseconds of the head, where it is a graph of its own */
  token(capture: boolean): Promise<number | undefined>;
  /** Milliseconds of its opening that do not grow with the layers. */
  readonly fixed?: number;
  latent?(): Promise<void>;
  /** A step of each of the variants of one run, as many as were asked for, from what was read last. */
  variants?(rows: number): Promise<void>;
  tower?(side: number): Promise<void>;
}

/** Lines that answer, among whatever a library prints. */
export const ANSWER = '@';

/** Opens the racer of this process with the options in its first argument, and answers until its input ends. */
export async function serve<Options>(open: (options: Options) => Promise<Racer>): Promise<void> {
  const options = JSON.parse(process.argv[2]!) as Options;
  const before = privateMemory();
  const start = performance.now();
  const racer = await open(options);
  const ms = performance.now() - start;
  await racer.prefill([1, 2, 3]);
  await racer.token(true);
  answer({ ms, fixed: racer.fixed, memory: privateMemory() - before });
  for await (const line of createInterface({ input: process.stdin })) {
    answer(await timed(racer, JSON.parse(line) as Task));
  }
  process.exit(0);
}

async function timed(racer: Racer, task: Task): Promise<Timing> {
  const clock = async (work: () => Promise<unknown>): Promise<number> => {
    const start = performance.now();
    await work();
    return performance.now() - start;
  };
  const timing: Timing = { ms: [], processor: 0 };
  const before = process.cpuUsage();
  if (task.do === 'prefill') timing.ms.push(await clock(() => racer.prefill(task.ids)));
  else if (task.do === 'tower') timing.ms.push(await clock(() => racer.tower!(task.side)));
  else if (task.do === 'variants') {
    for (let i = 0; i < task.steps; i++) timing.ms.push(await clock(() => racer.variants!(task.rows)));
  } else if (task.do === 'latents') {
    for (let i = 0; i < task.tokens; i++) timing.ms.push(await clock(() => racer.latent!()));
  } else {
    for (let i = 0; i < task.tokens; i++) {
      let head: number | undefined;
      timing.ms.push(
        await clock(async () => {
          head = await racer.token(task.capture);
        }),
      );
      if (head !== undefined) (timing.head ??= []).push(head);
    }
  }
  const { user, system } = process.cpuUsage(before);
  timing.processor = (user + system) / 1000;
  return timing;
}

function answer(value: object): void {
  process.stdout.write(`${ANSWER}${JSON.stringify(value)}\n`);
}

/** Bytes that belong to this process alone, mapped files not counted; all that is resident where Linux is not there. */
function privateMemory(): number {
  if (process.platform !== 'linux') return process.memoryUsage().rss;
  const kilobytes = /RssAnon:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return 1024 * Number(kilobytes ?? 0);
}
