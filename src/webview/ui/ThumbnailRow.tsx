/** A row of a block's small maps; in a long block it is empty while it is far from what is seen. */

import type { VNode } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { TraceLatent } from '../../trace/schema.ts';
import { strength } from '../logic/brushing.ts';
import { thumbnailHeight } from '../logic/thumbnails.ts';
import { RowMaps } from './RowMaps.tsx';
import type { Scene } from './scene.ts';
import { Thumbnail } from './Thumbnail.tsx';

interface ThumbnailRowProps {
  scene: Scene;
  latents: readonly TraceLatent[];
  /** Index of the first of them in the trace. */
  first: number;
  /** Width of a small map in CSS pixels. */
  side: number;
  isLazy: boolean;
}

export function ThumbnailRow({ scene, latents, first, side, isLazy }: ThumbnailRowProps): VNode {
  const { shown, brush, view } = scene;
  const row = useRef<HTMLDivElement>(null);
  const near = useNearness(row, isLazy);
  const isSelected = shown.latentIndex >= first && shown.latentIndex < first + latents.length;
  return (
    <div ref={row} class="thumbnail-row" style={{ minHeight: `${thumbnailHeight(side, shown.picture)}px` }}>
      {(near || isSelected) && <RowMaps scene={scene} latents={latents} side={side} />}
      {(near || isSelected) &&
        latents.map((latent, i) => (
          <Thumbnail
            key={first + i}
            index={first + i}
            latent={latent}
            scene={scene}
            focusable={view.token === undefined && shown.latentIndex === first + i}
            width={side}
            strength={strength(brush, 'latents', first + i)}
            amount={brush?.latents.get(first + i)}
          />
        ))}
    </div>
  );
}

/** Beyond what is seen, in CSS pixels. */
const NEAR = '400px';

/** Whether an element is near what is seen of the list it stands in; always, unless asked. */
function useNearness(element: { current: HTMLElement | null }, isAsked: boolean): boolean {
  const [near, setNear] = useState(!isAsked);
  useLayoutEffect(() => {
    const target = element.current;
    if (!isAsked || target === null) {
      setNear(true);
      return undefined;
    }
    const root = target.closest('.step-list');
    const observer = new IntersectionObserver(
      (entries) => setNear(entries.some(({ isIntersecting }) => isIntersecting)),
      { root, rootMargin: NEAR },
    );
    observer.observe(target);
    return () => observer.disconnect();
  }, [isAsked]);
  return near;
}
