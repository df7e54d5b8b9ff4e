/** The maps of two latents at the same place: on one scale, and one less the other. */

import type { VNode } from 'preact';
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { t } from '../../../base/l10n.ts';
import { STRENGTH } from '../../../heatmap/constants.ts';
import { placeText } from '../../../heatmap/grid.ts';
import type { Law } from '../../../heatmap/law.ts';
import { kindName, type HeatMap } from '../../../heatmap/map.ts';
import type { Scale } from '../../../heatmap/scale.ts';
import { SIDES } from '../../../protocol/comparison.ts';
import { choiceLabel } from '../../../trace/choice.ts';
import { barStops } from '../../draw/bar.ts';
import { drawMap } from '../../draw/heatmap.ts';
import { drawnMaps, type Looked } from '../../logic/comparison.ts';
import { number, percent } from '../../logic/format.ts';
import { lawOptions } from '../laws.ts';
import { Segmented } from '../Segmented.tsx';
import { useSize } from '../useSize.ts';
import type { ComparisonScene } from './scene.ts';

const NOBODY: ReadonlySet<number> = new Set();
/** In widths: a picture that is higher is not worth the page that it would fill. */
const MAX_HEIGHT = 2;

export function ComparedMaps({ scene }: { scene: ComparisonScene }): VNode {
  const { looked } = scene;
  return (
    <section class="compared-maps" aria-label={t('Maps')}>
      <h2>{t('Maps')}</h2>
      {looked === undefined ? (
        <p class="dim">{t('The runs have no latents with pictures that stand for each other.')}</p>
      ) : (
        <Maps scene={scene} looked={looked} />
      )}
    </section>
  );
}

function Maps({ scene, looked }: { scene: ComparisonScene; looked: Looked }): VNode {
  const { runs, traces, view, model } = scene;
  const { maps, scale, difference, differenceScale } = useMemo(
    () => drawnMaps({ a: runs.a.maps, b: runs.b.maps }, traces, looked),
    [runs, traces, looked, model.version],
  );
  const isSamePicture = looked.pictures.a.png.sha256 === looked.pictures.b.png.sha256;
  return (
    <>
      <Controls scene={scene} looked={looked} />
      <div class="compared-canvases">
        {SIDES.map((side) => (
          <Map
            key={side}
            title={side.toUpperCase()}
            picture={runs[side].pictures.decoded.get(looked.pictures[side].id)?.full}
            size={looked.pictures[side]}
            map={maps[side]}
            scale={scale}
            law={view.law}
          />
        ))}
        <Map
          title={t('B less A')}
          picture={runs.b.pictures.decoded.get(looked.pictures.b.id)?.full}
          size={looked.pictures.b}
          map={difference}
          scale={differenceScale ?? scale}
          law="heat"
          absent={
            maps.a && maps.b
              ? t('The pictures lie on other grids: {0} and {1}.', gridText(maps.a), gridText(maps.b))
              : undefined
          }
        />
      </div>
      <p class="caption">
        {[
          t('One scale for A and B: the 99th percentile of all latents of both.'),
          difference?.caption,
          isSamePicture ? undefined : t('The pictures are not the same: equal places show other things.'),
          maps.a?.caption,
        ]
          .filter((part) => part !== undefined)
          .join(' ')}
      </p>
    </>
  );
}

function Controls({ scene, looked }: { scene: ComparisonScene; looked: Looked }): VNode {
  const { view, set, traces } = scene;
  const { layers } = traces.a.model;
  return (
    <div class="controls control-row">
      <Segmented
        label={t('Map')}
        value={looked.selectors.a.kind}
        options={looked.kinds.map((value) => ({ value, label: kindName(value) }))}
        onChange={(kind) => set({ kind })}
      />
      <label class="field">
        <span class="field-label">{t('Latent')}</span>
        <input
          type="range"
          min={1}
          max={looked.places}
          value={looked.place + 1}
          onInput={({ currentTarget }) => set({ latent: Number(currentTarget.value) - 1 })}
        />
        <span class="count">{t('{0} of block {1}', looked.place + 1, looked.blocks.a + 1)}</span>
      </label>
      {looked.selectors.a.kind === 'attention' && (
        <label class="field">
          <span class="field-label">{t('Layer')}</span>
          <input
            type="range"
            min={1}
            max={layers}
            value={looked.layer + 1}
            onInput={({ currentTarget }) => set({ layer: Number(currentTarget.value) - 1 })}
          />
          <span class="count">{choiceLabel('layer', looked.layer, layers)}</span>
        </label>
      )}
      <Segmented label={t('Draw')} value={view.law} options={lawOptions()} onChange={(law) => set({ law })} />
      {traces.a.pictures.length > 1 && (
        <Segmented
          label={t('Picture')}
          value={String(view.picture)}
          options={traces.a.pictures.map(({ name }, i) => ({ value: String(i), label: name }))}
          onChange={(picture) => set({ picture: Number(picture) })}
        />
      )}
    </div>
  );
}

interface MapProps {
  title: string;
  picture: ImageBitmap | undefined;
  size: { width: number; height: number };
  map: HeatMap | undefined;
  scale: Scale;
  law: Law;
  /** Why there is no map. */
  absent?: string | undefined;
}

function Map({ title, picture, size, map, scale, law, absent }: MapProps): VNode {
  const canvas = useRef<HTMLCanvasElement>(null);
  const frame = useRef<HTMLDivElement>(null);
  const { width } = useSize(frame);
  const height = Math.max(1, Math.round(width * Math.min(MAX_HEIGHT, size.height / Math.max(1, size.width))));
  const ratio = window.devicePixelRatio;
  useLayoutEffect(() => {
    if (canvas.current === null) return;
    const drawing = map && { ...map, law, scale, strength: STRENGTH, smooth: false, enclosed: NOBODY };
    drawMap(canvas.current, picture, drawing, ratio);
  }, [picture, map, law, scale.min, scale.zero, scale.max, width, height, ratio]);
  const figure = map === undefined ? (absent ?? t('being read')) : figureOf(map);
  return (
    <figure class="compared-map">
      <figcaption>
        <b>{title}</b> <span class="dim">{figure}</span>
      </figcaption>
      <div ref={frame}>
        <canvas
          ref={canvas}
          width={Math.round(width * ratio)}
          height={Math.round(height * ratio)}
          role="img"
          aria-label={`${title}, ${map?.unit ?? ''}, ${figure}`}
        />
      </div>
      {map !== undefined && (
        <div class="compared-scale dim" title={map.unit}>
          <span>{number(scale.min)}</span>
          <span class="compared-bar" style={{ '--stops': barStops({ law, scale, strength: STRENGTH }) }} />
          <span>{number(scale.max)}</span>
        </div>
      )}
    </figure>
  );
}

function figureOf(map: HeatMap): string {
  const value = map.values[map.peak] ?? NaN;
  const peak = t('most at {0}: {1}', placeText(map.peak, map), number(value));
  return map.mass === undefined ? peak : `${t('mass {0}', percent(map.mass))} · ${peak}`;
}

function gridText({ rows, columns }: HeatMap): string {
  return `${rows} × ${columns}`;
}
