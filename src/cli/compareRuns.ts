/** `ilvr compare` of two traces: what both runs say, where they part, and how alike their latents are. No model. */

import { compareRuns, textOf, type RunComparison } from '../comparison/compare.ts';
import { likenessOf, type BlockLikeness } from '../comparison/latents.ts';
import { meanOf } from '../heatmap/statistics.ts';
import { statedAnswer } from '../trace/answer.ts';
import type { Trace } from '../trace/schema.ts';
import { requireTwo } from '../traceFile/identity.ts';
import { openTrace, type OpenTrace } from '../traceFile/openTrace.ts';
import { EXIT, type CliContext } from './context.ts';
import { label as labelOf, Styled, type Terminal } from './terminal.ts';
import { UsageError } from './usage.ts';

/** By its name: results are JSON Lines. */
export function isTrace(file: string): boolean {
  return file.endsWith('.json');
}

/** @throws UsageError for a trace and results */
export function requireOneKind(a: string, b: string): void {
  if (isTrace(a) === isTrace(b)) return;
  throw new UsageError({
    problem: 'Only files of one kind can be compared',
    expected: 'two traces (.ilvr.json), or two results files of `evaluate` (.jsonl)',
    found: `${a} and ${b}`,
  });
}

/** Words whose probability changed most. */
const WORDS_SHOWN = 5;

/** @throws UserError for a file that is no trace, or twice the same */
export async function compareTraces(
  { terminal }: CliContext,
  pathA: string,
  pathB: string,
  asJson: boolean,
): Promise<number> {
  const a = await openTrace(pathA);
  try {
    const b = await openTrace(pathB);
    try {
      await requireTwo(a.trace, b.trace);
      const comparison = compareRuns(a.trace, b.trace);
      const likeness = await likenessOf(a, b, comparison.blocks);
      if (asJson) terminal.print(`${JSON.stringify({ ...comparison, latents: likeness ?? null })}\n`);
      else report(terminal, { a, b, pathA, pathB }, comparison, likeness);
      return EXIT.ok;
    } finally {
      await b.close();
    }
  } finally {
    await a.close();
  }
}

/** What a reader should know of a run that is compared. */
const ENDS: Record<Trace['status'], string> = {
  running: ' · not ended: it was still running when its trace was written, and is compared as far as it came',
  complete: '',
  cancelled: ' · cancelled, and compared as far as it came',
  failed: ' · failed, and compared as far as it came',
};

interface Both {
  a: OpenTrace;
  b: OpenTrace;
  pathA: string;
  pathB: string;
}

function report(
  terminal: Terminal,
  { a, b, pathA, pathB }: Both,
  comparison: RunComparison,
  likeness: BlockLikeness[] | undefined,
): void {
  for (const [name, path, { trace }] of [
    ['A', pathA, a],
    ['B', pathB, b],
  ] as const)
    terminal.line(
      label(name),
      `${path} · answer ${JSON.stringify(statedAnswer(trace) ?? 'none')}${ENDS[trace.status]}`,
    );
  for (const { what, a: one, b: other } of comparison.differences)
    terminal.line(label('differ in'), `${what}: ${one ?? 'not said'} → ${other ?? 'not said'}`);
  if (comparison.differences.length === 0) terminal.line(label('differ in'), 'no setting that a trace keeps');
  terminal.line();
  reportText(terminal, a.trace, b.trace, comparison);
  terminal.line();
  reportWords(terminal, comparison);
  reportLatents(terminal, likeness);
  for (const { name, a: one, b: other } of comparison.timings)
    terminal.line(label('time'), `${name}: ${milliseconds(one)} → ${milliseconds(other)}`);
}

/** The texts, as far as they are the other's in plain, what only one has with its sign. */
function reportText(terminal: Terminal, a: Trace, b: Trace, { rows, first, cut }: RunComparison): void {
  for (const row of rows) {
    if (row.kind === 'same') terminal.line(label(''), shown(textOf(a, row.a)));
    else if (row.kind === 'block') {
      const [one, other] = [row.a, row.b].map((block) =>
        block === undefined ? 'none' : `block ${block + 1}`,
      );
      terminal.line(label('latents'), new Styled('cyan', one === other ? one! : `A ${one}, B ${other}`));
    } else {
      if (row.a) terminal.line(label('only A'), new Styled('red', shown(textOf(a, row.a))));
      if (row.b) terminal.line(label('only B'), new Styled('green', shown(textOf(b, row.b))));
    }
  }
  const place = (index: number | undefined): string =>
    index === undefined ? 'its end' : `token ${index + 1}`;
  terminal.line(
    label('first'),
    first === undefined
      ? 'no difference: both say the same'
      : `the runs part at ${place(first.a)} of A, ${place(first.b)} of B`,
  );
  if (cut) terminal.line(label('note'), 'The middle was too long to be aligned; it stands as other.');
}

function reportWords(terminal: Terminal, { words, noDivergence }: RunComparison): void {
  const known = words.flatMap(({ text, a, difference }) =>
    difference === undefined ? [] : [{ text, a, difference }],
  );
  const most = known.toSorted((one, other) => Math.abs(other.difference) - Math.abs(one.difference));
  terminal.line(
    label('words'),
    `${words.length} in both; log p of the word itself, B less A: mean ${signed(meanOf(Float32Array.from(known, ({ difference }) => difference)))} nats`,
  );
  for (const { text, a, difference } of most.slice(0, WORDS_SHOWN))
    // Less is printed as nothing.
    if (Math.abs(difference) >= 0.0005)
      terminal.line(label(''), `token ${a + 1} ${JSON.stringify(text)} ${signed(difference)}`);
  terminal.line(
    label('KL'),
    noDivergence ?? 'not in the traces: ilvr analyse A divergence --other B computes it with the model',
  );
}

function reportLatents(terminal: Terminal, likeness: BlockLikeness[] | undefined): void {
  if (likeness === undefined)
    terminal.line(label('latents'), 'of other sizes, so without an angle between them');
  for (const { a, b, cosines } of likeness ?? []) {
    const name = a === b ? `block ${a + 1}` : `block ${a + 1} / ${b + 1}`;
    terminal.line(
      label('latents'),
      `${name}: cosines ${cosines.map((cosine) => cosine?.toFixed(3) ?? '–').join(' ')}`,
    );
  }
  if (likeness?.some(({ cosines }) => cosines.includes(null)))
    terminal.line(label(''), new Styled('dim', '–: a latent of zeros has no direction, and so no cosine'));
}

function shown(text: string): string {
  return text.trimEnd() === '' ? JSON.stringify(text) : text.trimEnd();
}

function signed(value: number): string {
  if (Number.isNaN(value)) return 'unknown';
  return value < 0 ? `−${Math.abs(value).toFixed(3)}` : `+${value.toFixed(3)}`;
}

function milliseconds(value: number | undefined): string {
  return value === undefined ? 'not said' : `${value.toFixed(0)} ms`;
}

function label(text: string): Styled {
  return labelOf(text, 10);
}
