/** The span chart itself: two lines over all positions. */

import type { VNode } from 'preact';
import { useMemo } from 'preact/hooks';
import { runsOf, type Span, type SpanPoint } from '../logic/span.ts';
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
        <Axis side="left" title="visual mass" place={place} labels={['0', '0.5', '1']} />
        <Axis
          side="right"
          title="bits"
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
      label={`Visual mass and entropy at ${span.points.length} of ${count} generated positions`}
      textOf={textOf}
      markOf={({ token, mass }) => <circle class="dot-mass" cx={x(token)} cy={y(mass)} r={3.5} />}
    >
      {ground}
      {lines}
    </PositionChart>
  );
}

function Lines({ span, place: { x, y } }: { span: Span; place: Place }): VNode {
  const line = (run: SpanPoint[], value: (point: SpanPoint) => number): string =>
    run.map((point) => `${x(point.token).toFixed(1)},${y(value(point)).toFixed(1)}`).join(' ');
  return (
    <>
      {runsOf(span.points).map((run) => (
        <Run
          key={run[0]!.token}
          run={run}
          mass={line(run, ({ mass }) => mass)}
          bits={line(run, ({ bits }) => bits / Math.max(span.uniformBits, 1e-9))}
        />
      ))}
    </>
  );
}

/** A line; a single measured position is a dot, which a line would not show. */
function Run({ run, mass, bits }: { run: SpanPoint[]; mass: string; bits: string }): VNode {
  if (run.length === 1) {
    const [massX, massY] = mass.split(',');
    const [bitsX, bitsY] = bits.split(',');
    return (
      <g>
        <circle class="dot-entropy" cx={bitsX} cy={bitsY} r={2} />
        <circle class="dot-mass" cx={massX} cy={massY} r={2} />
      </g>
    );
  }
  return (
    <g>
      <polyline class="line-entropy" points={bits} />
      <polyline class="line-mass" points={mass} />
    </g>
  );
}
