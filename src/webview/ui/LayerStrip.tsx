/**
 * A slider over the layers whose track is evidence: a bar for each layer, as high as its latents look at the
 * pictures. Pointing at a bar tells its figures.
 */

import type { VNode } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { t } from '../../base/l10n.ts';
import type { LayerBar } from '../logic/layers.ts';

interface LayerStripProps {
  bars: LayerBar[];
  /** The layer that is shown; absent while layers are joined. */
  layer: number | undefined;
  /** The layer that a reader begins with. */
  opening: number;
  onChange: (layer: number) => void;
}

export function LayerStrip({ bars, layer, opening, onChange }: LayerStripProps): VNode {
  const strip = useRef<HTMLDivElement>(null);
  const [pointed, setPointed] = useState<number>();
  const tip = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    if (tip.current !== null && strip.current !== null) showAbove(tip.current, strip.current);
  }, [pointed]);
  const under = (event: PointerEvent): number => {
    const box = strip.current!.getBoundingClientRect();
    const at = Math.floor(((event.clientX - box.left) / box.width) * bars.length);
    return Math.min(bars.length - 1, Math.max(0, at));
  };
  const key = (event: KeyboardEvent): void => {
    const next = nextLayer(event.key, layer ?? opening, bars.length);
    if (next === undefined) return;
    event.preventDefault();
    onChange(next);
  };
  return (
    <div class="layer-strip-frame">
      <div
        ref={strip}
        class="layer-strip"
        role="slider"
        tabIndex={0}
        data-arrows
        data-idle={layer === undefined}
        aria-label={t('Layer')}
        aria-valuemin={1}
        aria-valuemax={bars.length}
        aria-valuenow={(layer ?? opening) + 1}
        aria-valuetext={layer === undefined ? t('all layers joined') : bars[layer]?.text}
        onKeyDown={key}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          onChange(under(event));
        }}
        onPointerMove={(event) => {
          setPointed(under(event));
          if (event.buttons === 1) onChange(under(event));
        }}
        onPointerLeave={() => setPointed(undefined)}
      >
        {bars.map(({ height }, i) => (
          <span
            key={i}
            class="layer-bar"
            data-shown={i === layer}
            data-opening={i === opening}
            style={{ '--height': height.toFixed(3) }}
          />
        ))}
      </div>
      {pointed !== undefined && (
        <div ref={tip} class="tip" popover="manual">
          {bars[pointed]?.text}
        </div>
      )}
    </div>
  );
}

/** Space between the strip and what is told of it, and of that to the page's edges, in CSS pixels. */
const GAP = 6;

/** Over all else, where no part of the page that scrolls cuts it off; below where there is no room above. */
function showAbove(tip: HTMLElement, strip: HTMLElement): void {
  if (!tip.matches(':popover-open')) tip.showPopover();
  const at = strip.getBoundingClientRect();
  const above = at.top - tip.offsetHeight - GAP;
  const most = window.innerWidth - tip.offsetWidth - GAP;
  tip.style.left = `${Math.max(GAP, Math.min(at.left, most))}px`;
  tip.style.top = `${above < GAP ? at.bottom + GAP : above}px`;
}

function nextLayer(key: string, layer: number, count: number): number | undefined {
  const targets: Record<string, number> = {
    ArrowLeft: layer - 1,
    ArrowDown: layer - 1,
    ArrowRight: layer + 1,
    ArrowUp: layer + 1,
    Home: 0,
    End: count - 1,
  };
  const target = targets[key];
  return target === undefined ? undefined : Math.min(count - 1, Math.max(0, target));
}
