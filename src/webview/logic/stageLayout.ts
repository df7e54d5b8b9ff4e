/**
 * How the stage is laid out: controls below the picture where it stays large enough, else beside it; the
 * colour bar upright beside the picture, or lying below it.
 */

export interface StageLayout {
  /** In a stack everything lies below everything, and the page scrolls. */
  kind: 'below' | 'beside' | 'stack';
  bar: 'up' | 'across';
}

/** What the parts take, in CSS pixels; as in stage.css. */
const BAR_WIDTH = 108;
const BAR_HEIGHT = 56;
const READOUT_WIDTH = 224;
const TOOLBAR_HEIGHT = 40;
const MARGINS = 24;
/** Controls and caption, in two rows each where there is room. */
const BELOW_HEIGHT = { wide: 122, narrow: 172 };
const WIDE = 840;
/** A picture of this height is read well, and what stands below it without scrolling is worth more than its growth. */
const LARGE = 320;

/** Share of a stage's width that the column beside the picture takes, within bounds. */
export function sideWidth(width: number): number {
  return Math.round(Math.min(360, Math.max(264, width * 0.4)));
}

/**
 * @param room of the whole stage
 * @param ratio of the picture: width / height
 */
export function layoutOf(
  room: { width: number; height: number },
  ratio: number,
  stacked: boolean,
): StageLayout {
  if (stacked) return { kind: 'stack', bar: 'across' };
  const { width, height } = room;
  const shown = (w: number, h: number): number => Math.max(0, Math.min(w / ratio, h));
  const under = width >= WIDE ? BELOW_HEIGHT.wide : BELOW_HEIGHT.narrow;
  const free = height - TOOLBAR_HEIGHT;
  const below = shown(width - BAR_WIDTH - READOUT_WIDTH - MARGINS, free - under);
  const rest = width - sideWidth(width) - MARGINS;
  const upright = shown(rest - BAR_WIDTH, free);
  const lying = shown(rest, free - BAR_HEIGHT);
  if (below >= LARGE || below >= Math.max(upright, lying)) return { kind: 'below', bar: 'up' };
  return { kind: 'beside', bar: upright >= lying ? 'up' : 'across' };
}
