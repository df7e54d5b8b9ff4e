/**
 * Reading a folder of reference answers: JSON lists of cases, tensors in safetensors files, pictures. What is not
 * there, or holds nothing, is an error: nothing can be compared with it.
 */

import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { UserError } from '../base/errors.ts';
import { parseWith, readJson } from '../checkpoint/json.ts';
import { prepareImage, processImage, type ProcessedImage } from '../checkpoint/pixels/image.ts';
import { openSafetensors, type TensorFile } from '../checkpoint/formats/tensorFile.ts';
import { readPictureFile } from '../files/pictureFile.ts';
import type { ProcessorConfig } from '../model/config.ts';
import { unread, type Check, type Measure, type NotRun } from './check.ts';

export class Answers {
  readonly folder: string;
  private pixels: Promise<StoredTensors> | undefined;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** A JSON file. @throws UserError if it is missing, or has another form */
  async json<S extends z.ZodType>(path: string, schema: S): Promise<z.output<S>> {
    const file = join(this.folder, path);
    return parseWith(schema, await readJson(file), file);
  }

  /** Those of a folder's cases.json. @throws UserError if it is missing, has another form, or lists none */
  async cases<S extends z.ZodType>(folder: string, schema: S): Promise<z.output<S>[]> {
    return this.json(`${folder}/cases.json`, listOf(schema));
  }

  /** A file of tensors. @throws UserError if it is missing or damaged */
  async tensors(path: string): Promise<StoredTensors> {
    return new StoredTensors(await openSafetensors(join(this.folder, path)));
  }

  /** Those of preprocess.safetensors. */
  async preprocessed(): Promise<StoredTensors> {
    this.pixels ??= this.tensors('preprocess.safetensors');
    return this.pixels;
  }

  /** Names of sub-folders of a folder; empty if there is none. */
  async folders(path: string): Promise<string[]> {
    const entries = await readdir(join(this.folder, path), { withFileTypes: true }).catch(() => []);
    const folders = entries.filter((entry) => entry.isDirectory() || entry.isSymbolicLink());
    return folders.map(({ name }) => name).toSorted((a, b) => a.localeCompare(b));
  }

  /** Names of the adapters that forward/ has logits of. */
  async adaptersWithLogits(): Promise<string[]> {
    const names = await readdir(join(this.folder, 'forward')).catch(() => []);
    return names.flatMap((name) => /^(.+)-logits\.safetensors$/.exec(name)?.[1] ?? []);
  }

  async has(path: string): Promise<boolean> {
    return (await stat(join(this.folder, path)).catch(() => undefined)) !== undefined;
  }

  /**
   * A picture as the processor gives it. JPEG decoders may differ, so where the reference stored a
   * picture's decoded pixels, those are used.
   */
  async picture(name: string, processor: ProcessorConfig): Promise<Omit<ProcessedImage, 'displayPng'>> {
    const bytes = await readPictureFile(join(this.folder, 'images', name));
    const decoded = await this.decoded(name);
    return decoded === undefined ? processImage(bytes, name, processor) : prepareImage(decoded, processor);
  }

  private async decoded(name: string) {
    if (!(await this.has('preprocess.safetensors'))) return undefined;
    const stored = await this.preprocessed();
    const key = `source.${name}`;
    if (!stored.has(key)) return undefined;
    const [height = 0, width = 0] = stored.shape(key);
    return { width, height, rgb: await stored.bytes(key), exifOrientation: 1, format: 'jpeg' };
  }
}

/** A case whose answers are tensors, and what tells those that it did not ask for. */
export function tensorCase(
  answers: Answers,
  name: string,
  path: string,
  run: (expected: StoredTensors) => Promise<Measure[]>,
): [Check, NotRun] {
  let expected: StoredTensors | undefined;
  return [
    {
      name,
      run: async () => {
        const tensors = await answers.tensors(`${path}.safetensors`);
        const measures = await run(tensors);
        expected = tensors;
        return measures;
      },
    },
    unread(name, () => expected?.unused ?? []),
  ];
}

/** A list that is not empty. */
export function listOf<S extends z.ZodType>(schema: S) {
  return z.array(schema).min(1, 'at least one case');
}

/** The tensors of a file of answers, which remembers which of them were asked for. */
export class StoredTensors {
  private readonly file: TensorFile;
  private readonly used = new Set<string>();

  constructor(file: TensorFile) {
    this.file = file;
  }

  get names(): readonly string[] {
    return this.file.names;
  }

  /** Those that nothing has been compared with. */
  get unused(): string[] {
    return this.file.names.filter((name) => !this.used.has(name));
  }

  has(name: string): boolean {
    return this.file.names.includes(name);
  }

  /** @throws UserError if there is no such tensor, or it is empty */
  shape(name: string): readonly number[] {
    const { shape } = this.file.info(this.using(name));
    return shape;
  }

  async float32(name: string): Promise<Float32Array> {
    return this.file.float32(this.using(name));
  }

  async bytes(name: string): Promise<Uint8Array> {
    return this.file.bytes(this.using(name));
  }

  /** Of 32 or 64 bits. */
  async integers(name: string): Promise<number[]> {
    const { dtype } = this.file.info(this.using(name));
    if (dtype === 'I64') return this.file.int64(name);
    const bytes = await this.file.bytes(name);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return Array.from({ length: bytes.byteLength / 4 }, (_, i) => view.getInt32(i * 4, true));
  }

  private using(name: string): string {
    if (!this.has(name)) {
      throw new UserError({ problem: 'A reference answer is missing', expected: `the tensor ${name}` });
    }
    this.used.add(name);
    return name;
  }
}
