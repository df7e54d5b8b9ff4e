import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { UserError } from '../../src/base/errors.ts';
import { helperImagesOf, parseSample, readSamples, type Sample } from '../../src/dataset/samples.ts';
import { FUZZ_ROUNDS, mutate, mutateValue, seededRandom } from '../fixtures/random.ts';

const EXAMPLES = fileURLToPath(new URL('../../examples/samples.jsonl', import.meta.url));

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ilvr-samples-'));
  writeFileSync(join(folder, 'a.png'), '');
});

describe('the examples that ship', () => {
  it('are samples with maps, pictures, plans and helper images', async () => {
    const samples = await all(EXAMPLES);
    expect(samples).toHaveLength(
      readdirSync(dirname(EXAMPLES)).filter((name) => /^map-\d+\.png$/.test(name)).length,
    );
    for (const sample of samples) {
      expect(sample.images).toHaveLength(1);
      expect(sample.map).toBeDefined();
      expect(helperImagesOf(sample)).toHaveLength(sample.answer!.length);
    }
  });
});

describe('a samples file', () => {
  it('may have blank lines, a byte order mark, Windows line ends and unknown fields', async () => {
    const line = '{"text_input":"q","image_input":["a.png"],"shortest":2}';
    const samples = await read(`\uFEFF${line}\r\n\r\n\n${line}`);
    expect(samples.map(({ line: number }) => number)).toEqual([1, 4]);
    expect(samples[1]!.images).toEqual([join(folder, 'a.png')]);
  });

  it('is split at line ends only, wherever its chunks end', async () => {
    const lines = Array.from({ length: 3000 }, (_, i) => JSON.stringify({ text_input: `é${i}—` }));
    const samples = await read(lines.join('\n'));
    expect(samples.map(({ question }) => question)).toEqual(lines.map((_, i) => `é${i}—`));
  });

  it.each([
    ['{"text_input":"q","image_input":"missing.png"}', /picture of this sample is missing.*:1/],
    ['{"text_input":"q","image_input":"/etc/hosts"}', /absolute path/],
    ['{"text_input":"q","image_input":"C:\\\\a.png"}', /absolute path/],
    ['{"text_input":"q","image_input":"https://x/a.png"}', /absolute path/],
    ['{"text_input":"q","image_input":"."}', /missing/],
    ['{"image_input":"a.png"}', /text_input/],
    ['[1]', /official ILVR format/],
    ['{"text_input":', /not JSON/],
    ['{"text_input":"q","map_desc":[[1,0],[2]]}', /unequal/],
    ['{"text_input":"q","map_desc":[[0,2]]}', /one start/],
    ['{"text_input":"q","map_desc":[[1,3]]}', /map_desc/],
  ])('with %s is refused with its line', async (line, message) => {
    await expect(read(line)).rejects.toThrow(UserError);
    await expect(read(line)).rejects.toThrow(message);
    await expect(read(line)).rejects.toThrow('samples.jsonl:1');
  });

  it('that does not exist or is not text is refused', async () => {
    await expect(all(join(folder, 'nowhere.jsonl'))).rejects.toThrow(UserError);
    const file = join(folder, 'binary.jsonl');
    writeFileSync(file, Buffer.from([0x7b, 0xff, 0xfe, 0x0a]));
    await expect(all(file)).rejects.toThrow(/UTF-8/);
  });

  it(`survives ${FUZZ_ROUNDS} damaged lines: a sample or a UserError`, async () => {
    const random = seededRandom(7);
    const line = JSON.stringify({
      text_input: '<image>Find a safe path.',
      image_input: ['a.png'],
      sequence_plan: [
        { type: 'text', content: 'up\n' },
        { type: 'latent', helper_image: 'a.png' },
      ],
      original_final_answer: 'U',
      map_id: 'x',
      map_desc: [
        [2, 0],
        [1, -1],
      ],
    });
    let refused = 0;
    for (let i = 0; i < FUZZ_ROUNDS; i++) {
      const text = i % 2 === 0 ? mutate(line, random) : withMutatedValue(line, random);
      try {
        await parseSample({ number: 1, text }, join(folder, 'samples.jsonl'));
      } catch (error) {
        expect(error, text).toBeInstanceOf(UserError);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(FUZZ_ROUNDS / 4);
  });
});

function withMutatedValue(text: string, random: ReturnType<typeof seededRandom>): string {
  const json: unknown = JSON.parse(text);
  mutateValue(json, random);
  return JSON.stringify(json);
}

async function read(text: string): Promise<Sample[]> {
  const file = join(folder, 'samples.jsonl');
  writeFileSync(file, text);
  return all(file);
}

async function all(file: string): Promise<Sample[]> {
  const samples: Sample[] = [];
  for await (const sample of readSamples(file)) samples.push(sample);
  return samples;
}
