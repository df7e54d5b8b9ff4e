/** What each position of the answer looks at: pictures, latents, own words, prompt, stacked along the answer. */

import type { VNode } from 'preact';
import { useMemo, useRef, useState } from 'preact/hooks';
import { t } from '../../base/l10n.ts';
import { choiceLabel } from '../../trace/choice.ts';
import { shareLayer } from '../../trace/looks.ts';
import { percent, positionName } from '../logic/format.ts';
import {
  layerOf,
  sourceName,
  sourcesOf,
  STACK,
  type Shares,
  type SourcePoint,
} from '../../evidence/sources.ts';
import { pointAt, runsOf } from '../../evidence/span.ts';
import { Axis, Blocks, PositionAxis, PositionChart, placeOf, type Place } from './PositionChart.tsx';
import type { Scene } from './scene.ts';
import { Segmented } from './Segmented.tsx';
import { useSize } from './useSize.ts';

const options = (): { value: Shares; label: string; title: string }[] => [
  { value: 'all', label: t('All attention'), title: t('Shares of all attention, as it is') },
  {
    value: 'without-prompt',
    label: t('Without prompt text'),
    title: t('Shares of what is left without the prompt’s text, its sink included: renormalised to 1'),
  },
];

export function SourcesTab({ scene }: { scene: Scene }): VNode {
  const { trace, version, shown, view, dispatch } = scene;
  const layer = shareLayer(shown.selector.layer);
  const points = useMemo(() => sourcesOf(trace, layer, view.shares), [trace, version, layer, view.shares]);
  const [pointed, setPointed] = useState<number>();
  const read = pointAt(points, pointed ?? scene.token ?? shown.latent?.token);
  const { layers, heads } = trace.model;
  return (
    <div class="span sources">
      <div class="span-legend">
        <Segmented
          label={t('Shares of')}
          value={view.shares}
          options={options()}
          onChange={(shares) => dispatch({ type: 'set', values: { shares } })}
        />
        {stackOf(view.shares).map((source) => (
          <span key={source} class={`key key-source source-${source}`}>
            {sourceName(source)}
          </span>
        ))}
        <span class="span-value">{read && textOf(scene, read)}</span>
        <span class="dim">
          {choiceLabel('layer', layer, layers)}, {choiceLabel('head', 'mean', heads)}
          {view.shares === 'without-prompt' &&
            `; ${t('renormalised without the prompt’s text, sink included')}`}
        </span>
      </div>
      <Stack scene={scene} points={points} pointed={pointed} onPoint={setPointed} />
    </div>
  );
}

function stackOf(shares: Shares): readonly (typeof STACK)[number][] {
  return shares === 'all' ? STACK : STACK.filter((source) => source !== 'prompt');
}

function textOf({ trace, view }: Scene, { token, mass }: SourcePoint): string {
  const parts = stackOf(view.shares).map((source) => `${sourceName(source)} ${percent(mass[source])}`);
  return `${positionName(trace, token)}: ${parts.join(', ')}`;
}

interface StackProps {
  scene: Scene;
  points: readonly SourcePoint[];
  pointed: number | undefined;
  onPoint: (token: number | undefined) => void;
}

function Stack({ scene, points, pointed, onPoint }: StackProps): VNode {
  const { trace, version, view } = scene;
  const box = useRef<HTMLDivElement>(null);
  const room = useSize(box);
  const count = trace.tokens.length;
  const place = placeOf(count, room);
  const drawn = useMemo(
    () => (
      <>
        <Areas points={points} place={place} shares={view.shares} />
        <Blocks trace={trace} place={place} />
        <Axis side="left" title={t('share')} place={place} labels={['0', '0.5', '1']} />
        <PositionAxis place={place} />
      </>
    ),
    [points, trace, version, count, view.shares, room.width, room.height],
  );
  return (
    <div ref={box} class="span-box">
      {points.length === 0 ? (
        <p class="dim">{t('No attention has been recorded yet.')}</p>
      ) : (
        <PositionChart
          scene={scene}
          points={points}
          place={place}
          width={room.width}
          pointed={pointed}
          onPoint={onPoint}
          label={t('Attention by source at {0} of {1} generated positions', points.length, count)}
          textOf={(point) => textOf(scene, point)}
        >
          {drawn}
        </PositionChart>
      )}
    </div>
  );
}

interface AreasProps {
  points: readonly SourcePoint[];
  place: Place;
  shares: Shares;
}

/** One path per source, however long the answer: a column per position, none where nothing was measured. */
function Areas({ points, place: { x, y }, shares }: AreasProps): VNode {
  const runs = runsOf(points);
  const corner = (at: number, fraction: number): string => `${x(at).toFixed(1)},${y(fraction).toFixed(1)}`;
  const outline = (run: readonly SourcePoint[], source: (typeof STACK)[number]): string => {
    const edge = (end: 0 | 1) => (point: SourcePoint) => {
      const at = layerOf(point, source)[end];
      return [corner(point.token - 0.5, at), corner(point.token + 0.5, at)];
    };
    return `M${[...run.flatMap(edge(1)), ...run.flatMap(edge(0)).toReversed()].join('L')}Z`;
  };
  return (
    <>
      {stackOf(shares).map((source) => (
        <path
          key={source}
          class={`area source-${source}`}
          d={runs.map((run) => outline(run, source)).join('')}
        />
      ))}
    </>
  );
}
