/** The span chart itself: blocks, axes, two lines, the selected position and the one that is pointed at. */

import type { VNode } from 'preact';
import { useMemo } from 'preact/hooks';
import { latentIndexAt } from '../../trace/columns.ts';
import type { Trace } from '../../trace/schema.ts';
import { share } from '../logic/format.ts';
import { nearestPoint, pointAt, runsOf, type Span, type SpanPoint } from '../logic/span.ts';
import type { Scene } from './scene.ts';
import type { Room } from './useSize.ts';

const MARGIN = { top: 8, right: 50, bottom: 34, left: 50 };
/** Below this the axes go without their titles. */
const TITLED_HEIGHT = 96;
const LEAST_HEIGHT = 48;

interface ChartProps {
  scene: Scene;
  span: Span;
  room: Room;
  pointed: number | undefined;
  onPoint: (token: number | undefined) => void;
}

export function SpanChart({ scene, span, room, pointed, onPoint }: ChartProps): VNode {
  const { trace, version, shown, token, dispatch } = scene;
  const count = Math.max(1, trace.tokens.length);
  const place = placeOf(count, room);
  const { x, y, inner, bottom, height } = place;
  const ground = useMemo(
    () => <Ground trace={trace} span={span} place={place} />,
    [trace, version, span, room.width, room.height],
  );
  // Thousands of points: a key press that only moves the mark must not draw them anew.
  const lines = useMemo(() => <Lines span={span} place={place} />, [span, count, room.width, room.height]);
  const current = token ?? shown.latent?.token;
  /** Markers of a block have no attention of their own: the nearest position that has stands for them. */
  const under = (event: MouseEvent): SpanPoint | undefined => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    const at = Math.floor(((event.clientX - box.left - MARGIN.left) / inner) * count);
    return nearestPoint(span.points, at);
  };
  const pick = (event: MouseEvent): void => {
    const at = under(event)?.token;
    if (at === undefined) return;
    const latent = latentIndexAt(trace, at);
    dispatch(latent === undefined ? { type: 'token', token: at } : { type: 'latent', latent });
  };
  const marked = pointAt(span.points, pointed);
  return (
    <svg
      class="chart"
      width={room.width}
      height={height}
      role="img"
      aria-label={labelOf(scene, span)}
      onClick={pick}
      onPointerMove={(event) => onPoint(under(event)?.token)}
      onPointerLeave={() => onPoint(undefined)}
    >
      {ground}
      {current !== undefined && (
        <rect
          class="chart-current"
          x={x(current - 0.5)}
          y={MARGIN.top}
          width={Math.max(3, inner / count)}
          height={bottom - MARGIN.top}
        />
      )}
      {lines}
      {marked !== undefined && (
        <g>
          <line class="chart-cursor" x1={x(marked.token)} x2={x(marked.token)} y1={MARGIN.top} y2={bottom} />
          <circle class="dot-mass" cx={x(marked.token)} cy={y(marked.mass)} r={3.5} />
        </g>
      )}
    </svg>
  );
}

/** Where things stand in the chart, in CSS pixels. */
interface Place {
  /** Of a position, and of a share of the height. */
  x: (at: number) => number;
  y: (fraction: number) => number;
  inner: number;
  bottom: number;
  height: number;
  isTitled: boolean;
}

function placeOf(count: number, room: Room): Place {
  const height = Math.max(LEAST_HEIGHT, room.height);
  const inner = Math.max(10, room.width - MARGIN.left - MARGIN.right);
  const isTitled = height >= TITLED_HEIGHT;
  const bottom = height - (isTitled ? MARGIN.bottom : MARGIN.bottom / 2);
  return {
    x: (at) => MARGIN.left + ((at + 0.5) / count) * inner,
    y: (fraction) => bottom - fraction * (bottom - MARGIN.top),
    inner,
    bottom,
    height,
    isTitled,
  };
}

interface PartProps {
  span: Span;
  place: Place;
}

/** Blocks, axes and titles. */
function Ground({ trace, span, place }: PartProps & { trace: Trace }): VNode {
  const { x, y, inner, bottom, height, isTitled } = place;
  return (
    <>
      <Blocks trace={trace} x={x} top={MARGIN.top} bottom={bottom} />
      <Axis
        side="left"
        title={isTitled ? 'visual mass' : ''}
        x={MARGIN.left}
        y={y}
        labels={['0', '0.5', '1']}
      />
      <Axis
        side="right"
        title={isTitled ? 'bits' : ''}
        x={MARGIN.left + inner}
        y={y}
        labels={['0', (span.uniformBits / 2).toFixed(1), span.uniformBits.toFixed(1)]}
      />
      {isTitled && (
        <text class="chart-label" x={MARGIN.left + inner / 2} y={height - 4} text-anchor="middle">
          position in the answer
        </text>
      )}
    </>
  );
}

function Lines({ span, place: { x, y } }: PartProps): VNode {
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

interface BlocksProps {
  trace: Trace;
  x: (at: number) => number;
  top: number;
  bottom: number;
}

/** The blocks, shaded; narrow ones go by their number, or their names would lie on each other. */
function Blocks({ trace, x, top, bottom }: BlocksProps): VNode {
  return (
    <>
      {trace.blocks.map(({ index, startToken, endToken }) => {
        const [left, right] = [x(startToken - 0.5), x((endToken ?? trace.tokens.length - 1) + 0.5)];
        return (
          <g key={index}>
            <rect class="chart-block" x={left} y={top} width={right - left} height={bottom - top} />
            <text class="chart-label" x={left} y={bottom + 14}>
              {right - left > 52 ? `Block ${index + 1}` : index + 1}
            </text>
          </g>
        );
      })}
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

interface AxisProps {
  side: 'left' | 'right';
  title: string;
  x: number;
  y: (fraction: number) => number;
  labels: [string, string, string];
}

function Axis({ side, title, x, y, labels }: AxisProps): VNode {
  const away = side === 'left' ? -1 : 1;
  const turned = `rotate(-90 ${x + away * 40} ${y(0.5)})`;
  return (
    <g class="axis">
      <line x1={x} x2={x} y1={y(0)} y2={y(1)} />
      {labels.map((label, i) => (
        <g key={label}>
          <line x1={x} x2={x + away * 4} y1={y(i / 2)} y2={y(i / 2)} />
          <text
            class="chart-label"
            x={x + away * 7}
            y={y(i / 2) + (i === 2 ? 8 : i === 1 ? 4 : 0)}
            text-anchor={side === 'left' ? 'end' : 'start'}
          >
            {label}
          </text>
        </g>
      ))}
      <text
        class="chart-label"
        x={x + away * 40}
        y={y(0.5)}
        transform={turned}
        text-anchor="middle"
        dominant-baseline="middle"
      >
        {title}
      </text>
    </g>
  );
}

function labelOf({ trace, shown, token }: Scene, span: Span): string {
  const at = token ?? shown.latent?.token;
  const point = pointAt(span.points, at);
  const here =
    point === undefined
      ? ''
      : ` At the selected position: mass ${share(point.mass)}, entropy ${point.bits.toFixed(2)} bits.`;
  return `Visual mass and entropy at ${span.points.length} of ${trace.tokens.length} generated positions.${here}`;
}
