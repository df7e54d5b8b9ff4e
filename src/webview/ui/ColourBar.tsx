/** The scale: its unit, its ends, and where the patch that is read lies on it. */

import type { VNode } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { fraction, rgb } from '../logic/colour.ts';
import { number } from '../logic/format.ts';
import { Checkbox } from '../toolkit.tsx';
import type { Scene } from './scene.ts';

export function ColourBar({ scene, patch }: { scene: Scene; patch: number | undefined }): VNode {
  const { stage, view, dispatch, token } = scene;
  const { map, scale } = stage;
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => drawBar(canvas.current), []);
  const value = map?.values[patch ?? map.peak] ?? NaN;
  const at = fraction(value, scale);
  const clipped = map !== undefined && map.values[map.peak]! > scale.max;
  return (
    <div class="colour-bar" role="group" aria-label={`Scale: ${map?.unit}`}>
      <span class="colour-bar-title">{map?.unit}</span>
      <span class="colour-bar-end">
        {clipped && '≥ '}
        {number(scale.max)}
      </span>
      <span class="colour-bar-strip">
        <canvas ref={canvas} width={1} height={256} aria-hidden="true" />
        {!Number.isNaN(at) && <span class="colour-bar-mark" style={{ '--at': at.toFixed(4) }} />}
      </span>
      <span class="colour-bar-end">{number(scale.min)}</span>
      <Checkbox
        checked={view.locked}
        title="Locked: one scale for all latents of the run, so that they can be compared"
        onChange={(locked) => dispatch({ type: 'set', values: { locked } })}
      >
        locked
      </Checkbox>
      {token !== undefined && clipped && <span class="dim">scale of the latents</span>}
    </div>
  );
}

function drawBar(canvas: HTMLCanvasElement | null): void {
  const context = canvas?.getContext('2d');
  if (!context) return;
  for (let y = 0; y < 256; y++) {
    context.fillStyle = `rgb(${rgb(1 - y / 255).join(' ')})`;
    context.fillRect(0, y, 1, 1);
  }
}
