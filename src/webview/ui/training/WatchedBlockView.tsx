/** One latent block of the watched sample: the teacher's map beside those of the K latents. */

import type { VNode } from 'preact';
import { useMemo } from 'preact/hooks';
import type { WatchedBlock } from '../../../watch/watched.ts';
import { STRENGTH } from '../../../heatmap/constants.ts';
import { scaleOf, type Scale } from '../../../heatmap/scale.ts';
import type { Law } from '../../../heatmap/law.ts';
import { barStops } from '../../draw/bar.ts';
import { number } from '../../logic/format.ts';
import { meanToTarget, selectionMap, shared } from '../../logic/selection.ts';
import { SelectionMap } from './SelectionMap.tsx';
import type { TrainingScene } from './scene.ts';

interface WatchedBlockProps {
  block: WatchedBlock;
  index: number;
  scene: TrainingScene;
}

export function WatchedBlockView({ block, index, scene }: WatchedBlockProps): VNode {
  const { teacher, latents, picture, text } = block;
  const [teacherMap, ...latentMaps] = useMemo(
    () => [teacher, ...latents].map((selection) => selectionMap(block, selection)),
    [block],
  );
  const common = useMemo(() => scaleOf([teacherMap!, ...latentMaps]), [block]);
  const mean = meanToTarget(block);
  const { locked, law } = scene.view;
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
          map={teacherMap!}
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
              map={latentMaps[i]!}
              target={teacher.selected[i]}
              scale={locked ? common : scaleOf([latentMaps[i]!])}
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
            <ColourStrip scale={common} law={law} />
            <span>{number(common.max)}</span>
          </>
        )}
        <span>uniform {number(1 / Math.max(1, teacher.probabilities.length))}</span>
      </p>
    </section>
  );
}

/** The scale's colours from its lower end to its upper. */
function ColourStrip({ scale, law }: { scale: Scale; law: Law }): VNode {
  const stops = useMemo(() => barStops({ law, scale, strength: STRENGTH }), [scale, law]);
  return <span class="colour-strip" style={{ '--stops': stops }} aria-hidden="true" />;
}
