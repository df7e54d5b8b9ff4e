/** A trace on disk: its JSON, and a picture of every latent block beside it. */

import { dirname } from 'node:path';
import { makeFolder } from '../files/makeFolder.ts';
import { replaceFile } from '../files/replaceFile.ts';
import { encodePng } from '../render/png.ts';
import { drawStrip } from '../render/strip.ts';
import type { MapKind } from '../heatmap/map.ts';
import type { TracePicture } from '../trace/schema.ts';
import { latentsOf } from '../trace/steps.ts';
import { exportTrace } from '../traceFile/export.ts';
import type { OpenTrace } from '../traceFile/openTrace.ts';

/** Of one map in a strip, in pixels. */
const MAP_WIDTH = 168;

/** Paths that were written. */
export interface WrittenTrace {
  /** The trace's, the one that opens first. */
  files: string[];
  /** Pictures of its blocks. */
  strips: string[];
}

/**
 * Writes the trace to `out` and each block's maps to `out`.block-1.png and so on: attention over the first
 * picture, in the layer whose latents look at it most. Maps of further pictures have the picture's id and the kind of map in their names.
 * @throws UserError if one of them cannot be written
 */
export async function writeTraceFiles(run: OpenTrace, out: string): Promise<WrittenTrace> {
  await makeFolder(dirname(out));
  // Of a pair the manifest, which is what opens, is written last and named first.
  const files = (await exportTrace(run, out)).toReversed();
  const strips: string[] = [];
  for (const [place, picture] of run.trace.pictures.entries()) {
    for (const [suffix, png] of await stripsOf(run, picture, place)) {
      await replaceFile(`${out}${suffix}`, png);
      strips.push(`${out}${suffix}`);
    }
  }
  return { files, strips };
}

/** One strip of maps for each block that has latents, by the suffix of its file. */
async function stripsOf(
  run: OpenTrace,
  picture: TracePicture,
  place: number,
): Promise<[suffix: string, png: Uint8Array][]> {
  const { trace, maps } = run;
  const kind: MapKind = picture.range === undefined ? 'selection' : 'attention';
  const selector = maps.opening(picture, kind);
  await maps.load(selector);
  const scale = maps.scale(selector, 'raw', 'run');
  const ground = await run.picture(picture);
  return trace.blocks.flatMap(({ index }) => {
    const drawn = latentsOf(trace, index).flatMap((latent) => maps.map(latent, selector) ?? []);
    const strip = drawStrip(drawn, scale, ground, { width: MAP_WIDTH });
    return strip === undefined ? [] : [[stripSuffix(index, place, picture, kind), encodePng(strip)]];
  });
}

function stripSuffix(block: number, place: number, { id }: TracePicture, kind: MapKind): string {
  const which = place === 0 ? '' : `.${id.replaceAll(/[^\w-]/g, '_')}.${kind}`;
  return `.block-${block + 1}${which}.png`;
}
