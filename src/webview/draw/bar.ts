/** The colours of a scale, for colour bars. */

import { paintMap, type Drawing } from '../../heatmap/law.ts';
import { barValue } from '../../heatmap/scale.ts';

const STEPS = 256;
/** What stands for the picture: light enough to be dimmed, dark enough to be covered. */
const GROUND = '#b8b8b8';

/**
 * The colours as the law lays them over a picture, from the scale's lower end to its upper.
 * @param canvas 256 pixels in the given direction, one in the other
 */
export function drawBar(
  canvas: HTMLCanvasElement | null,
  drawing: Drawing,
  direction: 'up' | 'across',
): void {
  const context = canvas?.getContext('2d');
  if (!context) return;
  context.globalAlpha = 1;
  context.fillStyle = GROUND;
  context.fillRect(0, 0, STEPS, STEPS);
  const values = Float32Array.from({ length: STEPS }, (_, i) => barValue(i / (STEPS - 1), drawing.scale));
  const pixels = paintMap(values, drawing);
  for (let i = 0; i < STEPS; i++) {
    const [red, green, blue, alpha] = pixels.subarray(i * 4, i * 4 + 4);
    context.fillStyle = `rgb(${red} ${green} ${blue} / ${alpha! / 255})`;
    if (direction === 'up') context.fillRect(0, STEPS - 1 - i, 1, 1);
    else context.fillRect(i, 0, 1, 1);
  }
}
