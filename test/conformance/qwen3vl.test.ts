/** Qwen3-VL as upstream transformers computes it, and SwimBird's loop on it. */

import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { exportCheckpoint } from '../../src/checkpoint/exportCheckpoint.ts';
import { Answers } from '../../src/conformance/answers.ts';
import { runConformance } from '../../src/conformance/conformance.ts';
import { preparePrompt } from '../../src/conformance/inference.ts';
import { walkBack } from '../../src/inference/backward.ts';
import type { Embeddings } from '../../src/inference/embeddings.ts';
import { Model } from '../../src/inference/model.ts';
import { logProbabilities, sequenceOf, type Sequence } from '../../src/inference/replay.ts';
import { requireTrainable } from '../../src/train/trainedBases.ts';
import { temporaryFolder } from '../fixtures/cli.ts';

const answers = join(import.meta.dirname, '../bases/qwen3-vl');

async function linesOf(dir: string, filter?: string): Promise<string[]> {
  const lines: string[] = [];
  await runConformance({
    dir,
    device: 'cpu',
    ...(filter !== undefined && { filter }),
    onCase: (line) => lines.push(line),
  });
  return lines;
}

/** The untied checkpoint and its answers, with another config.json. */
function withConfig(change: (config: Record<string, Record<string, unknown>>) => void): string {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'untied'));
  for (const part of ['images', 'preprocess.json', 'preprocess.safetensors', 'tokens.json'])
    symlinkSync(join(answers, part), join(folder, part));
  for (const part of ['forward', 'generate']) {
    mkdirSync(join(folder, part));
    symlinkSync(join(answers, part, 'untied'), join(folder, part, 'untied'));
  }
  const files = ['model.safetensors', 'tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja'];
  for (const file of [...files, 'generation_config.json', 'preprocessor_config.json'])
    symlinkSync(join(answers, 'untied', file), join(folder, 'untied', file));
  const config = JSON.parse(readFileSync(join(answers, 'untied/config.json'), 'utf8')) as never;
  change(config);
  writeFileSync(join(folder, 'untied/config.json'), JSON.stringify(config));
  return folder;
}

it('gives the answers of upstream, whole and in parts, and runs SwimBird’s loop', async () => {
  const lines = await linesOf(answers);
  expect(lines.filter((line) => !line.startsWith('pass'))).toEqual([]);
  expect(lines.filter((line) => /forward|generate/.test(line))).toHaveLength(11);
});

describe('does not give them', () => {
  it.each<[string, Parameters<typeof withConfig>[0]]>([
    [
      'where a level of DeepStack comes from another block',
      (c) => (c['vision_config']!['deepstack_visual_indexes'] = [0, 1]),
    ],
    [
      'where the axes of positions have other shares',
      (c) => (c['text_config']!['rope_scaling'] = { mrope_section: [4, 3, 1] }),
    ],
    ['with another base of the rotation', (c) => (c['text_config']!['rope_theta'] = 90)],
  ])('%s', async (_, change) => {
    const lines = await linesOf(withConfig(change), 'forward/untied/two-pictures$');
    expect(lines.join()).toMatch(/FAIL {2}forward\/untied\/two-pictures {2}largest error/);
  });
});

it.each<[string, Parameters<typeof withConfig>[0], RegExp]>([
  [
    'levels beyond the tower',
    (c) => (c['vision_config']!['deepstack_visual_indexes'] = [0, 9]),
    /below depth, 3/,
  ],
  [
    'a table of positions that is no square',
    (c) => (c['vision_config']!['num_position_embeddings'] = 24),
    /square/,
  ],
  ['biases of attention', (c) => (c['text_config']!['attention_bias'] = true), /biases of attention/],
  [
    'another activation of the tower',
    (c) => (c['vision_config']!['hidden_act'] = 'relu'),
    /gelu_pytorch_tanh/,
  ],
])('%s are refused', async (_, change, message) => {
  await expect(openCheckpoint(join(withConfig(change), 'untied'))).rejects.toThrow(message);
});

describe('what it is not made for', () => {
  it('is refused by name', async () => {
    const checkpoint = await openCheckpoint(join(answers, 'untied'));
    expect(() => requireTrainable(checkpoint.config, 'here')).toThrow(/Training does not know.*Qwen3-VL/);
    const out = exportCheckpoint(checkpoint, join(temporaryFolder(), 'out'), { dtype: 'float32' });
    await expect(out).rejects.toThrow(/expected Qwen2.5-VL, found Qwen3-VL/);
  });
});

describe('relevance', () => {
  let model: Model;
  beforeAll(async () => {
    model = await Model.open(await openCheckpoint(join(answers, 'untied')), 'cpu');
  });
  afterAll(() => model?.release());

  it('of what the first layers add is the slope of the answer', async () => {
    const item = { images: ['odd-45x61.png'], question: 'Which?' };
    const prompt = await preparePrompt(new Answers(answers), model, item);
    const sequence = await sequenceOf(model, prompt, { ids: [70, 71, 72], latents: new Map(), blocks: [] });
    const word = sequence.ids.length - 1;
    const { added } = await walkBack(model, sequence, [word]);
    const slope = added.reduce((sum, value) => sum + value, 0);
    const log = async (share: number): Promise<number> =>
      logOfWord(model, { ...sequence, embeddings: scaled(sequence.embeddings, share) }, word);
    const step = 0.02;
    const measured = ((await log(1 + step)) - (await log(1 - step))) / (2 * step);
    expect(Math.abs(slope)).toBeGreaterThan(1e-3);
    expect(slope).toBeCloseTo(measured, 2);
  });
});

/** What layers add, by a factor. */
function scaled({ added, ...rest }: Embeddings, factor: number): Embeddings {
  return { ...rest, added: added!.map((value) => value * factor) };
}

async function logOfWord(model: Model, sequence: Sequence, word: number): Promise<number> {
  const cache = model.newCache();
  try {
    const { hidden } = await model.prefill(cache, sequence.embeddings, sequence.positions);
    const width = hidden.shape[1]!;
    const row = hidden.data.subarray((word - 1) * width, word * width);
    return (await logProbabilities(model, { shape: [1, width], data: row }, [sequence.ids[word]!]))[0]!;
  } finally {
    cache.dispose();
  }
}
