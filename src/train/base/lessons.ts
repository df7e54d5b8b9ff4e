/** What the base phase learns from: pictures of maps whose cells are known, from a samples file or drawn when asked for. */

import { UserError } from '../../base/errors.ts';
import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import type { SamplePicture } from '../../dataset/samplePicture.ts';
import { readSamples, type Sample } from '../../dataset/samples.ts';
import type { GridMap } from '../../dataset/scoring.ts';
import { MAX_SIZE } from '../../mazes/grid.ts';
import { checkMapOptions, galleryItem, mapItem, type MapOptions } from '../../mazes/stream.ts';
import { checkWorldOptions, worldItem, type WorldOptions } from '../../worlds/stream.ts';
import { drawnPicture, patchReader, pictureIn } from '../data/pictures.ts';
import { checkCount, checkSample, located, mapName, Shuffle, worldName } from '../data/samples.ts';
import { sequenceOf, type Patches, type SampleText, type TrainingSequence } from '../data/sequence.ts';
import { MAP_PROPERTIES, mapLabels } from './mapLabels.ts';
import type { Properties } from './perception.ts';
import type { BaseLesson } from './student.ts';
import { WORLD_PROPERTIES, worldLabels } from './worldLabels.ts';

export interface LessonSettings {
  /** A samples file, or maps or worlds drawn as they are needed. */
  data: string | { generator: BaseMapOptions } | { worlds: WorldOptions };
  /** Of the orders of a file's maps. */
  seed: number;
  /** Folder that a samples file's paths to pictures count from; its own if absent. */
  pictures?: string | undefined;
  /** Whether what is asked about a map is learnt too; perception alone otherwise. */
  withText: boolean;
}

interface BaseMapOptions extends MapOptions {
  /** Pictures of many figures beside each map. */
  galleries: number;
  /** Their sizes, in turn; those of the maps if not given. */
  gallerySizes?: readonly number[] | undefined;
}

export interface LocatedLesson {
  /** File and line, or the number of the map. */
  where: string;
  lesson: BaseLesson;
}

export interface MapData {
  /** What its pictures are asked. */
  properties: Properties;
  /** By position in an endless sequence, a function of the config alone. */
  at: (position: number) => Promise<LocatedLesson>;
}

/** @throws UserError with file and line for the first sample that cannot be learnt */
export async function openMaps(settings: LessonSettings, checkpoint: Checkpoint): Promise<MapData> {
  const { data, withText } = settings;
  if (typeof data === 'string') return fileMaps(data, settings, checkpoint);
  return 'worlds' in data
    ? drawnWorlds(data.worlds, withText, checkpoint)
    : drawnMaps(data.generator, withText, checkpoint);
}

/** Without words, each world is shown as it is after some of its moves: with things on switches and in doors. */
function drawnWorlds(options: WorldOptions, withText: boolean, checkpoint: Checkpoint): MapData {
  checkWorldOptions(options);
  const pictures = patchReader(checkpoint.processor);
  const { mergeSize } = checkpoint.config.vision;
  return {
    properties: WORLD_PROPERTIES,
    at: async (index) => {
      const where = worldName(index);
      const { world, states, question, drawHelper } = worldItem(options, index);
      const all = withText ? [world.state] : [world.state, ...states];
      const state = all[index % all.length]!;
      const picture = await pictures.read(drawnPicture(where, () => drawHelper(state)));
      const sequences = withText ? [asked(checkpoint, picture, question.text, question.steps)] : [];
      const labels = worldLabels(world.layout, state, picture.grid, mergeSize);
      return { where, lesson: { ...picture, labels, sequences } };
    },
  };
}

function drawnMaps(options: BaseMapOptions, withText: boolean, checkpoint: Checkpoint): MapData {
  checkMapOptions(options);
  const galleries = { ...options, sizes: options.gallerySizes ?? options.sizes };
  checkMapOptions(galleries);
  const pictures = patchReader(checkpoint.processor);
  // A map, then its galleries.
  const period = 1 + options.galleries;
  return {
    properties: MAP_PROPERTIES,
    at: async (position) => {
      const [index, place] = [Math.floor(position / period), position % period];
      if (place > 0) {
        const gallery = index * options.galleries + place - 1;
        const where = `gallery ${gallery + 1} of the generator`;
        const { map, picture } = galleryItem(galleries, gallery);
        const seen = await pictures.read(drawnPicture(where, () => picture));
        return { where, lesson: lessonOf(checkpoint, map, seen, []) };
      }
      const where = mapName(index);
      const item = mapItem(options, index);
      const picture = await pictures.read(drawnPicture(where, () => item.picture));
      const questions = withText ? item.questions : [];
      const sequences = questions.map(({ text, steps }) => asked(checkpoint, picture, text, steps));
      return { where, lesson: lessonOf(checkpoint, item.map, picture, sequences) };
    },
  };
}

/** A picture and all that is asked about it. */
interface FileMap {
  image: SamplePicture;
  map: GridMap;
  samples: Sample[];
}

async function fileMaps(
  file: string,
  { withText, seed, pictures: root }: LessonSettings,
  checkpoint: Checkpoint,
): Promise<MapData> {
  const byImage = new Map<string, FileMap>();
  for await (const sample of readSamples(file, { plans: withText, root })) {
    const where = `${file}:${sample.line}`;
    if (withText) checkSample(sample, where, { helpers: false });
    const { image, map } = knownMap(sample, where);
    const known = byImage.get(image.id);
    if (known === undefined) byImage.set(image.id, { image, map, samples: [sample] });
    else {
      checkSame(known, map, where);
      known.samples.push(sample);
    }
  }
  const maps = [...byImage.values()];
  checkCount(maps, file);
  const order = new Shuffle(maps.length, seed);
  const pictures = patchReader(checkpoint.processor);
  return {
    properties: MAP_PROPERTIES,
    at: async (position) => {
      const { image, map, samples } = maps[order.at(position)]!;
      const where = `${file}:${samples[0]!.line}`;
      const picture = await located(where, () => pictures.read(pictureIn(image)));
      const sequences: TrainingSequence[] = [];
      for (const { line, question, plan } of withText ? samples : [])
        sequences.push(
          await located(`${file}:${line}`, async () => asked(checkpoint, picture, question, plan!)),
        );
      return { where, lesson: lessonOf(checkpoint, map, picture, sequences) };
    },
  };
}

/** @throws UserError unless the sample says what lies in each cell of its one picture */
function knownMap(sample: Sample, where: string): { image: SamplePicture; map: GridMap } {
  const { images } = sample;
  const [image] = images;
  const map = sample.drawn ?? sample.map;
  if (image === undefined || images.length > 1)
    throw unknown('one picture, which map_desc describes', `${images.length} in image_input`, where);
  if (map === undefined) throw unknown('map_desc, the codes of its cells', 'none', where);
  const [height, width] = [map.length, map[0]!.length];
  if (Math.max(height, width) > MAX_SIZE)
    throw unknown(`map_desc of at most ${MAX_SIZE} × ${MAX_SIZE} cells`, `${height} × ${width}`, where);
  return { image, map };
}

/** One of two descriptions must be of something else, such as where a plan is to begin. */
function checkSame({ map: before, samples }: FileMap, map: GridMap, where: string): void {
  if (JSON.stringify(map) === JSON.stringify(before)) return;
  const expected = `the cells that line ${samples[0]!.line} gives for the same picture, ${JSON.stringify(before)}`;
  throw unknown(expected, JSON.stringify(map), where);
}

function unknown(expected: string, found: string, where: string): UserError {
  return new UserError({
    problem: 'Perception cannot be learnt from this sample',
    expected,
    found,
    where,
    remedy: 'Give what the picture shows as map_desc or, where a plan begins elsewhere, as map_drawn.',
  });
}

/** A question with its answer; latent steps have their pads' embeddings. */
function asked(
  source: Checkpoint,
  picture: Patches,
  question: string,
  steps: SampleText['plan'],
): TrainingSequence {
  const plan = steps.map((step) => (step.type === 'text' ? step : { type: step.type }));
  return sequenceOf(source, { question, pictures: [picture], plan });
}

function lessonOf(
  { config }: Checkpoint,
  map: GridMap,
  { pixels, grid }: Patches,
  sequences: readonly TrainingSequence[],
): BaseLesson {
  return { pixels, grid, labels: mapLabels(map, grid, config.vision.mergeSize), sequences };
}
