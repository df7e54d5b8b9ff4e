/** The engine's side of the protocol: one model, one run at a time, cancel between steps. */

import { stat } from 'node:fs/promises';
import { CancelledError, UserError } from '../base/errors.ts';
import { openCheckpoint, type Checkpoint } from '../checkpoint/checkpoint.ts';
import { checkpointHash, withAdapter } from '../checkpoint/hash.ts';
import { runtimeVersion } from '../ort/session.ts';
import { availableMemory, outOfMemory } from '../process/memory.ts';
import {
  ENGINE_PROTOCOL_VERSION,
  type EngineEvents,
  type EngineInfo,
  type EngineMethods,
  type LoadedModel,
  type LoadRequest,
  type MemoryPlan,
  type ReasonRequest,
} from '../protocol/engine.ts';
import type { AnalyseRequest, AnalysisOutcome } from '../protocol/analyse.ts';
import type { WeightFormat } from '../tensor/weightFormat.ts';
import type { TraceDevice, TraceModel } from '../trace/schema.ts';
import { analyse } from './analyse.ts';
import { chooseDevice, requireHalf, tryGpu } from './device.ts';
import { Model } from '../inference/model.ts';
import { planMemory, planTable, ranOutDespite } from '../inference/plan.ts';
import { inFormat } from '../quantise/inFormat.ts';
import { reason } from './reason.ts';

interface Loaded {
  model: Model;
  reply: LoadedModel;
  request: LoadRequest;
  /** Modification times of the weight files: a checkpoint that was trained on is another one. */
  modified: string;
}

/** Larger checkpoints are identified by their fingerprint only: reading them would delay every start. */
const MAX_HASHED_PARAMETERS = 500_000_000;

export interface EngineSettings {
  /** Of this program. */
  version: string;
  /** The bundle of the threads that quantise weights. */
  packWorker: string;
  /** Bytes that a model may take; absent: what the machine has left. */
  memory?: number;
}

export class EngineServer implements EngineMethods {
  private readonly client: EngineEvents;
  private readonly settings: EngineSettings;
  private loaded: Loaded | undefined;
  private readonly cancelled = new Set<string>();
  private busy: string | undefined;

  constructor(client: EngineEvents, settings: EngineSettings) {
    this.client = client;
    this.settings = settings;
  }

  async hello(): Promise<EngineInfo> {
    return { version: ENGINE_PROTOCOL_VERSION, pid: process.pid, runtime: runtimeVersion() };
  }

  async load(request: LoadRequest): Promise<LoadedModel> {
    return this.exclusively(request.id, 'load a model', async () => {
      if (await this.isCurrent(request)) return this.loaded!.reply;
      await this.release();
      return this.open(request);
    });
  }

  async unload(): Promise<void> {
    await this.exclusively('unload', 'unload the model', () => this.release());
  }

  async reason(request: ReasonRequest): Promise<{ status: 'complete' | 'cancelled' }> {
    return this.exclusively(request.id, 'start a run', async () => {
      if (this.loaded === undefined) throw new UserError({ problem: 'No model is loaded' });
      const { model, reply } = this.loaded;
      const emit = (event: Parameters<EngineEvents['event']>[1]): void =>
        this.client.event(request.id, event);
      try {
        await reason(
          {
            model,
            describe: { model: reply.model, device: reply.device },
            version: this.settings.version,
            emit,
            progress: this.progressOf(request.id),
            pause: () => this.pause(request.id),
          },
          request,
        );
        return { status: 'complete' };
      } catch (error) {
        if (!(error instanceof CancelledError)) throw error;
        emit({ type: 'done', status: 'cancelled' });
        return { status: 'cancelled' };
      }
    });
  }

  async analyse(request: AnalyseRequest): Promise<AnalysisOutcome> {
    return this.exclusively(request.id, 'start an analysis', async () => {
      if (this.loaded === undefined) throw new UserError({ problem: 'No model is loaded' });
      const { model, reply } = this.loaded;
      return analyse(
        {
          model,
          identity: reply.model,
          found: (result) => this.client.found(request.id, result),
          progress: this.progressOf(request.id),
          pause: () => this.pause(request.id),
        },
        request,
      );
    });
  }

  async cancel(id: string): Promise<void> {
    this.cancelled.add(id);
  }

  async diagnose(): Promise<string[]> {
    const probe = await tryGpu();
    return [
      `Node ${process.version} on ${process.platform} ${process.arch}, ${runtimeVersion()}`,
      `WebGPU: ${probe.works ? 'works' : 'does not work'} (${probe.detail})`,
      'CPU: works',
      this.loaded === undefined
        ? 'No model is loaded.'
        : `Loaded: ${this.loaded.request.folder} on ${this.loaded.reply.device.provider} (${this.loaded.reply.device.reason})`,
    ];
  }

  private async isCurrent(request: LoadRequest): Promise<boolean> {
    if (this.loaded === undefined || !isSame(this.loaded.request, request)) return false;
    const { folder, adapter } = request;
    const checkpoint = await openCheckpoint(folder, { adapter });
    const { fingerprint } = this.loaded.reply.model;
    return checkpoint.fingerprint === fingerprint && (await modifiedOf(checkpoint)) === this.loaded.modified;
  }

  private async open(request: LoadRequest): Promise<LoadedModel> {
    const { id, folder, adapter, device, threads } = request;
    const started = performance.now();
    const progress = this.progressOf(id);
    progress('reading the checkpoint');
    const checkpoint = await openCheckpoint(folder, { adapter });
    for (const text of checkpoint.notes) this.client.log({ level: 'warn', text });
    progress(device === 'cpu' ? 'using the CPU' : 'trying the GPU in a process of its own');
    const chosen = await chooseDevice(device);
    this.client.log({ level: 'info', text: `device ${chosen.provider}: ${chosen.reason}` });
    const onProgress = async (message: string, fraction: number): Promise<void> => {
      progress(message, fraction);
      await this.pause(id);
    };
    const plan = this.plan(checkpoint, chosen, request);
    const formatted = await this.inFormat(plan.chosen, checkpoint, request);
    const model = await this.withPlan(plan, () =>
      Model.open(formatted, chosen.provider, onProgress, threads),
    );
    const hashed = checkpoint.parameterCount <= MAX_HASHED_PARAMETERS;
    const sha256 = hashed
      ? withAdapter(
          await checkpointHash({ folder, weightFiles: checkpoint.weights.files }),
          checkpoint.adapter,
        )
      : undefined;
    const reply: LoadedModel = {
      model: { ...describeModel(checkpoint, plan.chosen), ...(sha256 !== undefined && { sha256 }) },
      device: chosen,
      plan,
      defaults: {
        repetitionPenalty: checkpoint.generation.repetitionPenalty,
        ...(checkpoint.question !== undefined && { question: checkpoint.question }),
      },
      maxPositions: checkpoint.config.text.maxPositions,
      milliseconds: performance.now() - started,
    };
    this.loaded = { model, reply, request, modified: await modifiedOf(checkpoint) };
    return reply;
  }

  /** Decides on the weights' format and tells it before anything is opened. */
  private plan(
    { config, processor, dtype, parameterCount }: Checkpoint,
    { provider }: TraceDevice,
    { folder, weights = 'auto' }: LoadRequest,
  ): MemoryPlan {
    const free = this.settings.memory ?? availableMemory();
    const context = { config, processor, dtype, parameterCount, provider, free };
    const plan = planMemory(context, weights, folder);
    for (const text of [`memory: ${plan.reason}`, ...planTable(plan, provider)])
      this.client.log({ level: 'info', text });
    this.client.planned(plan);
    return plan;
  }

  /** An opening for which memory ran out all the same is told with the plan's figures. */
  private async withPlan<T>(plan: MemoryPlan, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw ranOutDespite(plan, error) ?? error;
    }
  }

  /** A checkpoint's weights in the format that was decided on, packed first where they never were. */
  private async inFormat(
    format: WeightFormat,
    checkpoint: Checkpoint,
    { id, threads, weightsCache }: LoadRequest,
  ): Promise<Checkpoint> {
    if (format === 'float16') await requireHalf();
    const abort = new AbortController();
    const progress = this.progressOf(id);
    return inFormat(checkpoint, format, {
      worker: this.settings.packWorker,
      threads,
      folder: weightsCache,
      signal: abort.signal,
      progress: (message, fraction) => {
        progress(message, fraction);
        if (this.cancelled.has(id)) abort.abort();
      },
      warn: (text) => this.client.log({ level: 'warn', text }),
    });
  }

  private async release(): Promise<void> {
    const loaded = this.loaded;
    this.loaded = undefined;
    await loaded?.model.release();
  }

  private progressOf(id: string): (message: string, fraction?: number) => void {
    return (message, fraction) =>
      this.client.progress({ id, message, ...(fraction !== undefined && { fraction }) });
  }

  /** `run` blocks the event loop, so messages are read only here. */
  private async pause(id: string): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.cancelled.has(id)) throw new CancelledError();
  }

  private async exclusively<T>(id: string, what: string, work: () => Promise<T>): Promise<T> {
    if (this.busy !== undefined) {
      throw new UserError({
        problem: `The engine cannot ${what} now`,
        found: 'another run, load or analysis in progress',
        remedy: 'Wait until it has ended, or stop it.',
      });
    }
    this.busy = id;
    try {
      return await work();
    } catch (error) {
      throw outOfMemory(error) ?? error;
    } finally {
      this.busy = undefined;
      this.cancelled.delete(id);
    }
  }
}

/** Whether a model that was opened for the one is what the other asks for. */
function isSame(a: LoadRequest, b: LoadRequest): boolean {
  const keys = ['folder', 'adapter', 'device', 'threads', 'weights', 'weightsCache'] as const;
  return keys.every((key) => a[key] === b[key]);
}

async function modifiedOf({ weights }: Checkpoint): Promise<string> {
  const stats = await Promise.all(weights.files.map((file) => stat(file)));
  return stats.map(({ mtimeMs }) => mtimeMs).join();
}

function describeAdapter({ name, rank, alpha, fingerprint }: NonNullable<Checkpoint['adapter']>) {
  return { name, rank, alpha, fingerprint };
}

export function describeModel(checkpoint: Checkpoint, weights: WeightFormat): TraceModel {
  const { config, folder, adapter, fingerprint, parameterCount, dtype, protocol, notes } = checkpoint;
  const { text, tokens, latentSize, latentReach } = config;
  const name = folder.split(/[\\/]/).at(-1) ?? folder;
  return {
    name: adapter === undefined ? name : `${name} + ${adapter.name}`,
    architecture: config.architecture,
    fingerprint,
    parameters: parameterCount,
    dtype,
    weights,
    layers: text.layers,
    heads: text.heads,
    kvHeads: text.kvHeads,
    headSize: text.headSize,
    hiddenSize: text.hiddenSize,
    vocabularySize: text.vocabularySize,
    ...(tokens.latent && { latentSize }),
    ...(protocol && { protocol: protocol.name }),
    ...(notes.length > 0 && { notes }),
    ...(latentReach !== undefined && { latentReach }),
    ...(adapter && { adapter: describeAdapter(adapter) }),
  };
}
