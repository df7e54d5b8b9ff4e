/** Below the picture: the run as a whole. The reader decides how high it is, or closes it. */

import type { VNode } from 'preact';
import { useRef } from 'preact/hooks';
import { message, t, translated, type Message } from '../../base/l10n.ts';
import type { AnalysisName } from '../../analysis/table.ts';
import type { Tab } from '../logic/view.ts';
import { Tabs } from '../toolkit.tsx';
import { AnalysisTab } from './analysis/AnalysisTab.tsx';
import { ANALYSIS_VIEWS, type ResultView } from './analysis/views.tsx';
import { NarrowingTab } from './NarrowingTab.tsx';
import type { Scene } from './scene.ts';
import { SimilarityTab } from './SimilarityTab.tsx';
import { SourcesTab } from './SourcesTab.tsx';
import { SpanTab } from './SpanTab.tsx';
import { TimingTab } from './TimingTab.tsx';
import { useMedia } from './useMedia.ts';

const TABS: { id: Tab; title: Message }[] = [
  { id: 'span', title: message('Span') },
  { id: 'sources', title: message('Sources') },
  { id: 'narrowing', title: message('Narrowing') },
  { id: 'similarity', title: message('Latent similarity') },
  { id: 'lens', title: message('Lens') },
  { id: 'pca', title: message('PCA') },
  { id: 'relevance', title: message('Relevance') },
  { id: 'attention', title: message('All heads') },
  { id: 'causality', title: message('Causality') },
  { id: 'decomposition', title: message('Decomposition') },
  { id: 'dependence', title: message('Dependence') },
  { id: 'faithfulness', title: message('Faithfulness') },
  { id: 'timing', title: message('Timing') },
];

const LEAST = 96;
/** Until the reader moves it, where the page is high enough; as in layout.css. */
const USUAL = 228;
/** The same of tabs with a verdict, a table and words. */
const USUAL_TALL = 400;
const TALL: ReadonlySet<Tab> = new Set<Tab>(['causality', 'decomposition', 'dependence', 'faithfulness']);
const MOST = 640;
/** What an arrow key moves the edge by. */
const STEP = 24;
/** Below this height of the page the picture needs the room more. */
const LOW = '(max-height: 560px)';

export function Evidence({ scene }: { scene: Scene }): VNode {
  const { view, dispatch } = scene;
  const isLow = useMedia(LOW);
  const open = view.evidenceOpen ?? !isLow;
  const setOpen = (evidenceOpen: boolean): void => dispatch({ type: 'set', values: { evidenceOpen } });
  return (
    <section
      class="evidence"
      aria-label={t('Evidence')}
      data-open={open}
      data-tall={TALL.has(view.tab)}
      {...(view.evidenceHeight !== undefined && {
        style: { '--evidence-height': `${view.evidenceHeight}px` },
      })}
    >
      <h2 class="hidden">{t('Evidence')}</h2>
      {open && <Edge scene={scene} close={() => setOpen(false)} />}
      <Tabs
        label={t('Evidence')}
        active={view.tab}
        tabs={TABS.map(({ id, title }) => ({ id, title: translated(title) }))}
        onChange={(tab) => dispatch({ type: 'set', values: { tab, evidenceOpen: true } })}
      >
        {open && view.tab === 'span' && <SpanTab scene={scene} />}
        {open && view.tab === 'sources' && <SourcesTab scene={scene} />}
        {open && view.tab === 'narrowing' && <NarrowingTab scene={scene} />}
        {open && view.tab === 'similarity' && <SimilarityTab scene={scene} />}
        {open && isAnalysis(view.tab) && <Analysis scene={scene} method={view.tab} />}
        {open && view.tab === 'timing' && <TimingTab trace={scene.trace} />}
      </Tabs>
      <button
        type="button"
        class="quiet evidence-toggle"
        aria-expanded={open}
        title={open ? t('Closes the evidence') : t('Opens the evidence')}
        onClick={() => setOpen(!open)}
      >
        {open ? t('Hide ▾') : t('Show ▴')}
      </button>
    </section>
  );
}

type AnalysisTabName = Extract<Tab, AnalysisName> & Exclude<AnalysisName, 'similarity'>;

/** Likeness to another run stands in the tab of similarity, beside that within the run. */
function isAnalysis(tab: Tab): tab is AnalysisTabName {
  return tab !== 'similarity' && Object.hasOwn(ANALYSIS_VIEWS, tab);
}

function Analysis<Name extends AnalysisTabName>({ scene, method }: { scene: Scene; method: Name }): VNode {
  const View: ResultView<Name> = ANALYSIS_VIEWS[method];
  return (
    <AnalysisTab
      key={method}
      scene={scene}
      method={method}
      view={(result) => <View scene={scene} result={result} />}
    />
  );
}

/** The upper edge: dragged, or moved by arrow keys; a double click closes. */
function Edge({ scene: { view, dispatch }, close }: { scene: Scene; close: () => void }): VNode {
  const from = useRef<{ y: number; height: number } | undefined>(undefined);
  const set = (wanted: number): void => {
    const evidenceHeight = Math.round(Math.min(MOST, Math.max(LEAST, wanted)));
    dispatch({ type: 'set', values: { evidenceHeight } });
  };
  const edge = useRef<HTMLDivElement>(null);
  const height = (): number => edge.current!.parentElement!.getBoundingClientRect().height;
  const moves: Record<string, number> = { ArrowUp: STEP, ArrowDown: -STEP };
  return (
    <div
      ref={edge}
      class="edge"
      role="separator"
      aria-orientation="horizontal"
      aria-label={t('Height of the evidence')}
      aria-valuemin={LEAST}
      aria-valuemax={MOST}
      aria-valuenow={view.evidenceHeight ?? (TALL.has(view.tab) ? USUAL_TALL : USUAL)}
      tabIndex={0}
      data-arrows
      onKeyDown={(event) => {
        const by = moves[event.key];
        if (by === undefined) return;
        event.preventDefault();
        set(height() + by);
      }}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        from.current = { y: event.clientY, height: height() };
      }}
      onPointerMove={(event) => {
        if (from.current !== undefined) set(from.current.height + from.current.y - event.clientY);
      }}
      onPointerUp={() => {
        from.current = undefined;
      }}
      onDblClick={close}
    />
  );
}
