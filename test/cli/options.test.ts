/** Which of several sources an option is taken from. */

import { Command } from 'commander';
import { expect, it } from 'vitest';
import { addGenerationOptions, releasedOptions, type GenerationOptions } from '../../src/cli/options.ts';

const released = { maxTokens: 4096, temperature: 0.1, topP: 0.8, topK: 50, system: 'Think.' };

async function chosen(...args: string[]): Promise<Partial<GenerationOptions>> {
  let options: GenerationOptions | undefined;
  const command = addGenerationOptions(new Command()).action((given: GenerationOptions) => {
    options = releasedOptions(given, { defaults: { repetitionPenalty: 1, released } });
  });
  await command.parseAsync(args, { from: 'user' });
  const { maxTokens, temperature, topP, topK, system } = options!;
  return { maxTokens, temperature, topP, topK, system } as Partial<GenerationOptions>;
}

it('with --as-released, what was given wins, be it the default itself, and the rest is the authors’', async () => {
  expect(await chosen('--as-released')).toEqual(released);
  expect(await chosen('--as-released', '--max-tokens', '30', '--temperature', '0')).toEqual({
    ...released,
    maxTokens: 30,
    temperature: 0,
  });
  expect(await chosen('--temperature', '0.5')).toMatchObject({ temperature: 0.5, maxTokens: 512 });
});
