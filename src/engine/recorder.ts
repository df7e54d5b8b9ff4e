/** What the loop of a run reports, as events of a trace: arrays go into the container first, events follow. */

import { StreamDecoder } from '../checkpoint/text/tokenizer.ts';
import { compareLatent, type Comparison, type PictureFeatures } from '../inference/compare.ts';
import type { GenerateObserver } from '../inference/generate.ts';
import type { Fed, Generation, NewToken, StopReason } from '../inference/generation.ts';
import { checkStep } from '../inference/room.ts';
import type { NumericArray } from '../tensor/array.ts';
import { wordColumns } from '../trace/columns.ts';
import { applyEvent, startTrace, type ReasonEvent } from '../trace/events.ts';
import { looksOf } from '../trace/looks.ts';
import { meanOfHeads } from '../trace/queries.ts';
import type { TracePast } from '../trace/branch.ts';
import type { ArrayRef, Trace, TraceComparison, TraceToken } from '../trace/schema.ts';
import type { RunContext } from './runContext.ts';

type Event<Type extends ReasonEvent['type']> = Extract<ReasonEvent, { type: Type }>;

export class Recorder implements GenerateObserver {
  /** When the first token was chosen. */
  firstToken = 0;
  /** Positions of the prompt that an earlier run had read. */
  reused = 0;
  private readonly context: RunContext;
  private readonly decoder: StreamDecoder;
  /** As the receivers of the events have it: what a query looks at depends on what came before. */
  private readonly trace: Trace;
  private pictures: readonly PictureFeatures[] = [];

  /** Sends the event that opens the trace. */
  constructor(context: RunContext, start: Event<'start'>) {
    this.context = context;
    this.decoder = new StreamDecoder(context.model.checkpoint.tokenizer);
    this.trace = startTrace(start);
    context.emit(start);
  }

  /** Everything is encoded; from now on the loop reports. */
  begin(event: Event<'prompt'>, pictures: readonly PictureFeatures[]): void {
    this.pictures = pictures;
    this.emit(event);
  }

  /** The run begins where its parent had come to. */
  goOn(past: TracePast): void {
    this.emit({ type: 'past', ...past });
    // A character may be unfinished there.
    for (const { id, kind } of past.tokens) {
      if (kind === 'text') this.decoder.push(id);
      else this.decoder.flush();
    }
  }

  emit(event: Exclude<ReasonEvent, { type: 'start' }>): void {
    applyEvent(this.trace, event);
    this.context.emit(event);
  }

  async prefill(read: number, total: number): Promise<void> {
    this.context.progress({ code: 'read-prompt' }, read / total);
    await this.context.pause();
  }

  async token(token: NewToken, run: Generation): Promise<void> {
    this.reused = run.reused;
    if (this.firstToken === 0) this.firstToken = performance.now();
    checkStep(this.context.model.checkpoint.config.text, token.position + 1);
    this.emit({ type: 'token', token: this.describe(token) });
    // A block that is restarted closes before the next one opens.
    if (token.closed !== undefined) this.emit({ type: 'block-end', block: token.closed });
    if (token.opened !== undefined) this.emit({ type: 'block-start', block: token.opened });
    await this.context.pause();
  }

  /** Of a run that nothing would have ended, the last block says so. */
  ended(reason: StopReason): void {
    const open = this.trace.blocks.at(-1);
    if (reason === 'endless' && open !== undefined)
      this.emit({ type: 'block-end', block: { ...open, ended: 'endless' } });
  }

  async fed(token: NewToken, { attention, vector }: Fed): Promise<void> {
    const mean = meanOfHeads(attention);
    const looks = { type: 'looks', index: token.index, looks: looksOf(this.trace, mean) } as const;
    if (vector !== undefined) {
      this.emit(looks);
      return this.latent(token, attention, mean, vector);
    }
    const columns = wordColumns(this.trace, mean, token.index);
    this.emit({ ...looks, attention: await this.store('F16', columns) });
  }

  private async latent(
    { block, latentIndex, index: token, position }: NewToken,
    attention: NumericArray,
    mean: NumericArray,
    vector: Float32Array,
  ): Promise<void> {
    const { latentSize = 1 } = this.trace.model;
    const comparisons: TraceComparison[] = [];
    for (const comparison of compareLatent(vector, this.pictures, latentSize)) {
      comparisons.push(await this.comparison(comparison));
    }
    this.emit({
      type: 'latent',
      latent: {
        block: block!,
        index: latentIndex!,
        token,
        position,
        vector: await this.list(vector),
        attention: await this.store('F16', attention),
        mean: await this.store('F16', mean),
        comparisons,
      },
    });
  }

  private async comparison({ picture, similarity, selection }: Comparison): Promise<TraceComparison> {
    const { groupSize, cosines, probabilities, selected } = selection;
    return {
      picture,
      similarity: await this.list(similarity),
      selection: {
        groupSize,
        cosines: await this.list(cosines),
        probabilities: await this.list(probabilities),
        selected,
      },
    };
  }

  private async list(values: Float32Array): Promise<ArrayRef> {
    return this.store('F32', { shape: [values.length], data: values });
  }

  private async store(dtype: 'F16' | 'F32', { shape, data }: NumericArray): Promise<ArrayRef> {
    return this.context.sink.add(dtype, shape, data);
  }

  private describe(token: NewToken): TraceToken {
    const { id, kind, position, probability, forced, chosen } = token;
    // A character that a marker cuts off ends there, as U+FFFD; its bytes must not join with later ones.
    const text = kind === 'text' ? this.decoder.push(id) : this.decoder.flush();
    return {
      id,
      kind,
      position,
      forced,
      text,
      ...(probability !== undefined && { probability }),
      ...(chosen !== undefined && { chosen: this.context.model.checkpoint.tokenizer.tokenText(chosen) }),
    };
  }
}
