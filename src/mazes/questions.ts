/**
 * What is asked about a map, and the answers to learn.
 *
 * Wordings and answers are those that the bundled model was trained on. Cells are written (row,column),
 * counted from 1 at the top left.
 */

import {
  GOAL,
  HOLE,
  SAFE,
  START,
  simulate,
  startOf,
  type Cell,
  type GridMap,
  type Move,
} from '../dataset/scoring.ts';
import { unreachable } from '../base/errors.ts';
import { pick, wholeBetween, type Random } from '../base/random.ts';
import {
  distancesToGoal,
  drawShortestPath,
  goalOf,
  MOVES,
  positionsOf,
  walk,
  type Position,
} from './grid.ts';

/**
 * - plan: find a way from the player to the goal
 * - plan-from: find a way from a given cell
 * - describe: say what is in each cell
 * - judge: does a plan reach the goal (A), fall into a hole (B) or neither (C)?
 * - hole: is there a hole at a cell?
 */
export const QUESTION_KINDS = ['plan', 'plan-from', 'describe', 'judge', 'hole'] as const;
export type QuestionKind = (typeof QUESTION_KINDS)[number];

/** The official wording exists for `plan` only; other kinds are worded alike in both. */
export const WORDINGS = ['short', 'official'] as const;
export type Wording = (typeof WORDINGS)[number];

/**
 * How plans are written:
 * - cells: each move on a line with the cell it leads to
 * - latents: each move on a line and a latent block after it; the words do not say where the player is
 * - cells-and-latents: both
 * - latents-first: one block, whose helper image shows the player at the goal, then the answer: no words at all
 */
export const PLAN_FORMS = ['cells', 'latents', 'cells-and-latents', 'latents-first'] as const;
export type PlanForm = (typeof PLAN_FORMS)[number];

type QuestionStep =
  | { type: 'text'; content: string }
  /** The helper image to look at shows the player here. */
  | { type: 'latent'; player: Position };

export interface Question {
  kind: QuestionKind;
  /** With `<image>` where the picture belongs. */
  text: string;
  /** The answer to learn; a plan's latent steps come one after each move. */
  steps: QuestionStep[];
  /** What the answer comes down to: moves, a letter, yes or no, or the whole description. */
  answer: string;
  /** Where a plan begins if not at the player. */
  from?: Position;
}

interface QuestionOptions {
  wording: Wording;
  /** Of questions of kind plan; plans from a cell are always written with cells. */
  form: PlanForm;
}

/** A question of this kind about this map. Of several shortest paths, cells or plans it takes any. */
export function askAbout(
  random: Random,
  map: GridMap,
  kind: QuestionKind,
  options: QuestionOptions,
): Question {
  switch (kind) {
    case 'plan':
      return plan(random, map, options);
    case 'plan-from':
      return planFrom(random, map);
    case 'describe':
      return describe(map);
    case 'judge':
      return judge(random, map);
    case 'hole':
      return holeAt(random, map);
    default:
      return unreachable(kind);
  }
}

function plan(random: Random, map: GridMap, { wording, form }: QuestionOptions): Question {
  const moves = drawShortestPath(random, map);
  const text = wording === 'short' ? '<image>Find a safe path to the goal.' : OFFICIAL_PLAN;
  return { kind: 'plan', text, steps: planSteps(map, startOf(map), moves, form), answer: moves.join('') };
}

/** From any cell that leads to the goal, the goal itself left out. */
function planFrom(random: Random, map: GridMap): Question {
  const distances = distancesToGoal(map);
  const cells = [...positionsOf(map, SAFE), startOf(map)];
  const from = pick(
    random,
    cells.filter(([row, column]) => distances[row]![column] !== Infinity),
  );
  const moves = drawShortestPath(random, map, from);
  return {
    kind: 'plan-from',
    text: `<image>Plan from ${cellName(from)}.`,
    steps: planSteps(map, from, moves, 'cells'),
    answer: moves.join(''),
    from,
  };
}

const CELL_WORDS: Record<Cell, string> = { [HOLE]: 'hole', [SAFE]: 'ice', [START]: 'player', [GOAL]: 'goal' };

function describe(map: GridMap): Question {
  const answer = map.map((cells) => cells.map((cell) => CELL_WORDS[cell]).join(' ')).join('\n');
  return {
    kind: 'describe',
    text: '<image>Describe the map.',
    steps: [{ type: 'text', content: answer }],
    answer,
  };
}

/** The three verdicts are asked for equally often, as far as a map allows. */
function judge(random: Random, map: GridMap): Question {
  const moves = drawPlanToJudge(random, map, pick(random, ['A', 'B', 'C'] as const));
  const verdict = verdictOf(map, moves);
  return {
    kind: 'judge',
    text: `<image>After ${moves.join(' ')}: goal A, hole B or neither C?`,
    steps: textSteps([
      `Start ${cellName(startOf(map))}.\n`,
      ...walk(map, startOf(map), moves).map((at, i) => `${MOVE_WORDS[moves[i]!]} ${cellName(at)}\n`),
      boxed(verdict),
    ]),
    answer: verdict,
  };
}

/** A: on the goal after the last move; B: in a hole on the way; C: neither. */
function verdictOf(map: GridMap, moves: Move[]): 'A' | 'B' | 'C' {
  const { success, status } = simulate(map, moves);
  if (success) return 'A';
  return status === 'Fell into a hole' ? 'B' : 'C';
}

/** Random plans tried for a wanted verdict; a map without holes never has a B. */
const PLAN_TRIES = 40;

/**
 * A plan with this verdict if one is found. Those that arrive are mostly shortest paths, for a random walk
 * that arrives is short; those that fail may be shortest paths with one move changed or left out.
 */
function drawPlanToJudge(random: Random, map: GridMap, wanted: 'A' | 'B' | 'C'): Move[] {
  let moves: Move[] = [];
  for (let i = 0; i < PLAN_TRIES; i++) {
    const way = drawShortestPath(random, map);
    moves = wanted === 'A' || random() < 0.5 ? damaged(random, way, wanted) : randomMoves(random, map);
    if (verdictOf(map, moves) === wanted) break;
  }
  return moves;
}

/** A shortest path, whole for A; else with a move changed, or cut short. */
function damaged(random: Random, way: Move[], wanted: 'A' | 'B' | 'C'): Move[] {
  if (wanted === 'A') return way;
  const at = wholeBetween(random, 0, way.length - 1);
  if (wanted === 'C' && at > 0 && random() < 0.5) return way.slice(0, at);
  return way.with(at, pick(random, MOVES));
}

function randomMoves(random: Random, map: GridMap): Move[] {
  return Array.from({ length: wholeBetween(random, 1, map.length + 2) }, () => pick(random, MOVES));
}

/** Yes and no are asked for equally often, as far as a map has holes. */
function holeAt(random: Random, map: GridMap): Question {
  const holes = positionsOf(map, HOLE);
  const others = [SAFE, START, GOAL].flatMap((code) => positionsOf(map, code));
  const yes = holes.length > 0 && random() < 0.5;
  const answer = yes ? 'yes' : 'no';
  return {
    kind: 'hole',
    text: `<image>Is there a hole at ${cellName(pick(random, yes ? holes : others))}?`,
    steps: textSteps([boxed(answer)]),
    answer,
  };
}

const MOVE_WORDS: Record<Move, string> = { U: 'up', D: 'down', L: 'left', R: 'right' };

function planSteps(map: GridMap, from: Position, moves: Move[], form: PlanForm): QuestionStep[] {
  const answer = textSteps([boxed(moves.join(''))]);
  if (form === 'latents-first') return [{ type: 'latent', player: goalOf(map) }, ...answer];
  const steps: QuestionStep[] = textSteps([`Start ${cellName(from)}, goal ${cellName(goalOf(map))}.\n`]);
  walk(map, from, moves).forEach((player, i) => {
    const word = MOVE_WORDS[moves[i]!];
    steps.push({ type: 'text', content: form === 'latents' ? `${word}\n` : `${word} ${cellName(player)}\n` });
    if (form !== 'cells') steps.push({ type: 'latent', player });
  });
  return [...steps, ...answer];
}

function textSteps(lines: string[]): QuestionStep[] {
  return lines.map((content) => ({ type: 'text', content }));
}

function boxed(answer: string): string {
  return `Answer: \\boxed{${answer}}`;
}

/** "(2,3)": row 2, column 3, counted from 1. */
function cellName([row, column]: Position): string {
  return `(${row + 1},${column + 1})`;
}

/** The planning question as ILVR and Mirage ask it on VSP, to the letter: its line ends and spaces too. */
const OFFICIAL_PLAN = [
  '',
  'As a professional maze solver, your task is to analyze a grid-based map and devise an action plan that enables a player to reach the goal from the starting point without falling into any holes, using the fewest possible moves.',
  '',
  '## Game Setup',
  '- The game presents a fully observable grid-based map.',
  '- The player starts at a specified grid square, with the goal located elsewhere on the map.',
  '- Each grid square is either safe or contains a hole.',
  '- Your goal is to guide the player to the goal while avoiding holes.',
  '',
  '',
  '## Moving Rules',
  "- The action plan involves a series of moves: 'L' (left), 'R' (right), 'U' (up), or 'D' (down).",
  '- Each move transfers the player to the adjacent square in that direction, provided it is a safe square. The player cannot move more than one square at a time.',
  '- Moving off the edge of the map has no effect. The player will remain at the same square.',
  '- DO NOT MOVE INTO A HOLE! Falling into a hole results in defeat.',
  '- Locating at the grid containing the goal results in victory.',
  '',
  'Here is the map: <image>',
  '',
  'Please provide your action plan.',
  ' The final answer MUST BE put in \\boxed{}.',
].join('\n');
