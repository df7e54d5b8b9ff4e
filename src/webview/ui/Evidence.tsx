/** Below the picture: the run as a whole. */

import type { VNode } from 'preact';
import type { Tab } from '../logic/view.ts';
import { Tabs } from '../toolkit.tsx';
import type { Scene } from './scene.ts';
import { SimilarityTab } from './SimilarityTab.tsx';
import { SpanTab } from './SpanTab.tsx';
import { TimingTab } from './TimingTab.tsx';

const TABS: { id: Tab; title: string }[] = [
  { id: 'span', title: 'Span' },
  { id: 'similarity', title: 'Latent similarity' },
  { id: 'timing', title: 'Timing' },
];

export function Evidence({ scene }: { scene: Scene }): VNode {
  const { tab } = scene.view;
  return (
    <section class="evidence" aria-label="Evidence">
      <Tabs
        label="Evidence"
        active={tab}
        tabs={TABS}
        onChange={(next) => scene.dispatch({ type: 'set', values: { tab: next } })}
      >
        {tab === 'span' && <SpanTab scene={scene} />}
        {tab === 'similarity' && <SimilarityTab scene={scene} />}
        {tab === 'timing' && <TimingTab trace={scene.trace} />}
      </Tabs>
    </section>
  );
}
