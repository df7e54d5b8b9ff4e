/** What a command gets from its surroundings, so that tests can give something else. */

import type { ChildMessage } from '../protocol/child.ts';
import type { Device } from '../tensor/device.ts';
import type { WeightFormat } from '../tensor/weightFormat.ts';
import type { Terminal } from './terminal.ts';

export interface CliContext {
  /** The engine's bundle. */
  enginePath: string;
  /** The bundle of a training run's worker threads. */
  trainWorkerPath: string;
  /** The bundle of the threads that quantise weights. */
  packWorkerPath: string;
  /** Folder of the models that ship with the program. */
  models: string;
  /** Version of this program. */
  version: string;
  terminal: Terminal;
  /** Aborted by Ctrl-C, SIGTERM or SIGHUP. */
  signal: AbortSignal;
  /** ILVR_DEBUG=1: stack traces and the engine's log. */
  debug: boolean;
  runConformance: RunConformance;
  /** Tells the program that started this one as a child, if one did. */
  tellParent?: (message: ChildMessage) => void;
}

export type RunConformance = (options: {
  dir: string;
  device: Device;
  weights: WeightFormat;
  packing: { worker: string; folder?: string };
  filter?: string;
  onCase: (line: string) => void;
}) => Promise<{ passed: number; failed: number; notRun: number }>;

/** What the process ends with; documented in --help. */
export const EXIT = { ok: 0, failed: 1, usage: 2, cancelled: 130 } as const;
