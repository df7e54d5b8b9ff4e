/**
 * The only importer of onnxruntime-node: opens graphs, runs them, keeps tensors where they are.
 *
 * `run` blocks this process's event loop, which is why all of this lives in a child process.
 */

import { requireNoTelemetry } from './noTelemetry.ts';
import ort from 'onnxruntime-node';
import { gpuLost } from '../process/gpuLost.ts';
import { outOfMemory } from '../process/memory.ts';
import { DEVICE_FACTS, type Device } from '../tensor/device.ts';

/** The runtime's execution provider has the device's name. */
export type Provider = Device;

/** A tensor of the runtime: on the CPU, or in a buffer of the GPU. */
export type RuntimeTensor = ort.Tensor;

export interface SessionOptions {
  provider: Provider;
  /** Folder that holds, at whatever depth, the files that the graph's weights point into. */
  weightsFolder: string;
  /** Outputs that stay on the device (they are fed back); ignored where it has no buffers. */
  keepOnDevice?: readonly string[];
  /** Cores that one run may use on the CPU; all if absent. */
  threads?: number | undefined;
  /**
   * For many sessions of which one runs at a time, on the CPU: a run takes memory result by result from the heap that
   * all share, or from the session's arena, or the session plans one block for all results and keeps it too, which
   * doubles what it holds (docs/log.md). A plan if absent.
   */
  memory?: 'heap' | 'arena' | 'plan';
  /** Whether the runtime may rearrange weights in memory of its own. Blocks of few bits need it; others stay mapped. */
  prepack?: boolean;
}

/** Where a graph runs. */
export type Runtime = Pick<SessionOptions, 'provider' | 'threads'>;

/** Tensors by the names that a graph has for them. */
export type Tensors = Record<string, RuntimeTensor>;

export interface Session {
  /** Names of the graph's inputs. */
  readonly inputs: readonly string[];
  /** Names of the graph's outputs. */
  readonly outputs: readonly string[];
  /**
   * Runs the graph. Errors of the runtime come through as they are, but for want of memory or a lost GPU: a UserError.
   * @param results tensors, wherever they are, that outputs are written into; the others come in fresh ones
   * on the CPU. Not for sessions with `keepOnDevice`.
   * @param unwanted outputs that are not brought at all
   */
  run(feeds: Tensors, results?: Tensors, unwanted?: readonly string[]): Promise<Tensors>;
  release(): Promise<void>;
}

/** Version of the runtime, for traces and logs. */
export function runtimeVersion(): string {
  return `onnxruntime ${ort.env.versions.node ?? ort.env.versions.common}`;
}

/**
 * Opens a graph. Weights stay memory-mapped in their files unless `prepack` is set: prepacking copies
 * them, and float32 decodes as fast without; blocks of few bits would be 125 times slower.
 */
export async function openSession(graph: Uint8Array, options: SessionOptions): Promise<Session> {
  requireNoTelemetry();
  const { provider, weightsFolder, keepOnDevice = [], threads, memory = 'plan', prepack = false } = options;
  const { buffers, fallback } = DEVICE_FACTS[provider];
  const session = await told(
    ort.InferenceSession.create(graph, {
      executionProviders: [provider],
      logSeverityLevel: 3,
      ...(threads !== undefined && { intraOpNumThreads: threads, interOpNumThreads: 1 }),
      enableCpuMemArena: memory !== 'heap',
      enableMemPattern: memory === 'plan',
      ...(buffers &&
        keepOnDevice.length > 0 && {
          preferredOutputLocation: Object.fromEntries(
            keepOnDevice.map((name) => [name, 'gpu-buffer' as const]),
          ),
        }),
      extra: {
        // By default a Cast of a weight that is larger than 1 GiB runs again at every step.
        optimization: { constant_folding_max_output_size_in_bytes: String(2 ** 40) },
        session: {
          model_external_initializers_file_folder_path: weightsFolder,
          disable_prepacking: prepack ? '0' : '1',
          // A model has five sessions, each with threads of its own: those that wait busily for work take the next one's cores.
          intra_op: { allow_spinning: '0' },
          // A node that fell back to the CPU would hide a GPU defect; it is an error instead.
          ...(!fallback && { disable_cpu_ep_fallback: '1' }),
        },
      },
    }),
  );
  return {
    inputs: session.inputNames,
    outputs: session.outputNames,
    run: async (feeds, results, unwanted = []) => {
      if (results === undefined) return told(session.run(feeds));
      const wanted = session.outputNames.filter((name) => !unwanted.includes(name));
      const fetches = Object.fromEntries(wanted.map((name) => [name, results[name] ?? null]));
      return told(session.run(feeds, fetches));
    },
    release: () => session.release(),
  };
}

/** An end for want of memory, or of a GPU, is told as such. */
async function told<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw outOfMemory(error) ?? gpuLost(error) ?? error;
  }
}

export function floatTensor(data: Float32Array, shape: readonly number[]): RuntimeTensor {
  return new ort.Tensor('float32', data, shape);
}

export function intTensor(
  values: BigInt64Array | readonly number[],
  shape?: readonly number[],
): RuntimeTensor {
  const data = values instanceof BigInt64Array ? values : BigInt64Array.from(values, BigInt);
  return new ort.Tensor('int64', data, shape ?? [data.length]);
}

/** The values of a float32 tensor that is on the CPU. */
export function floats(tensor: RuntimeTensor | undefined): Float32Array {
  if (tensor === undefined || tensor.location !== 'cpu')
    throw new Error('expected a float32 tensor on the CPU');
  return tensor.data as Float32Array;
}
