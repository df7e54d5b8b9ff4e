/**
 * The small maps of a row, under the row's buttons: the picture, once for each, and over it the maps on a canvas of their
 * own. A key draws the maps only; a canvas for each took longer to hand over to the screen than to draw.
 */

import type { VNode } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { enclosed } from '../../heatmap/contour.ts';
import type { Frame } from '../../heatmap/pixels.ts';
import type { TraceLatent } from '../../trace/schema.ts';
import { drawMaps, drawPictures, type MapDrawing } from '../draw/heatmap.ts';
import { GAP, mapHeight } from '../logic/thumbnails.ts';
import { contourShare } from '../logic/view.ts';
import type { Scene } from './scene.ts';

interface RowMapsProps {
  scene: Scene;
  latents: readonly TraceLatent[];
  /** Width of a small map in CSS pixels. */
  side: number;
}

export function RowMaps({ scene, latents, side }: RowMapsProps): VNode {
  const { shown, pictures } = scene;
  const ground = useRef<HTMLCanvasElement>(null);
  const maps = useRef<HTMLCanvasElement>(null);
  const drawn = useRef<unknown[]>([]);
  const bitmap = pictures.get(shown.picture?.id ?? '')?.small;
  const ratio = window.devicePixelRatio;
  const height = mapHeight(side, shown.picture);
  const width = latents.length * (side + GAP) - GAP;
  const size = { width: Math.round(width * ratio), height: Math.round(height * ratio) };
  const frames = (): Frame[] =>
    latents.map((_, i) => ({
      left: Math.round(i * (side + GAP) * ratio),
      width: Math.round(side * ratio),
      height: size.height,
    }));
  useLayoutEffect(() => {
    if (ground.current !== null) drawPictures(ground.current, bitmap, frames());
  }, [bitmap, latents.length, side, height, ratio]);
  useLayoutEffect(() => {
    if (maps.current === null) return;
    const made = madeOf(scene, latents, [side, height, ratio]);
    // A key that moves the selection changes nothing here.
    if (made.length === drawn.current.length && made.every((part, i) => part === drawn.current[i])) return;
    drawn.current = made;
    drawMaps(
      maps.current,
      frames(),
      latents.map((latent) => drawingOf(scene, latent)),
      ratio,
    );
  });
  const style = { width: `${width}px`, height: `${height}px` };
  return (
    <>
      <canvas ref={ground} class="row-maps" aria-hidden="true" {...size} style={style} />
      <canvas ref={maps} class="row-maps" aria-hidden="true" {...size} style={style} />
    </>
  );
}

/** All that the row's maps depend on. */
function madeOf({ shown, maps, view }: Scene, latents: readonly TraceLatent[], rest: unknown[]): unknown[] {
  const { law, reading, scope, strength, smooth } = view;
  const parts = [...rest, law, contourShare(view), strength, smooth];
  for (const latent of latents) {
    const { min, zero, max } = maps.scale(shown.selector, reading, scope, latent);
    parts.push(maps.map(latent, shown.selector, reading), min, zero, max);
  }
  return parts;
}

function drawingOf({ shown, maps, view }: Scene, latent: TraceLatent): MapDrawing | undefined {
  const { law, reading, scope, strength, smooth } = view;
  const map = maps.map(latent, shown.selector, reading);
  if (map === undefined) return undefined;
  const scale = maps.scale(shown.selector, reading, scope, latent);
  const { values, rows, columns } = map;
  return { values, rows, columns, scale, law, strength, smooth, enclosed: enclosed(map, contourShare(view)) };
}
