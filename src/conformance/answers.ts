/** Reading a folder of reference answers: JSON lists of cases, tensors in safetensors files, pictures. */

import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { prepareImage, processImage } from '../checkpoint/pixels/image.ts';
import { openSafetensors, type TensorFile } from '../checkpoint/formats/tensorFile.ts';
import type { ProcessorConfig } from '../model/config.ts';
import { UserError } from '../base/errors.ts';
import type { PatchGrid } from '../model/positions.ts';

export class Answers {
  readonly folder: string;
  private preprocess: Promise<TensorFile | undefined> | undefined;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** The JSON of a file; undefined if the folder has no such file. */
  async json<T>(path: string): Promise<T | undefined> {
    const text = await readFile(join(this.folder, path), 'utf8').catch(() => undefined);
    try {
      return text === undefined ? undefined : (JSON.parse(text) as T);
    } catch (error) {
      throw new UserError(
        { problem: 'Reference answers cannot be read', where: join(this.folder, path) },
        { cause: error },
      );
    }
  }

  async tensors(path: string): Promise<TensorFile> {
    return openSafetensors(join(this.folder, path));
  }

  /** Names in a sub-folder; empty if there is none. */
  async list(path: string): Promise<string[]> {
    return (await readdir(join(this.folder, path)).catch((): string[] => [])).toSorted((a, b) =>
      a.localeCompare(b),
    );
  }

  async has(path: string): Promise<boolean> {
    return (await stat(join(this.folder, path)).catch(() => undefined)) !== undefined;
  }

  /**
   * A picture as the processor gives it. JPEG decoders may differ, so where the reference stored a
   * picture's decoded pixels, those are used.
   */
  async picture(
    name: string,
    processor: ProcessorConfig,
  ): Promise<{ pixels: Float32Array; rgb: Uint8Array; grid: PatchGrid; tokens: number }> {
    const decoded = await this.decoded(name);
    const image = decoded
      ? prepareImage(decoded, processor)
      : await processImage(await readFile(join(this.folder, 'images', name)), name, processor);
    return { pixels: image.pixelValues, rgb: image.rgb, grid: image.grid, tokens: image.mergedTokens };
  }

  private async decoded(name: string) {
    this.preprocess ??= this.has('preprocess.safetensors').then((exists) =>
      exists ? this.tensors('preprocess.safetensors') : undefined,
    );
    const file = await this.preprocess;
    const key = `source.${name}`;
    if (file === undefined || !file.names.includes(key)) return undefined;
    const [height = 0, width = 0] = file.info(key).shape;
    return { width, height, rgb: await file.bytes(key), exifOrientation: 1, format: 'jpeg' };
  }
}
