/** How attention is joined over layers and heads, and how the map is drawn. */

import type { VNode } from 'preact';
import { useMemo } from 'preact/hooks';
import { t } from '../../base/l10n.ts';
import type { Reading } from '../../heatmap/map.ts';
import type { Scope } from '../../heatmap/scale.ts';
import type { Choice } from '../../trace/choice.ts';
import { openingOf } from '../../trace/opening.ts';
import { layerBars } from '../logic/layers.ts';
import { Checkbox } from '../toolkit.tsx';
import { lawOptions } from './laws.ts';
import { LayerStrip } from './LayerStrip.tsx';
import type { Scene } from './scene.ts';
import { Segmented } from './Segmented.tsx';

export function MapControls({ scene }: { scene: Scene }): VNode {
  const { shown, view, trace, dispatch } = scene;
  const isAttention = shown.selector.kind === 'attention';
  return (
    <div class="controls">
      {isAttention && (
        <div class="control-row">
          <LayerControl scene={scene} />
          <HeadControl
            heads={shown.selector.heads}
            count={trace.model.heads}
            onChange={(heads) => dispatch({ type: 'set', values: { heads } })}
          />
          <Segmented
            label={t('Show')}
            visibleLabel
            value={view.reading}
            options={readingOptions()}
            onChange={(reading) => dispatch({ type: 'set', values: { reading } })}
          />
        </div>
      )}
      <div class="control-row">
        <Segmented
          label={t('Draw')}
          visibleLabel
          value={view.law}
          options={lawOptions()}
          onChange={(law) => dispatch({ type: 'set', values: { law } })}
        />
        {shown.selector.kind !== 'similarity' && <ContourControl scene={scene} />}
        <Segmented
          label={t('Scale')}
          visibleLabel
          value={view.scope}
          options={scopeOptions()}
          onChange={(scope) => dispatch({ type: 'set', values: { scope } })}
        />
        <AloneButton scene={scene} />
        <button
          type="button"
          class="quiet link"
          aria-expanded={view.more}
          title={t('Strength, outlines, smoothing')}
          onClick={() => dispatch({ type: 'set', values: { more: !view.more } })}
        >
          {view.more ? t('Less') : t('More')}
        </button>
      </div>
      {view.more && <MoreControls scene={scene} />}
    </div>
  );
}

const readingOptions = (): { value: Reading; label: string; title: string }[] => [
  { value: 'raw', label: t('all'), title: t('Attention as it is') },
  {
    value: 'masked',
    label: t('masked'),
    title: t('Without the sink: the patch that is the largest for more than half of the latents (M)'),
  },
  {
    value: 'relative',
    label: t('relative'),
    title: t('What a patch has more or less than its mean over all latents of the run (R)'),
  },
];

const scopeOptions = (): { value: Scope; label: string; title: string }[] => [
  {
    value: 'run',
    label: t('run'),
    title: t('One scale for all latents of the run, so that they can be compared (S)'),
  },
  { value: 'block', label: t('block'), title: t('One scale for the latents of each block') },
  { value: 'latent', label: t('latent'), title: t('A scale for each latent: maps cannot be compared') },
];

const joined = (): { value: 'mean' | 'max' | 'one'; label: string; title: string }[] => [
  { value: 'mean', label: t('mean'), title: t('Mean of all') },
  { value: 'max', label: t('max'), title: t('Largest of all, at each patch') },
  { value: 'one', label: t('one'), title: t('A single one') },
];

function LayerControl({ scene }: { scene: Scene }): VNode {
  const { shown, trace, version, dispatch } = scene;
  const { layer } = shown.selector;
  const { layers } = trace.model;
  const one = typeof layer === 'number';
  const opening = openingOf(trace).layer();
  const choose = (value: Choice): void => dispatch({ type: 'set', values: { layer: value } });
  const bars = useMemo(() => {
    const seen = trace.pictures.filter(({ range }) => range !== undefined);
    return layerBars(openingOf(trace).layers(), seen.length === 1 ? seen[0]!.grid : undefined);
  }, [trace, version]);
  return (
    <div class="field">
      <Segmented
        label={t('Layer')}
        visibleLabel
        value={one ? 'one' : layer}
        options={joined()}
        onChange={(value) => choose(value === 'one' ? opening : value)}
      />
      <LayerStrip bars={bars} layer={one ? layer : undefined} opening={opening} onChange={choose} />
      <output class="choice-value">{one ? t('{0} of {1}', layer + 1, layers) : t('all {0}', layers)}</output>
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
  const options = useMemo(
    () =>
      Array.from({ length: count }, (_, head) => (
        <option key={head} value={head}>
          {t('{0} of {1}', head + 1, count)}
        </option>
      )),
    [count],
  );
  return (
    <div class="field">
      <Segmented
        label={t('Heads')}
        visibleLabel
        value={one ? 'one' : heads}
        options={joined()}
        onChange={(value) => onChange(value === 'one' ? 0 : value)}
      />
      <select
        class="head-choice"
        aria-label={t('Head')}
        data-idle={!one}
        value={one ? heads : 0}
        onChange={(event) => onChange(Number(event.currentTarget.value))}
      >
        {options}
      </select>
    </div>
  );
}

function ContourControl({ scene: { view, shown, dispatch } }: { scene: Scene }): VNode {
  const isSelection = shown.selector.kind === 'selection';
  const percent = Math.round(view.share * 100);
  return (
    <div class="field">
      <Checkbox
        checked={view.contour}
        title={
          isSelection
            ? t('Outlines the candidates that the trainer’s rule would keep')
            : t('Outlines the fewest patches that hold this share of the mass (C)')
        }
        onChange={(contour) => dispatch({ type: 'set', values: { contour } })}
      >
        {t('Contour')}
      </Checkbox>
      {!isSelection && (
        <>
          <input
            type="range"
            class="share"
            aria-label={t('Share of the mass inside the contour')}
            min={10}
            max={95}
            step={5}
            value={percent}
            disabled={!view.contour}
            aria-valuetext={`${percent} %`}
            onInput={(event) =>
              dispatch({ type: 'set', values: { share: event.currentTarget.valueAsNumber / 100 } })
            }
          />
          <output class="choice-value" data-idle={!view.contour}>
            {percent} %
          </output>
        </>
      )}
    </div>
  );
}

/** Held by pointer or key, the map is away; it cannot be left on by mistake. */
function AloneButton({ scene: { alone, setAlone } }: { scene: Scene }): VNode {
  const hold = (event: KeyboardEvent): void => {
    if (event.key !== ' ' && event.key !== 'Enter') return;
    event.preventDefault();
    setAlone(true);
  };
  return (
    <button
      type="button"
      class="hold"
      aria-pressed={alone}
      title={t('Shows the picture without the map for as long as it is held (P)')}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        setAlone(true);
      }}
      onPointerUp={() => setAlone(false)}
      onPointerCancel={() => setAlone(false)}
      onKeyDown={hold}
      onKeyUp={() => setAlone(false)}
      onBlur={() => setAlone(false)}
    >
      {t('Hold: picture only')}
    </button>
  );
}

function MoreControls({ scene: { view, dispatch, many, highContrast } }: { scene: Scene }): VNode {
  return (
    <div class="control-row">
      <label class="field">
        <span class="field-label">{t('Strength')}</span>
        <input
          type="range"
          class="strength"
          title={t('How much of the picture is dimmed or covered; at 0 the picture is shown as it is')}
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
        checked={(view.outlines || highContrast) && !many}
        disabled={many || highContrast}
        title={outlinesTitle(many, highContrast)}
        onChange={(outlines) => dispatch({ type: 'set', values: { outlines } })}
      >
        {t('Outlines')}
      </Checkbox>
      <Checkbox
        checked={view.smooth}
        title={t('Interpolates between patches; the measured values are flat patches')}
        onChange={(smooth) => dispatch({ type: 'set', values: { smooth } })}
      >
        {t('Smooth')}
      </Checkbox>
    </div>
  );
}

function outlinesTitle(many: boolean, highContrast: boolean): string {
  if (many) return t('So many patches would be hidden by their outlines');
  return highContrast ? t('In high contrast, every patch is outlined') : t('Outlines every patch');
}
