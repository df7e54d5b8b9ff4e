/** A checkpoint's weights in the format that they are computed in. */

import type { OnActivity } from '../base/activity.ts';
import { availableParallelism } from 'node:os';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { weightsCacheFolder } from '../files/cacheFolder.ts';
import { quantised } from './quantised.ts';
import { isScheme, type Scheme } from './schemes.ts';
import type { WeightFormat } from '../tensor/weightFormat.ts';

export interface FormatOptions {
  /** The bundle of ./worker.ts; absent: weights are packed in this thread. */
  worker?: string;
  /** Absent: all cores. */
  threads?: number | undefined;
  /** Of quantised weights; absent: the user's own. */
  folder?: string | undefined;
  signal?: AbortSignal;
  progress?: OnActivity;
  /** Told why a cache cannot be used. */
  warn?: (text: string) => void;
}

const BITS: Record<Scheme, string> = { '8bit': '8', '4bit': '4', '4bit-fast': '4' };
/** More wait for the disk. */
const MOST_THREADS = 16;

/**
 * The checkpoint as graphs are to read it.
 * @throws CancelledError when the signal aborts; UserError as `quantised` does
 */
export async function inFormat(
  checkpoint: Checkpoint,
  format: WeightFormat,
  { worker, threads, folder = weightsCacheFolder(), signal, progress, warn }: FormatOptions = {},
): Promise<Checkpoint> {
  if (format === 'float16') return { ...checkpoint, weights: { ...checkpoint.weights, half: true } };
  if (!isScheme(format)) return checkpoint;
  const count = Math.min(MOST_THREADS, threads ?? availableParallelism());
  const result = await quantised(checkpoint, format, folder, {
    ...(worker !== undefined && { workers: { script: worker, count } }),
    ...(signal !== undefined && { signal }),
    onProgress: (fraction) => progress?.({ code: 'pack', of: BITS[format] }, fraction),
    onCheck: (fraction) => progress?.({ code: 'check-packed' }, fraction),
    onDamage: (message) => warn?.(message),
  });
  return result.checkpoint;
}
