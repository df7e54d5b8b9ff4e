/** The base phase on a small model: the tower in batches, and the gradient through picture and language. */

import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { largestDifference } from '../../../src/conformance/check.ts';
import { Model } from '../../../src/inference/model.ts';
import { HOLE, SAFE, START, GOAL, type GridMap } from '../../../src/dataset/scoring.ts';
import { pixelsPerPatch } from '../../../src/model/vision.ts';
import { MAP_DEFAULTS, mapItem } from '../../../src/mazes/stream.ts';
import { GraphBuilder } from '../../../src/onnx/graphBuilder.ts';
import { floats, openSession } from '../../../src/ort/session.ts';
import { BaseStudent, baseWeights, type BaseLesson } from '../../../src/train/base/student.ts';
import { GradientSum } from '../../../src/train/parameters/gradientSum.ts';
import { resident } from '../../../src/train/parameters/buffers.ts';
import { readParameters } from '../../../src/train/parameters/parameters.ts';
import { MAP_PROPERTIES, mapLabels } from '../../../src/train/base/mapLabels.ts';
import { isHead, perceptionAccuracy } from '../../../src/train/base/perception.ts';
import { sequenceOf } from '../../../src/train/data/sequence.ts';
import { PictureFeeds, readPictures, tokensOf } from '../../../src/train/graphs/tower.ts';
import { readTensor } from '../../../src/checkpoint/formats/safetensors.ts';
import { seededNumbers } from '../../../src/base/random.ts';
import { DEVICES } from '../../onnx/devices.ts';
import { smallCheckpoint } from '../smallModel.ts';

const SMALL_TOWER = { depth: 2, hiddenSize: 16, heads: 2, feedForwardSize: 24, outputSize: 16 };
/** Windows of 2 × 2 merged tokens in the first block, all of the picture in the second. */
const WINDOWED = { windowSize: 56, fullAttentionBlocks: [1] };

const { config: full, ...rest } = await smallCheckpoint();
const config = { ...full, vision: { ...full.vision, ...SMALL_TOWER, ...WINDOWED } };
const checkpoint = { ...rest, config };

/** 4 × 6 patches: small enough for a software GPU. */
const GRID = { height: 4, width: 6 };

function lessonOf(index: number, questions: ('plan' | 'hole')[]): BaseLesson {
  const item = mapItem({ ...MAP_DEFAULTS, seed: 3, sizes: [3], questions }, index);
  const random = seededNumbers(index);
  const count = GRID.height * GRID.width * pixelsPerPatch(config.vision);
  return {
    pixels: Float32Array.from({ length: count }, () => random() - 0.5),
    grid: GRID,
    labels: mapLabels(item.map, GRID, config.vision.mergeSize),
    sequences: item.questions.map(({ text, steps }) => {
      const plan = steps.map((step) => (step.type === 'text' ? step : { type: 'latent' as const }));
      return sequenceOf(checkpoint, { question: text, pictures: [{ grid: GRID }], plan });
    }),
  };
}

it('pictures in one batch have the features that inference gives them one by one, windows included', async () => {
  const lessons = [lessonOf(0, []), lessonOf(1, [])];
  const batch = { count: 2, grid: lessons[0]!.grid };
  const graph = new GraphBuilder('tower');
  const features = readPictures(graph, config.vision, checkpoint.weights, batch);
  graph.output('features', features, [tokensOf(config.vision, batch), config.vision.outputSize]);
  const { file } = checkpoint.weights.get('visual.merger.ln_q.weight', [16]);
  const session = await openSession(graph.build(), {
    provider: 'cpu',
    weightsFolder: path.dirname(file),
  });
  const feeds = new PictureFeeds(config.vision).of(
    batch,
    lessons.map(({ pixels }) => pixels),
  );
  const together = floats((await session.run(feeds))['features']);
  const model = await Model.open(
    { ...checkpoint, weights: { ...checkpoint.weights, root: path.dirname(file) } },
    'cpu',
  );
  const apart = [];
  for (const { pixels, grid } of lessons) apart.push(...(await model.encodeImage(pixels, grid)).data);
  expect(largestDifference(together, apart)).toBeLessThan(1e-5);
  await Promise.all([session.release(), model.release()]);
});

describe.each(DEVICES)('on $device', ({ device, available }) => {
  const opened: BaseStudent[] = [];
  afterAll(() => Promise.all(opened.map((student) => student.release())));

  async function open(withText: boolean): Promise<BaseStudent> {
    const random = seededNumbers(5);
    const refs = baseWeights(config, checkpoint.weights, withText);
    const values = await readParameters(refs, async (ref, name) =>
      name.startsWith('perception.')
        ? Float32Array.from({ length: ref.length / 4 }, () => random() - 0.5)
        : readTensor(ref),
    );
    const runtime = { provider: device };
    const parameters = await resident(values, runtime);
    const student = new BaseStudent(config, checkpoint.weights, parameters, 0.5, runtime);
    opened.push(student);
    return student;
  }

  it.skipIf(!available).each([
    ['perception alone', []],
    ['perception and language', ['plan', 'hole']],
  ] as const)('the gradient of %s predicts how the loss changes along it', async (_, questions) => {
    const student = await open(questions.length > 0);
    const lessons = [lessonOf(0, [...questions]), lessonOf(1, [...questions])];
    const [sum, unused] = [await student.parameters.zeros(), await student.parameters.zeros()];
    await student.learn(lessons, new GradientSum(sum), 1);
    const lossAfter = async (distance: number): Promise<number> => {
      await student.parameters.blend(sum, 1, distance);
      const { text, perception } = await student.learn(lessons, new GradientSum(unused), 1);
      return text + 0.5 * perception;
    };
    const norm = await sum.norm();
    const step = 3e-3 / norm;
    const slope = (-(await lossAfter(-step)) + (await lossAfter(2 * step))) / (2 * step);
    expect(Math.abs(slope / norm ** 2 - 1)).toBeLessThan(1e-2);
  });
});

it('pictures without questions teach the language model nothing, whatever was learnt before', async () => {
  const parameters = await readParameters(baseWeights(config, checkpoint.weights, true), async (ref, name) =>
    isHead(name) ? new Float32Array(ref.length / 4).fill(0.1) : readTensor(ref),
  );
  const student = new BaseStudent(config, checkpoint.weights, parameters, 0.5, { provider: 'cpu' });
  const [bare, asked] = [[lessonOf(0, [])], [lessonOf(1, ['plan'])]];
  const [alone, both, apart] = [parameters.zeros(), parameters.zeros(), parameters.zeros()];
  const sum = new GradientSum(both);
  await student.learn(bare, new GradientSum(alone), 1);
  await student.learn(asked, sum, 1);
  apart.blend(both, 0, 1);
  await student.learn(bare, sum, 1);
  apart.blend(alone, 1, 1);
  expect(both.data).toEqual(apart.data);
  expect(alone.norm()).toBeGreaterThan(0);
  sum.clear();
  await student.learn(asked, sum, 1);
  sum.clear();
  await student.learn(bare, sum, 1);
  await sum.whole();
  expect(both.data).toEqual(alone.data);
  await student.release();
});

it('a token is told by the cell at its centre: what lies there, how far the goal is, which moves lead to it', () => {
  const map: GridMap = [
    [START, SAFE, SAFE],
    [HOLE, HOLE, SAFE],
    [SAFE, HOLE, GOAL],
  ];
  const labels = mapLabels(map, { height: 12, width: 12 }, 2); // 6 × 6 tokens: 4 of them a cell
  const at = (row: number, column: number) => 6 * 2 * row + 2 * column;
  expect(labels.cell[at(0, 0)]).toBe(2);
  expect(labels.cell[at(1, 1) + 7]).toBe(1);
  expect(labels.distance[at(0, 0)]).toBe(4);
  expect(labels.moves[at(0, 0)]).toBe(0b1000); // right
  expect(labels.moves[at(1, 2)]).toBe(0b0010); // down
  expect(labels.distance[at(2, 0)]).toBe(13); // no way
  expect(labels.moves[at(2, 2)]).toBe(0);
  expect(labels.row[at(2, 0)]).toBe(2);
  expect([labels.topLeft, labels.bottomRight]).toEqual([labels.cell, labels.cell]);
});

it('where cells do not fall on tokens, a token also tells what its corners show', () => {
  const map: GridMap = [
    [START, HOLE],
    [SAFE, GOAL],
  ];
  const labels = mapLabels(map, { height: 6, width: 6 }, 2); // 3 × 3 tokens: the middle one lies on all cells
  const middle = 4;
  expect(labels.topLeft[middle]).toBe(2);
  expect(labels.topRight[middle]).toBe(1);
  expect(labels.bottomLeft[middle]).toBe(0);
  expect(labels.bottomRight[middle]).toBe(3);
  expect(labels.bottomRight[0]).toBe(2);
});

it('accuracy counts the four corners as one share', () => {
  const map: GridMap = [[START, GOAL]];
  const labels = mapLabels(map, { height: 2, width: 4 }, 2); // 2 tokens
  const widths = [4, 4, 4, 4, 4, 8, 8, 14, 16];
  const perceived = [0, 1].flatMap((token) =>
    Object.keys(MAP_PROPERTIES).flatMap((name, i) => {
      const told = name === 'topRight' && token === 0 ? SAFE : labels[name]![token];
      return Array.from({ length: widths[i]! }, (_, n) => (n === told ? 1 : 0));
    }),
  );
  const { corners, ...others } = perceptionAccuracy(MAP_PROPERTIES, Float32Array.from(perceived), [labels]);
  expect(corners).toBe(7 / 8);
  expect(others).toEqual({ cell: 1, row: 1, column: 1, distance: 1, moves: 1 });
});
