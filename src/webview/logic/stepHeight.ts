/** How high a step will be: a guess, until it has been drawn and measured. */

import type { TracePicture } from '../../trace/schema.ts';
import type { Step } from '../../trace/steps.ts';
import { columnsFor, thumbnailHeight } from './thumbnails.ts';

/** In CSS pixels, as in steps.css at VS Code's usual size of text. */
const PADDING = 8;
const LINE = 21;
const LETTER = 7;
const HEAD = 22;
const GAP = 4;

/** @param width that its text or its small maps have */
export function estimateStep(step: Step, width: number, picture: TracePicture | undefined): number {
  if (step.kind === 'text') {
    return PADDING + LINE * Math.max(1, Math.ceil((step.text.length * LETTER) / Math.max(1, width)));
  }
  const count = Math.max(step.latents.length, step.block.latents, 1);
  const { columns, side } = columnsFor(count, width);
  return PADDING + HEAD + Math.ceil(count / columns) * (thumbnailHeight(side, picture) + GAP);
}
