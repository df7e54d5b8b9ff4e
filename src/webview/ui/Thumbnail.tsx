/** A latent's map, small. Pointing at it shows it on the stage, selecting it keeps it there. */

import type { VNode } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { TraceLatent } from '../../trace/schema.ts';
import { enclosed } from '../../heatmap/contour.ts';
import { placeText } from '../../heatmap/grid.ts';
import { drawMap } from '../draw/heatmap.ts';
import { number, share } from '../logic/format.ts';
import { isShare } from '../../trace/maps.ts';
import type { Scene } from './scene.ts';

interface ThumbnailProps {
  index: number;
  latent: TraceLatent;
  scene: Scene;
  focusable: boolean;
  /** Of the brush, 0 to 1. */
  strength: number;
  amount: number | undefined;
}

/** Longer side in CSS pixels. */
const SIDE = 48;

export function Thumbnail({ index, latent, scene, focusable, strength, amount }: ThumbnailProps): VNode {
  const { shown, maps, view, pictures, dispatch } = scene;
  const canvas = useRef<HTMLCanvasElement>(null);
  const { law, reading, scope, contour, strength: depth, smooth } = view;
  const map = maps.map(latent, shown.selector, reading);
  const scale = maps.scale(shown.selector, reading, scope, latent);
  const bitmap = pictures.get(shown.picture?.id ?? '')?.small;
  const { width, height } = sizeOf(scene);
  const ratio = window.devicePixelRatio;
  useLayoutEffect(() => {
    if (canvas.current === null) return;
    const drawing = map && { ...map, scale, law, strength: depth, smooth, enclosed: enclosed(map, contour) };
    drawMap(canvas.current, bitmap, drawing, ratio);
  }, [bitmap, map, scale.min, scale.zero, scale.max, law, contour, depth, smooth, width, height, ratio]);
  const place = `Block ${latent.block + 1}, latent ${latent.index + 1}`;
  const facts = [place, ...figures(scene, latent)];
  if (amount !== undefined) facts.push(`${scene.brush!.title.toLowerCase()}: ${number(amount)}`);
  const current = shown.latentIndex === index;
  return (
    <button
      id={`latent-${index}`}
      type="button"
      class="thumbnail"
      tabIndex={focusable ? 0 : -1}
      aria-label={facts.join(', ')}
      aria-pressed={current}
      title={facts.join('\n')}
      style={{ '--strength': strength.toFixed(3) }}
      onClick={() => dispatch({ type: 'latent', latent: index })}
      onPointerEnter={() => scene.hoverLatent(index)}
      onPointerLeave={() => scene.hoverLatent(undefined)}
    >
      <canvas
        ref={canvas}
        width={Math.round(width * ratio)}
        height={Math.round(height * ratio)}
        style={{ aspectRatio: `${width} / ${height}` }}
      />
      {amount !== undefined && <span class="meter" aria-hidden="true" />}
    </button>
  );
}

function sizeOf({ shown: { picture } }: Scene): { width: number; height: number } {
  const { width, height } = picture ?? { width: 1, height: 1 };
  const scale = SIDE / Math.max(width, height);
  return { width: Math.max(12, Math.round(width * scale)), height: Math.max(12, Math.round(height * scale)) };
}

/** What a screen reader needs of a picture that it cannot show. */
function figures({ shown: { selector, picture }, maps, view }: Scene, latent: TraceLatent): string[] {
  const map = maps.map(latent, selector, view.reading);
  if (map === undefined || picture === undefined) return [`no ${selector.kind} map`];
  const peak = `largest ${map.unit} ${number(map.values[map.peak]!)} at ${placeText(map.peak, map)}`;
  return map.mass !== undefined && isShare(selector) ? [`mass on image ${share(map.mass)}`, peak] : [peak];
}
