/** Causality: all variants of a run side by side, each with the run's words and with its own. */

import { answerTokens } from '../../analysis/answer.ts';
import type { AnalysisParameters, AnalysisResult } from '../../analysis/table.ts';
import { UserError } from '../../base/errors.ts';
import { StreamDecoder } from '../../checkpoint/text/tokenizer.ts';
import { gridMap } from '../../dataset/samples.ts';
import { judge, type Truth } from '../../dataset/scoring.ts';
import { Generation } from '../../inference/generation.ts';
import type { LatentIntervention } from '../../protocol/engine.ts';
import type { NumericArray } from '../../tensor/array.ts';
import { finalAnswer, markedAnswer } from '../../trace/answer.ts';
import { divergences } from './divergence.ts';
import { checkLatent, type ModelRun, type RunnerContext } from './modelRun.ts';
import { planVariants, scopeOf } from './variantPlan.ts';
import { stepAll, VariantRun, type VariantWord } from './variantRun.ts';

type Parameters = AnalysisParameters<'causality'>;
type Result = AnalysisResult<'causality'>;
type Written = NonNullable<Result['own']>;

/** Steps between two partial results. */
const STEPS_BETWEEN = 8;

export async function runCausality(
  of: ModelRun,
  parameters: Parameters,
  context: RunnerContext<'causality'>,
): Promise<Result> {
  const scope = scopeOf(of, parameters);
  const truth = truthOf(parameters);
  const planned = await planVariants(of, parameters, scope);
  const own = await OwnWords.read(of, of.run.blocks[scope?.block ?? 0]!.startToken, context);
  try {
    const part = (intervention: LatentIntervention | undefined, mode: 'forced' | 'free'): Variant =>
      new Variant(new VariantRun({ intervention, mode }, own.variant(), of.run, of.protocol), of, own);
    const plain = part(undefined, 'free');
    const variants = planned.map(({ kind, missing, draws }) => ({
      kind,
      missing,
      forced: draws.map((draw) => part(draw, 'forced')),
      free: draws.map((draw) => part(draw, 'free')),
    }));
    const all = [plain, ...variants.flatMap(({ forced, free }) => [...forced, ...free])];
    const result = (): Result => ({
      words: own.words,
      answer: own.answer,
      own: plain.written(truth),
      variants: variants.map(({ kind, missing, forced, free }) => ({
        kind,
        ...(missing !== undefined && { missing }),
        ...(forced.length > 0 && {
          forced: {
            kl: stacked(forced.map(({ kl }) => kl)),
            change: stacked(forced.map(({ change }) => change)),
          },
        }),
        free: free.map((variant) => variant.written(truth, plain)),
      })),
    });
    try {
      return await follow(all, own, result, context);
    } finally {
      for (const { at } of all) at.run.dispose();
    }
  } finally {
    own.dispose();
  }
}

/** Steps all until each has ended. */
async function follow(
  all: readonly Variant[],
  own: OwnWords,
  result: () => Result,
  { found, progress, pause }: RunnerContext<'causality'>,
): Promise<Result> {
  for (let steps = 1; ; steps++) {
    const going = all.filter(({ at }) => !at.ended);
    if (going.length === 0) return result();
    const words = await stepAll(going.map(({ at }) => at));
    const logits = await own.logitsAt(words.flatMap((word) => (isCompared(word) ? [word.own] : [])));
    going.forEach((variant, i) => variant.take(words[i]!, logits));
    if (steps % STEPS_BETWEEN === 0) found(result());
    progress({ code: 'follow-variants' }, Math.min(1, steps / own.left));
    await pause();
  }
}

type ComparedWord = VariantWord & { own: number };

function isCompared(word: VariantWord): word is ComparedWord {
  return word.own !== undefined && word.token.kind === 'text';
}

/** A variant with what is known of it. */
class Variant {
  readonly at: VariantRun;
  /** By word of the run, in nats; NaN where it has not come to yet. */
  readonly kl: Float32Array;
  readonly change: Float32Array;
  private readonly own: OwnWords;
  private readonly words: string[] = [];
  private readonly decoder: StreamDecoder;

  constructor(at: VariantRun, { model }: ModelRun, own: OwnWords) {
    this.at = at;
    this.own = own;
    this.kl = new Float32Array(own.words.length).fill(NaN);
    this.change = new Float32Array(own.words.length).fill(NaN);
    this.decoder = new StreamDecoder(model.checkpoint.tokenizer);
  }

  /** @param logits of the run itself, by its token */
  take(word: VariantWord, logits: ReadonlyMap<number, Float32Array>): void {
    const { token } = word;
    if (token.kind === 'text') this.words.push(this.decoder.push(token.id));
    if (!isCompared(word)) return;
    const at = this.own.wordAt(word.own);
    const [own, mine] = [logits.get(word.own)!, token.logits!].map((row) => this.at.comparable(row));
    const { kl, logA, logB } = divergences(own!, mine!, token.id);
    this.kl[at] = kl;
    this.change[at] = logB - logA;
  }

  /** @param beside what its words are compared with */
  written(truth: Truth | undefined, beside?: Variant): Written {
    const text = this.own.before + this.words.join('');
    const { ended } = this.at.run;
    const answer = markedAnswer(text) ?? (ended === 'end' ? finalAnswer(text) : undefined);
    const difference = beside && this.differsFrom(beside);
    return {
      words: [...this.words],
      ...(answer !== undefined && { answer }),
      ...(ended !== undefined && ended !== 'end' && { cut: true as const }),
      ...(difference !== undefined && { difference }),
      ...(truth !== undefined && this.at.ended && { right: judge(truth, text).success }),
      blocks: this.at.run.blocks.length,
    };
  }

  private differsFrom({ words, at }: Variant): number | undefined {
    const shared = Math.min(words.length, this.words.length);
    const first = this.words.findIndex((word, i) => i < shared && word !== words[i]);
    if (first >= 0) return first;
    const haveEnded = at.ended && this.at.ended;
    return haveEnded && words.length !== this.words.length ? shared : undefined;
  }
}

/** The run's own words after a point, and the states that they were chosen from. */
class OwnWords {
  readonly words: Result['words'] = [];
  /** Which of the words are the answer. */
  readonly answer: number[];
  /** The text before the point. */
  readonly before: string;
  /** Steps that the run itself takes from the point on. */
  readonly left: number;
  private readonly of: ModelRun;
  private readonly root: Generation;
  private readonly states = new Map<number, Float32Array>();

  private constructor(of: ModelRun, start: number, root: Generation) {
    const { tokens } = of.run;
    this.of = of;
    this.root = root;
    this.left = Math.max(1, tokens.length - start);
    this.before = tokens
      .slice(0, start)
      .map(({ text }) => text)
      .join('');
    tokens.forEach(({ kind, text }, token) => {
      if (token >= start && kind === 'text') this.words.push({ token, text });
    });
    const chosen = new Set(answerTokens(of.run));
    this.answer = this.words.flatMap(({ token }, i) => (chosen.has(token) ? [i] : []));
  }

  /** @param start index of the token before which the variants part from the run */
  static async read(of: ModelRun, start: number, context: RunnerContext<'causality'>): Promise<OwnWords> {
    const { model, prompt, run, settings, hidden, protocol } = of;
    const begun = await Generation.begin(
      model,
      prompt,
      { ...settings, protocol, hidden, temperature: 0, topP: 1, seed: 0 },
      async (read) => {
        context.progress({ code: 'read-prompt' }, read / prompt.ids.length);
        await context.pause();
      },
    );
    let own: OwnWords | undefined;
    try {
      for (const [i, { id }] of run.tokens.entries()) {
        if (i === start) own = new OwnWords(of, start, begun.fork());
        if (begun.ended !== undefined) break;
        if (own !== undefined) own.states.set(i, begun.hidden);
        const { fed } = await begun.step({ force: id });
        if (fed?.vector !== undefined) checkLatent(of, i, fed.vector);
        context.progress({ code: 'read-run' }, i / run.tokens.length);
        await context.pause();
      }
      return own!;
    } catch (error) {
      own?.dispose();
      throw error;
    } finally {
      begun.dispose();
    }
  }

  /** A variant at that point, to be stepped with the others. */
  variant(): Generation {
    return this.root.beside();
  }

  dispose(): void {
    this.root.dispose();
  }

  /** Index of the word that is a token. */
  wordAt(token: number): number {
    return this.words.findIndex((word) => word.token === token);
  }

  /** What the run's own words were chosen from (V), by token. */
  async logitsAt(tokens: readonly number[]): Promise<Map<number, Float32Array>> {
    const distinct = [...new Set(tokens)];
    if (distinct.length === 0) return new Map();
    const width = this.states.get(distinct[0]!)!.length;
    const data = new Float32Array(distinct.length * width);
    distinct.forEach((token, i) => data.set(this.states.get(token)!, i * width));
    const logits = await this.of.model.logits({ shape: [distinct.length, width], data });
    const size = logits.shape[1]!;
    return new Map(distinct.map((token, i) => [token, logits.data.subarray(i * size, (i + 1) * size)]));
  }
}

function stacked(rows: readonly Float32Array[]): NumericArray {
  const width = rows[0]!.length;
  const data = new Float32Array(rows.length * width);
  rows.forEach((row, i) => data.set(row, i * width));
  return { shape: [rows.length, width], data };
}

/** @throws UserError for a map that cannot be walked */
function truthOf({ truth }: Parameters): Truth | undefined {
  if (truth === undefined) return undefined;
  const { map, answer } = truth;
  if (map === undefined) return { answer };
  const parsed = gridMap.safeParse(map);
  if (parsed.success) return { map: parsed.data, answer };
  throw new UserError({
    problem: 'This map cannot be walked',
    found: parsed.error.issues[0]?.message ?? 'a fault',
  });
}
