/** A run on the terminal as it happens: text as it comes, one line per latent block, a summary. */

import { unreachable } from '../base/errors.ts';
import { placeOf } from '../heatmap/grid.ts';
import { statedAnswer } from '../trace/answer.ts';
import type { ReasonEvent } from '../trace/events.ts';
import { TOTAL_TIMING } from '../trace/format.ts';
import { visualRanges } from '../trace/columns.ts';
import type { Look } from '../trace/looks.ts';
import { openingOf } from '../trace/opening.ts';
import type { Trace, TraceBlock, TracePicture } from '../trace/schema.ts';
import { blocksText, latentsOf } from '../trace/steps.ts';
import { seconds } from './session.ts';
import { label, Styled, type Terminal, type Part } from './terminal.ts';

/** Prints an event that has just been folded into `trace`. */
export function reportEvent(terminal: Terminal, trace: Trace, event: ReasonEvent): void {
  switch (event.type) {
    case 'start':
      reportNotes(terminal, trace.settings.notes);
      return;
    case 'prompt':
      terminal.line(label('question'), trace.question);
      for (const picture of trace.pictures) terminal.line(label('picture'), describe(picture));
      terminal.line();
      return;
    case 'token':
      if (event.token.kind === 'text') terminal.print(event.token.text);
      return;
    case 'block-start':
      terminal.print(atNewLine(trace));
      return;
    case 'latent':
      terminal.passing(`◆ block ${event.latent.block + 1} · latent ${event.latent.index + 1}`);
      return;
    case 'block-end':
      terminal.line(new Styled('cyan', blockLine(trace, event.block)));
      return;
    case 'past':
      reportPast(terminal, trace);
      return;
    case 'looks':
    case 'verdict':
    case 'timing':
    case 'done':
      return;
    default:
      unreachable(event);
  }
}

/** What a branch goes on from, as it was printed when it was written; a block that is open ends later. */
function reportPast(terminal: Terminal, { tokens, ...trace }: Trace): void {
  let before = 0;
  const blocks = trace.blocks.filter(({ ended }) => ended !== 'running');
  for (const block of blocks) {
    const text = textOf(tokens.slice(before, block.startToken));
    terminal.print(text.endsWith('\n') || text === '' ? text : `${text}\n`);
    terminal.line(new Styled('cyan', blockLine({ tokens, ...trace }, block)));
    before = (block.endToken ?? block.startToken + block.latents) + 1;
  }
  terminal.print(textOf(tokens.slice(before)));
}

function textOf(tokens: Trace['tokens']): string {
  return tokens
    .filter(({ kind }) => kind === 'text')
    .map(({ text }) => text)
    .join('');
}

/** What a reader should know of a run before it is under way. */
export function reportNotes(terminal: Terminal, notes: readonly string[] = []): void {
  for (const note of notes) terminal.line(label('note'), note);
}

/** What a finished run comes down to. */
export function reportSummary(terminal: Terminal, trace: Trace): void {
  const none = trace.status === 'complete' ? 'none: cut off at the token limit' : 'none';
  const answer = statedAnswer(trace) ?? none;
  const status = trace.status === 'complete' ? '' : ` (${trace.status}: this is a partial answer)`;
  terminal.line();
  terminal.line(label('blocks'), blocksText(trace));
  const looks = looksOf(trace);
  if (looks !== undefined) terminal.line(label('looks'), looks);
  terminal.line(label('answer'), new Styled('bold', answer), status, ...verdictParts(trace));
  terminal.line(label('tokens'), `${trace.tokens.length}, latents included`);
  reportTimings(terminal, trace);
}

/** Whether the answer is right, where that is known. */
function verdictParts({ verdict }: Trace): Part[] {
  if (verdict === undefined) return [];
  const { right, expected } = verdict;
  if (right) return ['  ', new Styled('green', '✓'), ' right'];
  return ['  ', new Styled('red', '✗'), expected === undefined ? ' wrong' : ` right would be ${expected}`];
}

/** The layer that block pictures and the panel open on, and why. */
function looksOf(trace: Trace): string | undefined {
  if (trace.latents.length === 0 || trace.pictures.every(({ range }) => range === undefined))
    return undefined;
  const opening = openingOf(trace);
  const layer = opening.layer();
  const mass = opening.layers()[layer]!.mass;
  if (mass === 0)
    return `at no image: no latent's attention reaches one in any of ${trace.model.layers} layers`;
  return `most in layer ${layer + 1} of ${trace.model.layers}: mean mass on the image ${share(mass)}`;
}

/** An engine may time the whole as well as its parts. */
function reportTimings(terminal: Terminal, { timings }: Trace): void {
  if (timings.length === 0) return;
  const parts = timings.filter(({ name }) => name !== TOTAL_TIMING);
  const sum = parts.reduce((before, { milliseconds }) => before + milliseconds, 0);
  const total = timings.find(({ name }) => name === TOTAL_TIMING)?.milliseconds ?? sum;
  const listed = parts.map(({ name, milliseconds }) => `${name} ${seconds(milliseconds)}`);
  terminal.line(label('time'), `${seconds(total)}: ${listed.join(' · ')}`);
}

/** "◆ block 2 · 8 latents · forced · peak row 3 column 2 · mass on image .80 (layer 5)" */
export function blockLine(trace: Trace, block: TraceBlock): string {
  const latents = `${block.latents} ${block.latents === 1 ? 'latent' : 'latents'}`;
  const facts = [`◆ block ${block.index + 1}`, latents, block.ended, ...attentionFacts(trace, block)];
  return facts.join(' · ');
}

/** Of the block's latents, in the layer that has looked most so far; it is named, since it may change. */
function attentionFacts(trace: Trace, block: TraceBlock): string[] {
  const seen = trace.pictures.filter(({ range }) => range !== undefined);
  const opening = openingOf(trace);
  const looks = latentsOf(trace, block.index).flatMap(({ token }) => opening.look(trace.tokens[token]) ?? []);
  if (looks.length === 0 || seen.length === 0) return [];
  const mass = looks.reduce((sum, look) => sum + look.mass.pictures, 0) / looks.length;
  if (mass === 0) return [`looks at no image (layer ${opening.layer() + 1})`];
  const noun = seen.length === 1 ? 'image' : 'images';
  return [peakText(trace, looks), `mass on ${noun} ${share(mass)} (layer ${opening.layer() + 1})`];
}

/** The patch that is the largest for most of them; rows and columns count from 1. */
function peakText(trace: Trace, looks: readonly Look[]): string {
  const times = new Map<number, number>();
  for (const { peak } of looks) times.set(peak, (times.get(peak) ?? 0) + 1);
  const [[peak] = [0]] = [...times].toSorted((a, b) => b[1] - a[1]);
  const ranges = visualRanges(trace);
  const place = ranges.findLast(({ at }) => at <= peak)!;
  const picture = trace.pictures.find(({ id }) => id === place.picture)!;
  const { row, column } = placeOf(peak - place.at, picture.grid);
  const where = ranges.length > 1 ? ` of ${picture.name}` : '';
  return `peak row ${row + 1} column ${column + 1}${where}`;
}

/** ".54" */
function share(mass: number): string {
  return mass.toFixed(2).replace(/^0/, '');
}

/** The marker's own line begins after whatever text stands before it. */
function atNewLine(trace: Trace): string {
  const text = trace.tokens.findLast(({ kind }) => kind === 'text')?.text ?? '\n';
  return text.endsWith('\n') ? '' : '\n';
}

function describe({ name, role, width, height, grid, range, exifOrientation }: TracePicture): string {
  const use =
    role === 'input' ? 'input' : range === undefined ? 'helper, compared only' : 'helper, in prompt';
  const turned = exifOrientation === 1 ? '' : `, turned upright (EXIF orientation ${exifOrientation})`;
  return `${name} · ${use} · ${width} × ${height} px · ${grid.rows} × ${grid.columns} tokens${turned}`;
}
