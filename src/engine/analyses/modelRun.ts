/** What analyses with a model begin with: the same model, the same pictures, and the sequence as it was fed. */

import type { OnActivity } from '../../base/activity.ts';
import type { AnalysedPicture, AnalysedRun } from '../../analysis/run.ts';
import type { AnalysisName, AnalysisResult } from '../../analysis/table.ts';
import { UserError } from '../../base/errors.ts';
import { withBudget } from '../../checkpoint/pixels/budget.ts';
import { decodeImage, type DecodedImage } from '../../checkpoint/pixels/decodeImage.ts';
import { prepareImage } from '../../checkpoint/pixels/image.ts';
import type { PictureFeatures } from '../../inference/embeddings.ts';
import type { HiddenKeys } from '../../inference/hiddenKeys.ts';
import type { Model } from '../../inference/model.ts';
import type { Prompt } from '../../inference/prompt.ts';
import { sequenceOf, type ReplayedPart, type Sequence } from '../../inference/replay.ts';
import type { PatchGrid } from '../../model/positions.ts';
import type { Protocol } from '../../model/protocol.ts';
import type { AnalysedImage, RunQuestion } from '../../protocol/analyse.ts';
import { lengthOf } from '../../tensor/array.ts';
import { requireModel } from '../../trace/sameModel.ts';

export interface RunnerContext<Name extends AnalysisName> {
  /** Takes a partial result. */
  found: (result: AnalysisResult<Name>) => void;
  progress: OnActivity;
  /** Lets messages in; throws CancelledError if it was cancelled. */
  pause: () => Promise<void>;
}

export interface AnalyseContext extends RunnerContext<AnalysisName> {
  model: Model;
  /** Which model it is. */
  identity: { name: string; fingerprint: string; sha256?: string | undefined };
}

/** What is done to a picture's pixels, given the tokens that it has. */
export type ChangePicture = (
  image: DecodedImage,
  grid: { rows: number; columns: number },
) => DecodedImage | Promise<DecodedImage>;

/** A run, ready to be read once more. */
export interface ModelRun {
  model: Model;
  run: AnalysedRun;
  /** What it was asked, ready to be read. */
  prompt: Prompt;
  /** How it was generated. */
  settings: RunQuestion['settings'];
  sequence: Sequence;
  /** What it did not see of its pictures, as a branch. */
  hidden: readonly HiddenKeys[];
  /** Of each picture in the prompt and, where they were asked for, of the others: features (tokens, C). */
  pictures: { picture: AnalysedPicture; features: PictureFeatures; grid: PatchGrid }[];
  /** Features of the pictures in the prompt, changed before the tower sees them. */
  reencode: (change: ChangePicture) => Promise<PictureFeatures[]>;
  /** The prompt with other features at its pictures. */
  promptWith: (features: readonly PictureFeatures[]) => Promise<Pick<Prompt, 'embeddings'>>;
  /** Whether its latents were the model's own. */
  own: boolean;
  /** Another run, whose latents can be fed, and the pictures that it saw. */
  donor: AnalysedRun | undefined;
  /** How it thought. */
  protocol: Protocol | undefined;
  donorImages: readonly AnalysedImage[];
  /** Whether the other run's latents were the model's own. */
  donorOwn: boolean;
}

/** Whether what was fed at a run's latents is what the model came to. */
export function hasOwnLatents({
  intervention,
  replacedBefore,
}: Pick<RunQuestion, 'intervention' | 'replacedBefore'>): boolean {
  return intervention === undefined && replacedBefore !== true;
}

/** @throws UserError for a run that says nothing of the model's latents, as others were fed in their place */
export function requireOwnLatents(request: RunQuestion): void {
  if (hasOwnLatents(request)) return;
  throw new UserError({
    problem: 'The latents of this run were replaced already',
    expected: "a run with the model's own latents",
    remedy: 'Choose another run, or ask again without an intervention.',
  });
}

/**
 * @param helpers whether pictures that the model did not see are wanted too
 * @throws UserError for another model or another picture than the run's
 */
export async function prepareRun(
  context: AnalyseContext,
  request: RunQuestion,
  helpers: boolean,
): Promise<ModelRun> {
  const { model, identity } = context;
  requireModel(identity, request.model);
  checkRun(model, request.run);
  const { run, settings } = request;
  const encoded: ModelRun['pictures'] = [];
  const wanted = run.pictures.filter(({ start }) => helpers || start !== undefined);
  for (const picture of wanted) {
    context.progress({ code: 'encode', of: picture.name }, encoded.length / wanted.length);
    await context.pause();
    encoded.push({ picture, ...(await encode(context, request, picture)) });
  }
  const seen = encoded.filter(({ picture }) => picture.start !== undefined);
  const prompt = { ids: run.promptIds, ...(await model.embedPrompt(run.promptIds, seen)) };
  const past = {
    ids: run.tokens.map(({ id }) => id),
    latents: new Map(run.latents.map(({ token, vector }) => [token, vector])),
    blocks: run.blocks,
    protocol: request.protocol,
    emptied: (block: number) => run.blocks[block]?.emptied === true,
  };
  const hidden = hiddenIn(request, run);
  const sequence = await sequenceOf(model, prompt, past, hidden);
  return {
    model,
    run,
    prompt,
    settings,
    sequence,
    hidden,
    pictures: encoded,
    own: hasOwnLatents(request),
    reencode: async (change) => {
      const changed: PictureFeatures[] = [];
      for (const { picture } of seen)
        changed.push((await encode(context, request, picture, change)).features);
      return changed;
    },
    promptWith: (features) =>
      model.embedPrompt(
        run.promptIds,
        seen.map(({ grid }, i) => ({ grid, features: features[i]! })),
      ),
    donor: request.other,
    protocol: (request.protocol as Protocol | undefined) ?? model.checkpoint.config.protocol,
    donorImages: seenImages(request.other, request.otherInput?.images ?? []),
    donorOwn: request.otherInput === undefined || hasOwnLatents(request.otherInput),
  };
}

/** What a branch did not see of its pictures from some token on. */
function hiddenIn({ masks = [] }: RunQuestion, { promptIds, pictures }: AnalysedRun): HiddenKeys[] {
  return masks.map(({ from, picture, patches }) => {
    const start = pictures.find(({ id }) => id === picture)?.start ?? Infinity;
    return { from: promptIds.length + from, keys: new Set(patches.map((patch) => start + patch)) };
  });
}

/** A trace comes from outside. */
function checkRun({ checkpoint }: Model, { promptIds, tokens, latents }: AnalysedRun): void {
  const { vocabularySize, hiddenSize, maxPositions } = checkpoint.config.text;
  const fail = (expected: string, found: string): never => {
    throw new UserError({ problem: 'The run does not fit its model', expected, found });
  };
  const foreign = [...promptIds, ...tokens.map(({ id }) => id)].find((id) => id >= vocabularySize);
  if (foreign !== undefined) fail(`tokens below ${vocabularySize}`, String(foreign));
  const count = promptIds.length + tokens.length;
  if (count > maxPositions) fail(`at most ${maxPositions} tokens`, String(count));
  for (const { token, vector } of latents) {
    if (tokens[token]?.kind !== 'latent') fail('latents at tokens of that kind', `one at token ${token}`);
    if (vector.length !== hiddenSize) fail(`latents of ${hiddenSize} numbers`, String(vector.length));
  }
}

async function encode(
  { model, progress, pause }: AnalyseContext,
  { images, minPixels, maxPixels }: RunQuestion,
  { id, name, rows, columns }: AnalysedPicture,
  change: ChangePicture = (decoded) => decoded,
): Promise<{ features: PictureFeatures; grid: PatchGrid }> {
  const image = images.find((each) => each.id === id);
  if (image === undefined) {
    throw new UserError({
      problem: 'This analysis needs a picture of the run',
      found: `no copy of ${name}`,
      remedy: 'Give the picture itself.',
    });
  }
  const decoded = await decodeImage(image.bytes, image.name);
  checkSize(decoded, image);
  const { mergeSize } = model.checkpoint.processor;
  const prepared = prepareImage(
    await change(decoded, { rows, columns }),
    withBudget(model.checkpoint.processor, {
      ...(minPixels !== undefined && { minPixels }),
      ...(maxPixels !== undefined && { maxPixels }),
    }),
  );
  const { grid } = prepared;
  const [height, width] = [grid.height / mergeSize, grid.width / mergeSize];
  if (height !== rows || width !== columns) {
    throw new UserError({
      problem: `The model sees ${name} otherwise than the run did`,
      expected: `${rows} × ${columns} tokens`,
      found: `${height} × ${width}`,
      remedy: 'Run the question again: the trace does not tell the pixel budget, or the model has another.',
    });
  }
  const onRun = async (done: number): Promise<void> => {
    progress({ code: 'encode', of: name }, done);
    await pause();
  };
  return { features: await model.encodeImage(prepared.pixelValues, grid, { onRun }), grid };
}

/** Those that were part of the prompt. */
function seenImages(run: AnalysedRun | undefined, images: readonly AnalysedImage[]): AnalysedImage[] {
  const seen = new Set(run?.pictures.flatMap(({ id, start }) => (start === undefined ? [] : [id])));
  return images.filter(({ id }) => seen.has(id));
}

function checkSize(found: { width: number; height: number }, expected: AnalysedImage): void {
  if (found.width === expected.width && found.height === expected.height) return;
  throw new UserError({
    problem: 'This analysis needs the picture itself',
    expected: `${expected.name} of ${expected.width} × ${expected.height} pixels, as the run saw it`,
    found: `a copy of ${found.width} × ${found.height}`,
    remedy: 'A trace keeps large pictures reduced. Give the original picture.',
  });
}

/** A latent's index in the sequence. */
export function positionOf({ sequence }: ModelRun, latent: { token: number }): number {
  return sequence.promptLength + latent.token;
}

/** What rounding and another device make of a state is far below this. */
const SAME = 0.05;

/**
 * Whether a replay gives the run's own latents, as each part of it comes: with other weights, pictures or settings
 * it does not.
 * @throws UserError if it does not
 */
export function checkReplay(of: ModelRun, { first, hidden, following: { fed } }: ReplayedPart): void {
  if (!of.own) return;
  const [count = 0, width = 0] = hidden.shape;
  for (const latent of of.run.latents) {
    const row = madeAt(of, latent) - first;
    if (row < 0 || row >= count) continue;
    const states = of.protocol?.source === 'token' ? hidden : fed;
    checkLatent(of, latent.token, states.data.subarray(row * width, (row + 1) * width));
  }
}

/** Where a latent comes from: what was fed, the position before its own; one that is a token, its own. */
export function madeAt(of: ModelRun, latent: { token: number }): number {
  return positionOf(of, latent) - (of.protocol?.source === 'token' ? 0 : 1);
}

/** Positions of latents that were fed, which is none where latents are tokens. */
export function fedPlaces(of: ModelRun): number[] {
  return of.protocol?.source === 'token' ? [] : of.run.latents.map((latent) => positionOf(of, latent));
}

/** @throws UserError for a run whose latents are tokens: nothing is fed back, so that nothing can be made anew */
export function requireFed({ protocol }: ModelRun): void {
  if (protocol?.source !== 'token') return;
  throw new UserError({
    problem: 'This test makes latents anew, and in this model they are ordinary tokens',
    expected: 'a model that feeds vectors back',
    found: `the protocol of ${protocol.name}, which feeds none`,
    remedy: 'Test what its words need with causality: latents zeroed, or left out.',
  });
}

/** The same for one latent, by its index among the new tokens. @throws UserError if the vector is another */
export function checkLatent(of: ModelRun, token: number, vector: Float32Array): void {
  const latent = of.run.latents.find((each) => each.token === token);
  if (latent === undefined) return;
  const apart = lengthOf(vector.map((value, c) => value - latent.vector[c]!));
  const share = apart / (lengthOf(latent.vector) || 1);
  if (share <= SAME) return;
  throw new UserError({
    problem: 'The model does not come to the latents that the run had',
    expected: 'the same, but for rounding',
    found: `a difference of ${Math.round(share * 100)} % at latent ${latent.index + 1} of block ${latent.block + 1}`,
    remedy: 'Use the same weights, quantised as they were, and the same pictures; or run the question again.',
  });
}
