/**
 * A run of the model as an object: a prompt that was read, and tokens and latents that follow step by step.
 *
 * Its state is the cache, the places of the next tokens, the account of the blocks, the sampler with its random
 * numbers, and the last hidden state. A fork is another run at the same point: it shares what was read, and what
 * one of the two does, the other does not notice. So tests and branches pay for what they generate alone.
 *
 * Runs that go side by side from one point, as variants of it, are made by `beside` and go on by `stepAll`: each step is
 * one run of the decoder for all, which takes little longer than for one (docs/log.md). They decide as runs of their own
 * would; their numbers equal those within rounding, as products of more rows round differently (./kvBranch.ts).
 *
 * At a latent the hidden state after the final norm, at the position before, is fed as it is (arXiv 2512.05665), or
 * what the model's protocol makes of it (../model/protocol.ts), or what an intervention puts in its place. A latent's
 * attention is that of its own query, so it is known once it is fed.
 */

import { inScope } from '../analysis/intervention.ts';
import type { NumericArray } from '../tensor/array.ts';
import { freed } from '../model/families/ilvr.ts';
import { visible, type LatentBlock } from '../model/latentReach.ts';
import { firstLatent, missingPlaces, type Protocol } from '../model/protocol.ts';
import type { LatentIntervention } from '../protocol/engine.ts';
import type { TraceBlock } from '../trace/schema.ts';
import { isNotLater, without, type HiddenKeys } from './hiddenKeys.ts';
import { fedVector } from './intervention.ts';
import { KvBranch, type BranchRead } from './kvBranch.ts';
import { LatentProtocol, type Decision } from './latentProtocol.ts';
import { probabilityOf, type Sequence } from './logitRules.ts';
import type { DecoderStep, Model, Reading } from './model.ts';
import type { Prompt } from './prompt.ts';
import { machineAfter, numbersAfter, readPast, skippedIn, type Past } from './past.ts';
import { readPrompt, type PromptMemory } from './promptMemory.ts';
import { Sampler, type SamplerSettings } from './sampler.ts';

export interface GenerationSettings extends SamplerSettings {
  /** Whether blocks are as the protocol has them, or as free as they can be; see ../model/families/ilvr.ts. */
  latents: 'forced' | 'free';
  /** In place of the checkpoint's own. */
  protocol?: Protocol | undefined;
  /** Most new tokens, pads included. */
  maxTokens: number;
  /** What queries from some position on do not see. */
  hidden?: readonly HiddenKeys[];
}

/** What a caller wants of one step; without any of it, the model's own. */
export interface StepInput {
  /** Id in place of the model's choice; where the protocol leaves no choice, it stands. */
  force?: number | undefined;
  /** Ids that the model must not choose. */
  ban?: readonly number[] | undefined;
  /** What becomes of a latent, with "markers" of the rest of its block, with "none" of a block that would begin. */
  intervention?: LatentIntervention | undefined;
}

export interface NewToken extends Decision {
  /** Index among the new tokens. */
  index: number;
  /** Index in the sequence. */
  position: number;
  /** What the model gives the id, before any settings; outside blocks only. */
  probability?: number;
  /** (V), as the head gives them; absent where the protocol leaves no choice. */
  logits?: Float32Array;
}

/** What is known of a token once it was fed. */
export interface Fed {
  /** (L, H, keys) of its own query; without keys where it was not wanted. */
  attention: NumericArray;
  /** A latent: what was fed there or, where nothing is fed back, the state that it left. */
  vector?: Float32Array;
}

export interface Step {
  token: NewToken;
  /** Absent for the token that ends a run. */
  fed?: Fed;
}

/** Why a run ends by itself; "endless": nothing would have ended its last block. */
export type StopReason = 'end' | 'limit' | 'endless';

interface State {
  readonly model: Model;
  readonly settings: GenerationSettings;
  /** Of the prompt: how many ids, and next position minus length. */
  readonly promptLength: number;
  readonly delta: number;
  readonly branch: KvBranch;
  /** That it thinks by; absent for a model that only writes. */
  readonly protocol: Protocol | undefined;
  readonly machine: LatentProtocol;
  readonly sampler: Sampler;
  /** Positions of the prompt that an earlier run had read. */
  readonly reused: number;
  /** Of the sequence so far, pads included. */
  readonly ids: number[];
  /** (C), of the last position that was fed: what logits are computed from. */
  hidden: Float32Array;
  /** (C), of the same position: what a latent after it would be. */
  feedback: Float32Array;
  /** Whether both are still to go through the model's head for latents. */
  headed: boolean;
  /** Decided, and not fed yet. */
  pending?: { token: NewToken; intervention: LatentIntervention | undefined } | undefined;
  /** Latents fed so far. */
  latents: number;
  /** Blocks that an intervention let not begin; they count where blocks are numbered. */
  removed: number;
  /** Places that latents left free by an intervention. */
  skipped: number;
}

/** Of a run at some point; without another seed it goes on with the same random numbers. */
export type SettingChanges = Partial<Omit<GenerationSettings, 'latents' | 'protocol'>>;

const NO_PAST: Past = { ids: [], latents: new Map(), blocks: [], draws: 0 };

export class Generation {
  private readonly state: State;

  private constructor(state: State) {
    this.state = state;
  }

  /**
   * Reads the prompt.
   * @param onChunk called now and then with the positions read so far; throwing stops
   * @param memory what is kept of the last prompt, and where this one is kept
   * @param past what another run had written: this one goes on from there
   */
  static async begin(
    model: Model,
    prompt: Prompt,
    settings: GenerationSettings,
    onChunk?: (read: number) => Promise<void>,
    memory?: PromptMemory,
    past: Past = NO_PAST,
  ): Promise<Generation> {
    const { config, generation } = model.checkpoint;
    const { ids, delta } = prompt;
    const { cache, hidden, reused } = await readPrompt(model, prompt, memory, onChunk);
    try {
      const own = settings.protocol ?? config.protocol;
      const protocol = own && settings.latents === 'free' ? freed(own) : own;
      const read = { past: { ...past, protocol: own }, hidden: settings.hidden ?? [] };
      const states = await readPast(model, prompt, read, { cache, hidden }, onChunk);
      const rule = protocol?.stop.distance;
      const endVector = rule && (await model.learntVector(rule.to));
      const rules = { protocol, endIds: generation.eosIds, endVector };
      const machine = machineAfter(rules, past, states.before);
      return new Generation({
        model,
        settings,
        promptLength: ids.length,
        delta,
        branch: KvBranch.of(cache),
        protocol,
        machine,
        sampler: new Sampler(settings, generation, numbersAfter(settings.seed, past.draws)),
        ids: [...ids, ...past.ids],
        hidden: states.chosen,
        feedback: states.fed,
        headed: false,
        reused,
        latents: past.latents.size,
        removed: 0,
        skipped: skippedIn(past, protocol),
      });
    } catch (error) {
      cache.dispose();
      throw error;
    }
  }

  /** New tokens so far. */
  get count(): number {
    return this.state.ids.length - this.state.promptLength;
  }

  /** Positions of the prompt that an earlier run had read, and this one did not. */
  get reused(): number {
    return this.state.reused;
  }

  /** The account of the blocks so far. */
  get blocks(): readonly Readonly<TraceBlock>[] {
    return this.state.machine.blocks;
  }

  /** The state (C) that the last token was, or the next one is, chosen from. */
  get hidden(): Float32Array {
    return this.state.hidden;
  }

  /** Why there is nothing more to decide; the last token is then not fed. */
  get ended(): StopReason | undefined {
    const { pending, machine, model, ids } = this.state;
    if (pending?.token.kind === 'end') return 'end';
    if (ids.length >= model.checkpoint.config.text.maxPositions) return 'limit';
    if (machine.isEndless) return 'endless';
    return ids.length >= this.sequence().maxLength && !machine.outlastsLimit ? 'limit' : undefined;
  }

  /** Decides the next token and, unless the run ends with it, feeds it. */
  async step(input: StepInput = {}): Promise<Step> {
    return (await Generation.stepAll([this], [input]))[0]!;
  }

  /** The first half of a step. A fork made between the two feeds the same token. */
  async decide(input: StepInput = {}): Promise<NewToken> {
    return (await Generation.decideAll([this], [input]))[0]!;
  }

  /** The second half of a step: feeds what was decided. */
  async feed(): Promise<Fed> {
    return (await Generation.feedAll([this]))[0]!;
  }

  /**
   * A step of each of several runs that stand side by side; none of them may have ended.
   * @param inputs one for each run
   * @param wanted attention of many rows over long sequences takes more time than they do: leave it out where it is not looked at
   * @throws what any of them throws; all of them are then of no use
   */
  static async stepAll(
    runs: readonly Generation[],
    inputs: readonly StepInput[],
    wanted?: { attention: boolean },
  ): Promise<Step[]> {
    const tokens = await Generation.decideAll(runs, inputs);
    const going = runs.filter((run) => run.ended === undefined);
    const fed = await Generation.feedAll(going, wanted);
    return runs.map((run, i) => {
      const index = going.indexOf(run);
      return { token: tokens[i]!, ...(index >= 0 && { fed: fed[index]! }) };
    });
  }

  /** The first half: the head reads all their states in one run. */
  static async decideAll(runs: readonly Generation[], inputs: readonly StepInput[]): Promise<NewToken[]> {
    const open = runs.filter((run, i) => run.needsLogits(inputs[i]!));
    const logits = await logitsOf(open.map(({ state }) => state));
    return runs.map((run, i) => run.decideBy(inputs[i]!, logits[open.indexOf(run)]));
  }

  /** The second half: the decoder reads what was decided, in one run for all that share a cache. */
  static async feedAll(
    runs: readonly Generation[],
    wanted: { attention: boolean } = { attention: true },
  ): Promise<Fed[]> {
    if (runs.length === 0) return [];
    const { model, hidden } = runs[0]!.state;
    const inputs = runs.map((run) => run.input());
    const words = inputs.flatMap(({ id, replaced }) => (replaced === undefined ? [id] : []));
    const embedded = words.length === 0 ? undefined : await model.embed(words);
    const width = hidden.length;
    let word = 0;
    const reads = runs.map((run, i): BranchRead => {
      const { replaced, place } = inputs[i]!;
      const data = replaced ?? embedded!.data.subarray(word * width, ++word * width);
      return {
        branch: run.state.branch,
        embeddings: { shape: [1, width], data },
        positions: [[place, place, place]],
        reading: { ...run.reading(), ...(!wanted.attention && { rows: [] }) },
      };
    });
    const steps = await KvBranch.read(model, reads);
    const taken = runs.map((run, i) => run.take(steps[i]!, reads[i]!.embeddings.data));
    await throughHeads(runs.map(({ state }) => state));
    return taken;
  }

  /**
   * Another run at the same point, to be disposed of by itself.
   * @param changes of the settings from here on; without another seed it goes on with the same random numbers
   */
  fork(changes: SettingChanges = {}): Generation {
    return new Generation(this.copy(this.state.branch.fork(), changes));
  }

  /**
   * The same as a fork, but to go on side by side with this one, by `stepAll`. What was read up to here, and whatever
   * either reads, lies in one cache, which is freed with the last of them.
   */
  beside(changes: SettingChanges = {}): Generation {
    return new Generation(this.copy(this.state.branch.beside(), changes));
  }

  /** Frees what it holds alone; others keep what they share with it. */
  dispose(): void {
    this.state.branch.dispose();
  }

  private copy(branch: KvBranch, changes: SettingChanges): State {
    const { state } = this;
    return {
      ...state,
      settings: { ...state.settings, ...changes },
      branch,
      machine: state.machine.fork(),
      sampler: state.sampler.fork(changes),
      ids: [...state.ids],
    };
  }

  /** How many pads fill the block that is open, or would begin now; the model's own number if undefined. */
  private padsFor(intervention: LatentIntervention | undefined): number | undefined {
    return this.touches(intervention, 'markers') ? 0 : undefined;
  }

  private needsLogits({ intervention }: StepInput): boolean {
    const { pending, machine } = this.state;
    if (pending !== undefined || this.ended !== undefined) throw new Error('there is nothing to decide now');
    return machine.needsLogits(this.padsFor(intervention), this.touches(intervention, 'none'));
  }

  /** @param logits where the protocol leaves a choice */
  private decideBy({ force, ban = [], intervention }: StepInput, logits: Float32Array | undefined): NewToken {
    const { state } = this;
    const { machine, ids, promptLength } = state;
    const inside = machine.open !== undefined;
    const size = this.padsFor(intervention);
    const choice = logits === undefined ? undefined : (force ?? this.choose(logits, ban, intervention));
    const decision = machine.next(choice, size);
    const token: NewToken = {
      ...decision,
      forced: decision.forced || (force !== undefined && decision.id === force),
      index: this.count,
      position: promptLength + this.count,
      ...(logits !== undefined && { logits }),
      ...(logits !== undefined && !inside && { probability: probabilityOf(logits, decision.id) }),
    };
    ids.push(token.id);
    state.pending = { token, intervention };
    return token;
  }

  /** The model's choice; a block that an intervention removes gives way to what the model would write instead. */
  private choose(
    logits: Float32Array,
    ban: readonly number[],
    intervention: LatentIntervention | undefined,
  ): number {
    const { state } = this;
    const { openers } = state.machine;
    const banned = [...state.machine.banned, ...ban];
    const choice = state.sampler.choose(logits, this.sequence(), banned);
    if (!openers.includes(choice) || !this.removesBlock(intervention)) return choice;
    state.removed++;
    return state.sampler.choose(logits, this.sequence(), [...banned, ...openers]);
  }

  /** Without markers, a block of markers alone is none. */
  private removesBlock(intervention: LatentIntervention | undefined): boolean {
    const isBare = this.state.protocol?.source === 'token' && this.touches(intervention, 'markers');
    return isBare || this.touches(intervention, 'none');
  }

  /** Whether an intervention of this kind means a block: that one, or the one that is open or would begin now. */
  private touches(
    intervention: LatentIntervention | undefined,
    kind: LatentIntervention['kind'],
    block = this.state.machine.open?.index ?? this.blocks.length,
  ): boolean {
    return intervention?.kind === kind && inScope(intervention.scope, this.state.removed + block);
  }

  /** What is to be fed and where it stands: a vector at a latent, else the token's embedding. */
  private input(): { id: number; replaced: Float32Array | undefined; place: number } {
    const { state } = this;
    const { delta, pending, protocol } = state;
    if (pending === undefined || this.ended === 'end') throw new Error('there is nothing to feed now');
    const { token, intervention } = pending;
    // What follows markers alone stands where it would have stood: only the latents are gone, not their places.
    const { closed } = token;
    if (closed !== undefined && this.touches(intervention, 'markers', closed.index))
      state.skipped += missingPlaces(protocol!, closed);
    const place = token.position + delta + state.skipped;
    if (token.kind !== 'latent') return { id: token.id, replaced: undefined, place };
    const replaced = this.latentFor(token, intervention);
    return { id: protocol?.tokens.pad?.id ?? token.id, replaced, place };
  }

  /** What is fed at a latent; undefined for the pad's embedding, or that of a latent which is a token. */
  private latentFor(
    { block, latentIndex, feed }: NewToken,
    intervention: LatentIntervention | undefined,
  ): Float32Array | undefined {
    const { feedback, removed, latents, settings } = this.state;
    const place = { block: removed + block!, latent: latentIndex!, index: latents };
    const vector = fedVector(feedback, place, intervention, settings.seed);
    return feed === 'embedding' && vector === feedback ? undefined : vector;
  }

  /** The run goes on from what the decoder gave for `input`. */
  private take({ hidden, attention }: DecoderStep, input: Float32Array): Fed {
    const { state } = this;
    const { kind, feed } = state.pending!.token;
    const isLatent = kind === 'latent';
    state.machine.fed(feed === 'latent' ? input : state.feedback);
    state.hidden = state.feedback = hidden.data;
    state.headed = feed === 'latent' && state.protocol?.source === 'head';
    state.pending = undefined;
    if (isLatent) state.latents++;
    const [layers, heads, , keys] = attention.shape;
    return {
      attention: { shape: [layers!, heads!, keys!], data: attention.data },
      ...(isLatent && { vector: state.protocol?.source === 'token' ? hidden.data : input }),
    };
  }

  private sequence(): Sequence {
    const { model, settings, ids, promptLength } = this.state;
    const { maxPositions } = model.checkpoint.config.text;
    return { ids, promptLength, maxLength: Math.min(promptLength + settings.maxTokens, maxPositions) };
  }

  /** In a control model the mask hides what latents do not reach; in a branch, what was taken out of a picture. */
  private reading(): Reading {
    const { model, promptLength, protocol, settings } = this.state;
    const { hidden = [] } = settings;
    const { latentReach } = model.checkpoint.config;
    if (protocol === undefined || (latentReach === undefined && hidden.length === 0))
      return hidden.length === 0 ? {} : { sees: without(isNotLater, hidden) };
    const blocks = this.blocks.map(({ startToken, latents, endToken }): LatentBlock => ({
      first: promptLength + firstLatent(protocol, startToken),
      pads: latents,
      ...(endToken !== undefined && { end: promptLength + endToken }),
    }));
    return { sees: without((query, key) => visible(query, key, blocks, latentReach), hidden) };
  }
}

/** What comes out at a latent goes through the model's head for latents, where it has one, before it is used. */
async function throughHeads(states: readonly State[]): Promise<void> {
  for (const state of states) {
    if (!state.headed) continue;
    const { hidden } = state;
    state.feedback = (await state.model.latentHead({ shape: [1, hidden.length], data: hidden })).data;
    if (state.protocol!.headLogits) state.hidden = state.feedback;
    state.headed = false;
  }
}

/** (V) of each */
async function logitsOf(states: readonly State[]): Promise<Float32Array[]> {
  if (states.length === 0) return [];
  const width = states[0]!.hidden.length;
  const data = new Float32Array(states.length * width);
  states.forEach(({ hidden }, i) => data.set(hidden, i * width));
  const logits = await states[0]!.model.logits({ shape: [states.length, width], data });
  const size = logits.shape[1]!;
  return states.map((_, i) => logits.data.subarray(i * size, (i + 1) * size));
}
