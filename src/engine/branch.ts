/** A run that goes on from a point of another: what it takes over, checked, since a trace comes from outside. */

import { UserError } from '../base/errors.ts';
import type { HiddenKeys } from '../inference/hiddenKeys.ts';
import type { Model } from '../inference/model.ts';
import type { Past } from '../inference/past.ts';
import { openersOf } from '../model/protocol.ts';
import type { BranchStart, ReasonRequest } from '../protocol/engine.ts';
import { requireModel } from '../trace/sameModel.ts';
import type { TraceBranch, TraceModel, TracePicture } from '../trace/schema.ts';

/** What of a branch the loop needs. */
export interface PreparedBranch {
  /** With the ids of its words. */
  record: TraceBranch;
  past: Past;
  hidden: HiddenKeys[];
  /** Of the request, and the branch's words. */
  force: Record<number, number>;
}

/**
 * @param model is loaded, and `identity` says which it is
 * @throws UserError for another model, words that cannot stand there, or a region that is not in the picture
 */
export function prepareBranch(
  model: Model,
  identity: TraceModel,
  { branch, force }: ReasonRequest,
): PreparedBranch | undefined {
  if (branch === undefined) return undefined;
  requireModel(identity, branch.model);
  checkPast(model, branch);
  const { record, past, vectors, draws, emptied, prompt } = branch;
  const words = wordsOf(model, branch);
  const { changes, at } = record;
  return {
    record: words === undefined ? record : { ...record, changes: { ...changes, words } },
    past: {
      ids: past.tokens.map(({ id }) => id),
      latents: new Map(past.latents.map(({ token }, i) => [token, vectors[i]!])),
      blocks: past.blocks,
      emptied: (block) => emptied.includes(block),
      draws,
    },
    hidden: hiddenBy(record, branch.pictures, prompt.ids.length),
    force: { ...force, ...Object.fromEntries((words?.ids ?? []).map((id, i) => [at + i, id])) },
  };
}

/** @throws UserError where the pictures are not those that the parent saw, or the prompt would be another */
export function checkSamePrompt(
  { prompt, pictures }: BranchStart,
  ids: readonly number[],
  given: readonly { name: string; source: { width: number; height: number } }[],
): void {
  given.forEach(({ name, source }, i) => {
    const was = pictures[i];
    if (was?.width === source.width && was.height === source.height) return;
    throw new UserError({
      problem: 'This branch needs the pictures of its parent',
      expected: was === undefined ? 'no more of them' : `${was.name} of ${was.width} × ${was.height} pixels`,
      found: `${name} of ${source.width} × ${source.height}`,
      remedy: 'A trace keeps large pictures reduced. Give the original picture.',
    });
  });
  if (ids.length === prompt.ids.length && ids.every((id, i) => id === prompt.ids[i])) return;
  throw new UserError({
    problem: 'This branch cannot go on from its parent',
    expected: `its prompt of ${prompt.ids.length} tokens`,
    found: `another of ${ids.length}`,
    remedy: 'The model’s chat template or its picture budget is another than then: ask the question again.',
  });
}

function checkPast({ checkpoint }: Model, { past, vectors, record, prompt }: BranchStart): void {
  const { vocabularySize, hiddenSize } = checkpoint.config.text;
  const fail = (expected: string, found: string): never => {
    throw new UserError({ problem: 'The run does not fit its model', expected, found });
  };
  const foreign = [...prompt.ids, ...past.tokens.map(({ id }) => id)].find((id) => id >= vocabularySize);
  if (foreign !== undefined) fail(`tokens below ${vocabularySize}`, String(foreign));
  if (past.tokens.length !== record.at)
    fail(`${record.at} tokens before the branch`, String(past.tokens.length));
  const pads = past.tokens.filter(({ kind }) => kind === 'latent').length;
  if (pads !== vectors.length) fail(`a vector for each of ${pads} latents`, String(vectors.length));
  const bad = vectors.find((vector) => vector.length !== hiddenSize || !vector.every(Number.isFinite));
  if (bad !== undefined) fail(`latents of ${hiddenSize} finite numbers`, `${bad.length} numbers`);
}

function wordsOf(model: Model, { record, past }: BranchStart): TraceBranch['changes']['words'] {
  const { words } = record.changes;
  if (words === undefined) return undefined;
  const { tokens, protocol } = model.checkpoint.config;
  const fail = (expected: string, found: string): never => {
    throw new UserError({ problem: 'These words cannot be written there', expected, found });
  };
  if (past.blocks.at(-1)?.ended === 'running')
    fail('a place outside latent blocks', `block ${past.blocks.length}, where no words are written`);
  const ids = model.checkpoint.tokenizer.encode(words.text);
  if (ids.length === 0) fail('at least one word', 'none');
  const { pad, end } = protocol?.tokens ?? {};
  const marker = ids.findIndex((id) => id === pad?.id || id === end?.id || id === tokens.imagePad);
  if (marker >= 0) fail('text', 'a token of latent blocks or pictures in it');
  const openers = openersOf(protocol);
  if (ids.slice(0, -1).some((id) => openers.includes(id)))
    fail('the start of a block as the last of the words', 'words after it');
  return { text: words.text, ids };
}

function hiddenBy(
  { masks = [] }: TraceBranch,
  pictures: readonly TracePicture[],
  promptLength: number,
): HiddenKeys[] {
  return masks.map(({ from, picture: id, patches }) => {
    const picture = pictures.find((each) => each.id === id);
    const { range } = picture ?? {};
    if (picture === undefined || range === undefined) {
      throw new UserError({
        problem: 'This region cannot be hidden',
        expected: 'a picture that the model was shown',
        found: picture?.name ?? id,
      });
    }
    const outside = patches.find((patch) => patch >= range.count);
    if (outside !== undefined) {
      throw new UserError({
        problem: 'This region is not within the picture',
        expected: `patches 1 to ${range.count} of ${picture.name}`,
        found: String(outside + 1),
      });
    }
    return { from: promptLength + from, keys: new Set(patches.map((patch) => range.start + patch)) };
  });
}
