/** What leads to the answer: maps over the pictures, sums by source, and the latents that count most. */

import type { VNode } from 'preact';
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { t } from '../../../base/l10n.ts';
import type { AnalysisResult } from '../../../analysis/table.ts';
import { STRENGTH } from '../../../heatmap/constants.ts';
import type { HeatMap } from '../../../heatmap/map.ts';
import { scaleOf, type Scale } from '../../../heatmap/scale.ts';
import type { TracePicture } from '../../../trace/schema.ts';
import { barStops } from '../../draw/bar.ts';
import { drawMap } from '../../draw/heatmap.ts';
import { number, positionName } from '../../logic/format.ts';
import {
  measuresOf,
  relevanceBySource,
  relevanceMap,
  relevanceOfLatents,
  type Measure,
} from '../../../evidence/relevance.ts';
import { sourceName, STACK } from '../../../evidence/sources.ts';
import type { Scene } from '../scene.ts';
import { Segmented } from '../Segmented.tsx';
import { useSize, type Room } from '../useSize.ts';

/** Height of a picture in CSS pixels: what there is of room below the choice and above the bar, within its width. */
const HEIGHT = { least: 88, most: 320, around: 92 };
/** Latents in the table. */
const RANKED = 5;
const NOTHING: ReadonlySet<number> = new Set();

export function RelevanceView({
  scene,
  result,
}: {
  scene: Scene;
  result: AnalysisResult<'relevance'>;
}): VNode {
  const measures = useMemo(() => measuresOf(result), [result]);
  const box = useRef<HTMLDivElement>(null);
  const { width, height } = useSize(box);
  const room = { width, height: Math.min(HEIGHT.most, Math.max(HEIGHT.least, height - HEIGHT.around)) };
  const measure = measures.find(({ id }) => id === scene.view.measure) ?? measures[0];
  return (
    <div ref={box} class="relevance">
      {measure === undefined ? (
        <p class="dim">{t('Nothing was computed yet.')}</p>
      ) : (
        <Parts scene={scene} result={result} measures={measures} measure={measure} room={room} />
      )}
    </div>
  );
}

interface PartsProps {
  scene: Scene;
  result: AnalysisResult<'relevance'>;
  measures: readonly Measure[];
  measure: Measure;
  /** For a picture, in CSS pixels. */
  room: Room;
}

function Parts({ scene, result, measures, measure, room }: PartsProps): VNode {
  const { text, logProbability } = result.answer;
  return (
    <>
      <div class="span-legend">
        <Segmented
          label={t('Measure')}
          value={measure.id}
          options={measures.map(({ id: value, name }) => ({ value, label: name }))}
          onChange={(wanted) => scene.dispatch({ type: 'set', values: { measure: wanted } })}
        />
        <span>
          {t('of the answer “{0}”', text.replaceAll('\n', '↵'))}{' '}
          <span class="dim">{t('{0} nats', number(logProbability))}</span>
        </span>
      </div>
      <div class="relevance-parts">
        {scene.trace.pictures.map((picture) => (
          <RelevanceMap key={picture.id} scene={scene} picture={picture} measure={measure} room={room} />
        ))}
        <Sums scene={scene} measure={measure} />
        <Latents scene={scene} measure={measure} />
        <p class="relevance-about dim">{measure.caption}</p>
      </div>
    </>
  );
}

interface PartProps {
  scene: Scene;
  measure: Measure;
}

interface MapProps extends PartProps {
  picture: TracePicture;
  room: Room;
}

function RelevanceMap({ scene, picture, measure, room }: MapProps): VNode | null {
  const { pictures } = scene;
  const canvas = useRef<HTMLCanvasElement>(null);
  const map = useMemo(() => relevanceMap(measure, picture), [measure, picture]);
  const scale = useMemo(() => map && scaleOf([map]), [map]);
  const bitmap = pictures.get(picture.id)?.full;
  const ratio = window.devicePixelRatio;
  const fit = Math.min(room.height / picture.height, Math.max(1, room.width) / picture.width);
  const [width, height] = [Math.round(fit * picture.width), Math.round(fit * picture.height)];
  useLayoutEffect(() => {
    if (canvas.current === null || map === undefined || scale === undefined) return;
    const style = { law: 'heat', strength: STRENGTH, smooth: false, enclosed: NOTHING } as const;
    drawMap(canvas.current, bitmap, { ...map, ...style, scale }, ratio);
  }, [bitmap, map, scale, ratio, width]);
  if (map === undefined || scale === undefined) return null;
  return (
    <figure class="relevance-map">
      <canvas
        ref={canvas}
        width={Math.round(width * ratio)}
        height={Math.round(height * ratio)}
        style={{ width: `${width}px`, height: `${height}px` }}
        role="img"
        aria-label={t(
          '{0} over {1}: {2} {3} at most',
          measure.name,
          picture.name,
          number(map.values[map.peak]!),
          map.unit,
        )}
      />
      <Bar map={map} scale={scale} />
    </figure>
  );
}

function Bar({ map, scale }: { map: HeatMap; scale: Scale }): VNode {
  const stops = useMemo(() => barStops({ law: 'heat', scale, strength: STRENGTH }), [scale]);
  return (
    <figcaption>
      <span class="relevance-bar">
        <span>{number(scale.min)}</span>
        <span class="colour-strip" style={{ '--stops': stops }} aria-hidden="true" />
        <span>{number(scale.max)}</span>
      </span>
      <span class="dim">
        {map.unit}; {t('99th percentile of this map')}
      </span>
    </figcaption>
  );
}

function Sums({ scene: { trace }, measure }: PartProps): VNode {
  const sums = useMemo(() => relevanceBySource(trace, measure), [trace, measure]);
  return (
    <table class="table">
      <caption>{t('By source, {0}', measure.unit)}</caption>
      <tbody>
        {STACK.map((source) => (
          <tr key={source}>
            <th scope="row">{sourceName(source)}</th>
            <td class="numeric">{number(sums[source])}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Latents({ scene, measure }: PartProps): VNode | null {
  const { trace, dispatch } = scene;
  const ranked = useMemo(() => {
    const values = relevanceOfLatents(trace, measure);
    return values
      .map((value, latent) => ({ latent, value }))
      .filter(({ value }) => !Number.isNaN(value))
      .toSorted((a, b) => Math.abs(b.value) - Math.abs(a.value))
      .slice(0, RANKED);
  }, [trace, measure]);
  if (ranked.length === 0) return null;
  return (
    <table class="table">
      <caption>{t('Latents with the most')}</caption>
      <tbody>
        {ranked.map(({ latent, value }) => (
          <tr key={latent}>
            <th scope="row">
              <button type="button" class="quiet" onClick={() => dispatch({ type: 'latent', latent })}>
                {positionName(trace, trace.latents[latent]!.token)}
              </button>
            </th>
            <td class="numeric">{number(value)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
