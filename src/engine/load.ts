/** Opening a model: its checkpoint, the device, the plan of memory, its weights in the format of the plan, its graphs. */

import type { Activity, OnActivity } from '../base/activity.ts';
import { stat } from 'node:fs/promises';
import { UserError } from '../base/errors.ts';
import { openCheckpoint, type Checkpoint } from '../checkpoint/checkpoint.ts';
import { checkpointHash, withAdapter } from '../checkpoint/hash.ts';
import { Model } from '../inference/model.ts';
import { tooLargeForDevice } from '../inference/deviceLimits.ts';
import { fitOf, needsByFormat, planMemory, planTable, ranOutDespite } from '../inference/plan.ts';
import { availableMemory } from '../process/memory.ts';
import type { LoadedModel, LoadRequest, MemoryPlan, PlannedModel } from '../protocol/engine.ts';
import { inFormat } from '../quantise/inFormat.ts';
import { DEVICE_FACTS, type Device } from '../tensor/device.ts';
import type { WeightFormat } from '../tensor/weightFormat.ts';
import type { TraceDevice, TraceModel } from '../trace/schema.ts';
import { chooseDevice } from './device.ts';
import { requireHalf } from '../process/gpuProbe.ts';

/** Larger checkpoints are identified by their fingerprint only: reading them would delay every start. */
const MAX_HASHED_PARAMETERS = 500_000_000;

export interface LoadSettings {
  /** The bundle of the threads that quantise weights. */
  packWorker: string;
  /** Bytes that a model may take; absent: what the machine has left. */
  memory?: number;
}

/** Who is told what goes on. */
export interface LoadObserver {
  log: (level: 'info' | 'warn', text: string) => void;
  /** Before anything is opened. */
  planned: (plan: MemoryPlan) => void;
  progress: OnActivity;
  /** Lets messages in; throws CancelledError if the load was cancelled. */
  pause: () => Promise<void>;
  isCancelled: () => boolean;
}

export interface OpenedModel {
  model: Model;
  reply: LoadedModel;
  /** Modification times of the weight files: a checkpoint that was trained on is another one. */
  modified: string;
}

/**
 * @throws UserError if the checkpoint, the device or the memory will not do; CancelledError
 */
export async function openModel(
  request: LoadRequest,
  settings: LoadSettings,
  observer: LoadObserver,
): Promise<OpenedModel> {
  const { folder, adapter, device, threads } = request;
  const { log, progress, pause } = observer;
  const started = performance.now();
  progress({ code: 'read-checkpoint' });
  const checkpoint = await openCheckpoint(folder, { adapter });
  for (const text of checkpoint.notes) log('warn', text);
  progress({ code: device === 'cpu' ? 'use-cpu' : 'try-gpu' });
  const chosen = await chooseDevice(device);
  log('info', `device ${chosen.provider}: ${chosen.reason}`);
  const plan = planFor(checkpoint, chosen, request, settings, observer);
  const formatted = await weightsIn(plan.chosen, checkpoint, request, chosen.provider, settings, observer);
  const onProgress = async (activity: Activity, fraction: number): Promise<void> => {
    progress(activity, fraction);
    await pause();
  };
  const model = await Model.open(formatted, chosen.provider, onProgress, threads).catch((error: unknown) => {
    const { formats } = DEVICE_FACTS[chosen.provider];
    throw (
      tooLargeForDevice(error, checkpoint.config, plan.chosen, formats) ?? ranOutDespite(plan, error) ?? error
    );
  });
  const { generation, question, config } = checkpoint;
  const reply: LoadedModel = {
    model: { ...describeModel(checkpoint, plan.chosen), ...(await hashOf(checkpoint)) },
    device: chosen,
    plan,
    defaults: {
      repetitionPenalty: generation.repetitionPenalty,
      ...(checkpoint.family && { released: checkpoint.family.released }),
      ...(question !== undefined && { question }),
    },
    maxPositions: config.text.maxPositions,
    milliseconds: performance.now() - started,
  };
  return { model, reply, modified: await modifiedOf(checkpoint) };
}

/** What opening a model would take; nothing is opened. */
export async function planModel(
  { folder, adapter, device }: Pick<LoadRequest, 'folder' | 'adapter' | 'device'>,
  { memory: free = availableMemory() }: Pick<LoadSettings, 'memory'>,
): Promise<PlannedModel> {
  const checkpoint = await openCheckpoint(folder, { adapter });
  const { provider } = await chooseDevice(device);
  const { config, processor, parameterCount } = checkpoint;
  const context = { config, processor, parameterCount, provider, free };
  const formats = needsByFormat(context).map((needs) => ({ ...needs, fit: fitOf(needs, provider, free) }));
  const planned = { name: nameOf(checkpoint), provider, free, formats };
  try {
    const { chosen, reason } = planMemory(context, 'auto', folder);
    return { ...planned, automatic: { format: chosen, reason } };
  } catch (error) {
    // Where nothing fits, each format says why.
    if (error instanceof UserError) return planned;
    throw error;
  }
}

/** Decides on the weights' format and tells it. */
function planFor(
  { config, processor, parameterCount }: Checkpoint,
  { provider }: TraceDevice,
  { folder, weights = 'auto' }: LoadRequest,
  { memory: free = availableMemory() }: LoadSettings,
  { log, planned }: LoadObserver,
): MemoryPlan {
  const context = { config, processor, parameterCount, provider, free };
  const plan = planMemory(context, weights, folder);
  for (const text of [`memory: ${plan.reason}`, ...planTable(plan, provider)]) log('info', text);
  planned(plan);
  return plan;
}

/** A checkpoint with its weights in that format, packed first where they never were. */
async function weightsIn(
  format: WeightFormat,
  checkpoint: Checkpoint,
  { threads, weightsCache }: LoadRequest,
  device: Device,
  { packWorker }: LoadSettings,
  { log, progress, isCancelled }: LoadObserver,
): Promise<Checkpoint> {
  if (format === 'float16') await requireHalf(process.argv[1]!, device);
  const abort = new AbortController();
  return inFormat(checkpoint, format, {
    worker: packWorker,
    threads,
    folder: weightsCache,
    signal: abort.signal,
    progress: (activity, fraction) => {
      progress(activity, fraction);
      if (isCancelled()) abort.abort();
    },
    warn: (text) => log('warn', text),
  });
}

async function hashOf(checkpoint: Checkpoint): Promise<{ sha256?: string }> {
  const { folder, weights, adapter, parameterCount } = checkpoint;
  if (parameterCount > MAX_HASHED_PARAMETERS) return {};
  return { sha256: withAdapter(await checkpointHash({ folder, weightFiles: weights.files }), adapter) };
}

/** Equal as long as nobody writes to the weights. */
export async function modifiedOf({ weights }: Checkpoint): Promise<string> {
  const stats = await Promise.all(weights.files.map((file) => stat(file)));
  return stats.map(({ mtimeMs }) => mtimeMs).join();
}

function describeAdapter({ name, rank, alpha, fingerprint }: NonNullable<Checkpoint['adapter']>) {
  return { name, rank, alpha, fingerprint };
}

function nameOf({ folder, adapter }: Checkpoint): string {
  const name = folder.split(/[\\/]/).at(-1) ?? folder;
  return adapter === undefined ? name : `${name} + ${adapter.name}`;
}

/** How a model describes itself in a trace. */
export function describeModel(checkpoint: Checkpoint, weights: WeightFormat): TraceModel {
  const { config, adapter, fingerprint, parameterCount, dtype, notes } = checkpoint;
  const { text, protocol, latentReach } = config;
  return {
    name: nameOf(checkpoint),
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
    ...(protocol && { latentSize: protocol.count, protocol }),
    ...(notes.length > 0 && { notes }),
    ...(latentReach !== undefined && { latentReach }),
    ...(adapter && { adapter: describeAdapter(adapter) }),
  };
}
