/**
 * A latent's map, small, over a bar of how much of its attention lies on the pictures. Pointing at it shows
 * it on the stage, selecting it keeps it there.
 */

import type { VNode } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { enclosed } from '../../heatmap/contour.ts';
import { placeText } from '../../heatmap/grid.ts';
import { isShare, massBySource } from '../../trace/maps.ts';
import type { TraceLatent } from '../../trace/schema.ts';
import { drawMap } from '../draw/heatmap.ts';
import { number, share } from '../logic/format.ts';
import { contourShare } from '../logic/view.ts';
import type { Scene } from './scene.ts';

interface ThumbnailProps {
  index: number;
  latent: TraceLatent;
  scene: Scene;
  focusable: boolean;
  /** Width in CSS pixels. */
  width: number;
  /** Of the brush, 0 to 1. */
  strength: number;
  amount: number | undefined;
}

export function Thumbnail(props: ThumbnailProps): VNode {
  const { index, latent, scene, focusable, width, strength, amount } = props;
  const { shown, dispatch } = scene;
  const place = `Block ${latent.block + 1}, latent ${latent.index + 1}`;
  const mass = visualMass(scene, latent);
  const facts = [place, ...figures(scene, latent)];
  if (mass !== undefined) facts.push(`visual mass ${share(mass)}`);
  if (amount !== undefined) facts.push(`${scene.brush!.title.toLowerCase()}: ${number(amount)}`);
  return (
    <button
      id={`latent-${index}`}
      type="button"
      class="thumbnail"
      tabIndex={focusable ? 0 : -1}
      aria-label={facts.join(', ')}
      aria-pressed={shown.latentIndex === index}
      title={facts.join('\n')}
      style={{ '--strength': strength.toFixed(3), '--mass': (mass ?? 0).toFixed(3) }}
      onClick={() => dispatch({ type: 'latent', latent: index })}
      onPointerEnter={() => scene.hoverLatent(index)}
      onPointerLeave={() => scene.hoverLatent(undefined)}
    >
      <SmallMap latent={latent} scene={scene} width={width} />
      <span class="mass-bar" aria-hidden="true" />
      <span class="meter" aria-hidden="true" data-on={amount !== undefined} />
    </button>
  );
}

function SmallMap({ latent, scene, width }: Pick<ThumbnailProps, 'latent' | 'scene' | 'width'>): VNode {
  const { shown, maps, view, pictures } = scene;
  const canvas = useRef<HTMLCanvasElement>(null);
  const { law, reading, scope, strength, smooth } = view;
  const map = maps.map(latent, shown.selector, reading);
  const scale = maps.scale(shown.selector, reading, scope, latent);
  const bitmap = pictures.get(shown.picture?.id ?? '')?.small;
  const picture = shown.picture ?? { width: 1, height: 1 };
  const height = Math.min(2 * width, Math.max(6, Math.round((width * picture.height) / picture.width)));
  const ratio = window.devicePixelRatio;
  const share = contourShare(view);
  useLayoutEffect(() => {
    if (canvas.current === null) return;
    const drawing = map && { ...map, scale, law, strength, smooth, enclosed: enclosed(map, share) };
    drawMap(canvas.current, bitmap, drawing, ratio);
  }, [bitmap, map, scale.min, scale.zero, scale.max, law, share, strength, smooth, width, height, ratio]);
  return (
    <canvas
      ref={canvas}
      width={Math.round(width * ratio)}
      height={Math.round(height * ratio)}
      style={{ aspectRatio: `${width} / ${height}` }}
    />
  );
}

/** Of the latent's own query, in the layer and heads that are shown; undefined where those are no shares. */
function visualMass({ trace, maps, shown: { selector } }: Scene, latent: TraceLatent): number | undefined {
  if (!isShare({ ...selector, kind: 'attention' })) return undefined;
  const row = maps.row(latent.token, selector.layer, selector.heads);
  return row && massBySource(trace, row).pictures;
}

/** What a screen reader needs of a picture that it cannot show. */
function figures({ shown: { selector, picture }, maps, view }: Scene, latent: TraceLatent): string[] {
  const map = maps.map(latent, selector, view.reading);
  if (map === undefined || picture === undefined) return [`no ${selector.kind} map`];
  return [`largest ${map.unit} ${number(map.values[map.peak]!)} at ${placeText(map.peak, map)}`];
}
