import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openSafetensors } from '../../src/checkpoint/formats/tensorFile.ts';
import {
  candidatesOf,
  cosines,
  RELEASED_SELECTION,
  select,
  selectByCosine,
} from '../../src/model/selection.ts';
import { GOLDENS, hasGoldens } from '../fixtures/goldens.ts';

describe.skipIf(!hasGoldens).each(['flat', 'tied'])('the released teacher, %s', (name) => {
  const folder = join(GOLDENS, 'training', name);
  const cases = hasGoldens
    ? (JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8')) as {
        name: string;
        selected: number[][];
      }[])
    : [];
  const config = hasGoldens ? JSON.parse(readFileSync(join(GOLDENS, name, 'config.json'), 'utf8')) : {};

  it.each(cases.filter(({ selected }) => selected.length > 0))(
    'selects the same features: $name',
    async (item) => {
      const tensors = await openSafetensors(join(folder, `${item.name}.safetensors`));
      for (const [block, selected] of item.selected.entries()) {
        const similarity = await tensors.float32(`similarity.${block}`);
        const settings = { ...RELEASED_SELECTION, count: config.latent_size as number };
        expect(selectByCosine(similarity, settings).selected).toEqual(selected);
      }
    },
  );
});

const FEATURES = { shape: [3, 2], data: new Float32Array([1, 0, 0, 1, 3, 4]) };

it('cosine does not depend on length', () => {
  expect([...cosines(new Float32Array([10, 0]), FEATURES)]).toEqual([1, 0, Math.fround(0.6)]);
});

it('probabilities are the softmax of the cosines', () => {
  const { probabilities } = select(new Float32Array([1, 0]), FEATURES, { ...RELEASED_SELECTION, count: 2 });
  const weights = [1, 0, 0.6].map(Math.exp);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  probabilities.forEach((p, i) => expect(p).toBeCloseTo(weights[i]! / total, 6));
});

it('coverage stops earlier than the count where few features are enough', () => {
  const settings = { coverage: 0.9, temperature: 0.05, count: 3 };
  expect(select(new Float32Array([1, 0]), FEATURES, settings).selected).toEqual([0]);
});

it('from 256 tokens on, contiguous runs are averaged to 256 candidates and the rest is dropped', () => {
  const features = { shape: [515, 1], data: Float32Array.from({ length: 515 }, (_, i) => i) };
  const { candidates, groupSize } = candidatesOf(features);
  expect(groupSize).toBe(2);
  expect(candidates.shape).toEqual([256, 1]);
  expect([candidates.data[0], candidates.data[255]]).toEqual([0.5, 510.5]);
});
