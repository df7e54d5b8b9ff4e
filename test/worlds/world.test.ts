/** Dynamics against a second implementation, on pictures of characters; questions, balance and the split. */

import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/base/errors.ts';
import { randomFor, pick, wholeBetween, type Random } from '../../src/base/random.ts';
import { drawMoves, drawWorld } from '../../src/worlds/drawLayout.ts';
import { cellName, parseMoves, stateText } from '../../src/worlds/notation.ts';
import { parseChoices, parseNumbers, parseStyles } from '../../src/worlds/parse.ts';
import { WORLD_QUESTIONS, type WorldQuestionKind } from '../../src/worlds/questions.ts';
import { splitKey, splitOf } from '../../src/worlds/split.ts';
import { checkWorldOptions, WORLD_DEFAULTS, worldItem, type WorldOptions } from '../../src/worlds/stream.ts';
import {
  beside,
  changedCells,
  contentsOf,
  DYNAMICS,
  MOVES,
  moved,
  statesAfter,
  type Move,
  type World,
} from '../../src/worlds/world.ts';

/**
 * The rules told once more: two grids of characters with a rim of walls, floor and things, changed in place.
 * Nothing of it is shared with what it checks.
 */
class Naive {
  private readonly floor: string[][];
  private readonly things: string[][];
  private readonly slides: boolean;
  private readonly swaps: boolean;

  constructor({ layout, state }: World) {
    const { size, walls, door, switch: plate, dynamics } = layout;
    const rim = size + 2;
    const at = (cell: number): [number, number] => [1 + Math.trunc(cell / size), 1 + (cell % size)];
    const grid = (): string[][] => Array.from({ length: rim }, () => new Array<string>(rim).fill(' '));
    [this.floor, this.things] = [grid(), grid()];
    for (let i = 0; i < rim; i++)
      for (const [r, c] of [
        [0, i],
        [rim - 1, i],
        [i, 0],
        [i, rim - 1],
      ] as const)
        this.floor[r]![c] = '#';
    const lay = (on: string[][], cell: number, sign: string): void => {
      const [r, c] = at(cell);
      on[r]![c] = sign;
    };
    walls.forEach((cell) => lay(this.floor, cell, '#'));
    state.holes.forEach((cell) => lay(this.floor, cell, '~'));
    if (plate !== undefined) lay(this.floor, plate, '^');
    if (door !== undefined) lay(this.floor, door, state.open ? "'" : '+');
    state.crates.forEach((cell) => lay(this.things, cell, '$'));
    lay(this.things, state.player, '@');
    this.slides = dynamics === 'ice';
    this.swaps = dynamics === 'swaps';
  }

  move(move: Move): void {
    const [dr, dc] = { up: [-1, 0], down: [1, 0], left: [0, -1], right: [0, 1] }[move] as [number, number];
    const r = this.things.findIndex((row) => row.includes('@'));
    const c = this.things[r]!.indexOf('@');
    const [tr, tc] = [r + dr, c + dc];
    if ('#+~'.includes(this.floor[tr]![tc]!)) return;
    if (this.swaps) {
      [this.things[r]![c], this.things[tr]![tc]] = [this.things[tr]![tc]!, '@'];
      return;
    }
    if (this.things[tr]![tc] === '$') {
      if (!this.free(tr + dr, tc + dc)) return;
      this.things[tr]![tc] = ' ';
      let [br, bc] = [tr, tc];
      do {
        [br, bc] = [br + dr, bc + dc];
        if (this.floor[br]![bc] === '~') break;
        this.press(br, bc);
      } while (this.slides && this.free(br + dr, bc + dc));
      if (this.floor[br]![bc] === '~') this.floor[br]![bc] = ' ';
      else this.things[br]![bc] = '$';
    }
    this.things[r]![c] = ' ';
    this.things[tr]![tc] = '@';
    this.press(tr, tc);
  }

  get text(): string {
    const inner = this.floor.slice(1, -1).map((row, r) =>
      row.slice(1, -1).map((floor, c) => {
        const thing = this.things[r + 1]![c + 1]!;
        if (thing !== ' ') return thing;
        return floor === ' ' ? '.' : floor;
      }),
    );
    return inner.map((row) => row.join('')).join('/');
  }

  private free(r: number, c: number): boolean {
    return !'#+'.includes(this.floor[r]![c]!) && this.things[r]![c] !== '$';
  }

  private press(r: number, c: number): void {
    if (this.floor[r]![c] !== '^') return;
    for (const row of this.floor)
      row.forEach((floor, i) => {
        if (floor === '+') row[i] = "'";
        if (floor === "'") row[i] = '+';
      });
  }
}

const drawnWorld = (random: Random): World =>
  drawWorld(random, pick(random, DYNAMICS), wholeBetween(random, 3, 6));

it('every move does what the rules say, told twice', () => {
  const done = { moved: 0, pushed: 0, filled: 0, slid: 0, toggled: 0, nothing: 0 };
  for (let seed = 0; seed < 1500; seed++) {
    const random = randomFor('walk', seed);
    const world = drawnWorld(random);
    const { layout } = world;
    const naive = new Naive(world);
    expect(naive.text).toBe(stateText(layout, world.state));
    let before = world.state;
    for (const move of Array.from({ length: 12 }, () => pick(random, MOVES))) {
      const after = moved(layout, before, move);
      naive.move(move);
      expect(naive.text).toBe(stateText(layout, after));
      done.nothing += Number(after === before);
      done.moved += Number(after.player !== before.player);
      done.pushed += Number(after.crates.join() !== before.crates.join());
      done.filled += Number(after.holes.length < before.holes.length);
      done.toggled += Number(after.open !== before.open);
      done.slid += Number(
        after.crates.some(
          (cell) => !before.crates.includes(cell) && Math.abs(cell - after.player) > layout.size,
        ),
      );
      before = after;
    }
  }
  expect(Math.min(...Object.values(done))).toBeGreaterThan(20);
});

it('a state is a value: a move leaves the one before it as it was, and one that does nothing gives it back', () => {
  const world = drawnWorld(randomFor('value', 1));
  const kept = structuredClone(world);
  statesAfter(world, ['up', 'left', 'down', 'right', 'up']);
  expect(world).toEqual(kept);
  const walled: World = {
    layout: { dynamics: 'crates', size: 3, walls: [1, 3] },
    state: { player: 0, crates: [], holes: [], open: false },
  };
  for (const move of MOVES) expect(moved(walled.layout, walled.state, move)).toBe(walled.state);
});

const OPTIONS: WorldOptions = { ...WORLD_DEFAULTS, seed: 9, style: [1], cell: 8 };

describe('questions', () => {
  const ask = (kind: WorldQuestionKind, count: number, options: Partial<WorldOptions> = {}) =>
    Array.from({ length: count }, (_, i) => worldItem({ ...OPTIONS, questions: [kind], ...options }, i));

  it.each(WORLD_QUESTIONS)('%s: the answer is true of the last state', (kind) => {
    for (const { question, world, states } of ask(kind, 100)) {
      const { layout } = world;
      const last = states.at(-1)!;
      const { size } = layout;
      if (question.kind === 'state') expect(question.answer).toBe(stateText(layout, last));
      if (question.kind === 'player') expect(question.answer).toBe(cellName(size, last.player));
      if (question.kind === 'crates')
        expect(question.answer).toBe(last.crates.map((c) => cellName(size, c)).join(' ') || 'none');
      if (question.kind === 'door') expect(question.answer).toBe(last.open ? 'yes' : 'no');
      if (question.kind === 'cell') {
        const cells = contentsOf(layout, last);
        const named = cells.findIndex((_, cell) => question.text.includes(`at ${cellName(size, cell)}?`));
        expect(question.answer).toBe(cells[named]);
      }
      expect(question.chance).toBeGreaterThan(0);
      expect(question.chance).toBeLessThanOrEqual(1 / 2);
    }
  });

  it('question and steps name the moves, and no cell before the answer', () => {
    for (let i = 0; i < 200; i++) {
      const { question, moves, states } = worldItem(OPTIONS, i);
      expect(question.text).toContain(`fter ${moves.join(' ')}: `);
      const { steps } = question;
      expect(steps.at(-1)).toEqual({ type: 'text', content: `Answer: \\boxed{${question.answer}}` });
      const rest = steps.slice(0, -1);
      expect(rest.filter((_, n) => n % 2 === 0)).toEqual(moves.map((content) => ({ type: 'text', content })));
      expect(rest.filter((_, n) => n % 2 === 1)).toEqual(states.map((state) => ({ type: 'latent', state })));
    }
  });

  it('other forms hold the same words without latents, or words that state everything', () => {
    const steps = (form: WorldOptions['form']) => worldItem({ ...OPTIONS, form }, 3).question.steps;
    const { moves, states, world } = worldItem(OPTIONS, 3);
    const answer = steps('none');
    expect(answer).toHaveLength(1);
    expect(steps('moves')).toEqual([
      ...moves.map((move) => ({ type: 'text', content: `${move}\n` })),
      ...answer,
    ]);
    const told = states.map((state) => stateText(world.layout, state));
    const lines = moves.map((move, i) => ({ type: 'text', content: `${move} ${told[i]}\n` }));
    expect(steps('states')).toEqual([...lines, ...answer]);
  });

  it('answers are balanced, and staying at the start is no good guess', () => {
    const share = (answers: string[], answer: string): number =>
      answers.filter((each) => each === answer).length / answers.length;
    const doors = ask('door', 600, { dynamics: ['doors'] }).map(({ question }) => question.answer);
    expect(share(doors, 'yes')).toBeGreaterThan(0.42);
    expect(share(doors, 'yes')).toBeLessThan(0.58);
    const cells = ask('cell', 600).map(({ question }) => question.answer);
    for (const answer of ['ground', 'crate', 'player'])
      expect(Math.abs(share(cells, answer) - 1 / 3)).toBeLessThan(0.09);
    const states = ask('state', 400);
    const same = states.filter(
      ({ world, states: all }) => changedCells(world.layout, world.state, all.at(-1)!).length === 0,
    );
    expect(same.length / states.length).toBeLessThan(0.05);
  });

  it('a good third of the moves does nothing', () => {
    const worlds = ask('state', 300);
    const changes = worlds.flatMap(({ world, states }) =>
      states.map((state, i) => state !== (states[i - 1] ?? world.state)),
    );
    const doing = changes.filter(Boolean).length / changes.length;
    expect(doing).toBeGreaterThan(0.55);
    expect(doing).toBeLessThan(0.72);
  });
});

describe('the stream', () => {
  it('what stands at an index depends on options and index alone', () => {
    const plain = ({ question, world, moves }: ReturnType<typeof worldItem>) => ({ question, world, moves });
    const later = Array.from({ length: 5 }, (_, i) => plain(worldItem(OPTIONS, 4 - i))).toReversed();
    expect(later).toEqual(Array.from({ length: 5 }, (_, i) => plain(worldItem(OPTIONS, i))));
    expect(plain(worldItem({ ...OPTIONS, seed: 10 }, 0))).not.toEqual(later[0]);
    expect(worldItem(OPTIONS, 1).picture()).toEqual(worldItem(OPTIONS, 1).picture());
  });

  it('numbers of moves come in turn, as many worlds alike as asked for', () => {
    const options = { ...OPTIONS, moves: [0, 2, 5], alike: 2 };
    const lengths = Array.from({ length: 8 }, (_, i) => worldItem(options, i).moves.length);
    expect(lengths).toEqual([0, 0, 2, 2, 5, 5, 0, 0]);
  });

  it('walks through a world share its picture, and have moves and questions of their own', () => {
    const items = Array.from({ length: 6 }, (_, i) => worldItem({ ...OPTIONS, walks: 3 }, i));
    for (const [a, b] of [
      [0, 1],
      [0, 2],
      [3, 5],
    ] as const) {
      expect(items[b]!.world).toEqual(items[a]!.world);
      expect(items[b]!.picture()).toEqual(items[a]!.picture());
    }
    expect(items[3]!.world).not.toEqual(items[0]!.world);
    expect(new Set(items.map(({ question }) => question.text)).size).toBe(6);
  });

  it('no layout is on both sides, wherever the player stands', () => {
    const keys = (split: WorldOptions['split']) =>
      new Set(
        Array.from({ length: 300 }, (_, i) =>
          splitKey(worldItem({ ...OPTIONS, sizes: [3], split }, i).world),
        ),
      );
    const held = keys('held-out');
    expect([...keys('train')].filter((key) => held.has(key))).toEqual([]);
    const random = randomFor('split', 0);
    const worlds = Array.from({ length: 2000 }, () => drawnWorld(random));
    const share = worlds.filter((world) => splitOf(world) === 'held-out').length / worlds.length;
    expect(Math.abs(share - 0.1)).toBeLessThan(0.03);
    for (const { layout, state } of worlds.slice(0, 50))
      expect(splitOf({ layout, state: { ...state, player: state.player + 1 } })).toBe(
        splitOf({ layout, state }),
      );
  });

  it.each<[Partial<WorldOptions>, RegExp]>([
    [{ sizes: [7] }, /size: .*3 to 6.*7/s],
    [{ sizes: [] }, /at least one/],
    [{ moves: [65] }, /number of moves.*65/s],
    [{ moves: [1.5] }, /number of moves/],
    [{ dynamics: ['lava' as 'ice'] }, /kind of dynamics.*crates, ice, doors.*lava/s],
    [{ seed: -1 }, /seed/],
  ])('options that cannot be: %j', (options, message) => {
    expect(() => checkWorldOptions({ ...OPTIONS, ...options })).toThrow(UserError);
    expect(() => checkWorldOptions({ ...OPTIONS, ...options })).toThrow(message);
  });
});

/** Text by chance, of the words that readers know and what they do not. */
function anyText(random: Random): string {
  const pieces = [
    ...MOVES,
    'UP',
    'ice',
    '3-6',
    '4',
    '-',
    ',',
    ' ',
    '\n',
    '999999999999',
    '0x3',
    'ü',
    '\u0000',
    '',
  ];
  return Array.from({ length: wholeBetween(random, 0, 6) }, () => pick(random, pieces)).join(
    pick(random, ['', ' ', ',']),
  );
}

it('readers of moves and options take what they write and refuse everything else with a reason', () => {
  const random = randomFor('fuzz', 0);
  const readers: ((text: string) => readonly unknown[] | 'varied')[] = [
    parseMoves,
    (text) => parseNumbers('size', text, 3, 6),
    (text) => parseChoices('kind', text, DYNAMICS),
    parseStyles,
  ];
  let [taken, refused] = [0, 0];
  for (let i = 0; i < 4000; i++) {
    const text = anyText(random);
    for (const read of readers)
      try {
        expect(read(text).length).toBeGreaterThan(0);
        taken++;
      } catch (error) {
        expect(error).toBeInstanceOf(UserError);
        refused++;
      }
  }
  expect(Math.min(taken, refused)).toBeGreaterThan(500);
  for (let i = 0; i < 100; i++) {
    const moves = drawMoves(random, drawnWorld(random), wholeBetween(random, 1, 9));
    expect(parseMoves(moves.join(pick(random, [' ', ', ', '\n'])))).toEqual(moves);
  }
  expect(() => parseMoves('up north')).toThrow(/1 to 64 words of up, down, left, right.*"north"/s);
  expect(() => parseMoves('up '.repeat(5000))).toThrow(/more than 64/);
  expect(parseNumbers('size', '3-5,4', 3, 6)).toEqual([3, 4, 5, 4]);
});

it('moves drawn against crates push more of them, and without that wish are as they were', () => {
  const pushes = { chance: 0, wished: 0 };
  for (let seed = 0; seed < 300; seed++) {
    const world = drawWorld(randomFor('pushed', seed), 'crates', 4);
    const walks = { chance: 0, wished: 1 } as const;
    for (const [name, against] of Object.entries(walks) as [keyof typeof walks, 0 | 1][]) {
      const moves = drawMoves(randomFor('moves', seed), world, 3, against);
      const states = [world.state, ...statesAfter(world, moves)];
      moves.forEach((move, i) => {
        const { player, crates } = states[i]!;
        const isAgainst = (other: Move): boolean => crates.includes(beside(4, player, other) ?? -1);
        pushes[name] += Number(isAgainst(move));
        if (against === 1 && MOVES.some(isAgainst)) expect(isAgainst(move)).toBe(true);
      });
      if (against === 0) expect(moves).toEqual(drawMoves(randomFor('moves', seed), world, 3));
    }
  }
  expect(pushes.wished).toBeGreaterThan(2 * pushes.chance);
});
