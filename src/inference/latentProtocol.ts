/**
 * When to write and when to think: ILVR's latent blocks as a small state machine over token ids.
 *
 * A block is start, K pads at which the model's own hidden state is fed back, end.
 * - forced (the released code of August 2026): exactly K pads, then end; pad and end are banned outside.
 * - free (without its logits processor): inside a block the model's end leaves it early, its start
 *   begins it again, anything else becomes a pad; after K pads end is forced all the same.
 */

import type { SpecialTokens } from '../model/config.ts';
import type { TraceBlock, TraceToken } from '../trace/schema.ts';

export type LatentMode = 'forced' | 'free';

export interface Decision {
  id: number;
  kind: TraceToken['kind'];
  /** What stands at this position: the token's embedding, or the hidden state before it. */
  feed: 'embedding' | 'latent';
  /** The protocol's choice, not the model's. */
  forced: boolean;
  opened?: TraceBlock;
  closed?: TraceBlock;
}

export class LatentProtocol {
  private readonly tokens: SpecialTokens['latent'];
  /** Pads of a full block; 0 for blocks of start and end tokens only. */
  private readonly size: number;
  private readonly mode: LatentMode;
  /** The open block. */
  private block: TraceBlock | undefined;
  private blocks = 0;
  private index = 0;

  constructor(tokens: SpecialTokens['latent'], size: number, mode: LatentMode) {
    this.tokens = tokens;
    this.size = size;
    this.mode = mode;
  }

  /** Index of the open block. */
  get openBlock(): number | undefined {
    return this.block?.index;
  }

  /** Pads in the open block so far. */
  get latentsInBlock(): number {
    return this.block?.latents ?? 0;
  }

  /** Whether the next id depends on the logits; if not, the LM head need not be run. */
  get needsLogits(): boolean {
    return this.block === undefined || (this.mode === 'free' && this.block.latents < this.size);
  }

  /** Ids that must not be chosen now. */
  get banned(): number[] {
    if (this.tokens === undefined || this.mode === 'free' || this.block !== undefined) return [];
    return [this.tokens.pad, this.tokens.end];
  }

  /** What comes next, given the model's (or the caller's) choice where one is needed. */
  next(choice: number | undefined): Decision {
    const decision = this.block === undefined ? this.outside(choice!) : this.inside(this.block, choice);
    this.index++;
    return decision;
  }

  private outside(id: number): Decision {
    if (id !== this.tokens?.start) return { id, kind: 'text', feed: 'embedding', forced: false };
    return { id, kind: 'latent-start', feed: 'embedding', forced: false, opened: this.open() };
  }

  private inside(block: TraceBlock, choice: number | undefined): Decision {
    const { pad, start, end } = this.tokens!;
    const full = block.latents === this.size;
    if (full || (this.mode === 'free' && choice === end)) {
      this.block = undefined;
      const closed: TraceBlock = { ...block, endToken: this.index, ended: full ? 'forced' : 'end-token' };
      return { id: end, kind: 'latent-end', feed: 'embedding', forced: full, closed };
    }
    if (this.mode === 'free' && choice === start) {
      const closed: TraceBlock = { ...block, ended: 'restart' };
      return {
        id: start,
        kind: 'latent-start',
        feed: 'embedding',
        forced: false,
        closed,
        opened: this.open(),
      };
    }
    block.latents++;
    return { id: pad, kind: 'latent-pad', feed: 'latent', forced: this.mode === 'forced' || choice !== pad };
  }

  /** Ends a block that the run's end cut off. */
  cut(why: 'limit' | 'cancelled'): TraceBlock | undefined {
    return this.block && { ...this.block, ended: why };
  }

  private open(): TraceBlock {
    this.block = { index: this.blocks++, startToken: this.index, latents: 0, ended: 'running' };
    return { ...this.block };
  }
}
