/** Racers take turns: A B C, C B A, …, so that what slows the machine down for a while slows all of them. */

import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { ANSWER, type Opened, type Task, type Timing } from './racer.ts';

/** How a racer is started. */
export interface Entrant {
  name: string;
  command: string;
  args: readonly string[];
  /** Of its model. */
  layers: { run: number; whole: number };
  /** Whether it can leave attention out; peers never capture any, but for PyTorch. */
  captures: boolean;
}

/** What a racer did, by rounds. Milliseconds a token. */
export interface Laps {
  opened: Opened;
  prefill: number[];
  /** Of the model as it ran, and of the whole one: all but the head times its layers. */
  token: number[];
  whole: number[];
  /** Without attention, where it can be left out. */
  blind: number[];
  /** The fastest token of all rounds: on a busy machine the better measure, as nobody helps. */
  best: { token: number; whole: number; blind: number };
}

export interface Course {
  rounds: number;
  prefills: number;
  /** In a round. */
  tokens: number;
  context: number;
}

/** A process that answers. */
export class Contestant {
  readonly entrant: Entrant;
  private readonly process: ChildProcess;
  private readonly answers: AsyncIterator<string>;

  constructor(entrant: Entrant, environment: Record<string, string>) {
    this.entrant = entrant;
    this.process = spawn(entrant.command, entrant.args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...environment },
    });
    let errors = '';
    this.process.stderr!.on('data', (data: Buffer) => (errors = `${errors}${data.toString()}`.slice(-2000)));
    this.process.on('exit', (code) => {
      if (code !== 0 && code !== null) console.error(`${entrant.name} ended with ${code}: ${errors}`);
    });
    this.answers = createInterface({ input: this.process.stdout! })[Symbol.asyncIterator]();
  }

  opened(): Promise<Opened> {
    return this.answer() as Promise<Opened>;
  }

  async ask(task: Task): Promise<Timing> {
    this.process.stdin!.write(`${JSON.stringify(task)}\n`);
    return (await this.answer()) as Timing;
  }

  async stop(): Promise<void> {
    if (this.process.exitCode !== null) return;
    this.process.stdin!.end();
    await Promise.race([new Promise((resolve) => this.process.once('exit', resolve)), setTimeout(5000)]);
    this.process.kill();
  }

  private async answer(): Promise<unknown> {
    for (;;) {
      const { value, done } = await this.answers.next();
      if (done === true) throw new Error(`${this.entrant.name} has ended`);
      if (value.startsWith(ANSWER)) return JSON.parse(value.slice(ANSWER.length));
    }
  }
}

/** All of them are open at the same time, one computes at a time. */
export async function race(
  entrants: readonly Entrant[],
  course: Course,
  environment: Record<string, string>,
  ids: readonly number[],
): Promise<Map<string, Laps>> {
  const contestants: Contestant[] = [];
  const laps = new Map<string, Laps>();
  try {
    for (const entrant of entrants) {
      const contestant = new Contestant(entrant, environment);
      contestants.push(contestant);
      const opened = await contestant.opened();
      const best = { token: Infinity, whole: Infinity, blind: Infinity };
      laps.set(entrant.name, { opened, prefill: [], token: [], whole: [], blind: [], best });
    }
    for (let round = -course.prefills; round < course.rounds; round++) {
      for (const contestant of round % 2 === 0 ? contestants : contestants.toReversed()) {
        const of = laps.get(contestant.entrant.name)!;
        if (round < 0) of.prefill.push(...(await contestant.ask({ do: 'prefill', ids: [...ids] })).ms);
        else await decodeRound(contestant, course.tokens, of);
      }
    }
  } finally {
    await Promise.all(contestants.map((contestant) => contestant.stop()));
  }
  return laps;
}

async function decodeRound(contestant: Contestant, tokens: number, laps: Laps): Promise<void> {
  const { captures, layers } = contestant.entrant;
  const { ms, head = ms.map(() => 0) } = await contestant.ask({ do: 'decode', tokens, capture: true });
  const whole = (of: number, ofHead: number): number => ((of - ofHead) * layers.whole) / layers.run + ofHead;
  const { best } = laps;
  laps.token.push(median(ms));
  laps.whole.push(whole(median(ms), median(head)));
  best.token = Math.min(best.token, ...ms);
  best.whole = Math.min(best.whole, ...ms.map((of, i) => whole(of, head[i]!)));
  if (!captures) return;
  const blind = (await contestant.ask({ do: 'decode', tokens, capture: false })).ms;
  laps.blind.push(median(blind));
  best.blind = Math.min(best.blind, ...blind);
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** By round, because a round that is slow is so for both. */
export function ratio(of: readonly number[], to: readonly number[]): number {
  return median(of.map((value, round) => value / to[round]!));
}

/** Share of the processors that work, over a second. */
export async function busyShare(): Promise<number> {
  const before = processorTimes();
  await setTimeout(1000);
  const after = processorTimes();
  return 1 - (after.idle - before.idle) / (after.all - before.all);
}

function processorTimes(): { idle: number; all: number } {
  const times = cpus().map((cpu) => cpu.times);
  const idle = times.reduce((sum, each) => sum + each.idle, 0);
  const all = times.reduce(
    (sum, { user, nice, sys, irq, idle: unused }) => sum + user + nice + sys + irq + unused,
    0,
  );
  return { idle, all };
}

/** Waits until others leave the processors alone for two seconds, at most so long. @returns their last share */
export async function quiet(seconds: number): Promise<number> {
  let calm = 0;
  let share = 1;
  for (const end = Date.now() + 1000 * seconds; calm < 2 && Date.now() <= end;) {
    share = await busyShare();
    calm = share < 0.1 ? calm + 1 : 0;
  }
  return share;
}

/** The machine in words: processor, cores, memory, system. */
export function machine(): string {
  const name = cpus()[0]?.model ?? 'unknown processor';
  const pages = process.platform === 'linux' ? hugePages() : '';
  return `${name}, ${cpus().length} cores, ${process.platform} ${process.arch}, Node ${process.versions.node}${pages}`;
}

function hugePages(): string {
  try {
    const text = readFileSync('/sys/kernel/mm/transparent_hugepage/enabled', 'utf8');
    return `, transparent huge pages: ${/\[(\w+)\]/.exec(text)?.[1] ?? 'unknown'}`;
  } catch {
    return '';
  }
}
