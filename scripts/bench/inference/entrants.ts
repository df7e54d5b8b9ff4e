/** Makes models with random weights, each once, and says how its racers are started. */

import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { openCheckpoint } from '../../../src/checkpoint/checkpoint.ts';
import { inFormat } from '../../../src/quantise/inFormat.ts';
import type { WeightFormat } from '../../../src/tensor/weightFormat.ts';
import { makeRandomCheckpoint, SIZES, type TextSize } from '../../randomCheckpoint.ts';
import type { Entrant } from './contest.ts';
import { writeGguf, type GgufFormat } from './gguf.ts';
import type { LlamaOptions } from './llama.ts';
import { writeOnnxExport } from './onnxExport.ts';
import type { OurOptions } from './ours.ts';
import { llamaCpp, transformersJs } from './peers.ts';
import type { TransformersOptions } from './transformers.ts';

const HERE = 'scripts/bench/inference';

export interface Shape {
  name: string;
  /** As it is run. */
  size: TextSize;
  /** Of the language model and the vision tower. */
  layers: number;
  blocks: number;
}

/** Room for models and peers. */
export class Stable {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  async ours(shape: Shape, format: WeightFormat, threads: number): Promise<Entrant> {
    const options: OurOptions = { folder: await this.checkpoint(shape), cache: this.cache, format, threads };
    // Weights are packed before anybody is timed.
    await inFormat(await openCheckpoint(options.folder), format, { folder: this.cache });
    return node(format, 'ours.ts', options, shape, true);
  }

  /** @param layers other than the shape's: to tell the layers' time from the rest */
  async llama(shape: Shape, format: GgufFormat, threads: number, layers = shape.layers): Promise<Entrant> {
    const { entry, version } = await llamaCpp(this.folder);
    const name = `${shape.name}-${layers}.${format}.gguf`;
    const file = await this.once(
      name,
      async (path) => void (await writeGguf(path, { ...shape.size, layers }, format)),
    );
    const options: LlamaOptions = { module: entry, version, file, threads, context: 2048 };
    return node(layers === shape.layers ? format : shortOf(format), 'llama.ts', options, shape);
  }

  async transformers(shape: Shape, threads: number): Promise<Entrant> {
    const { entry, version } = await transformersJs(this.folder);
    const folder = await this.once(`${shape.name}-${shape.layers}.onnx`, (path) =>
      writeOnnxExport(path, shape.size),
    );
    const options: TransformersOptions = { module: entry, version, folder, threads };
    return node('transformers.js q4', 'transformers.ts', options, shape);
  }

  torch(shape: Shape, python: string, threads: number): Entrant {
    const args = [join(HERE, 'racer.py'), JSON.stringify({ size: shape.size, threads })];
    return { name: 'PyTorch bf16', command: python, args, layers: layersOf(shape), captures: false };
  }

  /** The random checkpoint's folder. */
  checkpoint({ name, layers, blocks }: Shape): Promise<string> {
    return this.once(
      `${name}-${layers}-${blocks}`,
      async (path) => void (await makeRandomCheckpoint(name, path, { layers, blocks })),
    );
  }

  get cache(): string {
    return join(this.folder, 'packed');
  }

  /** A file or folder that is complete once it has its name. */
  private async once(name: string, make: (path: string) => Promise<void>): Promise<string> {
    const path = join(this.folder, 'models', name);
    if (existsSync(path)) return path;
    console.log(`making ${path}`);
    await mkdir(join(this.folder, 'models'), { recursive: true });
    await rm(`${path}.part`, { recursive: true, force: true });
    await make(`${path}.part`);
    await rename(`${path}.part`, path);
    return path;
  }
}

/** The name of a racer of one layer. */
export const shortOf = (name: string): string => `${name}, 1 layer`;

function node(name: string, script: string, options: object, shape: Shape, captures = false): Entrant {
  const args = ['--import', 'tsx', join(HERE, script), JSON.stringify(options)];
  return { name, command: process.execPath, args, layers: layersOf(shape), captures };
}

function layersOf({ name, layers }: Shape): Entrant['layers'] {
  return { run: layers, whole: SIZES[name]!.layers };
}
