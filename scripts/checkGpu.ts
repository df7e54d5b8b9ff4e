/**
 * One command for anyone with a GPU: does it compute right, and how fast is it at real shapes.
 *
 *   npm run check:gpu -- [--device webgpu] [--quick] [--software] [--json FILE] [--weights 8bit]
 *
 * Conformance with the reference answers of test/reference on the device; then, for random weights in the shapes of a
 * 0.5B, 3B and 7B made on the spot, decode, prefill and tower, the share of the device's measured bandwidth that decode
 * reaches, what capture costs, and the process's peak memory. Layers are cut where memory asks for it, the tower always, and the table
 * says so. --quick: a tiny shape and few answers. --software: WebGPU computed on the processor
 * (Debian's chromium); it takes minutes, and its figures say nothing of speed (docs/log.md).
 * Each shape has a process of its own: what a driver breaks costs that row alone.
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { availableMemory, inBytes } from '../src/process/memory.ts';
import { requireDevice } from '../src/process/gpuProbe.ts';
import { NO_TELEMETRY } from '../src/process/telemetry.ts';
import { isDevice, type Device } from '../src/tensor/device.ts';
import { SIZES, type TextSize } from './randomCheckpoint.ts';
import type { ShapeFigures } from './gpu/shape.ts';
import { hasSoftwareGpu, softwareGpu } from './softwareGpu.mjs';

/** Of weights at the most, as a share of the memory that is free: float32 while it is packed, on the device, as a file. */
const SHARE = 0.25;
const FLOAT = 4;
/** What a software GPU computes in a minute. */
const FEW_ANSWERS = '^(forward|preprocess).*flat';

interface Outcome {
  shape: string;
  layers: number;
  of: number;
  figures?: ShapeFigures;
  error?: string;
}

const { values } = parseArgs({
  options: {
    device: { type: 'string', default: 'webgpu' },
    weights: { type: 'string', default: '8bit' },
    json: { type: 'string', default: 'build/check-gpu.json' },
    quick: { type: 'boolean', default: false },
    software: { type: 'boolean', default: false },
  },
});

if (!isDevice(values.device)) throw new Error(`no such device: ${values.device}`);
if (values.software && !hasSoftwareGpu())
  throw new Error("there is no software GPU; install Debian's chromium");
Object.assign(process.env, NO_TELEMETRY, values.software ? softwareGpu : {});
await main(values.device);

async function main(device: Device): Promise<void> {
  await requireDevice('dist/engine.cjs', device);
  const conformance = checkAnswers(device);
  console.log(`conformance on ${device}: ${conformance}`);
  const shapes = values.quick ? ['tiny'] : ['0.5b', '3b', '7b'];
  const outcomes = shapes.map((shape) => measure(shape, device));
  for (const row of table(outcomes)) console.log(row);
  const about = { platform: process.platform, arch: process.arch, node: process.version, date: new Date() };
  const report = {
    ...about,
    device,
    software: values.software,
    weights: values.weights,
    conformance,
    outcomes,
  };
  writeFileSync(values.json, JSON.stringify(report, null, 2));
  console.log(`written to ${values.json}`);
  process.exitCode =
    outcomes.some(({ error }) => error !== undefined) || !/ 0 failed/.test(conformance) ? 1 : 0;
}

/** @returns "N passed, N failed" */
function checkAnswers(device: Device): string {
  const args = ['dist/cli.cjs', 'conformance', 'test/reference', '--device', device];
  if (values.quick) args.push('--filter', FEW_ANSWERS);
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  return stdout.trim().split('\n').at(-1) || `0 passed, 1 failed: ${stderr.trim().split('\n').at(-1)}`;
}

function measure(shape: string, device: Device): Outcome {
  const size = SIZES[shape]!;
  const layers = layersFor(size);
  const folder = mkdtempSync(join(tmpdir(), 'ilvr-gpu-'));
  const about = { shape, layers, of: size.layers };
  console.log(`${shape}: ${layers} of ${size.layers} layers …`);
  try {
    const given = JSON.stringify({
      shape,
      layers,
      device,
      folder,
      weights: values.weights,
      quick: values.quick,
    });
    const args = ['--import', 'tsx', 'scripts/gpu/shape.ts', given];
    const { stdout, stderr, signal } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    const line = stdout.trim().split('\n').at(-1) ?? '';
    if (line.startsWith('{')) return { ...about, figures: JSON.parse(line) as ShapeFigures };
    const said = stderr.split('\n').find((text) => /Error|Failed/.test(text));
    return { ...about, error: said?.trim() ?? `ended by ${signal ?? 'itself'}` };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** As many as fit beside the embedding and the head. */
function layersFor({ hidden, feedForward, heads, kvHeads, vocabulary, layers }: TextSize): number {
  const attention = hidden * hidden * (2 + (2 * kvHeads) / heads);
  const layer = FLOAT * (attention + 3 * hidden * feedForward);
  const room = SHARE * availableMemory() - 2 * FLOAT * vocabulary * hidden;
  return Math.max(1, Math.min(layers, Math.floor(room / layer)));
}

function table(outcomes: readonly Outcome[]): string[] {
  const head = [
    'shape',
    'layers',
    'decode',
    'share of bandwidth',
    'capture',
    'prefill',
    `tower, ${values.quick ? 1 : 8} of 32 blocks`,
    'peak memory',
  ];
  const rows = outcomes.map(({ shape, layers, of, figures, error }) => {
    const start = [shape, layers === of ? String(of) : `${layers} of ${of}`];
    if (figures === undefined) return [...start, error ?? ''];
    const { decode, blind, bandwidth, weights, prefill, tower, peak } = figures;
    const share = weights / (decode / 1000) / bandwidth;
    return [
      ...start,
      `${decode.toFixed(1)} ms`,
      `${(100 * share).toFixed(0)} % of ${(bandwidth / 1e9).toFixed(1)} GB/s`,
      `${(100 * (decode / blind - 1)).toFixed(1)} %`,
      `${prefill.toFixed(0)} tokens/s`,
      `${tower.toFixed(0)} ms`,
      inBytes(peak),
    ];
  });
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => row[i]?.length ?? 0)));
  return [head, ...rows].map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join('  ')
      .trimEnd(),
  );
}
