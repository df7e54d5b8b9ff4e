/** A figure on a canvas, as a PNG. */

import type { Figure, Point, Shape } from '../../figure/figure.ts';
import { cssOf, FONT } from '../../figure/svg.ts';

/** Pixels of the PNG for one of the figure's units: sharp in print. */
const SCALE = 2;

/** The figure as the bytes of a PNG. */
export async function pngOf({ width, height, shapes }: Figure): Promise<Uint8Array> {
  const canvas = new OffscreenCanvas(width * SCALE, height * SCALE);
  const context = canvas.getContext('2d')!;
  context.scale(SCALE, SCALE);
  context.fillStyle = '#fff';
  context.fillRect(0, 0, width, height);
  for (const shape of shapes) await draw(context, shape);
  const blob = await canvas.convertToBlob({ type: 'image/png' });
  return new Uint8Array(await blob.arrayBuffer());
}

async function draw(context: OffscreenCanvasRenderingContext2D, shape: Shape): Promise<void> {
  if (shape.shape === 'picture') {
    const bitmap = await createImageBitmap(new Blob([shape.png.slice()], { type: 'image/png' }));
    context.drawImage(bitmap, shape.x, shape.y, shape.width, shape.height);
    bitmap.close();
  } else if (shape.shape === 'rect') {
    context.globalAlpha = shape.alpha ?? 1;
    context.fillStyle = cssOf(shape.colour);
    context.fillRect(shape.x, shape.y, shape.width, shape.height);
    context.globalAlpha = 1;
  } else if (shape.shape === 'line') {
    context.strokeStyle = cssOf(shape.colour);
    context.lineWidth = shape.width;
    context.setLineDash(shape.dashes ?? []);
    trace(context, shape.points);
    if (shape.closed === true) context.closePath();
    context.stroke();
    context.setLineDash([]);
  } else if (shape.shape === 'area') {
    context.fillStyle = cssOf(shape.colour);
    trace(context, shape.points);
    context.fill();
  } else if (shape.shape === 'dot') {
    context.fillStyle = cssOf(shape.colour);
    context.beginPath();
    context.arc(shape.x, shape.y, shape.radius, 0, 2 * Math.PI);
    context.fill();
  } else {
    context.save();
    context.translate(shape.x, shape.y);
    if (shape.turned === true) context.rotate(-Math.PI / 2);
    context.font = `${shape.size}px ${FONT}`;
    context.textAlign = shape.anchor === 'middle' ? 'center' : (shape.anchor ?? 'start');
    context.fillStyle = cssOf(shape.colour ?? [0, 0, 0]);
    context.fillText(shape.text, 0, 0);
    context.restore();
  }
}

function trace(context: OffscreenCanvasRenderingContext2D, points: readonly Point[]): void {
  context.beginPath();
  points.forEach(({ x, y }, i) => (i === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
}
