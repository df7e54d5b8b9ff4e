/** Cosines between all latents: near 1 everywhere means that the latents hardly differ. */

import type { VNode } from 'preact';
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { diverging } from '../../heatmap/palettes.ts';
import type { Trace } from '../../trace/schema.ts';
import { cosinesOf, type Cosines } from '../logic/cosines.ts';
import { number } from '../logic/format.ts';
import type { Scene } from './scene.ts';

/** CSS pixels of the matrix. */
const SIDE = 160;

export function SimilarityTab({ scene }: { scene: Scene }): VNode {
  const { trace, shown } = scene;
  const cosines = useMemo(() => cosinesOf(trace), [trace, trace.latents.length]);
  const [cell, setCell] = useState<number>();
  if (cosines.count < 2) return <p class="dim">Two latents or more are needed to compare them.</p>;
  return (
    <div class="similarity">
      <Matrix scene={scene} cosines={cosines} onHover={setCell} />
      <div class="similarity-text">
        <p>
          Mean cosine within blocks <b>{number(cosines.within)}</b>, between blocks{' '}
          <b>{number(cosines.between)}</b>
        </p>
        <p>{cell === undefined ? nearest(trace, cosines, shown.latentIndex) : pair(trace, cosines, cell)}</p>
        <p class="dim">
          Colours from −1 (blue) over 0 (white) to 1 (red). Cosines of the vectors that were fed back; they
          say how alike latents are, not what they mean.
        </p>
      </div>
      {trace.blocks.length > 1 && <BlockTable cosines={cosines} />}
    </div>
  );
}

interface MatrixProps {
  scene: Scene;
  cosines: Cosines;
  onHover: (cell: number | undefined) => void;
}

function Matrix({ scene, cosines, onHover }: MatrixProps): VNode {
  const { trace, shown, dispatch } = scene;
  const { count } = cosines;
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(
    () => drawMatrix(canvas.current, cosines, trace, shown.latentIndex),
    [cosines, shown.latentIndex],
  );
  const cellUnder = (event: MouseEvent): number => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    const index = (at: number, size: number): number =>
      Math.min(count - 1, Math.max(0, Math.floor((at / size) * count)));
    return index(event.clientY - box.top, box.height) * count + index(event.clientX - box.left, box.width);
  };
  const ratio = window.devicePixelRatio;
  return (
    <canvas
      ref={canvas}
      class="matrix"
      width={SIDE * ratio}
      height={SIDE * ratio}
      role="img"
      aria-label={`Matrix of cosines between ${count} latents. ${nearest(trace, cosines, shown.latentIndex)}`}
      onMouseMove={(event) => onHover(cellUnder(event))}
      onMouseLeave={() => onHover(undefined)}
      onClick={(event) => dispatch({ type: 'latent', latent: Math.floor(cellUnder(event) / count) })}
    />
  );
}

function BlockTable({ cosines }: { cosines: Cosines }): VNode {
  return (
    <table class="table">
      <caption>Mean cosine by block</caption>
      <thead>
        <tr>
          <th scope="col">Block</th>
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
  values.forEach((value, i) => pixels.set(diverging(value), i * 4));
  cells.getContext('2d')!.putImageData(new ImageData(pixels, count, count), 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(cells, 0, 0, canvas.width, canvas.height);
  const size = canvas.width / count;
  context.fillStyle = '#fff';
  trace.latents.forEach((latent, i) => {
    if (i === 0 || trace.latents[i - 1]!.block === latent.block) return;
    const at = Math.round(i * size);
    context.fillRect(at - 1, 0, 2, canvas.height);
    context.fillRect(0, at - 1, canvas.width, 2);
  });
  if (selected < 0) return;
  context.strokeStyle = '#000';
  context.lineWidth = 3;
  context.strokeRect(1, selected * size, canvas.width - 2, size);
  context.strokeStyle = '#fff';
  context.lineWidth = 1;
  context.strokeRect(1, selected * size, canvas.width - 2, size);
}

function nearest(trace: Trace, { count, values }: Cosines, selected: number): string {
  if (selected < 0) return '';
  let best = selected === 0 ? 1 : 0;
  for (let i = 0; i < count; i++) {
    if (i !== selected && values[selected * count + i]! > values[selected * count + best]!) best = i;
  }
  return `${name(trace, selected)} is nearest to ${name(trace, best)}: ${number(values[selected * count + best]!)}.`;
}

function pair(trace: Trace, { count, values }: Cosines, cell: number): string {
  return `${name(trace, Math.floor(cell / count))} and ${name(trace, cell % count)}: ${number(values[cell] ?? NaN)}.`;
}

function name(trace: Trace, index: number): string {
  const latent = trace.latents[index];
  return latent === undefined ? '' : `Block ${latent.block + 1} latent ${latent.index + 1}`;
}
