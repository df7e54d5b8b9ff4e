/**
 * Variants of a run, side by side: each parts from it at one point and goes on with something done to its latents, fed
 * the run's own words or writing its own.
 */

import { inScope } from '../../analysis/intervention.ts';
import type { AnalysedRun } from '../../analysis/run.ts';
import { Generation, type NewToken, type StepInput } from '../../inference/generation.ts';
import { openersOf, type Protocol } from '../../model/protocol.ts';
import type { LatentIntervention } from '../../protocol/engine.ts';

/** As a logit: e to the power of it is 0, and it can be calculated with. */
const NEVER = -1e9;

export interface VariantSpec {
  /** Absent: the model's own latents. */
  intervention?: LatentIntervention | undefined;
  /** forced: the run's own words are fed. free: it writes on by itself. */
  mode: 'forced' | 'free';
}

/** A word that a variant chose or was given. */
export interface VariantWord {
  token: NewToken;
  /** Index of the run's own token that was fed; with the run's words only. */
  own?: number;
}

/** A variant on its way. */
export class VariantRun {
  readonly spec: VariantSpec;
  readonly run: Generation;
  private readonly of: AnalysedRun;
  private readonly protocol: Protocol | undefined;
  /** Ids of the tokens that begin a block. */
  private readonly openers: readonly number[];
  /** Index of the run's next token, with its words fed. */
  private cursor: number;

  /** @param protocol that the run thought by */
  constructor(spec: VariantSpec, run: Generation, of: AnalysedRun, protocol: Protocol | undefined) {
    this.protocol = protocol;
    this.openers = openersOf(protocol);
    this.spec = spec;
    this.run = run;
    this.of = of;
    this.cursor = run.count;
  }

  /** Index of the run's own token that comes next, where the run's words are fed. */
  get next(): number | undefined {
    if (this.spec.mode === 'free') return undefined;
    this.skip();
    return this.cursor;
  }

  get ended(): boolean {
    const { next } = this;
    return this.run.ended !== undefined || (next !== undefined && next >= this.of.tokens.length);
  }

  /** What the next step is given. */
  get input(): StepInput {
    const { intervention } = this.spec;
    const { next } = this;
    return { intervention, ...(next !== undefined && { force: this.of.tokens[next]!.id }) };
  }

  /** Logits as they can be compared: where no block may begin, neither may the own run's. */
  comparable(logits: Float32Array): Float32Array {
    if (this.spec.intervention?.kind !== 'none' || this.openers.length === 0) return logits;
    const without = logits.slice();
    for (const id of this.openers) without[id] = NEVER;
    return without;
  }

  /** Notes a step. */
  took(token: NewToken): VariantWord {
    if (this.spec.mode === 'free') return { token };
    return { token, own: this.cursor++ };
  }

  /** Past what the intervention takes out of the run: a block's latents, or all of the block. */
  private skip(): void {
    const { intervention } = this.spec;
    const emptied = intervention?.kind === 'markers';
    if (!emptied && intervention?.kind !== 'none') return;
    const { tokens, blocks } = this.of;
    for (; this.cursor < tokens.length; this.cursor++) {
      const { kind } = tokens[this.cursor]!;
      const block = blocks.findLastIndex(({ startToken }) => startToken <= this.cursor);
      // Without latents, a start token that one stood in place of is fed again.
      const isMarker = this.protocol?.source !== 'token' && blocks[block]?.startToken === this.cursor;
      const isOut = emptied ? kind === 'latent' && !isMarker : kind !== 'text' && kind !== 'end';
      if (!isOut || !inScope(intervention.scope, block)) return;
    }
  }
}

/** The next token of each, in one run of the decoder; those that have ended must not be among them. */
export async function stepAll(variants: readonly VariantRun[]): Promise<VariantWord[]> {
  const steps = await Generation.stepAll(
    variants.map(({ run }) => run),
    variants.map(({ input }) => input),
  );
  return steps.map(({ token }, i) => variants[i]!.took(token));
}
