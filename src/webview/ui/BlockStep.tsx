/** One latent block: its latents as small maps, the mass they put on the picture, how it ended. */

import type { VNode } from 'preact';
import { isShare } from '../../trace/maps.ts';
import { describeEnd, explainEnd, type Step } from '../../trace/steps.ts';
import { strength } from '../logic/brushing.ts';
import { number, share } from '../logic/format.ts';
import { columnsFor } from '../logic/thumbnails.ts';
import type { Scene } from './scene.ts';
import { Thumbnail } from './Thumbnail.tsx';

interface BlockStepProps {
  step: Extract<Step, { kind: 'block' }>;
  scene: Scene;
  /** Room for the small maps, in CSS pixels. */
  width: number;
}

export function BlockStep({ step, scene, width }: BlockStepProps): VNode {
  const { trace, shown, brush, view } = scene;
  const { block, latents, number: place } = step;
  const selected = shown.latent?.block === block.index;
  const expected = Math.max(block.latents, latents.length, trace.model.latentSize ?? 0);
  const { columns, side } = columnsFor(expected, width);
  return (
    <li class="step step-block" data-selected={selected}>
      <span class="step-number dim">{place}</span>
      <div class="block">
        <div class="block-head">
          <span>
            ◆ Block {block.index + 1} · {latents.length === 1 ? '1 latent' : `${latents.length} latents`}
            <span class="dim" title={explainEnd(block.ended)}>
              {' '}
              · {describeEnd(block.ended)}
            </span>
          </span>
          <span class="dim">{summary(step, scene)}</span>
        </div>
        <div
          class="thumbnails"
          style={{ '--columns': String(columns), '--side': `${side}px` }}
          role="group"
          aria-label={`Latents of block ${block.index + 1}`}
        >
          {latents.map((latent) => {
            const index = trace.latents.indexOf(latent);
            return (
              <Thumbnail
                key={index}
                index={index}
                latent={latent}
                scene={scene}
                focusable={view.token === undefined && shown.latentIndex === index}
                width={side}
                strength={strength(brush, 'latents', index)}
                amount={brush?.latents.get(index)}
              />
            );
          })}
          {latents.length === 0 && (
            <span class="dim">{trace.status === 'running' ? 'no latent yet' : 'no latent was computed'}</span>
          )}
        </div>
      </div>
    </li>
  );
}

/** The block's figure in the kind that is shown. */
function summary({ latents }: BlockStepProps['step'], { maps, shown, view }: Scene): string {
  const { selector, picture } = shown;
  if (picture === undefined || latents.length === 0) return '';
  const drawn = latents.flatMap((latent) => maps.map(latent, selector, view.reading) ?? []);
  if (drawn.length === 0) return '';
  if (selector.kind === 'attention') {
    return isShare(selector) ? `mass on image ${share(mean(drawn.map(({ mass }) => mass ?? 0)))}` : '';
  }
  return `largest ${number(Math.max(...drawn.map(({ values, peak }) => values[peak]!)))}`;
}

function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
