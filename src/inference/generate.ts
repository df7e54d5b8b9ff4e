/** A whole run, or variants of it side by side, told step by step. What a step is stands in ./generation.ts. */

import type { LatentIntervention } from '../protocol/engine.ts';
import {
  Generation,
  type Fed,
  type GenerationSettings,
  type NewToken,
  type StopReason,
} from './generation.ts';
import type { Model } from './model.ts';
import type { Past } from './past.ts';
import type { Prompt } from './prompt.ts';
import type { PromptMemory } from './promptMemory.ts';

/** What is asked, of all variants alike. */
export interface GenerateRequest extends Prompt, GenerationSettings {
  /** Index of a new token → id to put there. */
  force: Readonly<Record<number, number>>;
  /** What another run had written, from which this one goes on. */
  past?: Past | undefined;
}

/** A run that differs from others of the same request in what is fed at its latents. */
export interface Variant {
  intervention?: LatentIntervention | undefined;
  observer: VariantObserver;
}

/** Told of everything in order; a promise lets it pause the loop, an exception ends it, with all variants. */
export interface VariantObserver {
  /** A token was decided; `run` is at that point, and may be forked there. */
  token(token: NewToken, run: Generation): Promise<void>;
  /** The token was fed; the last one of a run never is. */
  fed(token: NewToken, fed: Fed): Promise<void>;
  /** Nothing more follows, while other variants may go on. */
  ended?(reason: StopReason): void;
}

/** Of a single run. */
export interface GenerateObserver extends VariantObserver {
  prefill(read: number, total: number): Promise<void>;
}

/**
 * Runs until the model ends its answer, or a limit is reached.
 * @param memory what is kept of the last prompt, and where this one is kept
 */
export async function generate(
  model: Model,
  { intervention, ...request }: GenerateRequest & { intervention?: LatentIntervention },
  observer: GenerateObserver,
  memory?: PromptMemory,
): Promise<StopReason> {
  const onChunk = (read: number): Promise<void> => observer.prefill(read, request.ids.length);
  const [reason] = await generateVariants(model, request, [{ intervention, observer }], onChunk, memory);
  return reason!;
}

/**
 * Runs several variants until each has ended. The prompt is read once, and each step is one run of the decoder for all
 * that have not: each decides what it would decide by itself, and its numbers are those within rounding.
 * @param onChunk called now and then with the positions of the prompt read so far
 * @param memory what is kept of the last prompt, and where this one is kept
 * @returns why each ended
 */
export async function generateVariants(
  model: Model,
  request: GenerateRequest,
  variants: readonly Variant[],
  onChunk?: (read: number) => Promise<void>,
  memory?: PromptMemory,
): Promise<StopReason[]> {
  const first = await Generation.begin(model, request, request, onChunk, memory, request.past);
  const runs = variants.map((_, i) => (i === 0 ? first : first.beside()));
  try {
    let going = goingOf(runs, variants);
    while (going.length > 0) {
      const tokens = await Generation.decideAll(
        going.map(({ run }) => run),
        going.map(({ run, intervention }) => ({ force: request.force[run.count], intervention })),
      );
      for (const [i, { observer, run }] of going.entries()) await observer.token(tokens[i]!, run);
      const decided = going.map((one, i) => ({ ...one, token: tokens[i]! }));
      for (const { run, observer } of decided) if (run.ended !== undefined) observer.ended?.(run.ended);
      const left = decided.filter(({ run }) => run.ended === undefined);
      const fed = await Generation.feedAll(left.map(({ run }) => run));
      for (const [i, { observer, token }] of left.entries()) await observer.fed(token, fed[i]!);
      going = left;
    }
    return runs.map((run) => run.ended!);
  } finally {
    for (const run of runs) run.dispose();
  }
}

type Going = Variant & { run: Generation };

function goingOf(runs: readonly Generation[], variants: readonly Variant[]): Going[] {
  return runs.flatMap((run, i) => (run.ended === undefined ? [{ ...variants[i]!, run }] : []));
}
