import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { decode } from 'fast-png';
import { describe, expect, it } from 'vitest';
import { helperImagesOf, readSamples, type Sample } from '../../src/dataset/samples.ts';
import { boxedMoves, simulate, startOf } from '../../src/dataset/scoring.ts';
import { score } from '../../src/evaluation/score.ts';
import { createArtist } from '../../src/mazes/drawMap.ts';
import { commandFor, generateMaps, type GeneratorSettings } from '../../src/mazes/generate.ts';
import { walk } from '../../src/mazes/grid.ts';
import { QUESTION_KINDS } from '../../src/mazes/questions.ts';
import { splitOf } from '../../src/mazes/split.ts';
import { checkMapOptions, mapItem, MAP_DEFAULTS, type MapOptions } from '../../src/mazes/stream.ts';
import { styleOf } from '../../src/mazes/style.ts';
import { ilvr, temporaryFolder } from '../fixtures/cli.ts';

const SETTINGS: GeneratorSettings = {
  ...MAP_DEFAULTS,
  count: 8,
  seed: 5,
  form: 'latents',
  questions: [...QUESTION_KINDS],
};

async function generate(
  settings: Partial<GeneratorSettings> = {},
  folder = temporaryFolder(),
  signal = new AbortController().signal,
  onProgress: (done: number) => void = () => undefined,
): Promise<string> {
  await generateMaps(folder, { ...SETTINGS, ...settings }, { signal, onProgress });
  return folder;
}

async function samplesIn(folder: string): Promise<Sample[]> {
  const samples: Sample[] = [];
  for await (const sample of readSamples(join(folder, 'samples.jsonl'))) samples.push(sample);
  return samples;
}

/** Hashes of the folder's files by name. */
function bytesOf(folder: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(folder)
      .toSorted()
      .map((name) => [
        name,
        createHash('sha256')
          .update(readFileSync(join(folder, name)))
          .digest('hex'),
      ]),
  );
}

function answerOf({ plan = [] }: Sample): string {
  return plan.map((step) => (step.type === 'text' ? step.content : '')).join('');
}

describe('a generated folder', () => {
  it('is read back by the reader of samples, and each answer is right by the rules of evaluation', async () => {
    const samples = await samplesIn(await generate());
    expect(samples).toHaveLength(8 * QUESTION_KINDS.length);
    for (const sample of samples) expect(score(sample, answerOf(sample)).success, sample.question).toBe(true);
  });

  it('has as helper image i the map drawn after i moves', async () => {
    const folder = await generate({ questions: ['plan'] });
    const lines = readFileSync(join(folder, 'samples.jsonl'), 'utf8').trim().split('\n');
    const styles = lines.map((line) => styleOf((JSON.parse(line) as { style: number }).style));
    for (const [i, sample] of (await samplesIn(folder)).entries()) {
      const map = sample.map!;
      const moves = boxedMoves(answerOf(sample));
      expect(simulate(map, moves).success).toBe(true);
      const helpers = helperImagesOf(sample);
      expect(helpers).toHaveLength(moves.length);
      walk(map, startOf(map), moves).forEach((player, move) => {
        const drawn = createArtist(styles[i]!).draw(map, player);
        expect(decode(readFileSync(helpers[move]!.path!)).data.join()).toBe(drawn.rgb.join());
      });
      expect(decode(readFileSync(sample.images[0]!.path!)).data.join()).toBe(
        createArtist(styles[i]!).draw(map).rgb.join(),
      );
    }
  });

  it('is the same bytes for the same settings, and others for another seed', async () => {
    const [once, again, other] = await Promise.all([generate(), generate(), generate({ seed: 6 })]);
    expect(bytesOf(again)).toEqual(bytesOf(once));
    expect(bytesOf(other)['map-000001.png']).not.toBe(bytesOf(once)['map-000001.png']);
  });

  it('holds maps of its own side only, sizes in turn, in one style if that is asked for', async () => {
    const samples = await samplesIn(
      await generate({ split: 'held-out', sizes: [5, 3], questions: ['plan'], style: 7 }),
    );
    expect(samples.map(({ map }) => map!.length)).toEqual([5, 3, 5, 3, 5, 3, 5, 3]);
    expect(samples.map(({ map }) => splitOf(map!))).toEqual(new Array(8).fill('held-out'));
    const cell = styleOf(7).cell;
    expect(samples.map(({ images }) => decode(readFileSync(images[0]!.path!)).width / cell)).toEqual([
      5, 3, 5, 3, 5, 3, 5, 3,
    ]);
  });

  it('says the command that makes it again', async () => {
    const first = await generate({ minMoves: 2 });
    const { command } = JSON.parse(readFileSync(join(first, 'generator.json'), 'utf8')) as {
      command: string;
    };
    expect(command).toBe(commandFor({ ...SETTINGS, minMoves: 2 }));
    const second = temporaryFolder();
    const args = command.replace(/^ilvr /, '').split(' ');
    const { code, out } = await ilvr(
      args.map((part) => (part === 'OUT' ? second : part)),
      '',
    );
    expect(code).toBe(0);
    expect(out).toContain('8 maps, 40 questions:');
    expect(bytesOf(second)).toEqual(bytesOf(first));
  });
});

describe('a run that was stopped', () => {
  async function stopAfter(maps: number): Promise<string> {
    const folder = temporaryFolder();
    const cancel = new AbortController();
    const run = generate({}, folder, cancel.signal, (done) => {
      if (done === maps) cancel.abort();
    });
    await expect(run).rejects.toThrow('cancelled');
    return folder;
  }

  it('goes on where it ended, to the same bytes', async () => {
    const whole = await generate();
    const folder = await stopAfter(3);
    expect(await samplesIn(folder)).toHaveLength(3 * QUESTION_KINDS.length);
    // As if the machine had died in the middle of the fourth map's lines.
    const lines = readFileSync(join(whole, 'samples.jsonl'), 'utf8').split('\n');
    appendFileSync(join(folder, 'samples.jsonl'), `${lines[15]}\n${lines[16]!.slice(0, 30)}`);
    const { kept } = await generateMaps(folder, SETTINGS, {
      signal: new AbortController().signal,
      onProgress: () => undefined,
    });
    expect(kept).toBe(3);
    expect(bytesOf(folder)).toEqual(bytesOf(whole));
  });

  it('goes on where it ended with questions in turn too', async () => {
    const settings = { count: 3, questions: ['plan'], alternate: ['judge', 'hole'] } as const;
    const whole = await generate(settings);
    const folder = temporaryFolder();
    cpSync(whole, folder, { recursive: true });
    const lines = readFileSync(join(whole, 'samples.jsonl'), 'utf8').split('\n');
    writeFileSync(join(folder, 'samples.jsonl'), `${lines.slice(0, 3).join('\n')}\n`);
    await generate(settings, folder);
    expect(bytesOf(folder)).toEqual(bytesOf(whole));
  });

  it.each<[string, (folder: string) => void, string]>([
    [
      'a picture',
      (folder) => writeFileSync(join(folder, 'map-000003.png'), 'a photo of mine'),
      'map-000003.png',
    ],
    [
      'lines at the end of the samples',
      (folder) => appendFileSync(join(folder, 'samples.jsonl'), '{"text_input": "a question of mine"}'),
      'other lines at its end',
    ],
  ])('neither drops nor overwrites %s of somebody else', async (_, add, found) => {
    const folder = await stopAfter(2);
    add(folder);
    const before = bytesOf(folder);
    await expect(generate({}, folder)).rejects.toThrow(/did not write/);
    await expect(generate({}, folder)).rejects.toThrow(found);
    expect(bytesOf(folder)).toEqual(before);
  });

  it('writes a picture anew that was cut off', async () => {
    const folder = await stopAfter(2);
    const whole = await generate();
    const picture = readFileSync(join(whole, 'map-000003.png'));
    writeFileSync(join(folder, 'map-000003.png'), picture.subarray(0, 100));
    await generate({}, folder);
    expect(bytesOf(folder)).toEqual(bytesOf(whole));
  });

  it('begins at the beginning if it had written no line', async () => {
    const folder = await stopAfter(1);
    rmSync(join(folder, 'samples.jsonl'));
    await generate({}, folder);
    expect(bytesOf(folder)).toEqual(bytesOf(await generate()));
  });

  it('ends with 130 on the command line and keeps what there is', async () => {
    const folder = temporaryFolder();
    const cancel = new AbortController();
    cancel.abort();
    const run = await ilvr(['generate-maps', folder, '--count', '3'], '', { signal: cancel.signal });
    expect([run.code, run.err]).toEqual([130, 'Cancelled.\n']);
    expect(existsSync(join(folder, 'generator.json'))).toBe(true);
  });
});

describe('mistakes are told', () => {
  it.each([
    [{ seed: 6 }, /another seed: expected 6, found 5/],
    [{ count: 9 }, /another count/],
    [{ style: 3 }, /another style: expected 3, found "varied"/],
    [{ sizes: [3] }, /another sizes/],
  ])('a folder with other settings: %j', async (settings, message) => {
    const folder = await generate({ count: 1 });
    await expect(generate({ count: 1, ...settings }, folder)).rejects.toThrow(message);
  });

  it('a folder that an earlier version began, whose drawings were others', async () => {
    const folder = await generate({ count: 1 });
    const file = join(folder, 'generator.json');
    const header = JSON.parse(readFileSync(file, 'utf8')) as object;
    writeFileSync(file, JSON.stringify({ ...header, version: 1 }));
    await expect(generate({ count: 1 }, folder)).rejects.toThrow(/another version: expected 3, found 1/);
  });

  it('a folder with files of someone else, which are named and stay', async () => {
    const folder = temporaryFolder();
    for (const name of ['thesis.txt', 'map-000001.png']) writeFileSync(join(folder, name), 'mine');
    await expect(generate({}, folder)).rejects.toThrow('found map-000001.png, thesis.txt');
    expect(readdirSync(folder)).toEqual(['map-000001.png', 'thesis.txt']);
    expect(readFileSync(join(folder, 'map-000001.png'), 'utf8')).toBe('mine');
  });

  it.runIf(process.platform !== 'win32')('a pipe in the place of the samples', async () => {
    const folder = await generate({ count: 1 });
    rmSync(join(folder, 'samples.jsonl'));
    execFileSync('mkfifo', [join(folder, 'samples.jsonl')]);
    await expect(generate({ count: 1 }, folder)).rejects.toThrow('a named pipe');
  });

  it('samples by someone else, a damaged generator.json, a file for a folder', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'samples.jsonl'), '');
    await expect(generate({}, folder)).rejects.toThrow(/something that this command did not write/);
    writeFileSync(join(folder, 'generator.json'), '{"format": 1');
    await expect(generate({}, folder)).rejects.toThrow(/does not say how/);
    await expect(generate({}, join(folder, 'samples.jsonl'))).rejects.toThrow(/A folder is needed here/);
  });

  it.each([
    ['--count 0', 2, /a whole number from 1/],
    ['--count 5 --sizes 2-4', 2, /from 3 to 8/],
    ['--count 5 --sizes 6-3', 2, /from 3 to 8/],
    ['--count 5 --sizes 3,3', 2, /different/],
    ['--count 5 --questions plan,guess', 2, /no kind of question.*"guess"/],
    ['--count 5 --style pretty', 2, /no style of drawing/],
    ['--count 5 --split test', 2, /Allowed choices are train, held-out/],
    ['--count 1000000', 1, /with this count: expected a whole number from 1 to 999999/],
    ['--count 5 --seed 4294967296', 1, /with this seed/],
    ['--count 5 --sizes 3 --min-moves 20', 1, /No map of 3×3 cells/],
    ['', 2, /--count/],
  ])('arguments "%s" end with %i', async (args, code, message) => {
    const run = await ilvr(['generate-maps', temporaryFolder(), ...args.split(' ').filter(Boolean)], '');
    expect(run.err).toMatch(message);
    expect(run.code).toBe(code);
    expect(run.err).not.toContain('defect');
  });
});

describe('the stream', () => {
  it('begins anywhere with the same items', () => {
    const options: MapOptions = { ...MAP_DEFAULTS, seed: 2, questions: ['plan', 'plan', 'judge'] };
    const items = Array.from({ length: 6 }, (_, index) => mapItem(options, index));
    for (const item of items.slice(4)) {
      const same = mapItem(options, item.index);
      expect([same.index, same.map, same.style, same.questions]).toEqual([
        item.index,
        item.map,
        item.style,
        item.questions,
      ]);
      expect(same.picture.rgb.join()).toBe(item.picture.rgb.join());
      expect(same.drawHelper([0, 0]).rgb.join()).toBe(item.drawHelper([0, 0]).rgb.join());
    }
  });

  it('draws another picture of the same map in another style', () => {
    const [a, b] = [1, 2].map((style) => mapItem({ ...MAP_DEFAULTS, seed: 3, style }, 0));
    expect(a!.map).toEqual(b!.map);
    expect(a!.questions).toEqual(b!.questions);
    expect(a!.picture.rgb.join()).not.toBe(b!.picture.rgb.join());
  });

  it('refuses options that make no sense', () => {
    const check = (options: Partial<MapOptions>) => () => checkMapOptions({ ...MAP_DEFAULTS, ...options });
    expect(check({ sizes: [9] })).toThrow(/this size: expected a whole number from 3 to 8/);
    expect(check({ questions: [] })).toThrow(/at least one/);
  });
});
