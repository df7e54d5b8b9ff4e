/**
 * A chart over all generated positions: blocks shaded, the selected position marked, a position read by pointer or
 * arrow keys and selected by a click or Enter. What is drawn in it is its children's.
 */

import type { ComponentChildren, VNode } from 'preact';
import { t } from '../../base/l10n.ts';
import { latentIndexAt } from '../../trace/columns.ts';
import type { Trace } from '../../trace/schema.ts';
import { lastTokenOf } from '../../trace/steps.ts';
import { nearestPoint, pointAt } from '../../evidence/span.ts';
import type { Scene } from './scene.ts';
import type { Room } from './useSize.ts';

const MARGIN = { top: 8, right: 50, bottom: 34, left: 50 };
/** Below this the axes go without their titles. */
const TITLED_HEIGHT = 96;
const LEAST_HEIGHT = 48;

/** Where things stand in the chart, in CSS pixels. */
export interface Place {
  /** Of a position, and of a share of the height. */
  x: (at: number) => number;
  y: (fraction: number) => number;
  /** Width of the drawing between the axes. */
  inner: number;
  bottom: number;
  height: number;
  isTitled: boolean;
}

/** @param count positions */
export function placeOf(count: number, room: Room): Place {
  const height = Math.max(LEAST_HEIGHT, room.height);
  const inner = Math.max(10, room.width - MARGIN.left - MARGIN.right);
  const isTitled = height >= TITLED_HEIGHT;
  const bottom = height - (isTitled ? MARGIN.bottom : MARGIN.bottom / 2);
  return {
    x: (at) => MARGIN.left + ((at + 0.5) / Math.max(1, count)) * inner,
    y: (fraction) => bottom - fraction * (bottom - MARGIN.top),
    inner,
    bottom,
    height,
    isTitled,
  };
}

interface ChartProps<Point> {
  scene: Scene;
  /** In the order of their tokens. */
  points: readonly Point[];
  place: Place;
  width: number;
  pointed: number | undefined;
  onPoint: (token: number | undefined) => void;
  /** What is drawn, for those who do not see it. */
  label: string;
  /** What there is to say of a point. */
  textOf: (point: Point) => string;
  /** Marks of the point that is pointed at. */
  markOf?: (point: Point) => VNode;
  children: ComponentChildren;
}

export function PositionChart<Point extends { token: number }>(props: ChartProps<Point>): VNode {
  const { scene, points, place, width, pointed, onPoint, label, textOf, markOf, children } = props;
  const { trace, shown, token } = scene;
  const { x, inner, bottom, height } = place;
  const count = Math.max(1, trace.tokens.length);
  const current = token ?? shown.latent?.token;
  const marked = pointAt(points, pointed);
  const read = marked ?? pointAt(points, current);
  /** Markers of a block may have no attention of their own: the nearest position that has stands for them. */
  const under = (event: MouseEvent): Point | undefined => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    return nearestPoint(points, Math.floor(((event.clientX - box.left - MARGIN.left) / inner) * count));
  };
  return (
    <div
      class="chart-box"
      role="slider"
      tabIndex={0}
      data-arrows
      aria-label={label}
      aria-valuemin={1}
      aria-valuemax={count}
      aria-valuenow={(read?.token ?? 0) + 1}
      aria-valuetext={read === undefined ? t('no position') : textOf(read)}
      onClick={(event) => pick(scene, under(event)?.token)}
      onKeyDown={(event) => {
        if (readKey(event, { scene, points, read, onPoint })) event.preventDefault();
      }}
      onBlur={() => onPoint(undefined)}
      onPointerMove={(event) => onPoint(under(event)?.token)}
      onPointerLeave={() => onPoint(undefined)}
    >
      <svg class="chart" width={width} height={height} aria-hidden="true">
        {children}
        {current !== undefined && (
          <rect
            class="chart-current"
            x={x(current - 0.5)}
            y={MARGIN.top}
            width={Math.max(3, inner / count)}
            height={bottom - MARGIN.top}
          />
        )}
        {marked !== undefined && (
          <g>
            <line
              class="chart-cursor"
              x1={x(marked.token)}
              x2={x(marked.token)}
              y1={MARGIN.top}
              y2={bottom}
            />
            {markOf?.(marked)}
          </g>
        )}
      </svg>
    </div>
  );
}

function pick({ trace, dispatch }: Scene, token: number | undefined): void {
  if (token === undefined) return;
  const latent = latentIndexAt(trace, token);
  dispatch(latent === undefined ? { type: 'token', token } : { type: 'latent', latent });
}

interface Reading<Point> {
  scene: Scene;
  points: readonly Point[];
  read: Point | undefined;
  onPoint: (token: number) => void;
}

/** Arrows, Home and End read another position, Enter selects it. @returns whether the key was the chart's */
function readKey<Point extends { token: number }>(
  event: KeyboardEvent,
  { scene, points, read, onPoint }: Reading<Point>,
): boolean {
  const moves: Record<string, number> = {
    ArrowLeft: -1,
    ArrowRight: 1,
    Home: -points.length,
    End: points.length,
  };
  const by = moves[event.key];
  if (by !== undefined) {
    const at = (read === undefined ? -1 : points.indexOf(read)) + by;
    const next = points[Math.min(points.length - 1, Math.max(0, at))];
    if (next !== undefined) onPoint(next.token);
    return true;
  }
  if (event.key !== 'Enter' && event.key !== ' ') return false;
  pick(scene, read?.token);
  return true;
}

interface BlocksProps {
  trace: Trace;
  place: Place;
}

/** Room for a block's name and for its number, in CSS pixels. */
const NAME_ROOM = 52;
const NUMBER_ROOM = 28;

/** The blocks, shaded, as one path; narrow ones go by their number, as many as stand clear of each other. */
export function Blocks({ trace, place: { x, bottom } }: BlocksProps): VNode {
  const blocks = trace.blocks.map((block) => ({
    index: block.index,
    left: x(block.startToken - 0.5),
    right: x(lastTokenOf(trace, block) + 0.5),
  }));
  let free = -Infinity;
  const named = blocks.filter(({ left, right }) => {
    if (left < free) return false;
    free = left + Math.max(NUMBER_ROOM, right - left > NAME_ROOM ? NAME_ROOM : 0);
    return true;
  });
  const { top } = MARGIN;
  return (
    <>
      <path
        class="chart-block"
        d={blocks.map(({ left, right }) => `M${left},${top}H${right}V${bottom}H${left}Z`).join('')}
      />
      {named.map(({ index, left, right }) => (
        <text key={index} class="chart-label" x={left} y={bottom + 14}>
          {right - left > NAME_ROOM ? t('Block {0}', index + 1) : index + 1}
        </text>
      ))}
    </>
  );
}

/** What the positions are, below the chart where there is room. */
export function PositionAxis({ place: { x, inner, height, isTitled } }: { place: Place }): VNode | null {
  if (!isTitled) return null;
  return (
    <text class="chart-label" x={x(-0.5) + inner / 2} y={height - 4} text-anchor="middle">
      {t('position in the answer')}
    </text>
  );
}

interface AxisProps {
  side: 'left' | 'right';
  title: string;
  place: Place;
  labels: [low: string, middle: string, high: string];
}

/** An upright axis at an edge of the drawing. */
export function Axis({ side, title, place, labels }: AxisProps): VNode {
  const { x: at, y, inner, isTitled } = place;
  const x = side === 'left' ? at(-0.5) : at(-0.5) + inner;
  const away = side === 'left' ? -1 : 1;
  const turned = `rotate(-90 ${x + away * 40} ${y(0.5)})`;
  return (
    <g class="axis">
      <line x1={x} x2={x} y1={y(0)} y2={y(1)} />
      {labels.map((label, i) => (
        <g key={i}>
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
      {isTitled && (
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
      )}
    </g>
  );
}
