/** Visual mass and entropy along all generated positions, blocks shaded, the selected position marked. */

import type { VNode } from 'preact';
import { useMemo, useRef, useState } from 'preact/hooks';
import { t } from '../../base/l10n.ts';
import { choiceLabel } from '../../trace/choice.ts';
import { positionName, share } from '../logic/format.ts';
import { pointAt, spanOf, type Span, type SpanPoint } from '../../evidence/span.ts';
import type { Scene } from './scene.ts';
import { SpanChart } from './SpanChart.tsx';
import { useSize } from './useSize.ts';

export function SpanTab({ scene }: { scene: Scene }): VNode {
  const { trace, maps, version, shown } = scene;
  const { layer, heads } = shown.selector;
  // Averaged heads are in the trace itself; slices that arrive say nothing new of them.
  const arrived = typeof heads === 'number' ? maps.slices.version : 0;
  const span = useMemo(
    () => spanOf(trace, maps, layer, heads),
    [trace, maps, version, layer, heads, arrived],
  );
  const [pointed, setPointed] = useState<number>();
  const box = useRef<HTMLDivElement>(null);
  const room = useSize(box);
  const textOf = ({ token, mass, bits }: SpanPoint): string =>
    t('{0}: mass {1}, entropy {2} bits', positionName(trace, token), share(mass), bits.toFixed(2));
  const read = pointAt(span.points, pointed ?? scene.token ?? shown.latent?.token);
  return (
    <div class="span">
      <div class="span-legend">
        <span class="key key-mass">{t('visual mass')}</span>
        <span class="key key-entropy">{t('entropy over the pictures')}</span>
        <span class="span-value">{read && textOf(read)}</span>
        <span class="dim">{aboutSpan(scene, span)}</span>
      </div>
      <div ref={box} class="span-box">
        {span.points.length === 0 ? (
          <p class="dim">{t('No attention has been recorded yet.')}</p>
        ) : (
          <SpanChart
            scene={scene}
            span={span}
            room={room}
            pointed={pointed}
            onPoint={setPointed}
            textOf={textOf}
          />
        )}
      </div>
    </div>
  );
}

/** Which layer and heads, and which positions are missing. */
function aboutSpan({ trace, shown }: Scene, { points, layer, heads }: Span): string {
  const { layers, heads: count } = trace.model;
  const missing = trace.tokens.length - points.length;
  const isJoined = shown.selector.layer === 'max' || shown.selector.heads === 'max';
  const place = `${choiceLabel('layer', layer, layers)}, ${choiceLabel('head', heads, count)}`;
  return [
    isJoined ? `${place} ${t('(maxima are no shares)')}` : place,
    ...(layer === 'mean' ? [entropyText(heads)] : []),
    ...(missing > 0 ? [missingText(heads, missing, trace.tokens.length)] : []),
  ].join('; ');
}

function entropyText(heads: Span['heads']): string {
  return heads === 'mean'
    ? t('the entropy is the mean of the layers’ entropies')
    : t('the entropy is that of the layers’ mean');
}

function missingText(heads: Span['heads'], missing: number, all: number): string {
  return heads === 'mean'
    ? t('{0} of {1} positions were never read by the model, or not stored', missing, all)
    : t('words store the mean of their heads only, so they are left out');
}
