/** One latent block of the watched sample: the teacher's map beside those of the K latents. */

import type { VNode } from 'preact';
import { useMemo } from 'preact/hooks';
import { plural, t } from '../../../base/l10n.ts';
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
    <section class="watched-block" aria-label={t('Block {0}', index + 1)}>
      <div class="block-head">
        <h3>
          {t('Block {0}', index + 1)}
          <span class="dim">
            {' '}
            · {picture.name}
            {text.trim() !== '' && ` · ${t('after “{0}”', text.trim().replaceAll('\n', ' ↵ '))}`}
          </span>
        </h3>
        {mean !== undefined && (
          <span class="dim">
            {t('mean cosine with the targets')} <b>{number(mean)}</b>
          </span>
        )}
      </div>
      <div class="watched-maps">
        <SelectionMap
          title={t('Teacher')}
          kind="teacher"
          block={block}
          selection={teacher}
          map={teacherMap!}
          scale={common}
          scene={scene}
          figure={plural(teacher.selected.length, '{0} target', '{0} targets')}
        />
        <div class="watched-latents" role="group" aria-label={t('Latents of block {0}', index + 1)}>
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
              figure={latent.toTarget === undefined ? t('no target') : t('cos {0}', number(latent.toTarget))}
              note={t(
                '{0} of {1} picked as by the teacher',
                shared(teacher, latent),
                teacher.selected.length,
              )}
            />
          ))}
        </div>
      </div>
      <p class="dim scale-line">
        {locked
          ? t('Selection probability')
          : t('Each map has a scale of its own, so maps cannot be compared.')}
        {locked && (
          <>
            <span>{number(common.min)}</span>
            <ColourStrip scale={common} law={law} />
            <span>{number(common.max)}</span>
          </>
        )}
        <span>{t('uniform {0}', number(1 / Math.max(1, teacher.probabilities.length)))}</span>
      </p>
    </section>
  );
}

/** The scale's colours from its lower end to its upper. */
function ColourStrip({ scale, law }: { scale: Scale; law: Law }): VNode {
  const stops = useMemo(() => barStops({ law, scale, strength: STRENGTH }), [scale, law]);
  return <span class="colour-strip" style={{ '--stops': stops }} aria-hidden="true" />;
}
