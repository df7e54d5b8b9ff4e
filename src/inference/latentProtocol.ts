/**
 * When to write and when to think: ILVR's latent blocks as a small state machine over token ids, and the
 * account of a run's blocks. Everything else that knows of blocks (mask, trace, reference answers) reads it here.
 *
 * A block is start, K pads at which the model's own hidden state is fed back, end.
 * - forced (the released code of August 2026): exactly K pads, then end; pad and end are banned outside.
 * - free (without its logits processor): inside a block the model's end leaves it early, its start
 *   begins it again, anything else becomes a pad; after K pads end is forced all the same.
 */

import type { SpecialTokens } from '../model/config.ts';
import type { TraceBlock, TraceToken } from '../trace/schema.ts';

export type LatentMode = 'forced' | 'free';

export interface LatentRules {
  /** Absent for a model that only writes. */
  tokens: SpecialTokens['latent'];
  /** K, pads of a full block. */
  size: number;
  mode: LatentMode;
  /** Ids that end the answer, outside blocks. */
  endIds: readonly number[];
}

export interface Decision {
  id: number;
  kind: TraceToken['kind'];
  /** What stands at this position: the token's embedding, or the hidden state before it. */
  feed: 'embedding' | 'latent';
  /** The protocol's choice, not the model's. */
  forced: boolean;
  /** Index of the block that it lies in, its markers included, and for a pad its place there. */
  block?: number;
  latentIndex?: number;
  /** The block that begins with this token. */
  opened?: TraceBlock;
  /** The block that ends with this token or, where it is begun again, before it. */
  closed?: TraceBlock;
}

export class LatentProtocol {
  private readonly rules: LatentRules;
  /** Those of the run so far; only the last can be open, its `ended` is then "running". */
  private readonly account: TraceBlock[];
  private tokens: number;

  constructor(rules: LatentRules, account: readonly TraceBlock[] = [], tokens = 0) {
    this.rules = rules;
    this.account = account.map((block) => ({ ...block }));
    this.tokens = tokens;
  }

  /** An independent one at the same point. */
  fork(): LatentProtocol {
    return new LatentProtocol(this.rules, this.account, this.tokens);
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

  /**
   * Whether the next id depends on the logits; if not, the LM head need not be run.
   * @param size pads after which the block is full, here and below; K unless the caller wants fewer
   */
  needsLogits(size = this.rules.size): boolean {
    return this.open === undefined || (this.rules.mode === 'free' && this.open.latents < size);
  }

  /** Ids that must not be chosen now. */
  get banned(): number[] {
    const { tokens, mode } = this.rules;
    if (tokens === undefined || mode === 'free' || this.open !== undefined) return [];
    return [tokens.pad, tokens.end];
  }

  /** What comes next, given the model's (or the caller's) choice where one is needed. */
  next(choice: number | undefined, size = this.rules.size): Decision {
    const decision =
      this.open === undefined ? this.outside(choice!) : this.inside(this.account.at(-1)!, choice, size);
    this.tokens++;
    return decision;
  }

  private outside(id: number): Decision {
    const { tokens, endIds } = this.rules;
    if (id === tokens?.start) return this.start(id);
    const kind = endIds.includes(id) ? 'end' : 'text';
    return { id, kind, feed: 'embedding', forced: false };
  }

  private inside(block: TraceBlock, choice: number | undefined, size: number): Decision {
    const { tokens, mode } = this.rules;
    const { pad, start, end } = tokens!;
    const full = block.latents >= size;
    if (full || (mode === 'free' && choice === end)) {
      block.endToken = this.tokens;
      block.ended = full ? 'forced' : 'end-token';
      const closed = { ...block };
      return { id: end, kind: 'latent-end', feed: 'embedding', forced: full, block: block.index, closed };
    }
    if (mode === 'free' && choice === start) {
      block.ended = 'restart';
      return { ...this.start(start), closed: { ...block } };
    }
    return {
      id: pad,
      kind: 'latent',
      feed: 'latent',
      forced: mode === 'forced' || choice !== pad,
      block: block.index,
      latentIndex: block.latents++,
    };
  }

  private start(id: number): Decision {
    const opened: TraceBlock = {
      index: this.account.length,
      startToken: this.tokens,
      latents: 0,
      ended: 'running',
    };
    this.account.push(opened);
    return {
      id,
      kind: 'latent-start',
      feed: 'embedding',
      forced: false,
      block: opened.index,
      opened: { ...opened },
    };
  }
}
