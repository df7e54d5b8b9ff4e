/** Latents, picture features and words in the plane of two principal components, the latents joined in order. */

import type { VNode } from 'preact';
import { useMemo, useRef, useState } from 'preact/hooks';
import { t } from '../../../base/l10n.ts';
import type { AnalysisResult } from '../../../analysis/table.ts';
import { placeText } from '../../../heatmap/grid.ts';
import { percent, positionName } from '../../logic/format.ts';
import { axesOf, nearestIn, PLANES, scatterOf, type ScatterPoint } from '../../../evidence/scatter.ts';
import type { Scene } from '../scene.ts';
import { Segmented } from '../Segmented.tsx';
import { useSize } from '../useSize.ts';

const MARGIN = { left: 26, right: 12, top: 10, bottom: 22 };
const LEAST = { width: 200, height: 90 };
/** A plane much wider than high misleads: its axes have scales of their own already. */
const WIDEST = 3.2;
/** How near the pointer must be, in CSS pixels. */
const REACH = 12;

type Pca = AnalysisResult<'pca'>;

export function PcaView({ scene, result }: { scene: Scene; result: Pca }): VNode {
  const { plane } = scene.view;
  const [pointed, setPointed] = useState<ScatterPoint>();
  const [across, up] = axesOf(plane);
  const points = useMemo(() => scatterOf(result, [across, up]), [result, across, up]);
  const title = (axis: number): string => t('axis {0}: {1}', axis + 1, percent(result.explained[axis] ?? 0));
  return (
    <div class="pca">
      <Plot
        scene={scene}
        points={points}
        titles={[title(across), title(up)]}
        pointed={pointed}
        onPoint={setPointed}
      />
      <div class="pca-key">
        {result.explained.length > 2 && (
          <Segmented
            label={t('Axes')}
            value={plane}
            options={PLANES.map((value) => ({
              value,
              label: value.replace(/\d/g, (axis) => String(Number(axis) + 1)).replace(' ', ' × '),
            }))}
            onChange={(wanted) => scene.dispatch({ type: 'set', values: { plane: wanted } })}
          />
        )}
        <span class="key key-source source-latents">{t('latents, in order')}</span>
        <span class="key key-source source-pictures">{t('picture features')}</span>
        <span class="key key-source source-answer">{t('words')}</span>
        <span class="dim">{t('axes: their share of the variance')}</span>
        <span class="pca-value">
          {pointed === undefined ? t('Point at a mark to read it.') : nameOf(scene, result, pointed)}
        </span>
      </div>
    </div>
  );
}

function nameOf({ trace }: Scene, { words }: Pca, { of, index, picture }: ScatterPoint): string {
  if (of === 'latent') return positionName(trace, trace.latents[index]!.token);
  if (of === 'word') return t('word “{0}”', (words.texts[index] ?? '').replaceAll('\n', '↵'));
  const owner = trace.pictures.find(({ id }) => id === picture);
  return owner === undefined ? t('a patch') : t('{0} of {1}', placeText(index, owner.grid), owner.name);
}

interface PlotProps {
  scene: Scene;
  points: readonly ScatterPoint[];
  titles: [across: string, up: string];
  pointed: ScatterPoint | undefined;
  onPoint: (point: ScatterPoint | undefined) => void;
}

function Plot({ scene, points, titles, pointed, onPoint }: PlotProps): VNode {
  const { shown, light, dispatch } = scene;
  const box = useRef<HTMLDivElement>(null);
  const room = useSize(box);
  const height = Math.max(LEAST.height, room.height);
  const width = Math.min(WIDEST * height, Math.max(LEAST.width, room.width));
  const inner = {
    width: width - MARGIN.left - MARGIN.right,
    height: height - MARGIN.top - MARGIN.bottom,
  };
  const x = (at: number): number => MARGIN.left + at * inner.width;
  const y = (at: number): number => MARGIN.top + (1 - at) * inner.height;
  const under = (event: MouseEvent): ScatterPoint | undefined => {
    const { left, top } = (event.currentTarget as Element).getBoundingClientRect();
    const place = {
      x: (event.clientX - left - MARGIN.left) / inner.width,
      y: 1 - (event.clientY - top - MARGIN.top) / inner.height,
    };
    return nearestIn(points, place, inner, REACH);
  };
  const point = (at: ScatterPoint | undefined): void => {
    onPoint(at);
    light(at?.of === 'patch' && at.picture === shown.picture?.id ? [at.index] : []);
  };
  const marks = useMemo(() => <Marks points={points} x={x} y={y} />, [points, width, height]);
  const selected = points.find(({ of, index }) => of === 'latent' && index === shown.latentIndex);
  return (
    <div ref={box} class="pca-box">
      <svg
        class="chart"
        width={width}
        height={height}
        role="img"
        aria-label={t('{0} points. Across {1}, upwards {2}.', points.length, titles[0], titles[1])}
        onPointerMove={(event) => point(under(event))}
        onPointerLeave={() => point(undefined)}
        onClick={(event) => {
          const at = under(event);
          if (at?.of === 'latent') dispatch({ type: 'latent', latent: at.index });
        }}
      >
        <rect class="pca-frame" x={x(0)} y={y(1)} width={inner.width} height={inner.height} />
        {marks}
        {[selected, pointed].map(
          (at, i) =>
            at !== undefined && (
              <circle key={i} class="pca-selected" cx={x(at.x)} cy={y(at.y)} r={i === 0 ? 7 : 5} />
            ),
        )}
        <text class="chart-label" x={x(0.5)} y={height - 6} text-anchor="middle">
          {titles[0]}
        </text>
        <text
          class="chart-label"
          x={14}
          y={y(0.5)}
          text-anchor="middle"
          transform={`rotate(-90 14 ${y(0.5)})`}
        >
          {titles[1]}
        </text>
      </svg>
    </div>
  );
}

interface MarksProps {
  points: readonly ScatterPoint[];
  x: (at: number) => number;
  y: (at: number) => number;
}

/** Squares of a kind are one path: there may be thousands. */
function Marks({ points, x, y }: MarksProps): VNode {
  const squares = (of: ScatterPoint['of'], side: number): string =>
    points
      .filter((point) => point.of === of)
      .map((point) => {
        const [left, top] = [x(point.x) - side / 2, y(point.y) - side / 2];
        return `M${left.toFixed(1)},${top.toFixed(1)}h${side}v${side}h${-side}Z`;
      })
      .join('');
  const latents = points.filter(({ of }) => of === 'latent');
  const line = latents.map((at) => `${x(at.x).toFixed(1)},${y(at.y).toFixed(1)}`).join(' ');
  return (
    <>
      <path class="pca-mark source-pictures" d={squares('patch', 4)} />
      <path class="pca-mark source-answer" d={squares('word', 5)} />
      <polyline class="pca-line source-latents" points={line} />
      {latents.map((at) => (
        <circle
          key={at.index}
          class="pca-latent source-latents"
          cx={x(at.x).toFixed(1)}
          cy={y(at.y).toFixed(1)}
          r={3.5}
        />
      ))}
    </>
  );
}
