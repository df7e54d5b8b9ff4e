/** A trace on disk: its JSON, and a picture of every latent block beside it. */

import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { cannotWrite, replaceFile } from '../files/replaceFile.ts';
import { encodePng } from '../render/png.ts';
import { drawStrip } from '../render/strip.ts';
import type { MapKind } from '../heatmap/map.ts';
import { writeTrace } from '../trace/file.ts';
import { runMaps } from '../trace/runMaps.ts';
import type { Trace, TracePicture } from '../trace/schema.ts';
import { latentsOf } from '../trace/steps.ts';

/** Of one map in a strip, in pixels. */
const MAP_WIDTH = 168;

/**
 * Writes the trace to `out` and each block's maps to `out`.block-1.png and so on: attention over the first
 * picture, in the layer whose latents look at it most. Maps of further pictures have the picture's id and the kind of map in their names.
 * @returns the paths that were written
 * @throws UserError if one of them cannot be written
 */
export async function writeTraceFiles(trace: Trace, out: string): Promise<string[]> {
  const files: [path: string, content: string | Uint8Array][] = [[out, writeTrace(trace)]];
  const maps = runMaps(trace);
  trace.pictures.forEach((picture, i) => {
    const kind: MapKind = picture.range === undefined ? 'selection' : 'attention';
    for (const { index } of trace.blocks) {
      const selector = maps.opening(picture, kind);
      const scale = maps.scale(selector, 'raw', 'run');
      const latents = latentsOf(trace, index).flatMap((latent) => maps.map(latent, selector) ?? []);
      const strip = drawStrip(latents, scale, picture, { width: MAP_WIDTH });
      if (strip !== undefined)
        files.push([`${out}${stripSuffix(index, i, picture, kind)}`, encodePng(strip)]);
    }
  });
  await mkdir(dirname(out), { recursive: true }).catch((error: unknown) => {
    throw cannotWrite(out, error);
  });
  for (const [path, content] of files) await replaceFile(path, content);
  return files.map(([path]) => path);
}

function stripSuffix(block: number, place: number, { id }: TracePicture, kind: MapKind): string {
  const which = place === 0 ? '' : `.${id.replaceAll(/[^\w-]/g, '_')}.${kind}`;
  return `.block-${block + 1}${which}.png`;
}
