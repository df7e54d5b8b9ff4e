/** The losses by step as a picture: SVG, light on any background. */

export interface CurvePoint {
  step: number;
  ce: number;
  alignment: number;
}

const WIDTH = 720;
const HEIGHT = 320;
const MARGIN = { left: 56, right: 16, top: 32, bottom: 36 };
/** More points than this would not be told apart. */
const MAX_POINTS = 600;

/** Cross-entropy and misalignment over the same axes, which begin at zero loss. */
export function curvesSvg(points: readonly CurvePoint[]): string {
  const shown = thinned(points);
  const first = shown[0]?.step ?? 0;
  const last = Math.max(first + 1, shown.at(-1)?.step ?? 1);
  const highest = Math.max(1e-9, ...shown.flatMap(({ ce, alignment }) => [ce, alignment]));
  const [inner, tall] = [WIDTH - MARGIN.left - MARGIN.right, HEIGHT - MARGIN.top - MARGIN.bottom];
  const x = (step: number): number => MARGIN.left + (inner * (step - first)) / (last - first);
  const y = (loss: number): number => MARGIN.top + tall * (1 - loss / highest);
  const line = (colour: string, valueOf: (point: CurvePoint) => number): string => {
    const path = shown.map((point) => `${x(point.step).toFixed(1)},${y(valueOf(point)).toFixed(1)}`);
    return `<polyline fill="none" stroke="${colour}" stroke-width="1.5" points="${path.join(' ')}"/>`;
  };
  const text = (atX: number, atY: number, words: string, more = ''): string =>
    `<text x="${atX}" y="${atY}" ${more}>${words}</text>`;
  const base = HEIGHT - MARGIN.bottom;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    `<path d="M${MARGIN.left} ${MARGIN.top}V${base}H${WIDTH - MARGIN.right}" fill="none" stroke="#666666"/>`,
    text(MARGIN.left - 6, MARGIN.top + 4, highest.toPrecision(3), 'text-anchor="end"'),
    text(MARGIN.left - 6, base + 4, '0', 'text-anchor="end"'),
    text(MARGIN.left, base + 16, `${first}`),
    text(WIDTH - MARGIN.right, base + 16, `step ${last}`, 'text-anchor="end"'),
    text(MARGIN.left, 18, 'cross-entropy', 'fill="#0b5cad"'),
    text(MARGIN.left + 110, 18, 'misalignment (1 - cosine)', 'fill="#b3450b"'),
    line('#0b5cad', ({ ce }) => ce),
    line('#b3450b', ({ alignment }) => alignment),
    '</svg>\n',
  ].join('\n');
}

/** Means of neighbours where there are too many points. */
function thinned(points: readonly CurvePoint[]): CurvePoint[] {
  const size = Math.ceil(points.length / MAX_POINTS);
  if (size <= 1) return [...points];
  return Array.from({ length: Math.ceil(points.length / size) }, (_, i) => {
    const group = points.slice(i * size, (i + 1) * size);
    const mean = (valueOf: (point: CurvePoint) => number): number =>
      group.reduce((sum, point) => sum + valueOf(point), 0) / group.length;
    return { step: group.at(-1)!.step, ce: mean(({ ce }) => ce), alignment: mean((p) => p.alignment) };
  });
}
