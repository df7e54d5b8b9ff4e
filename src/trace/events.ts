/**
 * A run as it happens: the engine sends these events, and folding them gives the trace.
 *
 * Host, panel and command line all fold with `applyEvent`, so a partial trace is simply the events
 * that arrived; a killed engine loses nothing already sent.
 */

import { unreachable } from '../base/errors.ts';
import type { NumericArray } from '../tensor/array.ts';
import { arraysOf, bytesOf } from './arrays.ts';
import type {
  ArrayRef,
  Trace,
  TraceBlock,
  TraceBranch,
  TraceDevice,
  TraceLatent,
  TraceModel,
  TracePicture,
  TracePrompt,
  TraceSettings,
  TraceTiming,
  TraceToken,
  TraceVerdict,
} from './schema.ts';
import type { TracePast } from './branch.ts';
import { TRACE_FORMAT, TRACE_VERSION } from './format.ts';

export type ReasonEvent =
  /** The run begins; nothing is computed yet. */
  | {
      type: 'start';
      id: string;
      createdAt: string;
      producer: { name: string; version: string };
      question: string;
      model: TraceModel;
      device: TraceDevice;
      settings: TraceSettings;
      branch?: TraceBranch;
    }
  /** Of a branch, after its prompt: what its parent had written before it. */
  | ({ type: 'past' } & TracePast)
  /** Pictures are encoded, the prompt is rendered. */
  | { type: 'prompt'; prompt: TracePrompt; pictures: TracePicture[] }
  /** One more token; latent pads are tokens too. */
  | { type: 'token'; token: TraceToken }
  /** A token's query has meanwhile been run: what it looks at, and of a word its attention. */
  | { type: 'looks'; index: number; looks: NumericArray; attention?: ArrayRef }
  | { type: 'block-start'; block: TraceBlock }
  /** A latent was fed: its vector, attention and comparisons are known. */
  | { type: 'latent'; latent: TraceLatent }
  /** Replaces the block of the same index. */
  | { type: 'block-end'; block: TraceBlock }
  | { type: 'timing'; timing: TraceTiming }
  | { type: 'done'; status: 'complete' | 'cancelled' | 'failed'; failure?: string }
  /** Comes from whoever has the samples file, after the end. */
  | { type: 'verdict'; verdict: TraceVerdict };

/** The trace a start event opens. */
export function startTrace(event: Extract<ReasonEvent, { type: 'start' }>): Trace {
  const { type: _, ...header } = event;
  return {
    format: TRACE_FORMAT,
    version: TRACE_VERSION,
    ...header,
    status: 'running',
    prompt: { text: '', ids: [], ropeDelta: 0 },
    pictures: [],
    tokens: [],
    blocks: [],
    latents: [],
    timings: [],
    arrays: { bytes: 0 },
  };
}

/** Folds one event into `trace`, in place. A start event is refused: it opens a trace of its own. */
export function applyEvent(trace: Trace, event: ReasonEvent): void {
  switch (event.type) {
    case 'start':
      throw new Error(`run ${trace.id} has already started`);
    case 'prompt':
      trace.prompt = event.prompt;
      trace.pictures = event.pictures;
      hold(
        trace,
        event.pictures.map(({ png }) => png),
      );
      return;
    case 'past':
      trace.tokens = event.tokens.map((token) => ({ ...token }));
      trace.blocks = event.blocks.map((block) => ({ ...block }));
      trace.latents = [...event.latents];
      hold(trace, [
        ...event.tokens.flatMap(({ attention }) => attention ?? []),
        ...event.latents.flatMap(arraysOf),
      ]);
      return;
    case 'token':
      // Copied where later events change it: the event itself may be folded once more elsewhere.
      trace.tokens.push({ ...event.token });
      if (event.token.kind === 'latent') countLatent(trace.blocks.at(-1));
      return;
    case 'looks': {
      const { index, looks, attention } = event;
      const token = trace.tokens[index];
      if (token === undefined) return;
      token.looks = looks;
      if (attention === undefined) return;
      token.attention = attention;
      hold(trace, [attention]);
      return;
    }
    case 'block-start':
      trace.blocks.push({ ...event.block });
      return;
    case 'latent':
      trace.latents.push(event.latent);
      hold(trace, arraysOf(event.latent));
      return;
    case 'block-end':
      trace.blocks[event.block.index] = { ...event.block };
      return;
    case 'timing':
      trace.timings.push(event.timing);
      return;
    case 'done':
      finishTrace(trace, event.status, event.failure);
      return;
    case 'verdict':
      trace.verdict = event.verdict;
      return;
    default:
      unreachable(event);
  }
}

/** The container reaches as far as what is referred to. */
function hold({ arrays }: Trace, refs: readonly ArrayRef[]): void {
  for (const ref of refs) arrays.bytes = Math.max(arrays.bytes, ref.offset + bytesOf(ref));
}

/** A block that never ends, because the run stops inside it, still has as many latents as it has pads. */
function countLatent(last: TraceBlock | undefined): void {
  // A latent that begins a block of its own is told before that block is.
  if (last?.ended === 'running') last.latents++;
}

/** Ends a trace, also one whose engine died: blocks still open end as the run did. */
export function finishTrace(
  trace: Trace,
  status: 'complete' | 'cancelled' | 'failed',
  failure?: string,
): void {
  trace.status = status;
  if (failure !== undefined) trace.failure = failure;
  for (const block of trace.blocks) {
    if (block.ended === 'running') block.ended = status === 'complete' ? 'limit' : 'cancelled';
  }
}
