/** `ilvr generate-worlds`: a folder of samples, the same for the same settings. */

import { appendFileSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { decode } from 'fast-png';
import { expect, it } from 'vitest';
import { hashOf } from '../../src/base/random.ts';
import { helperImagesOf, readSamples, type Sample } from '../../src/dataset/samples.ts';
import { judge } from '../../src/dataset/scoring.ts';
import { createWorldArtist } from '../../src/worlds/drawPicture.ts';
import { generateWorlds, worldCommand, type WorldSettings } from '../../src/worlds/generate.ts';
import { WORLD_QUESTIONS } from '../../src/worlds/questions.ts';
import { WORLD_DEFAULTS } from '../../src/worlds/stream.ts';
import { contentsOf, type State, type World } from '../../src/worlds/world.ts';
import { ilvr, temporaryFolder } from '../fixtures/cli.ts';

const SETTINGS: WorldSettings = {
  ...WORLD_DEFAULTS,
  count: 12,
  seed: 4,
  moves: [2, 3],
  style: [1, 2],
  cell: 16,
};

async function generate(
  settings: Partial<WorldSettings> = {},
  folder = temporaryFolder(),
  stopAfter = Infinity,
): Promise<string> {
  const cancel = new AbortController();
  const onProgress = (done: number): void => {
    if (done >= stopAfter) cancel.abort();
  };
  const run = generateWorlds(folder, { ...SETTINGS, ...settings }, { signal: cancel.signal, onProgress });
  if (stopAfter < SETTINGS.count) await expect(run).rejects.toThrow('cancelled');
  else await run;
  return folder;
}

const bytesOf = (folder: string): Record<string, number> =>
  Object.fromEntries(
    readdirSync(folder).map((name) => [name, hashOf(readFileSync(join(folder, name)).toString('base64'))]),
  );

it('writes the official format: a helper picture for every move, an answer that the scoring takes', async () => {
  const folder = await generate();
  const samples: Sample[] = [];
  for await (const sample of readSamples(join(folder, 'samples.jsonl'))) samples.push(sample);
  expect(samples).toHaveLength(12);
  const lines = readFileSync(join(folder, 'samples.jsonl'), 'utf8').trim().split('\n');
  samples.forEach((sample, i) => {
    const { states, moves, size, kind } = JSON.parse(lines[i]!) as Record<string, unknown>;
    expect(helperImagesOf(sample)).toHaveLength(2 + (i % 2));
    expect(moves).toBe(2 + (i % 2));
    expect(states).toHaveLength(3 + (i % 2));
    expect(WORLD_QUESTIONS).toContain(kind);
    const whole = decode(readFileSync(sample.images[0]!.path!));
    expect([whole.width, whole.height]).toEqual([16 * Number(size), 16 * Number(size)]);
    const said = sample.plan!.map((step) => (step.type === 'text' ? step.content : '')).join('');
    expect(judge({ answer: sample.answer }, said).success).toBe(true);
    expect(judge({ answer: sample.answer }, said.replace(/.\}$/, '?}')).success).toBe(false);
  });
});

it('goes on after a stop, to the same bytes, and by the command that it says', async () => {
  const whole = bytesOf(await generate());
  const stopped = await generate({}, temporaryFolder(), 5);
  appendFileSync(join(stopped, 'samples.jsonl'), '{"text_input":"<image>');
  expect(bytesOf(await generate({}, stopped))).toEqual(whole);
  const { command } = JSON.parse(readFileSync(join(stopped, 'generator.json'), 'utf8')) as {
    command: string;
  };
  expect(command).toBe(worldCommand(SETTINGS));
  const again = temporaryFolder();
  const args = command.replace('ilvr ', '').split(' ');
  const { code, out } = await ilvr(
    args.map((part) => (part === 'OUT' ? again : part)),
    '',
  );
  expect([code, out]).toEqual([0, expect.stringContaining('12 worlds:')]);
  expect(bytesOf(again)).toEqual(whole);
  await expect(generate({ seed: 5 }, again)).rejects.toThrow('generated with another seed');
});

it('refuses to ask about doors where there can be none', async () => {
  await expect(generate({ questions: ['door'], dynamics: ['crates', 'ice'] })).rejects.toThrow(
    /expected doors among the dynamics, .*found crates, ice/,
  );
  const folder = await generate({ questions: ['door'], dynamics: ['doors'] });
  expect(readFileSync(join(folder, 'samples.jsonl'), 'utf8')).not.toContain('"kind":"state"');
});

it('draws again pictures that are gone or cut, and says so', async () => {
  const folder = await generate();
  const whole = bytesOf(folder);
  for (const name of ['world-000003.png', 'world-000012-after-2.png']) rmSync(join(folder, name));
  truncateSync(join(folder, 'world-000007.png'), 100);
  const { command } = JSON.parse(readFileSync(join(folder, 'generator.json'), 'utf8')) as { command: string };
  const args = command.split(' ').slice(1);
  const { code, out } = await ilvr(
    args.map((part) => (part === 'OUT' ? folder : part)),
    '',
  );
  expect([code, out]).toEqual([
    0,
    expect.stringMatching(/Kept from an earlier run: 12\..*pictures of 3 were gone or cut/s),
  ]);
  expect(bytesOf(folder)).toEqual(whole);
});

it('draws worlds for one walk, where moves do nothing too, and by the command that it says', async () => {
  const walk = ['left', 'left', 'left', 'left', 'up'] as const;
  const folder = await generate({ walk, questions: ['state'] });
  const lines = readFileSync(join(folder, 'samples.jsonl'), 'utf8').trim().split('\n');
  for (const line of lines) {
    const { text_input, states } = JSON.parse(line) as { text_input: string; states: string[] };
    expect(text_input).toMatch(/after left left left left up: what is the map\?$/i);
    expect(states).toHaveLength(6);
  }
  const { command } = JSON.parse(readFileSync(join(folder, 'generator.json'), 'utf8')) as { command: string };
  const again = temporaryFolder();
  const { code } = await ilvr(
    command
      .split(' ')
      .slice(1)
      .map((part) => (part === 'OUT' ? again : part)),
    '',
  );
  expect([code, bytesOf(again)]).toEqual([0, bytesOf(folder)]);
});

it.each([
  ['--walk', 'up north', /words of up, down, left, right, found "north"/],
  ['--walk', 'up '.repeat(65), /1 to 64 words of .*found more than 64/],
  ['--cell', '73', /a whole number from 8 to 72/],
  ['--sizes', '2-9', /whole numbers from 3 to 6/],
  ['--dynamics', 'lava', /crates, ice, doors/],
  ['--moves', 'many', /number of moves/],
  ['--questions', 'why', /state, player, crates, cell, door/],
])('refuses %s %s with what it would take', async (option, value, message) => {
  const { code, err } = await ilvr(['generate-worlds', temporaryFolder(), '--count', '1', option, value], '');
  expect(code).not.toBe(0);
  expect(err).toMatch(message);
});

/** Everything there is, in a row of its own as far as it goes. */
const SHOWN: World = {
  layout: { dynamics: 'doors', size: 4, walls: [0, 5], door: 10, switch: 12 },
  state: { player: 3, crates: [6, 15], holes: [8], open: false },
};

it('what differs in a cell is seen in that cell alone, and pictures have their bytes kept', () => {
  const { layout, state } = SHOWN;
  const others: State[] = [
    { ...state, open: true },
    { ...state, player: 1 },
    { ...state, crates: [7, 15] },
    { ...state, holes: [] },
  ];
  const hashes = Array.from({ length: 24 }, (_, seed) => {
    const { draw, style } = createWorldArtist(seed);
    const isClean = style.blur === undefined && style.jpeg === undefined && style.pixelArt === undefined;
    const first = draw(layout, state);
    const side = first.width / layout.size;
    const cellOf = (pixel: number): number =>
      Math.floor(Math.floor(pixel / first.width) / side) * layout.size +
      Math.floor((pixel % first.width) / side);
    for (const other of isClean ? others : []) {
      const second = draw(layout, other);
      const differ = new Set<number>();
      first.rgb.forEach((value, i) => {
        if (value !== second.rgb[i]) differ.add(cellOf(Math.floor(i / 3)));
      });
      const [was, is] = [contentsOf(layout, state), contentsOf(layout, other)];
      const changed = [...was.keys()].filter((cell) => was[cell] !== is[cell]);
      expect([...differ].toSorted((a, b) => a - b)).toEqual(changed);
    }
    return hashOf(first.rgb.join());
  });
  expect(hashOf(hashes.join())).toMatchInlineSnapshot(`3391862619`);
});
