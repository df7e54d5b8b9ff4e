/**
 * Choosing where to run. The GPU is tried in a throw-away process first, because a missing driver can
 * end the process that asks for it; the choice and its reason are always said aloud.
 */

import { cpus } from 'node:os';
import { UserError } from '../base/errors.ts';
import { GraphBuilder } from '../onnx/graphBuilder.ts';
import { floats, floatTensor, openSession, runtimeVersion, type Provider } from '../ort/session.ts';
import { noGpu, tryWebGpu, type ProbeResult } from '../process/gpuProbe.ts';
import type { DeviceRequest } from '../protocol/engine.ts';
import type { TraceDevice } from '../trace/schema.ts';

/** What the throw-away process does: one small product on the GPU, checked; of float16 where that is asked for. */
export async function probeWebGpu(half = false): Promise<string> {
  const graph = new GraphBuilder('probe');
  const x = graph.input('x', 'float32', [2, 2]);
  const factor = half ? graph.half(x) : x;
  const product = graph.op('MatMul', [factor, factor]);
  graph.output('y', half ? graph.single(product) : product, [2, 2]);
  const session = await openSession(graph.build(), { provider: 'webgpu', weightsFolder: '' });
  const result = await session.run({ x: floatTensor(new Float32Array([1, 2, 3, 4]), [2, 2]) });
  const expected = [7, 10, 15, 22];
  // No comparison holds for what is no number.
  const right = floats(result['y']).every((value, i) => Math.abs(value - expected[i]!) < 1e-3);
  if (!right) throw new Error('the GPU computed a wrong product');
  await session.release();
  return 'a test product came out right';
}

/** This program is the throw-away process too. */
export function tryGpu(half = false): Promise<ProbeResult> {
  return tryWebGpu(process.argv[1]!, half);
}

/** @throws UserError if float16 does not work on the GPU */
export async function requireHalf(): Promise<void> {
  const probe = await tryGpu(true);
  if (probe.works) return;
  throw new UserError({
    problem: 'This GPU does not compute in float16',
    expected: "an adapter with WebGPU's feature shader-f16",
    found: probe.detail,
    remedy: 'Choose float32 or 8bit weights: --weights, setting ilvr.weights.',
  });
}

/** @throws UserError if the GPU was asked for and does not work */
export async function chooseDevice(requested: DeviceRequest): Promise<TraceDevice> {
  if (requested === 'cpu') return describeDevice(requested, 'cpu', 'the CPU was asked for');
  const probe = await tryGpu();
  if (probe.works) {
    const why = requested === 'auto' ? 'a GPU was found' : 'WebGPU was asked for';
    return describeDevice(requested, 'webgpu', `${why}; ${probe.detail}`);
  }
  if (requested === 'auto') return describeDevice(requested, 'cpu', `no usable GPU: ${probe.detail}`);
  throw noGpu(probe.detail);
}

function describeDevice(requested: DeviceRequest, provider: Provider, reason: string): TraceDevice {
  // The runtime does not tell the adapter's name.
  const name = provider === 'cpu' ? (cpus()[0]?.model ?? 'CPU') : 'GPU (WebGPU)';
  return { requested, provider, reason, name, runtime: runtimeVersion() };
}
