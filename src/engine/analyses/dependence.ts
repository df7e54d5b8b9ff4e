/** Dependence: the run over changed pictures, with its own words and latents made anew. */

import { PICTURE_CHANGES, type PictureChange } from '../../analysis/pictureChange.ts';
import type { AnalysisParameters, AnalysisResult } from '../../analysis/table.ts';
import { UserError } from '../../base/errors.ts';
import { blurred, grey, masked, mirrored, replaced } from '../../checkpoint/pixels/changeImage.ts';
import { decodeImage, type DecodedImage } from '../../checkpoint/pixels/decodeImage.ts';
import { lengthened } from '../../inference/embeddings.ts';
import { readSelfFed } from '../../inference/selfFed.ts';
import type { NumericArray } from '../../tensor/array.ts';
import { positionOf, requireFed, type ChangePicture, type ModelRun, type RunnerContext } from './modelRun.ts';
import { likeness, OwnReading } from './rereading.ts';

type Result = AnalysisResult<'dependence'>;
type Changed = Result['changes'][number];

export async function runDependence(
  of: ModelRun,
  { changes, region }: AnalysisParameters<'dependence'>,
  { found, progress, pause }: RunnerContext<'dependence'>,
): Promise<Result> {
  if (of.run.latents.length === 0) {
    throw new UserError({
      problem: 'This run has no latents that could depend on the picture',
      remedy: 'Choose a run with latent blocks.',
    });
  }
  requireFed(of);
  checkRegion(of, region);
  progress({ code: 'read-run' });
  const own = await OwnReading.read(of, pause);
  const wanted = PICTURE_CHANGES.filter((change) => changes.includes(change));
  const done: Changed[] = [];
  for (const change of wanted) {
    progress({ code: 'change-picture' }, done.length / wanted.length);
    await pause();
    const pixels = await pixelsFor(change, of, region);
    done.push(
      pixels === undefined
        ? { change, missing: 'no-other-run' }
        : { change, ...(await overChanged(own, pixels, pause)) },
    );
    found({ changes: [...done] });
  }
  return { changes: done };
}

async function overChanged(
  own: OwnReading,
  change: ChangePicture,
  pause: () => Promise<void>,
): Promise<Omit<Changed, 'change'>> {
  const { of, sequence } = own;
  const { model, run } = of;
  const features = await of.reencode(change);
  const picture = likeness(pairsOfRows(features, of.pictures));
  if (picture.distances.data.every((distance) => distance === 0)) return { missing: 'same-picture' };
  const { embeddings } = await of.promptWith(features);
  const end = sequence.ids.length;
  const width = embeddings.shape[1]!;
  const whole = lengthened(sequence.embeddings, end);
  whole.data.set(embeddings.data);
  if (embeddings.added) whole.added?.set(embeddings.added);
  const places = run.latents.map((latent) => positionOf(of, latent)).filter((at) => at < end);
  const cache = model.newCache();
  try {
    const changed = await readSelfFed(
      model,
      { ...sequence, embeddings: whole, made: new Set(places), cache, end },
      pause,
    );
    const stateAt = (position: number): Float32Array =>
      changed.hidden.data.subarray(position * width, (position + 1) * width);
    const { kl, answer } = await own.compare(own.words, changed);
    const pairs = (positions: readonly number[]) =>
      likeness(positions.map((at) => [stateAt(at), own.state(at)] as const));
    return {
      picture,
      latents: likeness(
        run.latents
          .filter((latent) => positionOf(of, latent) < end)
          .map((latent) => [changed.vectors.get(positionOf(of, latent))!, latent.vector] as const),
      ),
      words: pairs(own.words.map((word) => sequence.promptLength + word - 1)),
      question: pairs(questionOf(of)),
      whole: { kl, answer },
      through: await through(own, changed.vectors, pause),
    };
  } finally {
    cache.dispose();
  }
}

/** The run over its own picture with the latents of the changed one. */
async function through(
  own: OwnReading,
  vectors: ReadonlyMap<number, Float32Array>,
  pause: () => Promise<void>,
): Promise<NonNullable<Changed['through']>> {
  const { of, sequence } = own;
  const embeddings = own.withRows(vectors);
  const cache = of.model.newCache();
  try {
    const request = { ...sequence, embeddings, made: new Set<number>(), cache, end: sequence.ids.length };
    const { kl, answer } = await own.compare(own.words, await readSelfFed(of.model, request, pause));
    return { kl, answer };
  } finally {
    cache.dispose();
  }
}

function pairsOfRows(
  changed: readonly NumericArray[],
  pictures: ModelRun['pictures'],
): (readonly [Float32Array, Float32Array])[] {
  const seen = pictures.filter(({ picture }) => picture.start !== undefined);
  return seen.flatMap(({ features: { shape, data } }, n) => {
    const [count = 0, width = 0] = shape;
    const row = (of: Float32Array, i: number): Float32Array => of.subarray(i * width, (i + 1) * width);
    return Array.from({ length: count }, (_, i) => [row(changed[n]!.data, i), row(data, i)] as const);
  });
}

/** Positions of the question's words: those of the prompt after its last picture, but for the tokens around it. */
function questionOf({ model, run, sequence }: ModelRun): number[] {
  const { imagePad, visionEnd } = model.checkpoint.config.tokens;
  const last = run.promptIds.findLastIndex((id) => id === imagePad || id === visionEnd);
  return Array.from({ length: sequence.promptLength - last - 1 }, (_, i) => last + 1 + i);
}

/** @returns undefined where there is nothing to replace the picture by */
async function pixelsFor(
  change: PictureChange,
  of: ModelRun,
  region: readonly number[],
): Promise<ChangePicture | undefined> {
  switch (change) {
    case 'blurred':
      return blurred;
    case 'grey':
      return async (image) => grey(image);
    case 'mirrored':
      return async (image) => mirrored(image);
    case 'masked':
      return async (image, grid) => masked(image, sharesOf(region, grid));
    case 'replaced': {
      const [donor] = of.donorImages;
      if (donor === undefined) return undefined;
      const other: DecodedImage = await decodeImage(donor.bytes, donor.name);
      return (image) => replaced(image, other);
    }
    default:
      throw new Error(`no such change: ${String(change)}`);
  }
}

interface Grid {
  rows: number;
  columns: number;
}

/** A region of tokens as shares of the sides; the middle quarter where there is none. */
function sharesOf(region: readonly number[], { rows, columns }: Grid) {
  if (region.length < 4) return { top: 0.25, left: 0.25, bottom: 0.75, right: 0.75 };
  const [top, left, bottom, right] = region as [number, number, number, number];
  return {
    top: top / rows,
    left: left / columns,
    bottom: (bottom + 1) / rows,
    right: (right + 1) / columns,
  };
}

/** @throws UserError for a region that is none, or lies outside the picture */
function checkRegion({ run }: ModelRun, region: readonly number[]): void {
  if (region.length === 0) return;
  const { rows, columns } = run.pictures.find(({ start }) => start !== undefined)!;
  const [top = -1, left = -1, bottom = -1, right = -1] = region;
  const isIn = region.length === 4 && top <= bottom && left <= right && bottom < rows && right < columns;
  if (isIn) return;
  throw new UserError({
    problem: 'This region does not lie in the picture',
    expected: `top, left, bottom and right within ${rows} rows and ${columns} columns, counted from 0`,
    found: region.join(', '),
  });
}
