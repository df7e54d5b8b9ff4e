/** What is kept of a prompt, with a small model of random weights: runs over it against runs that read all of it anew. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Generation, type GenerationSettings } from '../../src/inference/generation.ts';
import type { Prompt } from '../../src/inference/prompt.ts';
import { Model } from '../../src/inference/model.ts';
import { PromptMemory } from '../../src/inference/promptMemory.ts';
import type { Provider } from '../../src/ort/session.ts';
import { DEVICES } from '../onnx/devices.ts';
import { randomPicture, smallCheckpoint } from '../train/smallModel.ts';

const checkpoint = await smallCheckpoint();
const { tokens } = checkpoint.config;
const SETTINGS: GenerationSettings = {
  latents: 'forced',
  maxTokens: 100,
  temperature: 1,
  topP: 0.95,
  repetitionPenalty: 1.1,
  seed: 3,
};
const PICTURE = [1, ...new Array<number>(6).fill(tokens.imagePad)];
/** On the CPU beyond the step at which the cache moves its growing rows; a GPU in software is slow. */
const stepsOn = (device: Provider): number => (device === 'cpu' ? 70 : 12);

describe.each(DEVICES)('a prompt kept on $device', ({ device, available }) => {
  describe.runIf(available)('', () => {
    let model: Model;
    beforeAll(async () => {
      model = await Model.open(checkpoint, device);
    });
    afterAll(() => model?.release());

    async function promptOf(words: readonly number[], picture: number): Promise<Prompt> {
      const ids = [...PICTURE, ...words];
      const embedded = await model.embedPrompt(ids, [randomPicture(checkpoint, picture)]);
      return { ids, ...embedded, pictureKeys: [`picture ${picture}`] };
    }

    /** All numbers of a run: tokens with their logits, attention, latents. */
    async function run(prompt: Prompt, memory?: PromptMemory, changes: Partial<GenerationSettings> = {}) {
      const settings = { ...SETTINGS, ...changes };
      const generation = await Generation.begin(model, prompt, settings, undefined, memory);
      const steps = [];
      try {
        for (let i = 0; i < stepsOn(device); i++) {
          const force = i === 4 ? tokens.latent!.start : undefined;
          steps.push(await generation.step({ ban: checkpoint.generation.eosIds, force }));
        }
        return { reused: generation.reused, steps };
      } finally {
        generation.dispose();
      }
    }

    it('is not read again for other settings, and every number is that of a fresh run', async () => {
      const memory = new PromptMemory();
      const prompt = await promptOf([5, 6, 7], 1);
      const first = await run(prompt, memory);
      expect(first.reused).toBe(0);
      const again = await run(prompt, memory, { seed: 4 });
      const fresh = await run(prompt, undefined, { seed: 4 });
      expect(again.reused).toBe(prompt.ids.length);
      expect(again.steps).toEqual(fresh.steps);
      expect(again.steps).not.toEqual(first.steps);
      memory.forget();
    });

    it('is read from the end of its pictures on for another question, with the numbers of a fresh run', async () => {
      const memory = new PromptMemory();
      await run(await promptOf([5, 6, 7], 1), memory);
      for (const words of [[5, 6, 8, 9], [9], [5, 6, 7, 8]]) {
        const other = await promptOf(words, 1);
        const again = await run(other, memory);
        expect(again.reused).toBe(PICTURE.length);
        expect(again.steps).toEqual((await run(other)).steps);
      }
      memory.forget();
    });

    it('is read anew for another picture or another beginning, though the ids agree', async () => {
      const memory = new PromptMemory();
      await run(await promptOf([5, 6, 7], 1), memory);
      const other = await promptOf([5, 6, 7], 2);
      const again = await run(other, memory);
      expect(again.reused).toBe(0);
      expect(again.steps).toEqual((await run(other)).steps);
      memory.forget();
    });

    it('is gone once it was forgotten, and runs that share it go on', async () => {
      const memory = new PromptMemory();
      const prompt = await promptOf([5, 6, 7], 1);
      const expected = await run(prompt, memory);
      const sharing = await Generation.begin(model, prompt, SETTINGS, undefined, memory);
      memory.forget();
      const { token } = await sharing.step({ ban: checkpoint.generation.eosIds });
      expect(token).toEqual(expected.steps[0]!.token);
      sharing.dispose();
      expect((await run(prompt, memory)).reused).toBe(0);
      memory.forget();
    });
  });
});
