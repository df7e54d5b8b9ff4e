/** The span chart itself: two lines over all positions. */

import type { VNode } from 'preact';
import { useMemo } from 'preact/hooks';
import { t } from '../../base/l10n.ts';
import { runsOf, type Span, type SpanPoint } from '../../evidence/span.ts';
import { Axis, Blocks, PositionAxis, PositionChart, placeOf, type Place } from './PositionChart.tsx';
import type { Scene } from './scene.ts';
import type { Room } from './useSize.ts';

interface ChartProps {
  scene: Scene;
  span: Span;
  room: Room;
  pointed: number | undefined;
  onPoint: (token: number | undefined) => void;
  textOf: (point: SpanPoint) => string;
}

export function SpanChart({ scene, span, room, pointed, onPoint, textOf }: ChartProps): VNode {
  const { trace, version } = scene;
  const count = trace.tokens.length;
  const place = placeOf(count, room);
  const { x, y } = place;
  const { uniformBits } = span;
  const ground = useMemo(
    () => (
      <>
        <Blocks trace={trace} place={place} />
        <Axis side="left" title={t('visual mass')} place={place} labels={['0', '0.5', '1']} />
        <Axis
          side="right"
          title={t('bits')}
          place={place}
          labels={['0', (uniformBits / 2).toFixed(1), uniformBits.toFixed(1)]}
        />
        <PositionAxis place={place} />
      </>
    ),
    [trace, version, uniformBits, room.width, room.height],
  );
  // Thousands of points: a key press that only moves the mark must not draw them anew.
  const lines = useMemo(() => <Lines span={span} place={place} />, [span, count, room.width, room.height]);
  return (
    <PositionChart
      scene={scene}
      points={span.points}
      place={place}
      width={room.width}
      pointed={pointed}
      onPoint={onPoint}
      label={t('Visual mass and entropy at {0} of {1} generated positions', span.points.length, count)}
      textOf={textOf}
      markOf={({ token, mass }) => <circle class="dot-mass" cx={x(token)} cy={y(mass)} r={3.5} />}
    >
      {ground}
      {lines}
    </PositionChart>
  );
}

/** Each as one path: an answer of a thousand steps has as many runs, and an element for each is felt. */
function Lines({ span, place: { x, y } }: { span: Span; place: Place }): VNode {
  const runs = runsOf(span.points);
  const mass = ({ token, mass: part }: SpanPoint): string => `${x(token).toFixed(1)},${y(part).toFixed(1)}`;
  const most = Math.max(span.uniformBits, 1e-9);
  const bits = (point: SpanPoint): string => mass({ ...point, mass: point.bits / most });
  return (
    <>
      <path class="dot-entropy" d={dots(runs, bits)} />
      <path class="line-entropy" d={lines(runs, bits)} />
      <path class="dot-mass" d={dots(runs, mass)} />
      <path class="line-mass" d={lines(runs, mass)} />
    </>
  );
}

type PlaceOfPoint = (point: SpanPoint) => string;

function lines(runs: readonly SpanPoint[][], at: PlaceOfPoint): string {
  return runs
    .filter(({ length }) => length > 1)
    .map((run) => `M${run.map(at).join('L')}`)
    .join('');
}

/** A single measured position is a dot, which a line would not show. */
function dots(runs: readonly SpanPoint[][], at: PlaceOfPoint): string {
  return runs
    .filter(({ length }) => length === 1)
    .map(([point]) => `M${at(point!)}m-2,0a2,2 0 1 0 4,0a2,2 0 1 0 -4,0`)
    .join('');
}
