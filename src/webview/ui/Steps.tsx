/** The reasoning in order: text, and each latent block as one row of small maps. */

import type { VNode } from 'preact';
import { useMemo } from 'preact/hooks';
import { hasTextAttention } from '../../trace/rows.ts';
import { stepsOf } from '../../trace/steps.ts';
import { strongest } from '../logic/brushing.ts';
import { number } from '../logic/format.ts';
import { BlockStep } from './BlockStep.tsx';
import { Segmented } from './Segmented.tsx';
import { STEPS_ID } from './keys.ts';
import type { Scene } from './scene.ts';
import { TextStep } from './TextStep.tsx';

export function Steps({ scene }: { scene: Scene }): VNode {
  const { trace, version, view, shown } = scene;
  const steps = useMemo(() => stepsOf(trace), [trace, version]);
  const rows = useMemo(() => {
    let line = 0;
    return steps.map((step) =>
      step.kind === 'text' ? (
        <TextStep key={step.first} step={step} line={++line} scene={scene} />
      ) : (
        <BlockStep key={step.first} step={step} scene={scene} />
      ),
    );
    // Moving the patch cursor or switching tabs changes nothing here.
  }, [steps, scene.brush, scene.pictures, shown.latentIndex, mapKey(scene), view.token, scene.token]);
  return (
    <section class="steps" aria-label="Reasoning steps">
      <ol id={STEPS_ID} class="step-list">
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

/** Everything that changes how thumbnails are drawn. */
function mapKey({ shown, view, maps }: Scene): string {
  const { kind, picture, layer, heads } = shown.selector;
  const { law, reading, scope, contour, strength, smooth } = view;
  const { min, zero, max } = maps.scale(shown.selector, reading, 'run');
  return [kind, picture, layer, heads, law, reading, scope, contour, strength, smooth, min, zero, max].join();
}

/** What the shading of the tokens means, and how strong the strongest is. */
function Legend({ scene }: { scene: Scene }): VNode {
  const { trace, view, brush, dispatch, token } = scene;
  if (
    !hasTextAttention(trace) &&
    view.shading === 'attending' &&
    token === undefined &&
    view.region === undefined
  ) {
    return (
      <div class="legend">
        <ShadingChoice view={view} dispatch={dispatch} />
        <p class="dim">This trace holds no attention of text tokens.</p>
      </div>
    );
  }
  return (
    <div class="legend">
      <ShadingChoice view={view} dispatch={dispatch} />
      <p class="dim">
        {brush?.title}
        {brush !== undefined && brush.tokens.size > 0 && (
          <>
            : <span class="shade-key" aria-hidden="true" /> up to {number(strongest(brush.tokens))}
          </>
        )}
      </p>
    </div>
  );
}

function ShadingChoice({ view, dispatch }: Pick<Scene, 'view' | 'dispatch'>): VNode {
  return (
    <Segmented
      label="Shade tokens"
      visibleLabel
      value={view.shading}
      options={[
        { value: 'attending', label: 'attending', title: 'Tokens that attend to the selected latent' },
        { value: 'attended', label: 'attended', title: 'Tokens that the selected latent attends to' },
      ]}
      onChange={(shading) => dispatch({ type: 'set', values: { shading } })}
    />
  );
}
