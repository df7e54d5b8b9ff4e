import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../../src/checkpoint/checkpoint.ts';
import { IGNORED, sequenceOf, type Picture } from '../../../src/train/data/sequence.ts';
import { bundledModel } from '../../fixtures/paths.ts';

const checkpoint = await openCheckpoint(bundledModel);
const { config, tokenizer } = checkpoint;
const { latent, imagePad } = config.tokens;
const picture: Picture = {
  grid: { height: 4, width: 4 },
  features: { shape: [4, config.text.hiddenSize], data: new Float32Array(4 * config.text.hiddenSize) },
};

/** One picture, a text, a block, a text. */
const SAMPLE = {
  question: '<image> Find a safe path to the goal.',
  pictures: [picture],
  plan: [
    { type: 'text', content: 'Go' },
    { type: 'latent', helper: picture },
    { type: 'text', content: 'R' },
  ],
} as const;

describe('a training sequence', () => {
  const sequence = sequenceOf(checkpoint, SAMPLE);
  const { ids, labels, blocks, turnStart } = sequence;

  it('holds K pads for each latent step, between start and end', () => {
    const K = config.latentSize;
    expect(blocks).toHaveLength(1);
    expect(ids.slice(blocks[0]! - 1, blocks[0]! + K + 1)).toEqual([
      latent!.start,
      ...new Array<number>(K).fill(latent!.pad),
      latent!.end,
    ]);
  });

  it('expands each picture to its tokens', () => {
    expect(ids.filter((id) => id === imagePad)).toHaveLength(4);
  });

  it('is learnt from the line end after the assistant, but for pads', () => {
    const learnt = labels.filter((label) => label !== IGNORED);
    expect(tokenizer.decode(learnt)).toBe(
      `\nGo${tokenizer.tokenText(latent!.start)}${tokenizer.tokenText(latent!.end)}R<|im_end|>\n`,
    );
  });

  it('knows where the assistant begins', () => {
    expect(tokenizer.decode(ids.slice(turnStart)).startsWith('<|im_start|>assistant\n')).toBe(true);
  });

  it('has a position for every token', () => {
    expect(sequence.positions).toHaveLength(ids.length);
  });

  it('refuses a text that would be taken for a latent block', () => {
    const plan = [{ type: 'text', content: tokenizer.tokenText(latent!.start) }] as const;
    expect(() => sequenceOf(checkpoint, { ...SAMPLE, plan })).toThrow('marks latent blocks');
  });

  it('refuses a question whose placeholders and pictures differ in number', () => {
    expect(() => sequenceOf(checkpoint, { ...SAMPLE, pictures: [] })).toThrow('one <image> per picture');
  });
});
