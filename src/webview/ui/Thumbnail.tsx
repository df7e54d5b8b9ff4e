/**
 * A latent's map, small, over a bar of how much of its attention lies on the pictures. Pointing at it shows
 * it on the stage, selecting it keeps it there.
 */

import type { VNode } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { enclosed } from '../../heatmap/contour.ts';
import { placeText } from '../../heatmap/grid.ts';
import { totalOf } from '../../heatmap/statistics.ts';
import { lookAt } from '../../trace/looks.ts';
import { familyOf, isShare } from '../../trace/maps.ts';
import type { TraceLatent } from '../../trace/schema.ts';
import { drawMap } from '../draw/heatmap.ts';
import { number, share } from '../logic/format.ts';
import { mapHeight } from '../logic/thumbnails.ts';
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
  const mass = visualMass(scene, latent, index);
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
  const height = mapHeight(width, shown.picture);
  const ratio = window.devicePixelRatio;
  const held = contourShare(view);
  useLayoutEffect(() => {
    if (canvas.current === null) return;
    const drawing = map && { ...map, scale, law, strength, smooth, enclosed: enclosed(map, held) };
    drawMap(canvas.current, bitmap, drawing, ratio);
  }, [bitmap, map, scale.min, scale.zero, scale.max, law, held, strength, smooth, width, height, ratio]);
  return (
    <canvas
      ref={canvas}
      width={Math.round(width * ratio)}
      height={Math.round(height * ratio)}
      style={{ aspectRatio: `${width} / ${height}` }}
    />
  );
}

/**
 * Of the latent's own query, in the layer and heads that are shown; heads averaged where another kind is. Undefined
 * where layers or heads are joined by maxima, which are no shares.
 */
function visualMass(
  { trace, maps, shown: { selector } }: Scene,
  latent: TraceLatent,
  index: number,
): number | undefined {
  const { kind, layer } = selector;
  if (kind === 'attention' && selector.heads !== 'mean') {
    const visual = isShare(selector) ? maps.slices.at(familyOf(selector), index) : undefined;
    return visual && totalOf(visual);
  }
  return layer === 'max' ? undefined : lookAt(trace.tokens[latent.token] ?? {}, layer)?.mass.pictures;
}

/** What a screen reader needs of a picture that it cannot show. */
function figures({ shown: { selector, picture }, maps, view }: Scene, latent: TraceLatent): string[] {
  const map = maps.map(latent, selector, view.reading);
  if (map === undefined || picture === undefined) return [`no ${selector.kind} map`];
  return [`largest ${map.unit} ${number(map.values[map.peak]!)} at ${placeText(map.peak, map)}`];
}
