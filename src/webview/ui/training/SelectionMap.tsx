/** A selection over a helper picture, small: what is picked is framed, the patch under the pointer is told. */

import type { VNode } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { t } from '../../../base/l10n.ts';
import { STRENGTH } from '../../../heatmap/constants.ts';
import { placeText } from '../../../heatmap/grid.ts';
import type { HeatMap } from '../../../heatmap/map.ts';
import type { Scale } from '../../../heatmap/scale.ts';
import type { WatchedBlock, WatchedSelection } from '../../../watch/watched.ts';
import { enclosed } from '../../../heatmap/contour.ts';
import { drawMap, drawMarks } from '../../draw/heatmap.ts';
import { number } from '../../logic/format.ts';
import { patchAt } from '../../logic/grid.ts';
import { useSize } from '../useSize.ts';
import type { TrainingScene } from './scene.ts';

interface SelectionMapProps {
  title: string;
  kind: 'teacher' | 'latent';
  block: WatchedBlock;
  selection: WatchedSelection;
  /** The selection as a map. */
  map: HeatMap;
  /** Candidate that the teacher gave this latent as its target. */
  target?: number | undefined;
  scale: Scale;
  scene: TrainingScene;
  figure: string;
  note?: string;
}

/** In widths: a picture that is higher is not worth the page that it would fill. */
const MAX_HEIGHT = 8;

export function SelectionMap(props: SelectionMapProps): VNode {
  const { title, kind, block, selection, map, target, scale, scene, figure, note } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const frame = useRef<HTMLDivElement>(null);
  const { width } = useSize(frame);
  const [patch, setPatch] = useState<number>();
  const { grid, picture, groupSize } = block;
  const { pictures } = scene.model;
  const bitmap = pictures.decoded.get(picture.file)?.full;
  const problem = pictures.problems.get(picture.file);
  const { law } = scene.view;
  const height = Math.max(
    1,
    Math.round(width * Math.min(MAX_HEIGHT, picture.height / Math.max(1, picture.width))),
  );
  const ratio = window.devicePixelRatio;
  useLayoutEffect(() => {
    if (canvas.current === null) return;
    const drawing = { ...map, law, scale, strength: STRENGTH, smooth: false, enclosed: enclosed(map, 1) };
    drawMap(canvas.current, bitmap, drawing, ratio);
    drawMarks(canvas.current, grid, { cursor: patch }, ratio);
    if (kind === 'teacher') drawOrder(canvas.current, block, ratio);
  }, [bitmap, map, law, scale.min, scale.zero, scale.max, width, height, ratio, patch]);
  const name = kind === 'latent' ? t('Latent {0}', title) : title;
  const facts = [name, figure, ...(note === undefined ? [] : [note]), ...placesOf(block, selection)];
  const candidate = patch === undefined ? undefined : Math.floor(patch / groupSize);
  return (
    <figure class={`selection selection-${kind}`}>
      <figcaption>
        {kind === 'latent' && <span class="hidden">{t('Latent')} </span>}
        <b>{title}</b> <span class="dim">{figure}</span>
      </figcaption>
      {kind === 'teacher' && problem !== undefined && <p class="status status-warning">{problem}</p>}
      <div ref={frame} class="selection-frame">
        <canvas
          ref={canvas}
          width={Math.round(width * ratio)}
          height={Math.round(height * ratio)}
          role="img"
          aria-label={facts.join(', ')}
          title={facts.slice(0, 3).join('\n')}
          onPointerMove={(event) => {
            const box = event.currentTarget.getBoundingClientRect();
            const at = patchAt(
              (event.clientX - box.left) / box.width,
              (event.clientY - box.top) / box.height,
              grid,
            );
            setPatch(at);
          }}
          onPointerLeave={() => setPatch(undefined)}
        />
      </div>
      <p class="selection-note dim">
        {candidate !== undefined && selection.cosines[candidate] !== undefined
          ? `p ${number(selection.probabilities[candidate]!)}, ${t('cos {0}', number(selection.cosines[candidate]))}`
          : kind === 'latent'
            ? targetNote(selection, target)
            : t('order of the targets')}
      </p>
    </figure>
  );
}

/** Whether the latent's own best is what the teacher gave it. */
function targetNote({ selected }: WatchedSelection, target: number | undefined): string {
  if (target === undefined) return t('not supervised');
  const place = selected.indexOf(target);
  return place < 0 ? t('target missed') : t('target in place {0}', place + 1);
}

/** Rows and columns of what is picked, for screen readers. */
function placesOf({ grid, groupSize }: WatchedBlock, { selected }: WatchedSelection): string[] {
  const places = selected.map((candidate) => placeText(candidate * groupSize, grid));
  return [t('picks {0}', places.join('; '))];
}

/** The targets' numbers, in the patches that are large enough for one. */
function drawOrder(
  canvas: HTMLCanvasElement,
  { grid, groupSize, teacher }: WatchedBlock,
  ratio: number,
): void {
  const context = canvas.getContext('2d');
  if (context === null) return;
  const [w, h] = [canvas.width / grid.columns, canvas.height / grid.rows];
  const size = Math.min(11 * ratio, h * 0.7, w * 0.7);
  if (size < 7 * ratio) return;
  context.font = `600 ${size}px sans-serif`;
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  context.lineWidth = 3 * ratio;
  teacher.selected.forEach((candidate, i) => {
    const token = candidate * groupSize;
    const x = ((token % grid.columns) + 0.5) * w;
    const y = (Math.floor(token / grid.columns) + 0.5) * h;
    // White on black is read on any colour of the scale.
    context.strokeStyle = '#000';
    context.strokeText(String(i + 1), x, y);
    context.fillStyle = '#fff';
    context.fillText(String(i + 1), x, y);
  });
}
