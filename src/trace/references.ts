/** Checks that the parts of a trace fit each other: indices, ranges and array shapes. */

import { UserError } from '../base/errors.ts';
import { allArrays, bytesOf } from './arrays.ts';
import { visualCount } from './columns.ts';
import { LOOKS } from './looks.ts';
import type { Trace, TraceLatent } from './schema.ts';

/** @throws UserError naming the first part that points nowhere or has the wrong shape */
export function checkReferences(trace: Trace, where: string): void {
  const fail = (path: string, expected: string, found: string): never => {
    throw new UserError({
      problem: 'This trace contradicts itself',
      expected: `${path} to be ${expected}`,
      found,
      where,
      remedy: 'Export it again from the run.',
    });
  };
  const shape = (path: string, array: Shaped, expected: number[]): void => {
    if (array.shape.join() !== expected.join())
      fail(path, `[${expected.join(', ')}]`, `[${array.shape.join(', ')}]`);
  };
  const below = (path: string, index: number, length: number): void => {
    if (index >= length) fail(path, `below ${length}`, String(index));
  };

  checkPictures(trace, fail);
  checkBounds(trace, fail);
  const { layers, heads, hiddenSize } = trace.model;
  const first = trace.prompt.ids.length;
  trace.tokens.forEach((token, i) => {
    if (token.position !== first + i) fail(`tokens.${i}.position`, String(first + i), String(token.position));
    if (token.looks) shape(`tokens.${i}.looks`, token.looks, [layers, LOOKS.length]);
  });
  checkWords(trace, shape);
  trace.blocks.forEach((block, i) => {
    if (block.index !== i) fail(`blocks.${i}.index`, String(i), String(block.index));
    below(`blocks.${i}.startToken`, block.startToken, trace.tokens.length);
    if (block.endToken !== undefined) below(`blocks.${i}.endToken`, block.endToken, trace.tokens.length);
  });
  trace.latents.forEach((latent, i) => {
    const path = `latents.${i}`;
    below(`${path}.block`, latent.block, trace.blocks.length);
    below(`${path}.token`, latent.token, trace.tokens.length);
    const before = trace.latents[i - 1]?.token ?? -1;
    if (latent.token <= before) fail(`${path}.token`, `above ${before}`, String(latent.token));
    if (latent.position !== first + latent.token)
      fail(`${path}.position`, String(first + latent.token), String(latent.position));
    shape(`${path}.vector`, latent.vector, [hiddenSize]);
    shape(`${path}.attention`, latent.attention, [layers, heads, latent.position + 1]);
    shape(`${path}.mean`, latent.mean, [layers, latent.position + 1]);
    checkComparisons(trace, latent, path, shape, fail);
  });
}

/** The references of a trace must end within its container. */
function checkBounds(trace: Trace, fail: Fail): void {
  const { bytes } = trace.arrays;
  for (const ref of allArrays(trace)) {
    const end = ref.offset + bytesOf(ref);
    if (end > bytes) fail('every array', `within the ${bytes} bytes of the container`, `an end at ${end}`);
  }
}

/** A word's columns are the patches and the latents before it. */
function checkWords(trace: Trace, shape: CheckShape): void {
  const patches = visualCount(trace);
  let latents = 0;
  trace.tokens.forEach(({ attention }, i) => {
    while ((trace.latents[latents]?.token ?? Infinity) < i) latents++;
    if (attention) shape(`tokens.${i}.attention`, attention, [trace.model.layers, patches + latents]);
  });
}

interface Shaped {
  shape: readonly number[];
}

type CheckShape = (path: string, array: Shaped, expected: number[]) => void;

type Fail = (path: string, expected: string, found: string) => never;

function checkPictures(trace: Trace, fail: Fail): void {
  const ids = new Set<string>();
  trace.pictures.forEach(({ id, range, grid }, i) => {
    if (ids.has(id)) fail(`pictures.${i}.id`, 'unique', id);
    ids.add(id);
    if (range === undefined) return;
    const tokens = grid.rows * grid.columns;
    if (range.count !== tokens) fail(`pictures.${i}.range.count`, String(tokens), String(range.count));
    const end = range.start + range.count;
    if (end > trace.prompt.ids.length) fail(`pictures.${i}.range`, 'inside the prompt', `an end at ${end}`);
  });
}

function checkComparisons(
  trace: Trace,
  latent: TraceLatent,
  path: string,
  shape: (path: string, array: Shaped, expected: number[]) => void,
  fail: Fail,
): void {
  for (const [i, comparison] of latent.comparisons.entries()) {
    const picture = trace.pictures.find(({ id }) => id === comparison.picture);
    if (picture === undefined) {
      return fail(`${path}.comparisons.${i}.picture`, 'a picture of this trace', comparison.picture);
    }
    const tokens = picture.grid.rows * picture.grid.columns;
    const { groupSize, cosines, probabilities, selected } = comparison.selection;
    const candidates = Math.floor(tokens / groupSize);
    shape(`${path}.comparisons.${i}.similarity`, comparison.similarity, [tokens]);
    shape(`${path}.comparisons.${i}.selection.cosines`, cosines, [candidates]);
    shape(`${path}.comparisons.${i}.selection.probabilities`, probabilities, [candidates]);
    if (new Set(selected).size < selected.length)
      fail(`${path}.comparisons.${i}.selection.selected`, 'without repetition', `${selected.length} entries`);
    const outside = selected.find((index) => index >= candidates);
    if (outside !== undefined)
      fail(`${path}.comparisons.${i}.selection.selected`, `below ${candidates}`, String(outside));
  }
}
