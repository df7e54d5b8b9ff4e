/** The colours of a scale, for colour bars. */

import { paintOf, type Drawing } from '../../heatmap/law.ts';
import { barValue } from '../../heatmap/scale.ts';

const STOPS = 32;
/** What stands for the picture: light enough to be dimmed, dark enough to be covered. */
const GROUND = 184;

/** The law's colours over a picture, from the scale's lower end to its upper: stops of a CSS gradient. */
export function barStops(drawing: Drawing): string {
  const stops = Array.from({ length: STOPS + 1 }, (_, i) => {
    const { colour, alpha } = paintOf(barValue(i / STOPS, drawing.scale), drawing);
    const mixed = colour.map((channel) => Math.round(GROUND + (channel - GROUND) * alpha));
    return `rgb(${mixed.join(' ')}) ${((100 * i) / STOPS).toFixed(1)}%`;
  });
  return stops.join(', ');
}
