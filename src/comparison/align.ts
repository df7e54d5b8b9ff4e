/**
 * Two runs beside each other: which words and blocks of the one stand for which of the other.
 *
 * Units are words and whole latent blocks: a block is a unit whatever its length, so that runs with other numbers of
 * latents still meet after it. What both have in common, in order and as long as can be, is the longest common
 * subsequence; what lies between is other.
 */

/** Tokens of a run, `last` included. */
export interface Span {
  first: number;
  last: number;
}

export type Row =
  /** The same words in both, of one line. */
  | { kind: 'same'; a: Span; b: Span }
  /** Words that the other has not; absent where one has none. */
  | { kind: 'other'; a?: Span; b?: Span }
  /** Latent blocks, by their index; absent where one has none. */
  | { kind: 'block'; a?: number; b?: number };

export interface Alignment {
  rows: Row[];
  /** Words that both wrote, as pairs of tokens. */
  words: { a: number; b: number }[];
  /** Blocks that stand for each other. */
  blocks: { a: number; b: number }[];
  /** Where the runs part: the token of each that is not the other's. Absent: they say the same. */
  first?: { a?: number; b?: number };
  /** The middle of the runs was too long to look for what they share; it stands as other. */
  cut: boolean;
}

interface Unit extends Span {
  /** Equal for units that say the same. */
  key: string;
  block?: number;
  /** The last word of a line. */
  endsLine: boolean;
}

/** Pairs of units that are looked at, at the most: runs of 4,000 words without a common beginning. */
const MAX_PAIRS = 2 ** 24;

/** What is aligned of a run; a trace is one. */
export interface Written {
  tokens: readonly { id: number; text: string }[];
  blocks: readonly { startToken: number; latents: number; endToken?: number | undefined }[];
}

/** @param byId whether ids mean the same in both; if not, the text tells */
export function align(a: Written, b: Written, byId: boolean): Alignment {
  const [left, right] = [unitsOf(a, byId), unitsOf(b, byId)];
  const { pairs, cut } = commonUnits(left, right);
  const collector = new Collector(left, right);
  for (const [i, j] of pairs) collector.pair(i, j);
  collector.rest(left.length, right.length);
  const { rows, words, blocks } = collector;
  const [i, j] = firstApart(pairs);
  const [unitA, unitB] = [left[i], right[j]];
  const isApart = unitA !== undefined || unitB !== undefined;
  return {
    rows,
    words,
    blocks,
    cut,
    ...(isApart && { first: { ...(unitA && { a: unitA.first }), ...(unitB && { b: unitB.first }) } }),
  };
}

function unitsOf({ tokens, blocks }: Written, byId: boolean): Unit[] {
  const units: Unit[] = [];
  const blockAt = new Map(blocks.map((block, index) => [block.startToken, { ...block, index }]));
  for (let i = 0; i < tokens.length; i++) {
    const block = blockAt.get(i);
    if (block === undefined) {
      const { id, text } = tokens[i]!;
      units.push({ key: `w${byId ? id : text}`, first: i, last: i, endsLine: text.includes('\n') });
      continue;
    }
    const last = Math.min(tokens.length - 1, Math.max(i, block.endToken ?? i + block.latents));
    units.push({ key: 'block', first: i, last, block: block.index, endsLine: true });
    i = last;
  }
  return units;
}

type Pair = readonly [a: number, b: number];

/** A longest common subsequence, after the beginnings and ends that are the same anyway. */
function commonUnits(a: readonly Unit[], b: readonly Unit[]): { pairs: Pair[]; cut: boolean } {
  const isSame = (i: number, j: number): boolean => a[i]?.key === b[j]?.key;
  const shorter = Math.min(a.length, b.length);
  let start = 0;
  while (start < shorter && isSame(start, start)) start++;
  let end = 0;
  while (end < shorter - start && isSame(a.length - 1 - end, b.length - 1 - end)) end++;
  const [rows, columns] = [a.length - start - end, b.length - start - end];
  const cut = rows * columns > MAX_PAIRS;
  const middle = cut ? [] : longest(rows, columns, (i, j) => isSame(start + i, start + j));
  const pairs: Pair[] = [
    ...Array.from({ length: start }, (_, i): Pair => [i, i]),
    ...middle.map(([i, j]): Pair => [start + i, start + j]),
    ...Array.from({ length: end }, (_, k): Pair => [a.length - end + k, b.length - end + k]),
  ];
  return { pairs, cut };
}

/** Of the longest ones that which takes what it can first. */
function longest(rows: number, columns: number, isSame: (i: number, j: number) => boolean): Pair[] {
  const width = columns + 1;
  // Whether the pair is taken (1), or the row (2) or the column (3) is left out.
  const steps = new Uint8Array((rows + 1) * width);
  let below = new Uint32Array(width);
  for (let i = rows - 1; i >= 0; i--) {
    const lengths = new Uint32Array(width);
    for (let j = columns - 1; j >= 0; j--) {
      const at = i * width + j;
      if (isSame(i, j)) {
        lengths[j] = below[j + 1]! + 1;
        steps[at] = 1;
      } else if (below[j]! >= lengths[j + 1]!) {
        lengths[j] = below[j]!;
        steps[at] = 2;
      } else {
        lengths[j] = lengths[j + 1]!;
        steps[at] = 3;
      }
    }
    below = lengths;
  }
  const pairs: Pair[] = [];
  for (let i = 0, j = 0; i < rows && j < columns;) {
    const step = steps[i * width + j];
    if (step === 1) pairs.push([i++, j++]);
    else if (step === 2) i++;
    else j++;
  }
  return pairs;
}

/** The first units that are not a pair of their places. */
function firstApart(pairs: readonly Pair[]): Pair {
  const at = pairs.findIndex(([i, j], n) => i !== n || j !== n);
  const n = at < 0 ? pairs.length : at;
  return [n, n];
}

/** Makes rows of pairs, and of what lies between them. */
class Collector {
  readonly rows: Row[] = [];
  readonly words: { a: number; b: number }[] = [];
  readonly blocks: { a: number; b: number }[] = [];
  private readonly a: readonly Unit[];
  private readonly b: readonly Unit[];
  private nextA = 0;
  private nextB = 0;
  /** Words of the line go on in the last row. */
  private isOpen = false;

  constructor(a: readonly Unit[], b: readonly Unit[]) {
    this.a = a;
    this.b = b;
  }

  pair(i: number, j: number): void {
    this.rest(i, j);
    const [left, right] = [this.a[i]!, this.b[j]!];
    this.nextA = i + 1;
    this.nextB = j + 1;
    if (left.block !== undefined && right.block !== undefined) {
      this.rows.push({ kind: 'block', a: left.block, b: right.block });
      this.blocks.push({ a: left.block, b: right.block });
      this.isOpen = false;
      return;
    }
    this.words.push({ a: left.first, b: right.first });
    const last = this.rows.at(-1);
    if (this.isOpen && last?.kind === 'same') {
      last.a.last = left.last;
      last.b.last = right.last;
    } else this.rows.push({ kind: 'same', a: spanOf(left), b: spanOf(right) });
    this.isOpen = !left.endsLine;
  }

  /** What comes before unit `i` of the one and `j` of the other, and is in no pair. */
  rest(i: number, j: number): void {
    const [left, right] = [stretches(this.a.slice(this.nextA, i)), stretches(this.b.slice(this.nextB, j))];
    for (let n = 0; n < Math.max(left.length, right.length); n++) {
      const [one, other] = [left[n], right[n]];
      if (typeof one === 'number') this.rows.push({ kind: 'block', a: one });
      if (typeof other === 'number') this.rows.push({ kind: 'block', b: other });
      const a = typeof one === 'object' ? { a: one } : {};
      const b = typeof other === 'object' ? { b: other } : {};
      if ('a' in a || 'b' in b) this.rows.push({ kind: 'other', ...a, ...b });
      this.isOpen = false;
    }
  }
}

/** Lines of words, and blocks by their index. */
function stretches(units: readonly Unit[]): (Span | number)[] {
  const found: (Span | number)[] = [];
  let line: Span | undefined;
  for (const unit of units) {
    if (unit.block !== undefined) found.push(unit.block);
    else if (line === undefined) found.push((line = spanOf(unit)));
    else line.last = unit.last;
    if (unit.endsLine) line = undefined;
  }
  return found;
}

function spanOf({ first, last }: Unit): Span {
  return { first, last };
}
