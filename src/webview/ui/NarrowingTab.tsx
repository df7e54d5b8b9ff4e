/** Whether attention on the pictures is narrower at latents than elsewhere, and narrows within a block. */

import type { VNode } from 'preact';
import { useMemo } from 'preact/hooks';
import { t, translated } from '../../base/l10n.ts';
import { visualCount } from '../../trace/columns.ts';
import { shareLayer } from '../../trace/looks.ts';
import { choiceLabel } from '../../trace/choice.ts';
import { share } from '../logic/format.ts';
import { KIND_NAMES, narrowing, positionLooks, type BlockNarrowing } from '../../evidence/narrowing.ts';
import type { Scene } from './scene.ts';

export function NarrowingTab({ scene: { trace, version, shown } }: { scene: Scene }): VNode {
  const layer = shareLayer(shown.selector.layer);
  const kinds = useMemo(() => positionLooks(trace, layer), [trace, version, layer]);
  const blocks = useMemo(() => narrowing(trace, layer), [trace, version, layer]);
  const { layers, heads } = trace.model;
  return (
    <div class="narrowing scrolls" tabIndex={0} role="region" aria-label={t('Narrowing of attention')}>
      {kinds.length === 0 ? (
        <p class="dim">{t('No attention has been recorded yet.')}</p>
      ) : (
        <>
          <table class="table">
            <caption>{t('By kind of position')}</caption>
            <thead>
              <Heading cells={[t('Position'), t('Count'), t('Visual mass'), t('Entropy')]} />
            </thead>
            <tbody>
              {kinds.map(({ kind, count, mass, bits }) => (
                <tr key={kind}>
                  <th scope="row" title={translated(KIND_NAMES[kind].title)}>
                    {translated(KIND_NAMES[kind].name)}
                  </th>
                  <td class="numeric">{count}</td>
                  <td class="numeric">{share(mass)}</td>
                  <td class="numeric">{t('{0} bits', bits.toFixed(2))}</td>
                </tr>
              ))}
            </tbody>
          </table>
          {blocks.length > 0 && <BlockTable blocks={blocks} />}
          <p class="narrowing-about dim">
            {t('Of: {0}, {1}.', choiceLabel('layer', layer, layers), choiceLabel('head', 'mean', heads))}{' '}
            {t(
              'Entropy of the attention over the patches of the pictures, of at most {0} bits: lower is narrower. A block narrows by its entropy at the first latent less that at the last. arXiv 2606.01287 compares latents, markers and answer; its formula could not be confirmed, so these definitions are ours: markers are the start and end tokens of blocks, the answer is what stands in the last box, or the words after the last block.',
              Math.log2(visualCount(trace)).toFixed(2),
            )}
          </p>
        </>
      )}
    </div>
  );
}

function BlockTable({ blocks }: { blocks: BlockNarrowing[] }): VNode {
  return (
    <table class="table">
      <caption>{t('By block')}</caption>
      <thead>
        <Heading cells={[t('Block'), t('First latent'), t('Last latent'), t('Narrows by')]} />
      </thead>
      <tbody>
        {blocks.map(({ block, first, last, fall }) => (
          <tr key={block}>
            <th scope="row">{block + 1}</th>
            <td class="numeric">{t('{0} bits', first.toFixed(2))}</td>
            <td class="numeric">{t('{0} bits', last.toFixed(2))}</td>
            <td class="numeric">{t('{0} bits', fall.toFixed(2).replace('-', '−'))}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Heading({ cells: [first, ...others] }: { cells: string[] }): VNode {
  return (
    <tr>
      <th scope="col">{first}</th>
      {others.map((cell) => (
        <th key={cell} scope="col" class="numeric">
          {cell}
        </th>
      ))}
    </tr>
  );
}
