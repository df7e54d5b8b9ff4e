/** Whether attention on the pictures is narrower at latents than elsewhere, and narrows within a block. */

import type { VNode } from 'preact';
import { useMemo } from 'preact/hooks';
import { visualCount } from '../../trace/columns.ts';
import { shareLayer } from '../../trace/looks.ts';
import { choiceLabel, share } from '../logic/format.ts';
import { narrowing, positionLooks, type BlockNarrowing, type PositionKind } from '../logic/narrowing.ts';
import type { Scene } from './scene.ts';

const KIND_NAMES: Record<PositionKind, { name: string; title: string }> = {
  words: { name: 'words before the answer', title: 'Text that is not part of the answer' },
  markers: { name: 'markers', title: 'Start and end tokens of blocks' },
  latents: { name: 'latents', title: 'Positions inside blocks' },
  answer: { name: 'answer', title: 'The tokens in the last box, else the words after the last block' },
};

export function NarrowingTab({ scene: { trace, version, shown } }: { scene: Scene }): VNode {
  const layer = shareLayer(shown.selector.layer);
  const kinds = useMemo(() => positionLooks(trace, layer), [trace, version, layer]);
  const blocks = useMemo(() => narrowing(trace, layer), [trace, version, layer]);
  const { layers, heads } = trace.model;
  return (
    <div class="narrowing" tabIndex={0} role="region" aria-label="Narrowing of attention">
      {kinds.length === 0 ? (
        <p class="dim">No attention has been recorded yet.</p>
      ) : (
        <>
          <table class="table">
            <caption>By kind of position</caption>
            <thead>
              <Heading cells={['Position', 'Count', 'Visual mass', 'Entropy']} />
            </thead>
            <tbody>
              {kinds.map(({ kind, count, mass, bits }) => (
                <tr key={kind}>
                  <th scope="row" title={KIND_NAMES[kind].title}>
                    {KIND_NAMES[kind].name}
                  </th>
                  <td class="numeric">{count}</td>
                  <td class="numeric">{share(mass)}</td>
                  <td class="numeric">{bits.toFixed(2)} bits</td>
                </tr>
              ))}
            </tbody>
          </table>
          {blocks.length > 0 && <BlockTable blocks={blocks} />}
          <p class="narrowing-about dim">
            Of {choiceLabel('layer', layer, layers)}, mean of {heads} heads. Entropy of the attention over the
            patches of the pictures, of at most {Math.log2(visualCount(trace)).toFixed(2)} bits: lower is
            narrower. A block narrows by its entropy at the first latent less that at the last. arXiv
            2606.01287 compares latents, markers and answer; its formula could not be confirmed, so these
            definitions are ours: markers are the start and end tokens of blocks, the answer is what stands in
            the last box, or the words after the last block.
          </p>
        </>
      )}
    </div>
  );
}

function BlockTable({ blocks }: { blocks: BlockNarrowing[] }): VNode {
  return (
    <table class="table">
      <caption>By block</caption>
      <thead>
        <Heading cells={['Block', 'First latent', 'Last latent', 'Narrows by']} />
      </thead>
      <tbody>
        {blocks.map(({ block, first, last, fall }) => (
          <tr key={block}>
            <th scope="row">{block + 1}</th>
            <td class="numeric">{first.toFixed(2)} bits</td>
            <td class="numeric">{last.toFixed(2)} bits</td>
            <td class="numeric">{fall.toFixed(2).replace('-', '−')} bits</td>
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
