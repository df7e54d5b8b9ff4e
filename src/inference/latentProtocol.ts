/**
 * When to write and when to think: a latent protocol (../model/protocol.ts) as a small state machine over token ids,
 * and the account of a run's blocks. Everything else that knows of blocks (mask, trace, reference answers) reads it
 * here. What a field of the protocol means stands there; which models have which values, in ../model/families.
 */

import { distance, openersOf, type Protocol } from '../model/protocol.ts';
import type { TraceBlock, TraceToken } from '../trace/schema.ts';

export interface LatentRules {
  /** Absent for a model that only writes. */
  protocol: Protocol | undefined;
  /** Ids that end the answer. */
  endIds: readonly number[];
  /** What a distance protocol compares with. */
  endVector?: Float32Array | undefined;
}

export interface Decision {
  id: number;
  kind: TraceToken['kind'];
  /** What stands at this position: the token's embedding, or the hidden state before it. */
  feed: 'embedding' | 'latent';
  /** The protocol's choice, not the model's. */
  forced: boolean;
  /** Id that the model (or the caller) chose inside a block, where it was asked. */
  chosen?: number;
  /** Index of the block that it lies in, its markers included, and for a latent its place there. */
  block?: number;
  latentIndex?: number;
  /** The block that begins with this token. */
  opened?: TraceBlock;
  /** The block that ends with this token or, where it has no end token or is begun again, before it. */
  closed?: TraceBlock;
}

type Ended = Exclude<TraceBlock['ended'], 'running' | 'limit' | 'cancelled' | 'endless'>;

/** What a protocol remembers beside the blocks. */
interface Memory {
  /** Ids decided. */
  tokens: number;
  /** Latents that count towards K. */
  count: number;
  /** The last vector lay near the learned one. */
  near: boolean;
  /** The last id that was chosen at a latent, and how often in a row. */
  repeated: { id: number | undefined; times: number };
  /** The model has chosen an end token, anywhere. */
  choseEnd: boolean;
  /** A block has ended. */
  closedOne: boolean;
}

const NOTHING: Memory = {
  tokens: 0,
  count: 0,
  near: false,
  repeated: { id: undefined, times: 0 },
  choseEnd: false,
  closedOne: false,
};

export class LatentProtocol {
  private readonly rules: LatentRules;
  /** Those of the run so far; only the last can be open, its `ended` is then "running". */
  private readonly account: TraceBlock[];
  private readonly memory: Memory;

  constructor(rules: LatentRules, account: readonly TraceBlock[] = [], memory: Readonly<Memory> = NOTHING) {
    this.rules = rules;
    this.account = account.map((block) => ({ ...block }));
    this.memory = { ...memory };
  }

  /** An independent one at the same point. */
  fork(): LatentProtocol {
    return new LatentProtocol(this.rules, this.account, this.memory);
  }

  /** The run's blocks so far. */
  get blocks(): readonly Readonly<TraceBlock>[] {
    return this.account;
  }

  /** The open block. */
  get open(): Readonly<TraceBlock> | undefined {
    const last = this.account.at(-1);
    return last?.ended === 'running' ? last : undefined;
  }

  /** Whether the limit of tokens does not count now. */
  get outlastsLimit(): boolean {
    const { open } = this;
    // A start token at the limit is not fed any more, and a block begins when it is.
    return (
      this.rules.protocol?.limitInside === 'ignored' &&
      open !== undefined &&
      open.startToken < this.memory.tokens - 1
    );
  }

  /** Whether nothing has ended a block for so long that the run is to be stopped. */
  get isEndless(): boolean {
    const { open } = this;
    return open !== undefined && open.latents >= this.rules.protocol!.bound;
  }

  /**
   * Whether the next id depends on the logits; if not, the LM head need not be run.
   * @param size latents after which a block is full, here and below; K unless the caller wants fewer
   * @param noBlock whether the caller lets no block begin
   */
  needsLogits(size?: number, noBlock = false): boolean {
    const { protocol } = this.rules;
    if (protocol === undefined) return true;
    if (this.open === undefined) return noBlock || !this.mustStart;
    if (protocol.source === 'token') return true;
    if (this.isFull(size)) return !protocol.forcedEnd || protocol.state === 'run';
    const { stop, append, startInside, stopInside } = protocol;
    return (
      append === 'own' ||
      stop.endToken ||
      stop.repeats !== undefined ||
      startInside !== 'ignored' ||
      stopInside === 'ends'
    );
  }

  /** Ids that must not be chosen now. */
  get banned(): number[] {
    const { protocol } = this.rules;
    if (protocol?.bansOutside !== true || this.open !== undefined) return [];
    const { pad, end } = protocol.tokens;
    return [pad, end].flatMap((token) => token?.id ?? []);
  }

  /** Ids with which a block begins. */
  get openers(): number[] {
    return openersOf(this.rules.protocol);
  }

  /** What comes next, given the model's (or the caller's) choice where one is needed. */
  next(choice: number | undefined, size?: number): Decision {
    const { open, memory } = this;
    const decision =
      open === undefined ? this.outside(choice, size) : this.inside(this.account.at(-1)!, choice, size);
    memory.tokens++;
    memory.choseEnd ||= choice !== undefined && choice === this.rules.protocol?.tokens.end?.id;
    return decision;
  }

  /**
   * A position was fed.
   * @param state what a latent there would be: the vector that was fed, or the state before an embedding
   */
  fed(state: Float32Array): void {
    const { protocol, endVector } = this.rules;
    const rule = protocol?.stop.distance;
    if (rule === undefined || endVector === undefined || this.open === undefined) return;
    this.memory.near = distance(rule.measure, state, endVector) < rule.threshold;
  }

  private get mustStart(): boolean {
    return this.rules.protocol?.firstToken === 'start' && this.memory.tokens === 0;
  }

  private isFull(size = this.rules.protocol!.count): boolean {
    const { protocol } = this.rules;
    const { count, near, repeated, closedOne } = this.memory;
    if (size === 0 || near) return true;
    const { state, stop } = protocol!;
    if (stop.repeats !== undefined && repeated.times >= stop.repeats) return true;
    return count >= size && !(state === 'run' && closedOne);
  }

  private outside(choice: number | undefined, size: number | undefined): Decision {
    const { protocol, endIds } = this.rules;
    const { start, visual } = protocol?.tokens ?? {};
    if (choice === undefined) return { ...this.start(start!.id, size), forced: true };
    const id = choice;
    if (id === start?.id) return this.start(id, size);
    if (visual?.some((token) => token.id === id)) return this.visual(id);
    const kind = endIds.includes(id) ? 'end' : 'text';
    return { id, kind, feed: 'embedding', forced: false };
  }

  private inside(block: TraceBlock, choice: number | undefined, size: number | undefined): Decision {
    const { protocol, endIds } = this.rules;
    const { tokens, source, forcedEnd, stop, state, startInside, stopInside } = protocol!;
    if (source === 'token') return this.visualNext(block, choice!);
    if (this.isFull(size)) {
      const how = this.howFull();
      if (forcedEnd) return this.end(block, how, true);
      const closed = this.close(block, how);
      return { ...this.outside(choice, size), closed };
    }
    const obeysEnd = stop.endToken && !(state === 'run' && this.memory.choseEnd);
    if (obeysEnd && choice === tokens.end?.id) return this.end(block, 'end-token', false);
    if (startInside === 'restart' && choice === tokens.start?.id) {
      const closed = this.close(block, 'restart');
      return { ...this.start(choice!, size), closed };
    }
    if (stopInside === 'ends' && endIds.includes(choice!)) {
      const closed = this.close(block, 'stop');
      return { id: choice!, kind: 'end', feed: 'embedding', forced: false, closed };
    }
    return this.latent(block, choice);
  }

  private howFull(): Ended {
    const { near, repeated } = this.memory;
    if (near) return 'distance';
    return repeated.times >= (this.rules.protocol!.stop.repeats ?? Infinity) ? 'repeats' : 'forced';
  }

  private start(id: number, size: number | undefined): Decision {
    const { memory } = this;
    const { firstFeed, state } = this.rules.protocol!;
    const opened = this.begin();
    if (state === 'block') memory.count = 0;
    memory.near = false;
    memory.repeated = { id: undefined, times: 0 };
    const common = { id, forced: false, block: opened.index } as const;
    if (firstFeed === 'after-start' || size === 0)
      return { ...common, kind: 'latent-start', feed: 'embedding', opened: { ...opened } };
    memory.count++;
    const latentIndex = opened.latents++;
    return { ...common, kind: 'latent', feed: 'latent', latentIndex, opened: { ...opened } };
  }

  private latent(block: TraceBlock, choice: number | undefined): Decision {
    const { memory } = this;
    const { tokens, append, stop, startInside } = this.rules.protocol!;
    const { pad, start, end } = tokens;
    // An end token that has no effect keeps its id.
    const keeps = append === 'own' || (stop.endToken && choice === end?.id);
    const id = keeps ? choice! : pad!.id;
    memory.count = startInside === 'reset' && choice === start?.id ? 0 : memory.count + 1;
    const times = memory.repeated.id === choice ? memory.repeated.times + 1 : 1;
    memory.repeated = { id: choice, times };
    return {
      id,
      kind: 'latent',
      feed: 'latent',
      forced: id !== choice,
      ...(choice !== undefined && { chosen: choice }),
      block: block.index,
      latentIndex: block.latents++,
    };
  }

  private end(block: TraceBlock, how: Ended, forced: boolean): Decision {
    const { id } = this.rules.protocol!.tokens.end!;
    block.endToken = this.memory.tokens;
    const closed = this.close(block, how);
    this.memory.closedOne = true;
    return { id, kind: 'latent-end', feed: 'embedding', forced, block: block.index, closed };
  }

  /** A latent that is an ordinary token opens a block, or goes on with one of its own kind. */
  private visual(id: number): Decision {
    const block = this.begin();
    this.memory.repeated = { id, times: 1 };
    return { ...this.visualIn(block, id), opened: { ...block } };
  }

  private visualNext(block: TraceBlock, id: number): Decision {
    if (id === this.memory.repeated.id) return this.visualIn(block, id);
    const closed = this.close(block, 'text');
    return { ...this.outside(id, undefined), closed };
  }

  private visualIn(block: TraceBlock, id: number): Decision {
    const latentIndex = block.latents++;
    return { id, kind: 'latent', feed: 'embedding', forced: false, block: block.index, latentIndex };
  }

  private begin(): TraceBlock {
    const { tokens } = this.memory;
    const block: TraceBlock = {
      index: this.account.length,
      startToken: tokens,
      latents: 0,
      ended: 'running',
    };
    this.account.push(block);
    return block;
  }

  private close(block: TraceBlock, how: Ended): TraceBlock {
    block.ended = how;
    return { ...block };
  }
}
