/** The scale: its unit, its ends, what lies beyond them, and where the patch that is read lies on it. */

import type { VNode } from 'preact';
import { useMemo } from 'preact/hooks';
import { t } from '../../base/l10n.ts';
import { barPlace, type Scale } from '../../heatmap/scale.ts';
import { meanOf } from '../../heatmap/statistics.ts';
import { barStops } from '../draw/bar.ts';
import { ownerText, scaleText } from '../logic/caption.ts';
import { number } from '../logic/format.ts';
import type { StageMap } from '../logic/stageMap.ts';
import type { Scene } from './scene.ts';

export function ColourBar({ scene, patch }: { scene: Scene; patch: number | undefined }): VNode {
  const { stage, view } = scene;
  const { map, scale, owner } = stage;
  const { law, strength } = view;
  const stops = useMemo(() => barStops({ law, scale, strength }), [law, scale, strength]);
  const value = map?.values[patch ?? map.peak] ?? NaN;
  const neutral = neutralOf(stage);
  return (
    <div
      class="colour-bar"
      role="group"
      aria-label={t('Scale: {0}', `${map?.unit ?? ''}, ${scaleText(scale, owner)}`)}
    >
      <span class="colour-bar-title">{map?.unit}</span>
      <span class="colour-bar-ends">
        <End beyond={scale.most > scale.max} value={scale.max} extreme={scale.most} mark="▲" />
        <span class="colour-bar-strip" style={{ '--stops': stops }}>
          {neutral !== undefined && (
            <Mark name="neutral" value={neutral.value} scale={scale} label={neutral.label} />
          )}
          <Mark name="value" value={value} scale={scale} />
        </span>
        <End
          beyond={scale.diverging && scale.least < scale.min}
          value={scale.min}
          extreme={scale.least}
          mark="▼"
        />
      </span>
      {neutral !== undefined && (
        <span class="colour-bar-key dim">
          ┆ {[...new Set([neutral.label, number(neutral.value)])].join(' ')}
        </span>
      )}
      <span
        class="colour-bar-scope"
        data-token={owner === 'token'}
        title={t('Scale: {0}', scaleText(scale, owner))}
      >
        {t('99th percentile of {0}', ownerText(owner))}
      </span>
    </div>
  );
}

interface EndProps {
  value: number;
  /** Values lie beyond this end, as far as `extreme`. */
  beyond: boolean;
  extreme: number;
  mark: string;
}

/** An end of the bar; what lies beyond has a line of its own, so that nothing moves when it comes and goes. */
function End({ value, beyond, extreme, mark }: EndProps): VNode {
  return (
    <span class="colour-bar-end">
      <span>{number(value)}</span>
      <span class="dim colour-bar-beyond" title={t('Values beyond the scale are drawn like its end')}>
        {beyond ? `${mark} ${number(extreme)}` : ''}
      </span>
    </span>
  );
}

interface MarkProps {
  name: 'value' | 'neutral';
  value: number;
  scale: Scale;
  label?: string;
}

function Mark({ name, value, scale, label }: MarkProps): VNode | null {
  const at = barPlace(value, scale);
  if (Number.isNaN(at)) return null;
  return (
    <span
      class={`colour-bar-mark colour-bar-${name}`}
      data-beyond={value > scale.max || value < scale.min}
      style={{ '--at': at.toFixed(4) }}
    >
      {label !== undefined && <span class="colour-bar-label">{label}</span>}
    </span>
  );
}

/** The value that says nothing: what each patch had if all were alike, or the middle of a scale that diverges. */
function neutralOf({ map, scale }: StageMap): { value: number; label: string } | undefined {
  if (map === undefined) return undefined;
  if (scale.diverging) return { value: 0, label: map.reading === 'relative' ? t('mean') : '0' };
  const value = map.kind === 'selection' ? scale.zero : meanOf(map.values);
  return { value, label: t('uniform') };
}
