/**
 * Choosing where to run. The GPU is tried in a throw-away process first, because a missing driver can
 * end the process that asks for it; the choice and its reason are always said aloud.
 */

import { spawn } from 'node:child_process';
import { cpus } from 'node:os';
import { messageOf, UserError } from '../base/errors.ts';
import { GraphBuilder } from '../onnx/graphBuilder.ts';
import { floats, floatTensor, openSession, runtimeVersion, type Provider } from '../ort/session.ts';
import { PROBE_ARGUMENT, type DeviceRequest } from '../protocol/engine.ts';
import type { TraceDevice } from '../trace/schema.ts';

const PROBE_TIMEOUT_MS = 30_000;

export interface ProbeResult {
  works: boolean;
  /** What the probe said, or how it ended. */
  detail: string;
}

/** What the throw-away process does: one small product on the GPU, checked. */
export async function probeWebGpu(): Promise<string> {
  const graph = new GraphBuilder('probe');
  const x = graph.input('x', 'float32', [2, 2]);
  graph.output('y', graph.op('MatMul', [x, x]), [2, 2]);
  const session = await openSession(graph.build(), { provider: 'webgpu', weightsFolder: '' });
  const result = await session.run({ x: floatTensor(new Float32Array([1, 2, 3, 4]), [2, 2]) });
  const expected = [7, 10, 15, 22];
  const wrong = floats(result['y']).some((value, i) => Math.abs(value - expected[i]!) > 1e-3);
  if (wrong) throw new Error('the GPU computed a wrong product');
  await session.release();
  return 'a test product came out right';
}

/** Runs the probe in a process of its own. */
export function tryWebGpu(): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [process.argv[1]!, PROBE_ARGUMENT], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: PROBE_TIMEOUT_MS,
      killSignal: 'SIGKILL',
    });
    let output = '';
    const collect = (text: Buffer): void => {
      output = (output + text.toString()).slice(-4000);
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.on('error', (error) => resolve({ works: false, detail: messageOf(error) }));
    child.on('close', (code, signal) => {
      const detail = summary(output) ?? `the probe ended with ${signal ?? `code ${code}`}`;
      resolve({ works: code === 0, detail });
    });
  });
}

/** @throws UserError if the GPU was asked for and does not work */
export async function chooseDevice(requested: DeviceRequest): Promise<TraceDevice> {
  if (requested === 'cpu') return describeDevice(requested, 'cpu', 'the CPU was asked for');
  const probe = await tryWebGpu();
  if (probe.works) {
    const why = requested === 'auto' ? 'a GPU was found' : 'WebGPU was asked for';
    return describeDevice(requested, 'webgpu', `${why}; ${probe.detail}`);
  }
  if (requested === 'auto') return describeDevice(requested, 'cpu', `no usable GPU: ${probe.detail}`);
  throw new UserError({
    problem: 'WebGPU cannot be used',
    expected: 'a GPU with a Vulkan, Metal or Direct3D 12 driver',
    found: probe.detail,
    remedy: 'Set the device to "cpu" or "auto", or install the GPU\'s driver.',
  });
}

function describeDevice(requested: DeviceRequest, provider: Provider, reason: string): TraceDevice {
  // The runtime does not tell the adapter's name.
  const name = provider === 'cpu' ? (cpus()[0]?.model ?? 'CPU') : 'GPU (WebGPU)';
  return { requested, provider, reason, name, runtime: runtimeVersion() };
}

/** The line that says most: the runtime's own message without its source path. */
function summary(output: string): string | undefined {
  const lines = output.split('\n').map((line) => line.trim());
  const line =
    lines.find((text) => text.includes('Failed to') || text.includes('right')) ??
    lines.find((text) => text !== '');
  return line?.replace(/^.*(Failed to .*)$/, '$1').slice(0, 300);
}
