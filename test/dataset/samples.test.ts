import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { UserError } from '../../src/base/errors.ts';
import { readLines, type Line } from '../../src/dataset/lines.ts';
import {
  helperImagesOf,
  parseSample,
  readAllSamples,
  readSamples,
  rootAboveOf,
  rootNaming,
  type Sample,
  type SampleOptions,
} from '../../src/dataset/samples.ts';
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
    expect(samples[1]!.images.map(({ path }) => path)).toEqual([join(folder, 'a.png')]);
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
    ['{"text_input":"q","image_input":"https://x/a.png"}', /by its address/],
    ['{"text_input":"q","image_input":"data:image/png,plain"}', /cannot be decoded/],
    ['{"text_input":"q","image_input":"data:image/png;base64,%%%%"}', /cannot be decoded/],
    [`{"text_input":"q","image_input":"${'x'.repeat(5000)}"}`, /something else than a picture.*5000/],
    ['{"text_input":"q","image_input":{"path":"a.png"}}', /image_input/],
    ['{"text_input":"q","map_desc":[[1,NaN]]}', /map_desc/],
    ['{"text_input":NaN}', /text_input/],
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

  it('may hold NaN and Infinity, and null for nothing', async () => {
    const [sample] = await read(
      '{"text_input":"q","image_input":NaN,"score":Infinity,"loss":-Infinity,"map_id":NaN,"map_desc":null,' +
        '"original_final_answer":NaN,"sequence_plan":[{"type":"latent","helper_image":NaN},' +
        '{"type":"latent","helper_image":null},{"type":"text","content":"NaN"}]}',
    );
    expect(sample).toEqual({
      line: 1,
      question: 'q',
      images: [],
      plan: [
        { type: 'latent', helpers: [] },
        { type: 'latent', helpers: [] },
        { type: 'text', content: 'NaN' },
      ],
    });
  });

  it('may list several pictures, also of a latent step', async () => {
    const [sample] = await read(
      '{"text_input":"q","image_input":["a.png","a.png"],"sequence_plan":[{"type":"latent","helper_image":["a.png"]}]}',
    );
    expect(sample!.images).toHaveLength(2);
    expect(helperImagesOf(sample!).map(({ name }) => name)).toEqual(['a.png']);
  });

  it('may hold its pictures as base64, bare or in a data URL, which are read again when they are wanted', async () => {
    const png = readFileSync(join(dirname(EXAMPLES), 'map-01.png'));
    const base64 = png.toString('base64');
    const samples = await read(
      [base64, `data:image/png;base64,${base64}`, `data:;base64,${base64}`]
        .map((text, i) => JSON.stringify({ text_input: `é${i}`, image_input: [text] }))
        .join('\r\n'),
    );
    for (const { images } of samples) expect(Buffer.from(await images[0]!.read())).toEqual(png);
    expect(new Set(samples.map(({ images }) => images[0]!.id)).size).toBe(3);
    expect(samples[1]!.images[0]).toMatchObject({ name: 'line 2, image_input.0' });
    expect(samples[1]!.images[0]!.path).toBeUndefined();
    writeFileSync(join(folder, 'samples.jsonl'), '');
    await expect(samples[0]!.images[0]!.read()).rejects.toThrow();
  });

  it('takes a JPEG in base64 for a picture, though it begins like an absolute path', async () => {
    const jpeg = Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), Buffer.alloc(60, 7)]);
    const [sample] = await read(JSON.stringify({ text_input: 'q', image_input: jpeg.toString('base64') }));
    expect(Buffer.from(await sample!.images[0]!.read())).toEqual(jpeg);
  });

  it('whose paths count from another folder names it, and is read from there', async () => {
    const root = mkdtempSync(join(tmpdir(), 'ilvr-root-'));
    mkdirSync(join(root, 'data', 'images'), { recursive: true });
    writeFileSync(join(root, 'data', 'images', 'a.png'), '');
    const file = join(root, 'data', 'samples.jsonl');
    writeFileSync(file, '{"text_input":"q","image_input":"./data/images/a.png"}');
    await expect(all(file)).rejects.toThrow(`if paths count from ${root}: name that folder with --pictures`);
    const [sample] = await all(file, { root });
    expect(sample!.images[0]!.path).toBe(join(root, 'data', 'images', 'a.png'));
    expect(await rootAboveOf(file)).toBe(root);
    const [line] = await lines(file);
    expect(rootNaming(join(root, 'data', 'images', 'a.png'), line!, file)).toBe(root);
    expect(rootNaming(join(root, 'other', 'a.png'), line!, file)).toBeUndefined();
  });

  it.runIf(process.platform !== 'win32')(
    'that is a pipe, a device or a folder is refused at once',
    async () => {
      execFileSync('mkfifo', [join(folder, 'pipe')]);
      for (const [file, kind] of [
        [join(folder, 'pipe'), 'a named pipe'],
        ['/dev/zero', 'a device'],
        [folder, 'a folder'],
      ] as const)
        await expect(all(file)).rejects.toThrow(
          `This samples file cannot be opened: expected a plain file, found ${kind}`,
        );
      const named = read('{"text_input":"q","image_input":"pipe"}');
      await expect(named).rejects.toThrow('A picture of this sample is missing');
    },
  );

  it('of a line without end is refused without reading it to an end', async () => {
    const file = join(folder, 'endless.jsonl');
    const handle = await open(file, 'w');
    await handle.truncate(2 ** 40);
    await handle.close();
    await expect(all(file)).rejects.toThrow(/too long for a sample.*:1/);
  });

  it('gives every line if asked to: those that cannot be used with their problem and what is known', async () => {
    const file = join(folder, 'mixed.jsonl');
    const map_desc = [[1, 2]];
    const text = [
      JSON.stringify({ text_input: 'q', image_input: 'a.png' }),
      JSON.stringify({ text_input: 'q', image_input: 'gone.png', map_id: 7, map_desc }),
      '{"text_input": "cut',
      'é',
      JSON.stringify({ text_input: 'q' }),
    ];
    writeFileSync(file, Buffer.concat([Buffer.from(text.join('\n')), Buffer.from([10, 0xff, 0x7b])]));
    const samples: Sample[] = [];
    for await (const { sample } of readAllSamples(file)) samples.push(sample);
    expect(samples.map(({ line, problem }) => [line, problem?.details.problem])).toEqual([
      [1, undefined],
      [2, 'A picture of this sample is missing'],
      [3, 'This line is not JSON'],
      [4, 'This line is not JSON'],
      [5, undefined],
      [6, 'This line is not UTF-8 text'],
    ]);
    expect(samples[1]).toMatchObject({ mapId: '7', map: map_desc });
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
        const line = { number: 1, text, offset: 0, length: text.length };
        await parseSample(line, join(folder, 'samples.jsonl'));
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

async function all(file: string, options: SampleOptions = {}): Promise<Sample[]> {
  const samples: Sample[] = [];
  for await (const sample of readSamples(file, options)) samples.push(sample);
  return samples;
}

async function lines(file: string): Promise<Line[]> {
  const read: Line[] = [];
  for await (const line of readLines(file)) read.push(line);
  return read;
}
