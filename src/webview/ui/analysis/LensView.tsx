/** The lens at the selected latent: layer by layer the likeliest words, and the nearest patches on the stage. */

import type { VNode } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { t } from '../../../base/l10n.ts';
import { lensWords, nearestPatches, type LensWord } from '../../../analysis/lensReading.ts';
import type { AnalysisResult } from '../../../analysis/table.ts';
import { placeText } from '../../../heatmap/grid.ts';
import { number, percent, positionName } from '../../logic/format.ts';
import type { Scene } from '../scene.ts';

/** Words in a row; all of them when the row is opened. */
const SHOWN = 4;
/** Patches that are drawn. */
const NEAREST = 5;

type Lens = AnalysisResult<'lens'>;

export function LensView({ scene, result }: { scene: Scene; result: Lens }): VNode {
  const { trace, shown, light } = scene;
  const [opened, setOpened] = useState<number>();
  const { latentIndex, latent } = shown;
  const [latents = 0, rows = 0] = (result.words?.ids ?? result.patches[0]?.cosines)?.shape ?? [];
  // What was pointed at is of another latent now, or of none.
  useEffect(() => () => light([]), [latentIndex, light]);
  if (latent === undefined || latentIndex >= latents) {
    return <p class="dim">{t('Nothing was computed of this latent yet.')}</p>;
  }
  return (
    <table class="table lens">
      <caption>{t('At {0}: a lens, not a meaning', positionName(trace, latent.token))}</caption>
      <thead>
        <tr>
          <th scope="col">{t('After')}</th>
          <th scope="col">{t('Likeliest words')}</th>
          <th scope="col">{t('Nearest patch')}</th>
        </tr>
      </thead>
      <tbody>
        {Array.from({ length: rows }, (_, row) => (
          <LensRow
            key={row}
            scene={scene}
            result={result}
            row={row}
            isOpen={opened === row}
            toggle={() => setOpened(opened === row ? undefined : row)}
          />
        ))}
      </tbody>
    </table>
  );
}

interface RowProps {
  scene: Scene;
  result: Lens;
  row: number;
  isOpen: boolean;
  toggle: () => void;
}

/** Pointing at a row, or its button having the focus, marks the nearest patches in the picture. */
function LensRow({ scene, result, row, isOpen, toggle }: RowProps): VNode {
  const { shown, light } = scene;
  const { latentIndex, picture, selector } = shown;
  const words = result.words && lensWords(result.words, latentIndex, row);
  const cosines = result.patches.find((other) => other.picture === picture?.id)?.cosines;
  const near = cosines === undefined ? [] : nearestPatches(cosines, latentIndex, row, NEAREST);
  const [first] = near;
  const point = (): void => light(near.map(({ token }) => token));
  return (
    <tr data-current={selector.layer === row - 1} onPointerEnter={point} onPointerLeave={() => light([])}>
      <th scope="row">
        <button
          type="button"
          class="quiet"
          aria-expanded={isOpen}
          title={isOpen ? t('Fewer words') : t('All words')}
          onClick={toggle}
          onFocus={point}
          onBlur={() => light([])}
        >
          {row === 0 ? t('what was fed') : t('layer {0}', row)}
        </button>
      </th>
      <td>{words !== undefined && <Words words={isOpen ? words : words.slice(0, SHOWN)} />}</td>
      <td>
        {first !== undefined && picture !== undefined && (
          <>
            {placeText(first.token, picture.grid)}{' '}
            <span class="dim">{t('cosine {0}', number(first.cosine))}</span>
          </>
        )}
      </td>
    </tr>
  );
}

function Words({ words }: { words: LensWord[] }): VNode {
  return (
    <>
      {words.map(({ id, text, probability }) => (
        <span key={id} class="lens-word" title={t('Token {0}', id)}>
          {text === '' ? t('(no text)') : `“${text.replaceAll('\n', '↵')}”`}{' '}
          <span class="dim">{percent(probability)}</span>
        </span>
      ))}
    </>
  );
}
