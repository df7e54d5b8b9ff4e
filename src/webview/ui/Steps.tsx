/** The reasoning in order: text, and each latent block as one row of small maps. */

import type { VNode } from 'preact';
import { useRef } from 'preact/hooks';
import { t } from '../../base/l10n.ts';
import { hasTextAttention } from '../../trace/columns.ts';
import type { Step } from '../../trace/steps.ts';
import { number } from '../logic/format.ts';
import { estimateStep } from '../logic/stepHeight.ts';
import { stepListOf } from '../logic/stepList.ts';
import type { Shading } from '../logic/view.ts';
import { BlockStep } from './BlockStep.tsx';
import { STEPS_ID } from './keys.ts';
import type { Scene } from './scene.ts';
import { Segmented } from './Segmented.tsx';
import { TextStep } from './TextStep.tsx';
import { useSize } from './useSize.ts';
import { useStepScroll } from './useStepScroll.ts';
import { useVirtualRows } from './useVirtualRows.ts';

/** Beside the small maps: the step's number, gaps, the scroll bar. */
const BESIDE = 56;

export function Steps({ scene }: { scene: Scene }): VNode {
  const { trace, view, shown } = scene;
  const box = useRef<HTMLDivElement>(null);
  const width = useSize(box).width - BESIDE;
  const list = stepListOf(trace);
  const { steps } = list;
  const selected = list.indexAt(view.token ?? shown.latent?.token ?? -1);
  const rows = useVirtualRows({
    box,
    count: steps.length,
    keyOf: (index) => steps[index]!.first,
    estimate: (index) => estimateStep(steps[index]!, width, shown.picture),
    // The line that follows a block is what came of it. Where the focus is, it must not be lost on its way.
    pinned: [selected, selected + 1, focusedStep(box.current)],
  });
  const contents = useContents(scene, steps, width);
  useStepScroll(box, scene, rows.total);
  return (
    <section class="steps" aria-label={t('Reasoning steps')}>
      <h2 class="hidden">{t('Reasoning steps')}</h2>
      <div id={STEPS_ID} ref={box} class="step-list">
        <ol class="step-rows" style={{ height: `${rows.total}px` }}>
          {rows.items.map(({ index, key, start }) => {
            const step = steps[index]!;
            return (
              <li
                key={key}
                ref={rows.measure}
                class={`step step-${step.kind}`}
                data-index={index}
                data-selected={step.kind === 'block' && shown.latent?.block === step.block.index}
                aria-setsize={steps.length}
                aria-posinset={index + 1}
                style={{ transform: `translateY(${start}px)` }}
              >
                {contents(index)}
              </li>
            );
          })}
        </ol>
        {trace.status === 'running' && <p class="step-pending dim">…</p>}
      </div>
      {trace.tokens.length === 0 && trace.status !== 'running' && (
        <p class="dim pad">{t('No token was generated.')}</p>
      )}
      {trace.tokens.length > 0 && <Legend scene={scene} />}
    </section>
  );
}

/** Index of the step that has the focus; −1 without one. */
function focusedStep(list: HTMLElement | null): number {
  const row = list?.contains(document.activeElement) && document.activeElement?.closest('.step');
  return row ? Number((row as HTMLElement).dataset['index']) : -1;
}

/**
 * What stands in each row, made anew only where something that it shows has changed: scrolling makes new rows, moving
 * the selection the two blocks it leaves and enters, the patch cursor none.
 */
function useContents(
  scene: Scene,
  steps: readonly Step[],
  width: number,
): (index: number) => VNode | undefined {
  const last = useRef(new Map<number, { from: readonly unknown[]; content: VNode }>());
  // Rows that have left the page are forgotten with it.
  const before = last.current;
  const made = (last.current = new Map<number, { from: readonly unknown[]; content: VNode }>());
  const drawing = mapKey(scene);
  return (index) => {
    const step = steps[index]!;
    const from = step.kind === 'text' ? lineParts(step, scene) : [...blockParts(step, scene), width, drawing];
    const known = before.get(index);
    const content =
      known !== undefined && isSame(known.from, from) ? (
        known.content
      ) : step.kind === 'text' ? (
        <TextStep step={step} scene={scene} />
      ) : (
        <BlockStep step={step} scene={scene} width={width} />
      );
    made.set(index, { from, content });
    return content;
  };
}

/** What a line of words shows. */
function lineParts(step: Step, { trace, version, brush, view, shown }: Scene): unknown[] {
  const isOnlyStop = view.token === undefined && shown.latentIndex < 0;
  const isWithin = view.token !== undefined && step.first <= view.token && view.token <= step.last;
  return [trace, step, version, brush, isWithin ? view.token : undefined, isOnlyStop];
}

/** What a block shows, but for how its maps are drawn. */
function blockParts(
  { block, latents, ...step }: Extract<Step, { kind: 'block' }>,
  { trace, pictures, shown, view, brush, maps }: Scene,
): unknown[] {
  const isSelected = shown.latent?.block === block.index;
  const own = isSelected ? [shown.latentIndex, view.token === undefined] : [];
  // Of most brushes, latents have no part.
  const brushed = brush !== undefined && brush.latents.size > 0 ? brush : undefined;
  const { picture } = shown;
  return [trace, block, latents.length, step.number, pictures.get(picture?.id ?? ''), brushed, maps, ...own];
}

function isSame(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((part, i) => part === b[i]);
}

/** Everything that changes how thumbnails are drawn. */
function mapKey({ shown, view, maps, covered, version }: Scene): string {
  const { kind, picture, layer, heads } = shown.selector;
  const { law, reading, scope, contour, share, strength, smooth } = view;
  const { min, zero, max } = maps.scale(shown.selector, reading, 'run');
  const drawing = [law, reading, scope, contour, share, strength, smooth];
  return [kind, picture, layer, heads, ...drawing, min, zero, max, covered, version].join();
}

/** What the shading of the tokens means, and how strong the strongest is. */
function Legend({ scene }: { scene: Scene }): VNode {
  const { trace, view, brush, token } = scene;
  const isSilent =
    !hasTextAttention(trace) &&
    view.shading === 'attending' &&
    token === undefined &&
    view.region === undefined;
  return (
    <div class="legend">
      <ShadingChoice view={view} dispatch={scene.dispatch} />
      <p class="dim">
        {isSilent ? t('This trace holds no attention of words.') : brush?.title}
        {!isSilent && brush !== undefined && brush.tokens.size > 0 && (
          <>
            :{' '}
            <span class="shade-most">
              <span class="shade-key" aria-hidden="true" /> {t('up to {0}', number(brush.most.tokens))}
            </span>
          </>
        )}
      </p>
    </div>
  );
}

const shadingOptions = (): { value: Shading; label: string; title: string }[] => [
  {
    value: 'attending',
    label: t('that look at this latent'),
    title: t('Later words, by their attention to it'),
  },
  { value: 'attended', label: t('that it looks at'), title: t('Earlier words, by its attention to them') },
];

function ShadingChoice({ view, dispatch }: Pick<Scene, 'view' | 'dispatch'>): VNode {
  return (
    <Segmented
      label={t('Words')}
      visibleLabel
      value={view.shading}
      options={shadingOptions()}
      onChange={(shading) => dispatch({ type: 'set', values: { shading } })}
    />
  );
}
