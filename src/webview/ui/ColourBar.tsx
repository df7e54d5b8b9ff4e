/** The scale: its unit, its ends, and where the patch that is read lies on it. */

import type { VNode } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { barPlace } from '../../heatmap/scale.ts';
import { drawBar } from '../draw/bar.ts';
import { number } from '../logic/format.ts';
import { Checkbox } from '../toolkit.tsx';
import type { Scene } from './scene.ts';

export function ColourBar({ scene, patch }: { scene: Scene; patch: number | undefined }): VNode {
  const { stage, view, dispatch } = scene;
  const { map, scale } = stage;
  const canvas = useRef<HTMLCanvasElement>(null);
  const { law, strength } = view;
  useLayoutEffect(() => drawBar(canvas.current, { law, scale, strength }, 'up'), [law, scale, strength]);
  const value = map?.values[patch ?? map.peak] ?? NaN;
  const at = barPlace(value, scale);
  const ofToken = stage.token !== undefined;
  return (
    <div class="colour-bar" role="group" aria-label={`Scale: ${map?.unit}`}>
      <span class="colour-bar-title">{map?.unit}</span>
      <span class="colour-bar-end">{number(scale.max)}</span>
      <span class="colour-bar-strip">
        <canvas ref={canvas} width={1} height={256} aria-hidden="true" />
        {!Number.isNaN(at) && <span class="colour-bar-mark" style={{ '--at': at.toFixed(4) }} />}
      </span>
      <span class="colour-bar-end">{number(scale.min)}</span>
      {!ofToken && (
        <Checkbox
          checked={view.scope === 'run'}
          title="Locked: one scale for all latents of the run, so that they can be compared"
          onChange={(locked) => dispatch({ type: 'set', values: { scope: locked ? 'run' : 'latent' } })}
        >
          locked
        </Checkbox>
      )}
      <span class="dim">{scope(view.scope === 'run', ofToken)}</span>
    </div>
  );
}

/** Whose values the scale spans. */
function scope(locked: boolean, ofToken: boolean): string {
  if (ofToken) return 'this token alone';
  return locked ? 'all latents' : 'this latent alone';
}
