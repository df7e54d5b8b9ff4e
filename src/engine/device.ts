/**
 * Choosing where to run. A GPU is tried in a throw-away process first, because a missing driver can
 * end the process that asks for it; the choice and its reason are always said aloud.
 */

import { cpus } from 'node:os';
import { GraphBuilder } from '../onnx/graphBuilder.ts';
import { floats, floatTensor, openSession, runtimeVersion } from '../ort/session.ts';
import { cannotUse, notHere, tryDevice, type ProbeResult } from '../process/gpuProbe.ts';
import { deviceLabel, DEVICES, type Device, type DeviceChoice } from '../tensor/device.ts';
import type { DeviceReport } from '../protocol/engine.ts';
import type { TraceDevice } from '../trace/schema.ts';

/** What the throw-away process does: one small product on the device, checked; of float16 where that is asked for. */
export async function probeDevice(device: Device, half = false): Promise<string> {
  const graph = new GraphBuilder('probe');
  const x = graph.input('x', 'float32', [2, 2]);
  const factor = half ? graph.half(x) : x;
  const product = graph.op('MatMul', [factor, factor]);
  graph.output('y', half ? graph.single(product) : product, [2, 2]);
  const session = await openSession(graph.build(), { provider: device, weightsFolder: '' });
  const result = await session.run({ x: floatTensor(new Float32Array([1, 2, 3, 4]), [2, 2]) });
  const expected = [7, 10, 15, 22];
  // No comparison holds for what is no number.
  const right = floats(result['y']).every((value, i) => Math.abs(value - expected[i]!) < 1e-3);
  if (!right) throw new Error('the GPU computed a wrong product');
  await session.release();
  return 'a test product came out right';
}

/** This program is the throw-away process too. */
function tryHere(device: Device): Promise<ProbeResult> {
  return tryDevice(process.argv[1]!, device);
}

/** @throws UserError if a device was asked for and does not work */
export async function chooseDevice(requested: DeviceChoice): Promise<TraceDevice> {
  if (requested === 'cpu') return describeDevice(requested, 'cpu', 'the CPU was asked for');
  if (requested === 'auto') return firstThatWorks();
  const probe = await tryHere(requested);
  if (!probe.works) throw cannotUse(requested, probe.detail);
  return describeDevice(requested, requested, `${deviceLabel(requested)} was asked for; ${probe.detail}`);
}

/** In the order of the table; what this system cannot have is not tried. */
async function firstThatWorks(): Promise<TraceDevice> {
  const failed: string[] = [];
  for (const device of DEVICES) {
    if (device === 'cpu' || notHere(device, process.argv[1]!) !== undefined) continue;
    const { works, detail } = await tryHere(device);
    if (works) return describeDevice('auto', device, `a GPU was found; ${detail}`);
    failed.push(failed.length === 0 ? detail : `${deviceLabel(device)}: ${detail}`);
  }
  return describeDevice(
    'auto',
    'cpu',
    `no usable GPU: ${failed.join('; ') || 'the runtime has none for this system'}`,
  );
}

/** Whether each device works, and what its probe said. */
export async function tryDevices(): Promise<DeviceReport[]> {
  const reports: DeviceReport[] = [];
  for (const device of DEVICES) {
    const found = device === 'cpu' ? { works: true, detail: processor() } : await tryHere(device);
    reports.push({ device, ...found });
  }
  return reports;
}

/** The same as lines of text. */
export async function describeDevices(): Promise<string[]> {
  return (await tryDevices()).map(
    ({ device, works, detail }) => `${deviceLabel(device)}: ${works ? 'works' : 'does not work'} (${detail})`,
  );
}

function describeDevice(requested: DeviceChoice, provider: Device, reason: string): TraceDevice {
  // The runtime does not tell the adapter's name.
  const name = provider === 'cpu' ? processor() : `GPU (${deviceLabel(provider)})`;
  return { requested, provider, reason, name, runtime: runtimeVersion() };
}

function processor(): string {
  return cpus()[0]?.model ?? 'CPU';
}
