/** The panel's keys: what each does, and where it is left to the control that has the focus. */

import { message, type Message } from '../../base/l10n.ts';
import type { MapGrid } from '../../heatmap/grid.ts';
import { MAP_KINDS } from '../../heatmap/map.ts';
import type { Command } from './view.ts';

/** Where a key was pressed. */
export type Place =
  /** The large picture. */
  | 'stage'
  /** A control that uses arrow keys itself: slider, list, tabs, chooser. */
  | 'control'
  | 'elsewhere';

export interface Key {
  key: string;
  shift: boolean;
  /** Ctrl, Alt or Meta: such keys belong to VS Code. */
  modified: boolean;
}

/** What a key asks for beyond changing the view. */
export type KeyEffect =
  | Command
  | { type: 'escape' }
  | { type: 'help' }
  /** The picture without the map, for as long as the key is held. */
  | { type: 'alone' };

/** The table in the help popover; the same keys as below. */
export const KEY_HELP: [keys: Message, meaning: Message][] = [
  [message('←  →'), message('previous, next latent; in the text: token')],
  [message('↑  ↓'), message('previous, next step')],
  [message('[  ]'), message('layer: mean, max, 1, 2, …')],
  [message('{  }'), message('heads: mean, max, 1, 2, …')],
  [message('1  2  3'), message('attention, selection, similarity')],
  [message('H'), message('heat, or spotlight again')],
  [message('M'), message('without the sink, or all patches again')],
  [message('R'), message('relative to the mean of all latents, or as it is again')],
  [message('C'), message('contour on, off')],
  [message('S'), message('scale of the run, of the block, of the latent')],
  [message('P, held'), message('the picture alone')],
  [message('Tab'), message('next region')],
  [message('Esc'), message('to the image; there: clear the region')],
  [message('←  →  ↑  ↓ on the image'), message('move the patch cursor')],
  [message('Shift + arrows on the image'), message('select a region of patches')],
  [message('Home  End on the image'), message('first, last patch of the row')],
  [message('?'), message('this list')],
];

const ARROWS: Record<string, [rows: number, columns: number]> = {
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
};

/** What `key` does at `place`; undefined leaves it to the browser. `grid` is the stage's. */
export function keyEffect(key: Key, place: Place, grid: MapGrid | undefined): KeyEffect | undefined {
  if (key.modified) return undefined;
  if (place === 'stage' && grid !== undefined) {
    const moved = stageKey(key, grid);
    if (moved !== undefined) return moved;
  }
  if (place === 'elsewhere') {
    if (key.key === 'ArrowLeft') return { type: 'move', by: -1 };
    if (key.key === 'ArrowRight') return { type: 'move', by: 1 };
    if (key.key === 'ArrowUp') return { type: 'move-step', by: -1 };
    if (key.key === 'ArrowDown') return { type: 'move-step', by: 1 };
  }
  return anywhereKey(key);
}

function stageKey({ key, shift }: Key, grid: MapGrid): Command | undefined {
  const arrow = ARROWS[key];
  if (arrow !== undefined)
    return { type: 'move-patch', rows: arrow[0], columns: arrow[1], grid, extend: shift };
  if (key === 'Home' || key === 'End') {
    const columns = key === 'Home' ? -grid.columns : grid.columns;
    return { type: 'move-patch', rows: 0, columns, grid, extend: shift };
  }
  return undefined;
}

function anywhereKey({ key }: Key): KeyEffect | undefined {
  // Caps lock changes letters only, and means nothing here.
  switch (key.length === 1 ? key.toLowerCase() : key) {
    case '[':
      return { type: 'move-layer', by: -1 };
    case ']':
      return { type: 'move-layer', by: 1 };
    case '{':
      return { type: 'move-heads', by: -1 };
    case '}':
      return { type: 'move-heads', by: 1 };
    case '1':
    case '2':
    case '3':
      return { type: 'set', values: { kind: MAP_KINDS[Number(key) - 1]! } };
    case 'h':
      return { type: 'toggle-law' };
    case 'm':
      return { type: 'toggle-reading', reading: 'masked' };
    case 'r':
      return { type: 'toggle-reading', reading: 'relative' };
    case 'c':
      return { type: 'toggle-contour' };
    case 's':
      return { type: 'next-scope' };
    case 'p':
      return { type: 'alone' };
    case 'Escape':
      return { type: 'escape' };
    case '?':
      return { type: 'help' };
    default:
      return undefined;
  }
}
