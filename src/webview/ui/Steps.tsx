/** The reasoning in order: text, and each latent block as one row of small maps. */

import type { VNode } from 'preact';
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { hasTextAttention } from '../../trace/rows.ts';
import { stepsOf } from '../../trace/steps.ts';
import { strongest } from '../logic/brushing.ts';
import { number } from '../logic/format.ts';
import type { Shading } from '../logic/view.ts';
import { BlockStep } from './BlockStep.tsx';
import { STEPS_ID } from './keys.ts';
import type { Scene } from './scene.ts';
import { Segmented } from './Segmented.tsx';
import { TextStep } from './TextStep.tsx';
import { useSize } from './useSize.ts';

/** Beside the small maps: the step's number, gaps, the scroll bar. */
const BESIDE = 56;
/** This near to its end, a list is being followed, in CSS pixels. */
const NEAR = 48;

export function Steps({ scene }: { scene: Scene }): VNode {
  const { trace, version, view, shown } = scene;
  const list = useRef<HTMLOListElement>(null);
  const width = useSize(list).width - BESIDE;
  const steps = useMemo(() => stepsOf(trace), [trace, version]);
  const rows = useMemo(
    () =>
      steps.map((step) =>
        step.kind === 'text' ? (
          <TextStep key={step.first} step={step} scene={scene} />
        ) : (
          <BlockStep key={step.first} step={step} scene={scene} width={width} />
        ),
      ),
    // Moving the patch cursor or switching tabs changes nothing here.
    [steps, width, scene.brush, scene.pictures, shown.latentIndex, mapKey(scene), view.token, scene.token],
  );
  useScroll(list, scene);
  return (
    <section class="steps" aria-label="Reasoning steps">
      <h2 class="hidden">Reasoning steps</h2>
      <ol id={STEPS_ID} ref={list} class="step-list">
        {rows}
        {trace.status === 'running' && <li class="step-pending dim">…</li>}
      </ol>
      {trace.tokens.length === 0 && trace.status !== 'running' && (
        <p class="dim pad">No token was generated.</p>
      )}
      {trace.tokens.length > 0 && <Legend scene={scene} />}
    </section>
  );
}

/** A running list is followed to its end, until the reader scrolls away; then its selected block is shown. */
function useScroll(list: { current: HTMLOListElement | null }, { trace, version, view }: Scene): void {
  const follows = useRef(true);
  const running = trace.status === 'running';
  useLayoutEffect(() => {
    const element = list.current;
    if (element === null) return undefined;
    const note = (): void => {
      follows.current = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR;
    };
    element.addEventListener('scroll', note);
    return () => element.removeEventListener('scroll', note);
  }, []);
  useLayoutEffect(() => {
    const element = list.current;
    if (element === null) return;
    const isUntouched = view.latent === undefined && view.token === undefined;
    if (running && isUntouched && follows.current) element.scrollTop = element.scrollHeight;
  }, [version, running]);
  useLayoutEffect(() => {
    if (running) return;
    const block = list.current?.querySelector('.step-block[data-selected="true"]');
    // The line that follows a block is what came of it.
    block?.nextElementSibling?.scrollIntoView({ block: 'nearest' });
    block?.scrollIntoView({ block: 'nearest' });
  }, [trace, running]);
}

/** Everything that changes how thumbnails are drawn. */
function mapKey({ shown, view, maps }: Scene): string {
  const { kind, picture, layer, heads } = shown.selector;
  const { law, reading, scope, contour, share, strength, smooth } = view;
  const { min, zero, max } = maps.scale(shown.selector, reading, 'run');
  const drawing = [law, reading, scope, contour, share, strength, smooth];
  return [kind, picture, layer, heads, ...drawing, min, zero, max].join();
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
        {isSilent ? 'This trace holds no attention of words.' : brush?.title}
        {!isSilent && brush !== undefined && brush.tokens.size > 0 && (
          <>
            : <span class="shade-key" aria-hidden="true" /> up to {number(strongest(brush.tokens))}
          </>
        )}
      </p>
    </div>
  );
}

const SHADING_OPTIONS: { value: Shading; label: string; title: string }[] = [
  { value: 'attending', label: 'that look at this latent', title: 'Later words, by their attention to it' },
  { value: 'attended', label: 'that it looks at', title: 'Earlier words, by its attention to them' },
];

function ShadingChoice({ view, dispatch }: Pick<Scene, 'view' | 'dispatch'>): VNode {
  return (
    <Segmented
      label="Words"
      visibleLabel
      value={view.shading}
      options={SHADING_OPTIONS}
      onChange={(shading) => dispatch({ type: 'set', values: { shading } })}
    />
  );
}
