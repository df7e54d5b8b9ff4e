/** One latent block: its latents as small maps, the mass they put on the picture, how it ended. */

import type { VNode } from 'preact';
import { plural, t } from '../../base/l10n.ts';
import { latentIndexAt } from '../../trace/columns.ts';
import { isShare } from '../../trace/maps.ts';
import { isOfFixedLength } from '../../trace/protocolWords.ts';
import { describeEnd, explainEnd, type Step } from '../../trace/steps.ts';
import { number, share } from '../logic/format.ts';
import { columnsFor } from '../logic/thumbnails.ts';
import type { Scene } from './scene.ts';
import { ThumbnailRow } from './ThumbnailRow.tsx';

interface BlockStepProps {
  step: Extract<Step, { kind: 'block' }>;
  scene: Scene;
  /** Room for the small maps, in CSS pixels. */
  width: number;
}

/** A block with more rows of small maps keeps only those in the page that are near what is seen. */
const MANY_ROWS = 6;

export function BlockStep({ step, scene, width }: BlockStepProps): VNode {
  const { trace } = scene;
  const { block, latents, number: place } = step;
  const full = isOfFixedLength(trace.model.protocol) ? (trace.model.latentSize ?? 0) : 0;
  const expected = Math.max(block.latents, latents.length, full);
  const { columns, side } = columnsFor(expected, width);
  const rows = Array.from({ length: Math.ceil(latents.length / columns) }, (_, i) =>
    latents.slice(i * columns, (i + 1) * columns),
  );
  return (
    <>
      <span class="step-number dim">{place}</span>
      <div class="block">
        <div class="block-head">
          <span>
            ◆ {t('Block {0}', block.index + 1)} · {plural(latents.length, '{0} latent', '{0} latents')}
            <span class="dim" title={explainEnd(block.ended, trace.model)}>
              {' '}
              · {describeEnd(block.ended, trace.model)}
            </span>
          </span>
          <span class="dim">{summary(step, scene)}</span>
        </div>
        <div
          class="thumbnails"
          style={{ '--columns': String(columns), '--side': `${side}px` }}
          role="group"
          aria-label={t('Latents of block {0}', block.index + 1)}
        >
          {rows.map((row) => (
            <ThumbnailRow
              key={row[0]!.token}
              scene={scene}
              latents={row}
              first={latentIndexAt(trace, row[0]!.token)!}
              side={side}
              isLazy={rows.length > MANY_ROWS}
            />
          ))}
          {latents.length === 0 && (
            <span class="dim">
              {trace.status === 'running' ? t('no latent yet') : t('no latent was computed')}
            </span>
          )}
        </div>
      </div>
    </>
  );
}

/** The block's figure in the kind that is shown. */
function summary({ latents }: BlockStepProps['step'], { maps, shown, view }: Scene): string {
  const { selector, picture } = shown;
  if (picture === undefined || latents.length === 0) return '';
  const drawn = latents.flatMap((latent) => maps.map(latent, selector, view.reading) ?? []);
  if (drawn.length === 0) return '';
  if (selector.kind === 'attention') {
    return isShare(selector) ? t('mass on image {0}', share(mean(drawn.map(({ mass }) => mass ?? 0)))) : '';
  }
  return t('largest {0}', number(Math.max(...drawn.map(({ values, peak }) => values[peak]!))));
}

function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
