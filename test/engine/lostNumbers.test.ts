/** Checkpoints whose numbers are lost somewhere: the run ends there, says where, and what was computed stays. */

import { describe, expect, it } from 'vitest';
import { messageOf, UserError } from '../../src/base/errors.ts';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { Generation, type GenerationSettings } from '../../src/inference/generation.ts';
import { Model } from '../../src/inference/model.ts';
import type { Provider } from '../../src/ort/session.ts';
import { finishTrace } from '../../src/trace/events.ts';
import { readArray } from '../../src/trace/arrays.ts';
import type { Trace } from '../../src/trace/schema.ts';
import type { Container } from '../../src/traceFile/container.ts';
import { reopened } from '../fixtures/reopened.ts';
import { changedModel, type Changes, type Tensors } from '../fixtures/changedModel.ts';
import { reasonRun } from '../fixtures/reasonRun.ts';
import { DEVICES } from '../onnx/devices.ts';

const EMBEDDING = 'model.embed_tokens.weight';
const WIDTH = 192;
const START = 495;
const GREEDY: GenerationSettings = {
  latents: 'forced',
  maxTokens: 50,
  temperature: 0,
  topP: 1,
  repetitionPenalty: 1,
  seed: 0,
};

/** Puts a value at one place of a tensor. */
const at =
  (name: string, index: number, value: number) =>
  (tensors: Tensors): void => {
    tensors.get(name)!.values[index] = value;
  };

/** The message that ends the run of a changed model, and its trace as a file gives it back. */
async function failure(
  changes: Changes,
  device: Provider = 'cpu',
): Promise<{ message: string; trace: Trace; container: Container }> {
  const model = await Model.open(await openCheckpoint(await changedModel(changes)), device);
  try {
    const { trace, container, error } = await reasonRun(model);
    expect(error).toBeInstanceOf(UserError);
    finishTrace(trace!, 'failed', messageOf(error));
    const read = await reopened({ trace: trace!, container });
    return { message: messageOf(error), trace: read.trace, container: read.container };
  } finally {
    await model.release();
  }
}

/** Every number that a trace holds. */
async function numbersOf(trace: Trace, container: Container): Promise<number[]> {
  const refs = [
    ...trace.tokens.flatMap(({ attention }) => attention ?? []),
    ...trace.latents.flatMap(({ vector, attention }) => [vector, attention]),
  ];
  const arrays = await Promise.all(refs.map((ref) => readArray(container, ref)));
  const looks = trace.tokens.flatMap((token) => [...(token.looks?.data ?? [])]);
  const chosen = trace.tokens.map(({ probability = 0 }) => probability);
  return [...chosen, ...looks, ...arrays.flatMap(({ data }) => [...data])];
}

describe('a weight that is NaN or infinite ends the run before its first token, by name', () => {
  it.each([
    ['visual.blocks.3.mlp.down_proj.weight', 7, NaN, 'picture features'],
    ['visual.merger.mlp.2.bias', 0, -Infinity, 'picture features'],
    [EMBEDDING, 489 * WIDTH + 5, NaN, 'embeddings'],
    ['model.layers.0.self_attn.q_proj.bias', 3, NaN, 'hidden states'],
    ['model.layers.2.mlp.down_proj.weight', 100, Infinity, 'hidden states'],
    ['model.layers.5.self_attn.v_proj.weight', 0, NaN, 'hidden states'],
    ['model.norm.weight', 8, Infinity, 'hidden states'],
    // A row that no prompt reads, but the head does.
    [EMBEDDING, 300 * WIDTH, Infinity, 'logits'],
  ])('%s', async (name, index, value, stage) => {
    const { message, trace } = await failure({ weights: at(name, index, value) });
    expect(message).toContain(`a weight that is no number, ${name}, element ${index}, in `);
    expect(message).toContain(`The run stopped: ${stage} with NaN or infinity`);
    expect(message).toMatch(/model\.safetensors\. Download the file again/);
    expect([trace.status, trace.failure, trace.tokens]).toEqual(['failed', message, []]);
  });
});

it('the first of several is named, layer by layer', async () => {
  const { message } = await failure({
    weights: (tensors) => {
      for (const layer of [5, 1, 3]) at(`model.layers.${layer}.mlp.up_proj.weight`, 0, NaN)(tensors);
    },
  });
  expect(message).toContain('model.layers.1.mlp.up_proj.weight');
  expect(message).toMatch(/at position \d+, first in the attention of layer 3 of 6/);
});

it('what was computed before stays, and nothing of what is lost', async () => {
  const { message, trace, container } = await failure({
    config: { tie_word_embeddings: false },
    weights: (tensors) => {
      const { shape, values } = tensors.get(EMBEDDING)!;
      tensors.set('lm_head.weight', { shape, values: values.slice() });
      values[START * WIDTH + 1] = NaN;
    },
  });
  expect(message).toContain(`embeddings with NaN or infinity, of token ${START}`);
  expect(message).toContain(EMBEDDING);
  expect(trace.tokens.at(-1)).toMatchObject({ id: START, kind: 'latent-start' });
  expect(trace.tokens.length).toBeGreaterThan(5);
  expect(trace.blocks).toEqual([expect.objectContaining({ latents: 0, ended: 'cancelled' })]);
  expect((await numbersOf(trace, container)).every(Number.isFinite)).toBe(true);
});

it('finite weights whose products are not: the layer is named', async () => {
  const { message } = await failure({
    weights: (tensors) => {
      tensors.get('model.layers.1.mlp.down_proj.weight')!.values.fill(3e38);
    },
  });
  expect(message).toMatch(/first in the attention of layer 3 of 6/);
  expect(message).toContain('finite weights, so that the arithmetic went beyond what float32 holds');
});

it('of several variants together, the place in its own sequence is named', async () => {
  const model = await Model.open(await openCheckpoint(await changedModel({})), 'cpu');
  try {
    const { tokens } = model.checkpoint.config;
    const ids = [1, 2, 3, 4, 5];
    const prompt = { ids, ...(await model.embedPrompt(ids, [])) };
    const first = await Generation.begin(model, prompt, GREEDY);
    const second = first.beside();
    const step = (latent?: Float32Array): Promise<unknown> =>
      Generation.stepAll(
        [first, second],
        [
          {},
          {
            ...(second.count === 2 && { force: tokens.latent!.start }),
            ...(latent && { intervention: { kind: 'swap' as const, latents: [latent] } }),
          },
        ],
      );
    for (let i = 0; i < 3; i++) await step();
    const lost = step(new Float32Array(WIDTH).fill(NaN));
    // The eighth place in the cache by then is another.
    await expect(lost).rejects.toThrow(/hidden states with NaN or infinity, at position 8, first/);
    first.dispose();
    second.dispose();
  } finally {
    await model.release();
  }
});

describe.each(DEVICES)('on $device', ({ device, available }) => {
  it.runIf(available)('numbers are as lost', async () => {
    const { message } = await failure({ weights: at('model.layers.4.mlp.gate_proj.weight', 9, NaN) }, device);
    expect(message).toContain('model.layers.4.mlp.gate_proj.weight, element 9');
  });
});
