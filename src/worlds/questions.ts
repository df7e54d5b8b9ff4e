/**
 * What is asked about a world after some moves, and the answers to learn.
 *
 * Question and steps name the moves in words and no cell: where things are after a move is for the latent block
 * that follows it, whose helper image shows the world then. The answer comes last.
 */

import { unreachable } from '../base/errors.ts';
import { pick, type Random } from '../base/random.ts';
import { cellName, stateText } from './notation.ts';
import {
  changedCells,
  contentsOf,
  statesAfter,
  type Content,
  type Dynamics,
  type Layout,
  type Move,
  type State,
  type World,
} from './world.ts';

/**
 * - state: the whole state, in notation
 * - player: the player's cell
 * - crates: the crates' cells
 * - cell: what lies in a cell
 * - door: whether the door is open; asked of worlds that have one
 */
export const WORLD_QUESTIONS = ['state', 'player', 'crates', 'cell', 'door'] as const;
export type WorldQuestionKind = (typeof WORLD_QUESTIONS)[number];

/**
 * What stands between question and answer:
 * - latents: each move and a latent block after it
 * - moves: each move alone, the same text without latents
 * - states: each move and the whole state after it, words that say everything
 * - none: the answer at once
 */
export const WORLD_FORMS = ['latents', 'moves', 'states', 'none'] as const;
export type WorldForm = (typeof WORLD_FORMS)[number];

type WorldStep =
  | { type: 'text'; content: string }
  /** The helper image to look at shows this state. */
  | { type: 'latent'; state: State };

export interface WorldQuestion {
  kind: WorldQuestionKind;
  /** With `<image>` where the picture belongs. */
  text: string;
  steps: WorldStep[];
  answer: string;
  /** Share of right answers of one who knows the world before its moves and guesses evenly among what is possible. */
  chance: number;
}

/** The kinds that can be asked about a world. */
export function kindsFor({ door }: Layout, kinds: readonly WorldQuestionKind[]): WorldQuestionKind[] {
  const fit = kinds.filter((kind) => kind !== 'door' || door !== undefined);
  return fit.length > 0 ? fit : ['state'];
}

/** Said in the question where the picture does not show it, in words that the recipe's tokenizer has whole. */
const RULES: Partial<Record<Dynamics, string>> = { ice: 'On ice', swaps: 'On switch' };

/** A question of this kind. @param moves at least one, or none for a question about the picture as it is */
export function askAboutWorld(
  random: Random,
  world: World,
  moves: readonly Move[],
  kind: WorldQuestionKind,
  form: WorldForm,
): WorldQuestion {
  const { layout } = world;
  const states = statesAfter(world, moves);
  const last = states.at(-1) ?? world.state;
  const { asks, answer, chance } = asked(random, layout, world.state, last, kind);
  const rule = RULES[layout.dynamics] ?? '';
  const after = moves.length === 0 ? '' : `${rule === '' ? 'After' : ', after'} ${moves.join(' ')}`;
  const opening = `${rule}${after}`;
  return {
    kind,
    text: `<image>${opening === '' ? '' : `${opening}: `}${asks}?`,
    steps: [
      ...moves.flatMap((move, i) => stepsAfter(layout, move, states[i]!, form)),
      { type: 'text', content: `Answer: \\boxed{${answer}}` },
    ],
    answer,
    chance,
  };
}

function stepsAfter(layout: Layout, move: Move, state: State, form: WorldForm): WorldStep[] {
  switch (form) {
    case 'latents':
      return [
        { type: 'text', content: move },
        { type: 'latent', state },
      ];
    case 'moves':
      return [{ type: 'text', content: `${move}\n` }];
    case 'states':
      return [{ type: 'text', content: `${move} ${stateText(layout, state)}\n` }];
    case 'none':
      return [];
    default:
      return unreachable(form);
  }
}

interface Asked {
  asks: string;
  answer: string;
  chance: number;
}

function asked(random: Random, layout: Layout, first: State, last: State, kind: WorldQuestionKind): Asked {
  const { size } = layout;
  const free = size * size - layout.walls.length;
  switch (kind) {
    case 'state':
      return {
        asks: 'what is the map',
        answer: stateText(layout, last),
        chance: 1 / (free * choose(free - 1, last.crates.length)),
      };
    case 'player':
      return { asks: 'where is the player', answer: cellName(size, last.player), chance: 1 / free };
    case 'crates':
      return {
        asks: 'where are the crates',
        answer: last.crates.map((cell) => cellName(size, cell)).join(' ') || 'none',
        chance: 1 / choose(free, last.crates.length),
      };
    case 'cell':
      return askedOfCell(random, layout, first, last);
    case 'door':
      return { asks: 'is the door open', answer: last.open ? 'yes' : 'no', chance: 1 / 2 };
    default:
      return unreachable(kind);
  }
}

/** What may come into a cell or leave it; the rest stays what it is. */
const MOVABLE: readonly Content[] = ['ground', 'crate', 'player'];

/** Ground, crate and player are the answer equally often, half of the time in a cell that looked otherwise at first. */
function askedOfCell(random: Random, layout: Layout, first: State, last: State): Asked {
  const contents = contentsOf(layout, last);
  const wanted = pick(
    random,
    MOVABLE.filter((content) => contents.includes(content)),
  );
  const cells = [...contents.keys()].filter((cell) => contents[cell] === wanted);
  const changed = changedCells(layout, first, last).filter((cell) => cells.includes(cell));
  const cell = pick(random, changed.length > 0 && random() < 0.5 ? changed : cells);
  return {
    asks: `what is at ${cellName(layout.size, cell)}`,
    answer: wanted,
    chance: 1 / MOVABLE.length,
  };
}

/** Ways to choose k of n. */
function choose(n: number, k: number): number {
  let ways = 1;
  for (let i = 0; i < k; i++) ways = (ways * (n - i)) / (i + 1);
  return ways;
}
