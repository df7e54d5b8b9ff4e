/**
 * The small maps of a row, on one canvas under the row's buttons: a canvas for each took longer to hand over to the
 * screen than to draw.
 */

import type { VNode } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { enclosed } from '../../heatmap/contour.ts';
import type { TraceLatent } from '../../trace/schema.ts';
import { drawMapIn, type MapDrawing } from '../draw/heatmap.ts';
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
  const canvas = useRef<HTMLCanvasElement>(null);
  const drawn = useRef<unknown[]>([]);
  const bitmap = pictures.get(shown.picture?.id ?? '')?.small;
  const ratio = window.devicePixelRatio;
  const height = mapHeight(side, shown.picture);
  const width = latents.length * (side + GAP) - GAP;
  useLayoutEffect(() => {
    if (canvas.current === null) return;
    const made = madeOf(scene, latents, [bitmap, side, height, ratio]);
    // A key that moves the selection changes nothing here.
    if (made.length === drawn.current.length && made.every((part, i) => part === drawn.current[i])) return;
    drawn.current = made;
    for (const [i, latent] of latents.entries()) {
      const left = Math.round(i * (side + GAP) * ratio);
      const frame = { left, width: Math.round(side * ratio), height: canvas.current.height };
      drawMapIn(canvas.current, frame, bitmap, drawingOf(scene, latent), ratio);
    }
  });
  return (
    <canvas
      ref={canvas}
      class="row-maps"
      aria-hidden="true"
      width={Math.round(width * ratio)}
      height={Math.round(height * ratio)}
      style={{ width: `${width}px`, height: `${height}px` }}
    />
  );
}

/** All that the row's drawing depends on. */
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
  return { ...map, scale, law, strength, smooth, enclosed: enclosed(map, contourShare(view)) };
}
