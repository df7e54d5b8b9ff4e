/** Visual mass and entropy along all generated positions, blocks shaded, the selected position marked. */

import type { VNode } from 'preact';
import { useMemo, useRef } from 'preact/hooks';
import { latentIndexAt } from '../../trace/rows.ts';
import { choiceLabel, share } from '../logic/format.ts';
import { runsOf, spanOf, type Span, type SpanPoint } from '../logic/span.ts';
import type { Scene } from './scene.ts';
import { useWidth } from './useWidth.ts';

const MARGIN = { top: 8, right: 50, bottom: 34, left: 50 };
/** As much as the evidence's height leaves, see panel.css. */
const HEIGHT = { normal: 150, low: 116 };

export function SpanTab({ scene }: { scene: Scene }): VNode {
  const { trace, maps, version, shown } = scene;
  const { layer } = shown.selector;
  const span = useMemo(() => spanOf(trace, maps, layer), [trace, maps, version, layer]);
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const among = choiceLabel('layer', span.layer, trace.model.layers);
  return (
    <div class="span" ref={box}>
      <div class="span-legend">
        <span class="key key-mass">visual mass</span>
        <span class="key key-entropy">entropy over the pictures</span>
        <span class="dim">
          {among}, mean of {trace.model.heads} heads
          {span.points.length < trace.tokens.length &&
            `; ${trace.tokens.length - span.points.length} of ${trace.tokens.length} positions have no attention stored`}
        </span>
      </div>
      {span.points.length === 0 ? (
        <p class="dim">No attention has been recorded yet.</p>
      ) : (
        <Chart scene={scene} span={span} width={width} />
      )}
    </div>
  );
}

interface ChartProps {
  scene: Scene;
  span: Span;
  width: number;
}

function Chart({ scene, span, width }: ChartProps): VNode {
  const { trace, shown, token, dispatch } = scene;
  const count = Math.max(1, trace.tokens.length);
  const height = window.innerHeight <= 760 ? HEIGHT.low : HEIGHT.normal;
  const inner = Math.max(10, width - MARGIN.left - MARGIN.right);
  const bottom = height - MARGIN.bottom;
  const x = (at: number): number => MARGIN.left + ((at + 0.5) / count) * inner;
  const y = (fraction: number): number => bottom - fraction * (bottom - MARGIN.top);
  const current = token ?? shown.latent?.token;
  const line = (value: (point: SpanPoint) => number) => (run: SpanPoint[]) =>
    run.map((point) => `${x(point.token).toFixed(1)},${y(value(point)).toFixed(1)}`).join(' ');
  const mass = line((point) => point.mass);
  const bits = line((point) => point.bits / span.uniformBits);
  const runs = runsOf(span.points);
  const pick = (event: MouseEvent): void => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    const at = Math.floor(((event.clientX - box.left - MARGIN.left) / inner) * count);
    const latent = latentIndexAt(trace, at);
    if (latent !== undefined) dispatch({ type: 'latent', latent });
    else if (trace.tokens[at]?.kind === 'text') dispatch({ type: 'token', token: at });
  };
  return (
    <svg
      class="chart"
      width={width}
      height={height}
      role="img"
      aria-label={labelOf(scene, span)}
      onClick={pick}
    >
      {trace.blocks.map((block) => {
        const end = block.endToken ?? trace.tokens.length - 1;
        const left = x(block.startToken - 0.5);
        return (
          <g key={block.index}>
            <rect
              class="chart-block"
              x={left}
              y={MARGIN.top}
              width={x(end + 0.5) - left}
              height={bottom - MARGIN.top}
            />
            <text class="chart-label" x={left} y={bottom + 14}>
              Block {block.index + 1}
            </text>
          </g>
        );
      })}
      <Axis side="left" title="visual mass" x={MARGIN.left} y={y} labels={['0', '0.5', '1']} />
      <Axis
        side="right"
        title="bits"
        x={MARGIN.left + inner}
        y={y}
        labels={['0', (span.uniformBits / 2).toFixed(1), span.uniformBits.toFixed(1)]}
      />
      {current !== undefined && (
        <rect
          class="chart-current"
          x={x(current - 0.5)}
          y={MARGIN.top}
          width={Math.max(3, inner / count)}
          height={bottom - MARGIN.top}
        />
      )}
      {runs.map((run) => (
        <Run key={run[0]!.token} run={run} mass={mass(run)} bits={bits(run)} />
      ))}
      <text class="chart-label" x={MARGIN.left + inner / 2} y={height - 4} text-anchor="middle">
        generated position
      </text>
    </svg>
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
  const point = span.points.find((entry) => entry.token === at);
  const here =
    point === undefined
      ? ''
      : ` At the selected position: mass ${share(point.mass)}, entropy ${point.bits.toFixed(2)} bits.`;
  return `Visual mass and entropy at ${span.points.length} of ${trace.tokens.length} generated positions.${here}`;
}
