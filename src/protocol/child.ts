/**
 * What a command that runs as a child tells the program that started it, on Node's IPC channel. What it computes is in
 * its files; the process only says where those are, or why there are none. When the channel closes, it ends after its
 * step or sample, saved.
 */
export type ChildMessage =
  /** A training run's folder. */
  | { type: 'opened'; folder: string }
  /** An evaluation's results files. */
  | { type: 'evaluating'; results: string[] }
  /** Where a calibration's figures will be. */
  | { type: 'calibrating'; out: string }
  /** How far it is, from 0 to 1. */
  | { type: 'progress'; fraction: number }
  /** `where` names files, the most telling first: "samples.jsonl:3". */
  | { type: 'failed'; message: string; where?: string };
