/** One latent block of the watched sample: the teacher's map beside those of the K latents. */

import type { VNode } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { WatchedBlock } from '../../../watch/watched.ts';
import { drawColours } from '../../draw/colours.ts';
import { number } from '../../logic/format.ts';
import { meanToTarget, scaleOf, scaleOfBlock, shared } from '../../logic/selection.ts';
import { OPACITY, SelectionMap } from './SelectionMap.tsx';
import type { TrainingScene } from './TrainingApp.tsx';

interface WatchedBlockProps {
  block: WatchedBlock;
  index: number;
  scene: TrainingScene;
}

export function WatchedBlockView({ block, index, scene }: WatchedBlockProps): VNode {
  const { teacher, latents, picture, text } = block;
  const common = scaleOfBlock(block);
  const mean = meanToTarget(block);
  const { locked } = scene.view;
  return (
    <section class="watched-block" aria-label={`Block ${index + 1}`}>
      <div class="block-head">
        <h3>
          Block {index + 1}
          <span class="dim">
            {' '}
            · {picture.name}
            {text.trim() !== '' && ` · after “${text.trim().replaceAll('\n', ' ↵ ')}”`}
          </span>
        </h3>
        {mean !== undefined && (
          <span class="dim">
            mean cosine with the targets <b>{number(mean)}</b>
          </span>
        )}
      </div>
      <div class="watched-maps">
        <SelectionMap
          title="Teacher"
          kind="teacher"
          block={block}
          selection={teacher}
          scale={common}
          scene={scene}
          figure={`${teacher.selected.length} targets`}
        />
        <div class="watched-latents" role="group" aria-label={`Latents of block ${index + 1}`}>
          {latents.map((latent, i) => (
            <SelectionMap
              key={i}
              title={String(i + 1)}
              kind="latent"
              block={block}
              selection={latent}
              target={teacher.selected[i]}
              scale={locked ? common : scaleOf([latent])}
              scene={scene}
              figure={latent.toTarget === undefined ? 'no target' : `cos ${number(latent.toTarget)}`}
              note={`${shared(teacher, latent)} of ${teacher.selected.length} picked as by the teacher`}
            />
          ))}
        </div>
      </div>
      <p class="dim scale-line">
        {locked ? 'Selection probability' : 'Each map has a scale of its own, so maps cannot be compared.'}
        {locked && (
          <>
            <span>{number(common.min)}</span>
            <ColourStrip />
            <span>{number(common.max)}</span>
          </>
        )}
        <span>uniform {number(1 / Math.max(1, teacher.probabilities.length))}</span>
      </p>
    </section>
  );
}

/** The scale's colours from its lower end to its upper. */
function ColourStrip(): VNode {
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => drawColours(canvas.current, OPACITY, 'across'), []);
  return <canvas ref={canvas} class="colour-strip" width={256} height={1} aria-hidden="true" />;
}
