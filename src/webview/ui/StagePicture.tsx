/** The large picture: drawn to fit, hovered, dragged over, and walked with the arrow keys. */

import type { VNode } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { t } from '../../base/l10n.ts';
import { enclosed } from '../../heatmap/contour.ts';
import { placeText, type MapGrid } from '../../heatmap/grid.ts';
import { drawMap, drawMarks } from '../draw/heatmap.ts';
import { number } from '../logic/format.ts';
import { patchAt, regionOf } from '../logic/grid.ts';
import { contourShare } from '../logic/view.ts';
import { STAGE_ID } from './keys.ts';
import type { Scene } from './scene.ts';
import { useSize, type Room } from './useSize.ts';

interface StagePictureProps {
  scene: Scene;
  hovered: number | undefined;
  onHover: (patch: number | undefined) => void;
}

export function StagePicture({ scene, hovered, onHover }: StagePictureProps): VNode {
  const { stage, view, shown, pictures, highContrast, many, alone, lit } = scene;
  const { picture } = shown;
  const frame = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const size = fit(useSize(frame), picture?.width ?? 1, picture?.height ?? 1);
  const bitmap = pictures.get(picture?.id ?? '')?.full;
  const ratio = window.devicePixelRatio;
  useLayoutEffect(() => {
    if (canvas.current === null || picture === undefined) return;
    const { law, strength, smooth, region, patch } = view;
    const { map, scale } = stage;
    const patches = map && enclosed(map, contourShare(view));
    const outlines = (view.outlines || highContrast) && !many;
    const drawing = map && patches && { ...map, scale, law, strength, smooth, outlines, enclosed: patches };
    drawMap(canvas.current, bitmap, alone ? undefined : drawing, ratio);
    if (alone) return;
    drawMarks(canvas.current, picture.grid, { cursor: hovered ?? patch, region }, ratio);
    for (const near of lit) drawMarks(canvas.current, picture.grid, { cursor: near }, ratio);
  }, [bitmap, stage, view, hovered, size.width, size.height, ratio, highContrast, picture, many, alone, lit]);
  const pointer = usePointer(scene, onHover);
  return (
    <div class="stage-frame" ref={frame}>
      {picture !== undefined && (
        <canvas
          id={STAGE_ID}
          ref={canvas}
          tabIndex={0}
          role="application"
          aria-roledescription={t('heatmap')}
          aria-label={labelOf(scene)}
          width={Math.round(size.width * ratio)}
          height={Math.round(size.height * ratio)}
          style={{ width: `${size.width}px`, height: `${size.height}px` }}
          {...pointer}
        />
      )}
    </div>
  );
}

/** Hovering reads a patch; dragging selects a region; a click without a drag clears it. */
function usePointer(
  { shown, dispatch }: Scene,
  onHover: (patch: number | undefined) => void,
): Record<string, (event: PointerEvent) => void> {
  const start = useRef<{ patch: number; dragged: boolean } | undefined>(undefined);
  const grid = shown.picture?.grid ?? { rows: 1, columns: 1 };
  return {
    onPointerDown: (event) => {
      const patch = patchUnder(event, grid);
      if (event.button !== 0 || patch === undefined) return;
      (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
      start.current = { patch, dragged: false };
    },
    onPointerMove: (event) => {
      const patch = patchUnder(event, grid);
      onHover(patch);
      if (start.current === undefined || patch === undefined) return;
      if (patch === start.current.patch && !start.current.dragged) return;
      start.current.dragged = true;
      dispatch({ type: 'region', region: regionOf(start.current.patch, patch, grid) });
    },
    onPointerUp: () => {
      if (start.current?.dragged === false) {
        dispatch({ type: 'region', region: undefined });
        dispatch({ type: 'patch', patch: start.current.patch });
      }
      start.current = undefined;
    },
    onPointerLeave: () => onHover(undefined),
  };
}

function patchUnder(event: PointerEvent, grid: MapGrid): number | undefined {
  const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
  return patchAt((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height, grid);
}

/** The largest size of the picture's proportions that fits its frame, with room for the focus ring. */
function fit(room: Room, width: number, height: number): Room {
  const scale = Math.min((room.width - 8) / width, (room.height - 8) / height);
  return { width: Math.max(16, Math.floor(width * scale)), height: Math.max(16, Math.floor(height * scale)) };
}

function labelOf({ stage: { map, title, absent }, shown: { picture } }: Scene): string {
  if (map === undefined) return `${picture?.name ?? t('No picture')}. ${absent ?? ''}`;
  const what = t('{0}: {1} over {2}', title, map.unit, picture?.name ?? '');
  const size = t('{0} rows × {1} columns of patches', map.rows, map.columns);
  const largest = t('largest {0} at {1}', number(map.values[map.peak]!), placeText(map.peak, map));
  return `${what}, ${size}, ${largest}. ${t('Arrow keys read the patches.')}`;
}
