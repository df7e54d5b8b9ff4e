/** A run that goes on from a point of a recorded one, as it is asked of an engine. */

import { UserError } from '../base/errors.ts';
import type { ImageInput, LatentIntervention, ReasonRequest } from '../protocol/engine.ts';
import { isEmptied } from '../trace/analyses.ts';
import { readArray, type ByteSource } from '../trace/arrays.ts';
import { requireHelpers } from './latents.ts';
import { arraysEnd, drawsBefore, pastOf } from '../trace/branch.ts';
import type { Trace, TraceBranch, TraceSettings } from '../trace/schema.ts';

/** What is other from there on; what is absent stays as it was. */
export interface BranchChanges {
  /** Written in place of what stood there. */
  text?: string;
  /** Patches, from 0, of a picture that nothing from there on attends to. */
  mask?: { picture: string; patches: number[] };
  /** "own": the model's own latents, where the parent's were replaced; "oracle": what the teacher selects for the parent. */
  intervention?: LatentIntervention | 'own' | 'oracle';
  temperature?: number;
  seed?: number;
  maxTokens?: number;
}

/** Where a branch begins. */
export interface BranchPoint {
  trace: Trace;
  container: ByteSource;
  /** Index into the trace's tokens. */
  at: number;
  /** Asks the teacher what it selects for the run; needed for "oracle" alone. */
  teacher?: () => Promise<Float32Array[][]>;
  /** Id of the run that the branch counts as a child of; absent: the trace's own. */
  parent?: string;
}

export interface BranchRequest {
  request: Omit<ReasonRequest, 'id' | 'arrays'>;
  /** So many bytes of the parent's arrays have to be in the file of the branch's, before it begins. */
  bytes: number;
}

/**
 * @param images the pictures that the parent was given, in its order
 * @throws UserError if the point is none of the run, or something cannot be changed there
 */
export async function branchRequest(
  { trace, container, at, teacher, parent = trace.id }: BranchPoint,
  changes: BranchChanges,
  { images, helpers }: { images: ImageInput[]; helpers: ImageInput[] },
): Promise<BranchRequest> {
  checkBranch(trace, at, changes);
  const { settings, prompt, pictures, model } = trace;
  const past = pastOf(trace, at);
  const vectors: Float32Array[] = [];
  for (const { vector } of past.latents) vectors.push((await readArray(container, vector)).data);
  const { temperature = settings.temperature, seed = settings.seed } = changes;
  const intervention =
    changes.intervention === 'oracle'
      ? await selected(teacher)
      : (changes.intervention ?? inherited(settings));
  const isNewSeed = seed !== settings.seed || settings.temperature === 0;
  return {
    bytes: arraysEnd(trace, past),
    request: {
      question: trace.question,
      images,
      helpers,
      helperMode: settings.helpers,
      ...(settings.system !== undefined && { system: settings.system }),
      placement: settings.placement,
      ...(settings.minPixels !== undefined && { minPixels: settings.minPixels }),
      ...(settings.maxPixels !== undefined && { maxPixels: settings.maxPixels }),
      latents: settings.latents,
      ...(intervention !== undefined && intervention !== 'own' && { intervention }),
      ...(settings.protocol !== undefined && { protocol: settings.protocol }),
      temperature,
      topP: settings.topP,
      ...(settings.topK !== undefined && { topK: settings.topK }),
      repetitionPenalty: settings.repetitionPenalty,
      seed,
      maxTokens: changes.maxTokens ?? settings.maxTokens,
      force: forcedBefore(settings, changes.text === undefined ? Infinity : at),
      branch: {
        record: recordOf(trace, { at, parent }, changes),
        model: { name: model.name, fingerprint: model.fingerprint, sha256: model.sha256 },
        prompt,
        pictures,
        past,
        vectors,
        emptied: past.blocks.flatMap((block, i) => (isEmptied(block, trace) ? [i] : [])),
        draws: isNewSeed ? 0 : drawsBefore(trace, at),
      },
    },
  };
}

/** What can be told before a model is loaded. @throws UserError as `branchRequest` does */
export function checkBranch(trace: Trace, at: number, { intervention }: BranchChanges): void {
  checkPoint(trace, at);
  if (intervention === 'oracle') requireHelpers(trace);
  if (intervention === undefined) inherited(trace.settings);
}

async function selected(teacher: BranchPoint['teacher']): Promise<LatentIntervention> {
  const blocks = (await teacher?.()) ?? [];
  if (blocks.length > 0) return { kind: 'oracle', blocks };
  throw new UserError({
    problem: 'The teacher selects nothing for this run',
    expected: 'a model of ILVR, and a run with blocks of its length',
    remedy: 'Feed something else in their place.',
  });
}

/** The branch of a trace once more: from its own past, with what was changed. */
export function changesOf({ branch, settings }: Trace): BranchChanges {
  if (branch === undefined) return {};
  const { words, temperature, seed, intervention } = branch.changes;
  const own = branch.masks?.find(({ from }) => from === branch.at);
  return {
    ...(words !== undefined && { text: words.text }),
    ...(own !== undefined && { mask: { picture: own.picture, patches: own.patches } }),
    ...(temperature !== undefined && { temperature }),
    ...(seed !== undefined && { seed }),
    ...(intervention === 'own' && { intervention }),
    ...(intervention !== undefined && intervention !== 'own' && { intervention: inherited(settings)! }),
  };
}

function checkPoint({ tokens, settings, prompt }: Trace, at: number): void {
  const last = Math.min(tokens.length, settings.maxTokens);
  if (
    prompt.ids.length > 0 &&
    Number.isInteger(at) &&
    at >= 0 &&
    at <= last &&
    tokens[at - 1]?.kind !== 'end'
  )
    return;
  throw new UserError({
    problem: 'A branch cannot begin there',
    expected: tokens.length === 0 ? 'a run that has written something' : `a token from 1 to ${tokens.length}`,
    found: `token ${at + 1}`,
  });
}

function recordOf(
  { tokens, settings, branch }: Trace,
  { at, parent }: { at: number; parent: string },
  { text, mask, intervention, temperature, seed }: BranchChanges,
): TraceBranch {
  const isNewSeed = (seed ?? settings.seed) !== settings.seed || settings.temperature === 0;
  const drawsFrom = isNewSeed ? at : branch?.drawsFrom;
  // Those that began later are not of this past.
  const masks = [
    ...(branch?.masks ?? []).filter(({ from }) => from < at),
    ...(mask === undefined ? [] : [{ from: at, ...mask }]),
  ];
  const replaced = settings.intervention !== undefined || branch?.replacedBefore === true;
  const hasLatents = tokens.slice(0, at).some(({ kind }) => kind === 'latent');
  return {
    parent,
    at,
    changes: {
      ...(text !== undefined && { words: { text, ids: [] } }),
      ...(intervention !== undefined && {
        intervention: typeof intervention === 'string' ? intervention : intervention.kind,
      }),
      ...(temperature !== undefined && { temperature }),
      ...(seed !== undefined && { seed }),
    },
    ...(masks.length > 0 && { masks }),
    ...(drawsFrom !== undefined && drawsFrom > 0 && { drawsFrom }),
    ...(replaced && hasLatents && { replacedBefore: true }),
  };
}

/** What the parent fed goes on; vectors that it took from elsewhere are not in its trace. */
function inherited({
  intervention: kind,
  interventionScope: scope,
}: TraceSettings): LatentIntervention | undefined {
  const within = scope === undefined ? {} : { scope: { ...scope } };
  if (kind === undefined) return undefined;
  if (kind === 'noise') return { kind, sample: 0, ...within };
  if (kind === 'zero' || kind === 'dummy' || kind === 'markers' || kind === 'none')
    return { kind, ...within };
  throw new UserError({
    problem: 'What the parent fed at its latents is not in its trace',
    expected: 'what is to be fed from here on',
    found: `a run with ${kind}`,
    remedy: 'Say it, or take the model’s own.',
  });
}

function forcedBefore({ force }: TraceSettings, end: number): Record<number, number> {
  return Object.fromEntries(Object.entries(force).filter(([index]) => Number(index) < end));
}
