/** Cosines between all latents: near 1 everywhere means that the latents hardly differ. */

import type { VNode } from 'preact';
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { t, translated } from '../../base/l10n.ts';
import { COLLAPSE, COLLAPSE_SOURCE } from '../../analysis/collapse.ts';
import { diverging } from '../../heatmap/palettes.ts';
import type { Trace } from '../../trace/schema.ts';
import {
  collapsedBlocks,
  collapseText,
  cosinesFamily,
  cosinesOf,
  type Cosines,
} from '../../evidence/cosines.ts';
import { number } from '../logic/format.ts';
import { AnalysisHead } from './analysis/AnalysisTab.tsx';
import { OtherRunView } from './analysis/OtherRunView.tsx';
import type { Scene } from './scene.ts';
import { useSize } from './useSize.ts';

/** CSS pixels of the matrix: as large as there is room, within these. */
const LEAST = 120;
const MOST = 520;
/** Room for an axis' labels. */
const AXIS = 22;

export function SimilarityTab({ scene }: { scene: Scene }): VNode {
  const { trace, shown } = scene;
  const cosines = useCosines(scene);
  const [cell, setCell] = useState<number>();
  const box = useRef<HTMLDivElement>(null);
  const room = useSize(box);
  const side = Math.min(MOST, Math.max(LEAST, Math.min(room.width, room.height) - AXIS));
  return (
    <div ref={box} class="similarity scrolls" tabIndex={0} role="region" aria-label={t('Latent similarity')}>
      {trace.latents.length < 2 ? (
        <p class="dim">{t('Two latents or more are needed to compare them.')}</p>
      ) : cosines === undefined ? (
        <p class="dim">{t('The latents are being compared.')}</p>
      ) : (
        <>
          <Matrix scene={scene} cosines={cosines} side={side} onHover={setCell} />
          <div class="similarity-text">
            <Bar />
            <p>
              {t('Mean cosine within blocks:')} <b>{number(cosines.within)}</b>, {t('between blocks:')}{' '}
              <b>{number(cosines.between)}</b>
            </p>
            <p class="similarity-pair">
              {cell === undefined ? nearest(trace, cosines, shown.latentIndex) : pair(trace, cosines, cell)}
            </p>
            <Collapse cosines={cosines} />
            <p class="dim">
              {t(
                'Rows and columns are latents, by block. Cosines of the vectors that were fed back: they say how alike latents are, not what they mean.',
              )}
            </p>
          </div>
          {trace.blocks.length > 1 && <BlockTable cosines={cosines} />}
          <OtherRun scene={scene} />
        </>
      )}
    </div>
  );
}

/** Whether blocks have collapsed to one vector, with the threshold and where it comes from. */
function Collapse({ cosines }: { cosines: Cosines }): VNode {
  return (
    <p class="collapse" data-collapsed={collapsedBlocks(cosines).length > 0}>
      <b>{collapseText(cosines)}</b>{' '}
      <span class="dim">
        {t('Threshold: a mean cosine of {0} between the latents of a block.', COLLAPSE)}{' '}
        {translated(COLLAPSE_SOURCE)}
      </span>
    </p>
  );
}

/** The same between two runs. */
function OtherRun({ scene }: { scene: Scene }): VNode {
  const state = scene.analyses.state('similarity');
  const result = state.answer?.found?.result;
  return (
    <section class="other" aria-label={t('Likeness to another run')}>
      <AnalysisHead
        scene={scene}
        method="similarity"
        state={state}
        compute={t('Compare with a run…')}
        again={t('Compare with another run…')}
      />
      {result !== undefined && <OtherRunView scene={scene} result={result} />}
    </section>
  );
}

/** Of all latents, or of those before the newest until these are compared; undefined before the first. */
function useCosines({ trace, maps }: Scene): Cosines | undefined {
  const last = useRef<{ trace: Trace; cosines: Cosines } | undefined>(undefined);
  const values = maps.slices.at(cosinesFamily(trace));
  const cosines = useMemo(() => values && cosinesOf(trace, values), [trace, values]);
  if (cosines !== undefined) last.current = { trace, cosines };
  return last.current?.trace === trace ? last.current.cosines : undefined;
}

interface MatrixProps {
  scene: Scene;
  cosines: Cosines;
  side: number;
  onHover: (cell: number | undefined) => void;
}

function Matrix({ scene, cosines, side, onHover }: MatrixProps): VNode {
  const { trace, shown, dispatch } = scene;
  const { count } = cosines;
  const canvas = useRef<HTMLCanvasElement>(null);
  const ratio = window.devicePixelRatio;
  useLayoutEffect(
    () => drawMatrix(canvas.current, cosines, trace, shown.latentIndex),
    [cosines, shown.latentIndex, side, ratio],
  );
  const cellUnder = (event: MouseEvent): number => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    const index = (at: number, size: number): number =>
      Math.min(count - 1, Math.max(0, Math.floor((at / size) * count)));
    return index(event.clientY - box.top, box.height) * count + index(event.clientX - box.left, box.width);
  };
  return (
    <div class="matrix-frame" style={{ '--side': `${side}px` }}>
      <AxisLabels trace={trace} direction="across" side={side} />
      <AxisLabels trace={trace} direction="down" side={side} />
      <canvas
        ref={canvas}
        class="matrix"
        width={Math.round(side * ratio)}
        height={Math.round(side * ratio)}
        role="img"
        aria-label={`${t('Matrix of cosines between {0} latents.', count)} ${nearest(trace, cosines, shown.latentIndex)}`}
        onMouseMove={(event) => onHover(cellUnder(event))}
        onMouseLeave={() => onHover(undefined)}
        onClick={(event) => dispatch({ type: 'latent', latent: Math.floor(cellUnder(event) / count) })}
      />
    </div>
  );
}

interface AxisLabelsProps {
  trace: Trace;
  direction: 'across' | 'down';
  side: number;
}

/** Of a block's side that has room for its name, in CSS pixels. */
const ROOMY = 56;

/** The blocks along an edge, each as long as it has latents. */
function AxisLabels({ trace, direction, side }: AxisLabelsProps): VNode {
  const blocks = trace.blocks.filter(({ latents }) => latents > 0);
  const isRoomy = side / blocks.length >= ROOMY;
  return (
    <div class={`matrix-axis matrix-${direction}`} aria-hidden="true">
      {blocks.map(({ index, latents }) => (
        <span key={index} style={{ flexGrow: String(latents) }} title={t('Block {0}', index + 1)}>
          {isRoomy ? t('block {0}', index + 1) : index + 1}
        </span>
      ))}
    </div>
  );
}

/** The matrix' colours, 0 in the middle. */
function Bar(): VNode {
  const stops = Array.from({ length: 17 }, (_, i) => `rgb(${diverging(i / 8 - 1).join(' ')})`).join(', ');
  return (
    <div class="similarity-bar">
      <span>−1</span>
      <span class="colour-strip" style={{ '--stops': stops }} aria-hidden="true" />
      <span>1</span>
      <span class="dim">{t('0 is white')}</span>
    </div>
  );
}

function BlockTable({ cosines }: { cosines: Cosines }): VNode {
  return (
    <table class="table">
      <caption>{t('Mean cosine by block')}</caption>
      <thead>
        <tr>
          <th scope="col">{t('Block')}</th>
          {cosines.blocks.map((_, i) => (
            <th key={i} scope="col" class="numeric">
              {i + 1}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {cosines.blocks.map((row, i) => (
          <tr key={i}>
            <th scope="row">{i + 1}</th>
            {row.map((value, j) => (
              <td key={j} class="numeric">
                {Number.isNaN(value) ? '–' : number(value)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function drawMatrix(
  canvas: HTMLCanvasElement | null,
  cosines: Cosines,
  trace: Trace,
  selected: number,
): void {
  const context = canvas?.getContext('2d');
  if (!context || canvas === null) return;
  const { count, values } = cosines;
  const cells = new OffscreenCanvas(count, count);
  const pixels = new Uint8ClampedArray(count * count * 4).fill(255);
  values.forEach((value, i) => pixels.set(diverging(Math.min(1, Math.max(-1, value))), i * 4));
  cells.getContext('2d')!.putImageData(new ImageData(pixels, count, count), 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(cells, 0, 0, canvas.width, canvas.height);
  const size = canvas.width / count;
  context.fillStyle = '#000';
  trace.latents.forEach((latent, i) => {
    if (i === 0 || trace.latents[i - 1]!.block === latent.block) return;
    const at = Math.round(i * size);
    context.fillRect(at, 0, 1, canvas.height);
    context.fillRect(0, at, canvas.width, 1);
  });
  if (selected < 0) return;
  for (const [colour, width] of [
    ['#000', 3],
    ['#fff', 1],
  ] as const) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.strokeRect(1.5, selected * size, canvas.width - 3, size);
  }
}

function nearest(trace: Trace, { count, values }: Cosines, selected: number): string {
  if (selected < 0 || selected >= count) return '';
  let best = selected === 0 ? 1 : 0;
  for (let i = 0; i < count; i++) {
    if (i !== selected && values[selected * count + i]! > values[selected * count + best]!) best = i;
  }
  const cosine = number(values[selected * count + best]!);
  return t('{0} is nearest to {1}: {2}.', name(trace, selected), name(trace, best), cosine);
}

function pair(trace: Trace, { count, values }: Cosines, cell: number): string {
  const [row, column] = [name(trace, Math.floor(cell / count)), name(trace, cell % count)];
  return t('{0} and {1}: {2}.', row, column, number(values[cell] ?? NaN));
}

function name(trace: Trace, index: number): string {
  const latent = trace.latents[index];
  return latent === undefined ? '' : t('Block {0}, latent {1}', latent.block + 1, latent.index + 1);
}
