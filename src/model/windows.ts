/**
 * The windows of a picture, and the parts in which the vision tower reads it: as many whole windows as
 * one run of its graph may take. What slots, places and mask are says ./vision.ts.
 */

import type { VisionConfig } from './config.ts';
import { MASKED, patchCoordinates, type PatchGrid } from './positions.ts';
import { slotsPerWindow } from './vision.ts';

/** S patches in W windows of P slots. */
export interface PicturePart {
  /** (S): which patches of the picture, ascending, so that those of a merged token stay neighbours. */
  patches: Int32Array;
  /** W */
  windows: number;
  /** (W·P): index among the part's patches. */
  slots: BigInt64Array;
  /** (S) */
  places: BigInt64Array;
  /** (W·P) */
  mask: Float32Array;
}

/** A picture of no more patches, 0.8 megapixels, is read as a whole. */
const WHOLE = 4096;
/** Scores of one head that a run of a larger one holds, if these are not fewer patches than pay for reading the weights. */
const SCORES = 2 ** 22;
const FEWEST = 256;

/** Patches of a picture that one run reads, so that the scores of full attention are bounded. */
export function patchesPerRun({ height, width }: PatchGrid): number {
  const patches = height * width;
  return patches <= WHOLE ? patches : Math.max(FEWEST, Math.floor(SCORES / patches));
}

/** @param maxPatches of a part that has more than one window */
export function pictureParts(config: VisionConfig, grid: PatchGrid, maxPatches = Infinity): PicturePart[] {
  const windowOf = windowOfPatches(config, grid);
  const sizes: number[] = [];
  for (const window of windowOf) sizes[window] = (sizes[window] ?? 0) + 1;
  // The part of each window, and the number of each part's first window.
  const partOf: number[] = [];
  const firsts: number[] = [];
  let room = 0;
  sizes.forEach((size, window) => {
    if (size > room) [room] = [Math.max(maxPatches, size), firsts.push(window)];
    room -= size;
    partOf.push(firsts.length - 1);
  });
  const members = firsts.map((): number[] => []);
  windowOf.forEach((window, patch) => members[partOf[window]!]!.push(patch));
  return members.map((patches, part) => {
    const first = firsts[part]!;
    const windows = (firsts[part + 1] ?? sizes.length) - first;
    const local = patches.map((patch) => windowOf[patch]! - first);
    return { patches: Int32Array.from(patches), windows, ...slotsOf(local, windows, slotsPerWindow(config)) };
  });
}

/** The window of each patch, in the processor's order; windows are counted in reading order. */
export function windowOfPatches(config: VisionConfig, grid: PatchGrid): number[] {
  const side = Math.sqrt(slotsPerWindow(config)); // patches
  const across = Math.ceil(grid.width / side);
  return patchCoordinates(grid, config.mergeSize).map(
    ({ row, column }) => Math.floor(row / side) * across + Math.floor(column / side),
  );
}

/** @param windowOf the window of each patch */
function slotsOf(
  windowOf: readonly number[],
  windows: number,
  perWindow: number,
): Pick<PicturePart, 'slots' | 'places' | 'mask'> {
  const slots = new BigInt64Array(windows * perWindow);
  const mask = new Float32Array(windows * perWindow).fill(MASKED);
  const used = new Array<number>(windows).fill(0);
  const places = windowOf.map((window, patch) => {
    const slot = window * perWindow + used[window]!++;
    slots[slot] = BigInt(patch);
    mask[slot] = 0;
    return BigInt(slot);
  });
  return { slots, places: BigInt64Array.from(places), mask };
}
