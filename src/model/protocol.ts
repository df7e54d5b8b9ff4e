/**
 * The latent protocol of a model as data: when it stops to write and feeds vectors instead, which, how many, and what
 * ends that. Every published latent reasoner on the bases that run here is a value of `ProtocolRecord` (./families); one machine
 * interprets it (../inference/latentProtocol.ts), and nothing else in the product knows a family.
 *
 * A **record** speaks of tokens by their names and of numbers by the fields of config.json that hold them, so that it
 * says the same of every checkpoint. A **protocol** is a record that was read for one checkpoint: ids and numbers.
 */

/** Every switch; what they mean is said where a latent is fed by them. */
export interface ProtocolRules {
  /**
   * What a latent is.
   * - hidden: the state after the final norm at the position before, fed in place of an embedding.
   * - head: the same, but a state whose own position was fed a latent goes through the model's head for latents first.
   * - token: an ordinary token with its own embedding. Nothing is fed back; what it holds is the state after it.
   */
  source: 'hidden' | 'head' | 'token';
  /** Whether such a state goes through that head for the logits too. */
  headLogits: boolean;
  /** The first latent stands after the start token, or at its place: then the start's own embedding is never fed. */
  firstFeed: 'after-start' | 'replace-start';
  stop: StopRules;
  /** Which id stands at a latent: always the pad, or what the model chose there. It counts for penalties. */
  append: 'pad' | 'own';
  /** Whether an end token is put in when a block is full. */
  forcedEnd: boolean;
  /** Whether pad and end cannot be chosen outside blocks. */
  bansOutside: boolean;
  /**
   * A start token that the model chooses inside a block.
   * - ignored: it is one more latent; restart: it is fed itself, and a new block begins; reset: it is one more latent,
   *   after which they are counted anew.
   */
  startInside: 'ignored' | 'restart' | 'reset';
  /** A stop token (end of turn) inside a block ends the answer, or is one more latent. */
  stopInside: 'ends' | 'ignored';
  /** The limit of tokens inside a block ends the answer, or only when the block is over. */
  limitInside: 'ends' | 'ignored';
  /**
   * What the count and the end token are seen for.
   * - block: each block by itself.
   * - run: latents are counted over all blocks; after one has ended, no later one is ended by its count, and an end
   *   token ends one only if the model has chosen none before. Otherwise it keeps its id, and latents go on.
   */
  state: 'block' | 'run';
  /** Whether an answer begins with a start token whatever the model chooses. */
  firstToken: 'free' | 'start';
  /** Latents after which a block that nothing ends is stopped, and the run with it: some protocols have no end. */
  bound: number;
}

/** What ends a block beside the number of its latents. */
export interface StopRules {
  /** The model's own end token. */
  endToken: boolean;
  /** A vector that lies near a learned one. */
  distance?: DistanceRule;
  /** So many equal ids in a row. */
  repeats?: number;
}

/** Ends a block after the first vector nearer than `threshold` to the tensor `to`. The state that chose start counts. */
export interface DistanceRule {
  /** Name of a tensor (hidden size) of the checkpoint. */
  to: string;
  /** Mean of squares, mean of absolutes, or 1 - cosine. */
  measure: DistanceMeasure;
  threshold: number;
}

export type DistanceMeasure = 'mse' | 'mae' | 'cosine';

/** How many latents fill a block. */
export type Count =
  /** Whatever the config says, the released code counts to this. */
  | { from: 'fixed'; latents: number }
  /** The authors leave it to whoever runs the model; this is what they ran. */
  | { from: 'setting'; latents: number }
  /** A field of config.json, so many times; `otherwise` where it does not say. */
  | { from: 'config'; field: string; times: number; otherwise: number };

/** Parts of a block by the names of their tokens. */
export interface Markers<Token> {
  /** Opens a block; absent where latents are ordinary tokens. */
  start?: Token;
  pad?: Token;
  end?: Token;
  /** With source "token": the latents themselves. */
  visual?: Token[];
}

/** How the authors' code asks. */
export interface PromptStyle {
  /** Where pictures stand: before the text, after it, or at each `<image>` of the question. */
  images: 'first' | 'last' | 'placeholder';
  /** Stands before everything else where there are pictures. */
  lead?: string;
  /** Whether the line end after the assistant's header is left out. */
  trimmed?: boolean;
}

export interface ProtocolRecord extends ProtocolRules {
  /** Of the project: "ILVR". */
  name: string;
  tokens: Markers<string>;
  count: Count;
  prompt: PromptStyle;
}

export interface Marker {
  name: string;
  id: number;
}

/** A record, read for one checkpoint. */
export interface Protocol extends ProtocolRules {
  name: string;
  tokens: Markers<Marker>;
  /** K: latents of a full block. */
  count: number;
  countFrom: Count['from'];
  prompt: PromptStyle;
}

/** What may be changed of a protocol for a run; parts of `stop` and `prompt` by themselves. */
export type ProtocolChanges = Loose<
  Omit<ProtocolRules, 'stop'> & { count: number; stop: Loose<StopRules>; prompt: Loose<PromptStyle> }
>;

type Loose<T> = { [Key in keyof T]?: T[Key] | undefined };

/** A protocol, or a record, with other rules. */
export function withChanges<P extends ProtocolRules & { prompt: PromptStyle }>(
  protocol: P,
  changes: ProtocolChanges,
): P {
  const { count: _, stop, prompt, ...rules } = changes;
  return {
    ...protocol,
    ...given(rules),
    stop: { ...protocol.stop, ...given(stop ?? {}) },
    prompt: { ...protocol.prompt, ...given(prompt ?? {}) },
  };
}

function given<T extends object>(changes: T): T {
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined)) as T;
}

/** Ids of the tokens with which a block begins. */
export function openersOf(protocol: Pick<Protocol, 'tokens'> | undefined): number[] {
  const { start, visual = [] } = protocol?.tokens ?? {};
  return [...(start === undefined ? [] : [start]), ...visual].map(({ id }) => id);
}

/** Index among the new tokens of a block's first latent. */
export function firstLatent(
  { source, firstFeed }: Pick<ProtocolRules, 'source' | 'firstFeed'>,
  startToken: number,
): number {
  return source !== 'token' && firstFeed === 'after-start' ? startToken + 1 : startToken;
}

/** Places of a full block that one which an intervention ended early leaves free. */
export function missingPlaces(
  protocol: Pick<Protocol, 'source' | 'firstFeed' | 'count'>,
  { startToken, latents }: { startToken: number; latents: number },
): number {
  // Without latents a start token stands for itself even where a latent would replace it.
  const shared = latents === 0 ? startToken + 1 - firstLatent(protocol, startToken) : 0;
  return Math.max(0, protocol.count - shared - latents);
}

/** How near two vectors are by a measure. */
export function distance(measure: DistanceMeasure, a: Float32Array, b: Float32Array): number {
  let [squares, absolutes, product, aa, bb] = [0, 0, 0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i]!, b[i]!];
    squares += (x - y) ** 2;
    absolutes += Math.abs(x - y);
    product += x * y;
    aa += x * x;
    bb += y * y;
  }
  if (measure === 'mse') return squares / a.length;
  if (measure === 'mae') return absolutes / a.length;
  return 1 - product / Math.sqrt(aa * bb);
}
