/** The colours of the scale, for colour bars. */

import { alpha, rgb } from '../logic/colour.ts';

const STEPS = 256;

/**
 * The colours as they look over a middle grey, because that is how they look over the picture.
 * @param canvas 256 pixels in the given direction, one in the other
 */
export function drawColours(
  canvas: HTMLCanvasElement | null,
  opacity: number,
  direction: 'up' | 'across',
): void {
  const context = canvas?.getContext('2d');
  if (!context) return;
  context.globalAlpha = 1;
  context.fillStyle = '#808080';
  context.fillRect(0, 0, STEPS, STEPS);
  for (let i = 0; i < STEPS; i++) {
    const at = i / (STEPS - 1);
    context.globalAlpha = alpha(at, opacity);
    context.fillStyle = `rgb(${rgb(at).join(' ')})`;
    if (direction === 'up') context.fillRect(0, STEPS - 1 - i, 1, 1);
    else context.fillRect(i, 0, 1, 1);
  }
}
