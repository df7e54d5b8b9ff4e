import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { boxedMoves, HOLE, SAFE, simulate, START, type GridMap } from '../../src/dataset/scoring.ts';
import { randomFor } from '../../src/base/random.ts';
import { drawGrid, find, shortestLength, walk } from '../../src/mazes/grid.ts';
import {
  askAbout,
  PLAN_FORMS,
  type PlanForm,
  type Question,
  type QuestionKind,
  type Wording,
} from '../../src/mazes/questions.ts';

function ask(
  map: GridMap,
  kind: QuestionKind,
  seed = 0,
  { form = 'cells', wording = 'short' }: { form?: PlanForm; wording?: Wording } = {},
): Question {
  return askAbout(randomFor(kind, seed), map, kind, { form, wording });
}

function textOf({ steps }: Question): string {
  return steps.map((step) => (step.type === 'text' ? step.content : '<block>')).join('');
}

const MAPS = Array.from({ length: 300 }, (_, i) => drawGrid(randomFor('questions', i), 3 + (i % 6)));

/** 0 and -1 as in the data's own notation. */
const MAP: GridMap = [
  [0, -1, 0, 2],
  [0, -1, 0, 0],
  [0, -1, 0, 0],
  [0, 0, 1, 0],
];

describe('answers', () => {
  it('read as those of the example maps', () => {
    const lines = readFileSync(new URL('../../examples/samples.jsonl', import.meta.url), 'utf8');
    for (const line of lines.trim().split('\n')) {
      const sample = JSON.parse(line) as {
        text_input: string;
        map_desc: GridMap;
        sequence_plan: { type: string; content?: string }[];
      };
      const theirs = sample.sequence_plan.map(({ content = '<block>' }) => content).join('');
      const ours = Array.from({ length: 30 }, (_, seed) =>
        ask(sample.map_desc, 'plan', seed, { form: 'latents' }),
      );
      expect(ours.map(textOf)).toContain(theirs);
      expect(ours[0]?.text).toBe(sample.text_input);
    }
  });

  it.each([
    [
      'describe',
      /^<image>Describe the map\.$/,
      'ice hole ice goal\nice hole ice ice\nice hole ice ice\nice ice player ice',
    ],
    [
      'plan-from',
      /^<image>Plan from \(\d,\d\)\.$/,
      /^Start \(\d,\d\), goal \(1,4\)\.\n((left|right|up|down) \(\d,\d\)\n)+Answer: \\boxed\{[UDLR]+\}$/,
    ],
    [
      'judge',
      /^<image>After ([UDLR] )*[UDLR]: goal A, hole B or neither C\?$/,
      /^Start \(4,3\)\.\n((left|right|up|down) \(\d,\d\)\n)+Answer: \\boxed\{[ABC]\}$/,
    ],
    ['hole', /^<image>Is there a hole at \(\d,\d\)\?$/, /^Answer: \\boxed\{(yes|no)\}$/],
  ] as const)('of kind %s have the form that the model is trained on', (kind, question, answer) => {
    const asked = ask(MAP, kind);
    expect(asked.text).toMatch(question);
    if (typeof answer === 'string') expect(textOf(asked)).toBe(answer);
    else expect(textOf(asked)).toMatch(answer);
  });

  it('of plans solve their maps in the fewest moves, by the scorer', () => {
    MAPS.forEach((map, i) => {
      for (const form of PLAN_FORMS) {
        const moves = boxedMoves(textOf(ask(map, 'plan', i, { form })));
        expect(simulate(map, moves).success).toBe(true);
        expect(moves).toHaveLength(shortestLength(map)!);
      }
    });
  });

  it('of plans from a cell solve the map with its start there', () => {
    MAPS.forEach((map, i) => {
      const { from, answer } = ask(map, 'plan-from', i);
      const moved: GridMap = map.map((cells) => cells.map((cell) => (cell === START ? SAFE : cell)));
      moved[from![0]]![from![1]] = START;
      expect(simulate(moved, boxedMoves(`\\boxed{${answer}}`)).success).toBe(true);
    });
  });

  it('of plans with helpers have a latent step after each move, with the player where the moves lead', () => {
    MAPS.forEach((map, i) => {
      const question = ask(map, 'plan', i, { form: 'latents' });
      const players = question.steps.flatMap((step) => (step.type === 'latent' ? [step.player] : []));
      expect(players).toEqual(walk(map, find(map, START)!, boxedMoves(textOf(question))));
    });
  });
});

describe('judgements', () => {
  const asked = MAPS.map((map, i) => ({ map, question: ask(map, 'judge', i) }));

  it('agree with the scorer', () => {
    for (const { map, question } of asked) {
      const plan = /After (.*):/.exec(question.text)?.[1] ?? '';
      const { success, status } = simulate(map, boxedMoves(`\\boxed{${plan}}`));
      expect(question.answer).toBe(success ? 'A' : status === 'Fell into a hole' ? 'B' : 'C');
    }
  });

  it('are A, B and C about equally often', () => {
    for (const letter of 'ABC') {
      const share = asked.filter(({ question }) => question.answer === letter).length / asked.length;
      expect(share).toBeGreaterThan(0.24);
      expect(share).toBeLessThan(0.43);
    }
  });
});

describe('questions for holes', () => {
  it('are right, and yes about half the time', () => {
    const asked = MAPS.map((map, i) => ({ map, question: ask(map, 'hole', i) }));
    for (const { map, question } of asked) {
      const [row, column] = /\((\d),(\d)\)/.exec(question.text)!.slice(1).map(Number) as [number, number];
      expect(question.answer).toBe(map[row - 1]![column - 1] === HOLE ? 'yes' : 'no');
    }
    const yes = asked.filter(({ question }) => question.answer === 'yes').length / asked.length;
    expect(Math.abs(yes - 0.5)).toBeLessThan(0.1);
  });
});

it("the official wording is VSP's: rules, moves and box, with the picture after 'Here is the map:'", () => {
  const { text } = ask(MAP, 'plan', 0, { wording: 'official' });
  expect(text).toMatch(/^\nAs a professional maze solver/);
  expect(text).toContain(
    '\nHere is the map: <image>\n\nPlease provide your action plan.\n The final answer MUST BE put in \\boxed{}.',
  );
});
