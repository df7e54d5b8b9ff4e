/** A run on the terminal as it happens: text as it comes, one line per latent block, a summary. */

import { unreachable } from '../base/errors.ts';
import { placeOf } from '../heatmap/grid.ts';
import { statedAnswer } from '../trace/answer.ts';
import type { ReasonEvent } from '../trace/events.ts';
import { TOTAL_TIMING } from '../trace/format.ts';
import { massBySource } from '../trace/maps.ts';
import { runMaps } from '../trace/runMaps.ts';
import type { Trace, TraceBlock, TracePicture } from '../trace/schema.ts';
import { blockSummary, describeIntervention, latentsOf } from '../trace/steps.ts';
import { seconds } from './session.ts';
import { label, Styled, type Terminal } from './terminal.ts';

/** Prints an event that has just been folded into `trace`. */
export function reportEvent(terminal: Terminal, trace: Trace, event: ReasonEvent): void {
  switch (event.type) {
    case 'start':
      reportNotes(terminal, trace);
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
    case 'token-attention':
    case 'verdict':
    case 'timing':
    case 'done':
      return;
    default:
      unreachable(event);
  }
}

/** What a reader should know of the run's settings before it is under way. */
export function reportNotes(terminal: Terminal, { settings }: Trace): void {
  for (const note of settings.notes ?? []) terminal.line(label('note'), note);
}

/** What a finished run comes down to. */
export function reportSummary(terminal: Terminal, trace: Trace): void {
  const answer = statedAnswer(trace) ?? 'none';
  const status = trace.status === 'complete' ? '' : ` (${trace.status}: this is a partial answer)`;
  terminal.line();
  const { intervention } = trace.settings;
  const replaced = intervention === undefined ? '' : `, ${describeIntervention(intervention)}`;
  terminal.line(label('blocks'), `${blockSummary(trace)}${replaced}`);
  const looks = looksOf(trace);
  if (looks !== undefined) terminal.line(label('looks'), looks);
  terminal.line(label('answer'), new Styled('bold', answer), status);
  terminal.line(label('tokens'), `${trace.tokens.length}, latents included`);
  reportTimings(terminal, trace);
}

/** The layer that block pictures and the panel open on, and why. */
function looksOf(trace: Trace): string | undefined {
  if (trace.latents.length === 0 || trace.pictures.every(({ range }) => range === undefined))
    return undefined;
  const maps = runMaps(trace);
  const layer = maps.openingLayer();
  const mass = maps.layers()[layer]!.mass;
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

/** Means over the block's latents, in the layer that has looked most so far; it is named, since it may change. */
function attentionFacts(trace: Trace, block: TraceBlock): string[] {
  const latents = latentsOf(trace, block.index);
  const seen = trace.pictures.filter(({ range }) => range !== undefined);
  if (latents.length === 0 || seen.length === 0) return [];
  const maps = runMaps(trace);
  const masses = latents.map((latent) => massBySource(trace, maps.openingRow(latent.attention)));
  const mass = masses.reduce((sum, { pictures }) => sum + pictures, 0) / latents.length;
  const noun = seen.length === 1 ? 'image' : 'images';
  return [peakOf(trace, block, seen), `mass on ${noun} ${share(mass)} (layer ${maps.openingLayer() + 1})`];
}

/** The patch with the largest mean over the block's latents; rows and columns count from 1. */
function peakOf(trace: Trace, block: TraceBlock, pictures: TracePicture[]): string {
  let best = { value: -Infinity, text: '' };
  for (const picture of pictures) {
    const maps = runMaps(trace);
    const selector = maps.opening(picture, 'attention');
    const sums = new Float64Array(picture.grid.rows * picture.grid.columns);
    for (const latent of latentsOf(trace, block.index)) {
      maps.map(latent, selector)?.values.forEach((value, i) => {
        sums[i]! += value;
      });
    }
    sums.forEach((value, i) => {
      if (value <= best.value) return;
      const { row, column } = placeOf(i, picture.grid);
      const where = pictures.length > 1 ? ` of ${picture.name}` : '';
      best = { value, text: `peak row ${row + 1} column ${column + 1}${where}` };
    });
  }
  return best.text;
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
