/**
 * How a run and those who watch it talk: through two small files of the run's folder, so that it does
 * not matter who started it.
 *
 *   status.json    written by the run: what it is doing, in which process
 *   control.json   written by whoever watches: what it should do; read after each step
 */

import * as z from 'zod';

const state = z.enum(['starting', 'running', 'paused', 'stopped', 'finished', 'failed']);

const status = z.object({
  state,
  pid: z.int(),
  /** Name of the machine that the process is on. */
  host: z.string(),
  /** Absolute path of the config file that it was started with. */
  config: z.string(),
  device: z.string(),
  /** The run's last step. */
  steps: z.number(),
  /** ISO 8601, of this status. */
  time: z.string(),
  /** Why it failed. */
  error: z.string().optional(),
  /** Files concerned, the most telling first: "samples.jsonl:3". */
  where: z.string().optional(),
});

export type RunStatus = z.output<typeof status>;

const watchRequest = z.object({
  /** Index of the sample in its file or of the generator's questions, from 0. */
  sample: z.int().min(0),
  /** Steps between two looks; 0 for never. */
  every: z.int().min(0),
});

/** Which sample is looked at, and how often. */
export type WatchRequest = z.output<typeof watchRequest>;

const control = z.object({
  want: z.enum(['run', 'pause', 'stop']).default('run'),
  /** Instead of the config's. */
  watch: watchRequest.optional(),
});

export type Control = z.output<typeof control>;

export const STATUS_FILE = 'status.json';
export const CONTROL_FILE = 'control.json';

/** Nothing for a text that is no status. */
export function statusOf(text: string): RunStatus | undefined {
  return parsed(status, text);
}

/** Nothing for a text that is no control file. */
export function controlOf(text: string): Control | undefined {
  return parsed(control, text);
}

/** The machine that asks: Node's hostname() and process.kill, which this folder does not know. */
interface Machine {
  host: string;
  /** Signal 0 only asks whether the process is there. */
  kill: (pid: number, signal: 0) => unknown;
}

/** Whether a process is at work. One of another machine cannot be seen, so its status is believed. */
export function isAtWork({ state: now, pid, host }: RunStatus, machine: Machine): boolean {
  if (now !== 'starting' && now !== 'running' && now !== 'paused') return false;
  if (host !== machine.host) return true;
  try {
    machine.kill(pid, 0);
    return true;
  } catch (error) {
    // There, but somebody else's.
    return (error as { code?: unknown }).code === 'EPERM';
  }
}

function parsed<S extends z.ZodType>(schema: S, text: string): z.output<S> | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
