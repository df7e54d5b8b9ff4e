/** Latents of this run against those of another one. */

import type { VNode } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { t } from '../../../base/l10n.ts';
import type { AnalysisResult } from '../../../analysis/table.ts';
import { diverging } from '../../../heatmap/palettes.ts';
import { number } from '../../logic/format.ts';
import type { Scene } from '../scene.ts';

/** CSS pixels of the longer side. */
const SIDE = 120;

export function OtherRunView({
  result: { other },
}: {
  scene: Scene;
  result: AnalysisResult<'similarity'>;
}): VNode | null {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [rows = 0, columns = 0] = other?.cosines.shape ?? [];
  useLayoutEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (!context || other === undefined || rows * columns === 0) return;
    const pixels = new Uint8ClampedArray(rows * columns * 4).fill(255);
    other.cosines.data.forEach((value, i) => pixels.set(diverging(Math.min(1, Math.max(-1, value))), i * 4));
    context.putImageData(new ImageData(pixels, columns, rows), 0, 0);
  }, [other, rows, columns]);
  if (other === undefined) return null;
  const scale = SIDE / Math.max(rows, columns, 1);
  const mean = (cosine: number | undefined): string => (cosine === undefined ? t('none') : number(cosine));
  return (
    <figure class="other-run">
      <canvas
        ref={canvas}
        class="other-matrix"
        width={Math.max(1, columns)}
        height={Math.max(1, rows)}
        style={{ width: `${columns * scale}px`, height: `${rows * scale}px` }}
        role="img"
        aria-label={t('Cosines of {0} latents of this run with {1} of the other one', rows, columns)}
      />
      <figcaption>
        {t('Mean cosine at the same places:')} <b>{mean(other.samePlace)}</b>, {t('at other places:')}{' '}
        <b>{mean(other.otherPlaces)}</b>.{' '}
        <span class="dim">{t('Rows are this run’s latents, columns the other’s.')}</span>
      </figcaption>
    </figure>
  );
}
