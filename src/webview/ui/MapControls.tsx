/** How attention is joined over layers and heads, and how the map is drawn. */

import type { VNode } from 'preact';
import type { Choice } from '../../trace/maps.ts';
import { choiceLabel } from '../logic/format.ts';
import { Checkbox } from '../toolkit.tsx';
import type { Scene } from './scene.ts';
import { Segmented } from './Segmented.tsx';

export function MapControls({ scene }: { scene: Scene }): VNode {
  const { trace, shown, view, dispatch } = scene;
  const { kind, layer, heads } = shown.selector;
  const { layers, heads: headCount } = trace.model;
  return (
    <div class="controls">
      {kind === 'attention' && (
        <>
          <LayerControl
            layer={layer}
            layers={layers}
            onChange={(value) => dispatch({ type: 'set', values: { layer: value } })}
          />
          <HeadControl
            heads={heads}
            count={headCount}
            onChange={(value) => dispatch({ type: 'set', values: { heads: value } })}
          />
        </>
      )}
      <label class="field">
        <span class="field-label">Strength</span>
        <input
          type="range"
          class="opacity"
          title="How much of the picture is dimmed or covered; at 0 the picture is shown as it is"
          min={0}
          max={1}
          step={0.05}
          value={view.strength}
          aria-valuetext={`${Math.round(view.strength * 100)} %`}
          onInput={(event) =>
            dispatch({ type: 'set', values: { strength: event.currentTarget.valueAsNumber } })
          }
        />
      </label>
      <Checkbox
        checked={view.smooth}
        title="Interpolates between patches; the measured values are flat patches"
        onChange={(smooth) => dispatch({ type: 'set', values: { smooth } })}
      >
        Smooth
      </Checkbox>
      <Checkbox
        checked={view.outlines}
        title="Outlines every patch"
        onChange={(outlines) => dispatch({ type: 'set', values: { outlines } })}
      >
        Outlines
      </Checkbox>
    </div>
  );
}

interface LayerControlProps {
  layer: Choice;
  layers: number;
  onChange: (layer: Choice) => void;
}

function LayerControl({ layer, layers, onChange }: LayerControlProps): VNode {
  const one = typeof layer === 'number';
  return (
    <div class="field">
      <Segmented
        label="Layer"
        visibleLabel
        value={one ? 'one' : layer}
        options={JOINED}
        onChange={(value) => onChange(value === 'one' ? layers - 1 : value)}
      />
      <input
        type="range"
        class="layer"
        aria-label="Layer"
        title="One layer ([ and ])"
        min={1}
        max={layers}
        value={one ? layer + 1 : layers}
        data-idle={!one}
        aria-valuetext={choiceLabel('layer', layer, layers)}
        onInput={(event) => onChange(event.currentTarget.valueAsNumber - 1)}
      />
      <output class="choice-value">{one ? `${layer + 1} of ${layers}` : `all ${layers}`}</output>
    </div>
  );
}

interface HeadControlProps {
  heads: Choice;
  count: number;
  onChange: (heads: Choice) => void;
}

function HeadControl({ heads, count, onChange }: HeadControlProps): VNode {
  const one = typeof heads === 'number';
  return (
    <div class="field">
      <Segmented
        label="Heads"
        visibleLabel
        value={one ? 'one' : heads}
        options={JOINED}
        onChange={(value) => onChange(value === 'one' ? 0 : value)}
      />
      {one && (
        <select
          aria-label="Head"
          value={heads}
          onChange={(event) => onChange(Number(event.currentTarget.value))}
        >
          {Array.from({ length: count }, (_, head) => (
            <option key={head} value={head}>
              {head + 1} of {count}
            </option>
          ))}
        </select>
      )}
    </div>
  );
}

const JOINED: { value: 'mean' | 'max' | 'one'; label: string }[] = [
  { value: 'mean', label: 'mean' },
  { value: 'max', label: 'max' },
  { value: 'one', label: 'one' },
];
