/** Engines with a model loaded, for the length of one command. */

import { activityText } from '../base/activity.ts';
import { randomUUID } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { UserError } from '../base/errors.ts';
import { EngineClient } from '../client/engineClient.ts';
import type { LoadedModel, LoadRequest } from '../protocol/engine.ts';
import { DEVICE_FACTS, deviceLabel } from '../tensor/device.ts';
import type { TraceDevice } from '../trace/schema.ts';
import { describeProtocol } from '../trace/protocolWords.ts';
import { describeReach } from '../trace/steps.ts';
import type { CliContext } from './context.ts';
import { loadOptions, type ModelOptions } from './options.ts';
import { label, Styled } from './terminal.ts';

export interface Session {
  client: EngineClient;
  loaded: LoadedModel;
  /** Whether the process has ended since the model was loaded; a new one would know no model. */
  isLost: () => boolean;
  /**
   * Starts the engine and loads the model again if the process has ended since.
   * @throws UserError if the model is another one by now
   */
  restore: () => Promise<void>;
}

/**
 * Starts the engine, loads the model, says what was loaded and where, and ends the engine afterwards.
 * @param silent whether nothing is said of it: the output is for another program
 * @throws whatever loading or `use` throws
 */
export async function withModel<T>(
  context: CliContext,
  options: ModelOptions,
  use: (session: Session) => Promise<T>,
  { silent = false }: { silent?: boolean } = {},
): Promise<T> {
  return withModels(context, options, { tasks: 1, silent }, ([session]) => use(session!));
}

/**
 * The same with several engines side by side, each with its share of the cores.
 * @param jobs how many; absent: see `defaultJobs`
 * @param tasks how many there are to share out
 */
export async function withModels<T>(
  context: CliContext,
  options: ModelOptions,
  { jobs, tasks, silent = false }: { jobs?: number | undefined; tasks: number; silent?: boolean },
  use: (sessions: Session[]) => Promise<T>,
): Promise<T> {
  const engines = [new Engine(context, options, true)];
  try {
    const [first] = engines as [Engine];
    context.terminal.progress('Starting the engine');
    const { loaded } = await first.load();
    if (!silent) describeModel(context, loaded);
    const count = Math.min(jobs ?? defaultJobs(loaded), tasks);
    if (count > 1) {
      const threads = Math.max(1, Math.floor(availableParallelism() / count));
      while (engines.length < count) engines.push(new Engine(context, options, false));
      for (const engine of engines) checkSame(loaded, (await engine.load(threads)).loaded);
    }
    return await use(engines.map((engine) => engine.session));
  } finally {
    context.terminal.clearProgress();
    for (const engine of engines) engine.dispose();
  }
}

/** Larger models keep all cores busy by themselves, and each engine would hold them once more. */
const SMALL_MODEL = 50_000_000;

/** A small model's steps are too short to share out: an engine for each core does more than one with all of them. */
function defaultJobs({ model, device }: LoadedModel): number {
  return !DEVICE_FACTS[device.provider].ownMemory && model.parameters <= SMALL_MODEL
    ? availableParallelism()
    : 1;
}

/** One engine process and its model. */
class Engine {
  private readonly context: CliContext;
  private readonly client: EngineClient;
  private readonly request: Omit<LoadRequest, 'id'>;
  private loading = true;
  private ended: string | undefined;
  private current: Session | undefined;

  /** @param shows whether it reports what it is doing */
  constructor(context: CliContext, options: ModelOptions, shows: boolean) {
    const { terminal, debug } = context;
    this.context = context;
    this.request = loadOptions(options, context.models);
    this.client = new EngineClient({
      enginePath: context.enginePath,
      log: (level, text) => {
        if (debug || level === 'error') terminal.error(new Styled('dim', text));
      },
      exited: (reason) => {
        this.ended = reason;
      },
      planned: ({ reason }) => {
        if (shows && this.loading) terminal.progress(reason);
      },
      // Loading can take minutes and belongs in a log; the preparation of each run does not.
      progress: ({ activity, fraction }) => {
        if (!shows) return;
        const message = activityText(activity);
        if (this.loading) terminal.progress(message, fraction);
        else terminal.passing(message, fraction);
      },
    });
  }

  /** Of the model that was loaded last. */
  get session(): Session {
    if (this.current === undefined) throw new Error('no model is loaded');
    return this.current;
  }

  /** @param threads of the CPU; absent: all cores */
  async load(threads?: number): Promise<Session> {
    const { client, context } = this;
    const request = { ...this.request, ...(threads !== undefined && { threads }) };
    const load = (): Promise<LoadedModel> => client.load({ ...request, id: randomUUID() }, context.signal);
    const loaded = await load();
    this.loading = false;
    const restore = async (): Promise<void> => {
      if (this.ended === undefined) return;
      context.terminal.error(`The engine ended unexpectedly (${this.ended}). Starting it again.`);
      checkSame(loaded, await load());
      this.ended = undefined;
    };
    this.current = { client, loaded, isLost: () => this.ended !== undefined, restore };
    return this.current;
  }

  dispose(): void {
    this.client.dispose();
  }
}

function checkSame(before: LoadedModel, now: LoadedModel): void {
  const identity = ({ model, device }: LoadedModel): string =>
    `${model.sha256 ?? model.fingerprint} on ${device.provider} with ${model.weights} weights`;
  if (identity(before) === identity(now)) return;
  throw new UserError({
    problem: 'The model has changed since the evaluation began',
    expected: identity(before),
    found: identity(now),
    remedy: 'Evaluate it anew, with another results file.',
  });
}

function describeModel({ terminal }: CliContext, { model, device, plan, milliseconds }: LoadedModel): void {
  const size = `${(model.parameters / 1e6).toFixed(2)} M parameters, ${model.dtype}`;
  const latents = model.protocol === undefined ? 'no latent tokens' : describeProtocol(model.protocol);
  terminal.line(label('model'), `${model.name} · ${size} · ${latents} · loaded in ${seconds(milliseconds)}`);
  terminal.line(label('weights'), plan.reason);
  if (model.adapter !== undefined) {
    const { name, rank, alpha } = model.adapter;
    terminal.line(label('adapter'), `${name} · LoRA, r ${rank}, alpha ${alpha}`);
  }
  for (const note of model.notes ?? []) terminal.line(label('note'), note);
  if (model.latentReach !== undefined) terminal.line(label('reach'), describeReach(model.latentReach));
  terminal.line(label('device'), describeDevice(device));
}

function describeDevice({ provider, name, reason }: TraceDevice): string {
  return `${deviceLabel(provider)} · ${name} · ${reason}`;
}

/** A duration for a reader. */
export function seconds(milliseconds: number): string {
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(2)} s`;
}
