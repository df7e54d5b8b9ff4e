/**
 * Hovers in a trace's text: on a latent its maps, on a block all its maps in a row, on a text step
 * what its tokens looked at. Pictures are data URIs; each Markdown part has VS Code's limit of
 * 100,000 characters to itself, so each picture gets a part of its own.
 */

import * as vscode from 'vscode';
import { drawMap, MAP_STYLE, renderMap } from '../../render/overlay.ts';
import { dataUri, HOVER_BYTES, pngUnder } from '../../render/png.ts';
import { pictureAt } from '../../render/picture.ts';
import { renderBlockStrip } from '../../render/strip.ts';
import type { Raster } from '../../render/raster.ts';
import {
  attentionMapOfRow,
  firstLook,
  firstLookRow,
  kindsFor,
  mapOf,
  massBySource,
  type HeatMap,
  type MapSelector,
} from '../../trace/maps.ts';
import type { Trace, TraceLatent, TracePicture } from '../../trace/schema.ts';
import { describeEnd, type Step } from '../../trace/steps.ts';
import { readDocument } from './document.ts';
import { TRACE_SCHEME, type TraceLibrary, type TraceRef } from './library.ts';
import { pictureMass, type TraceLine } from './text.ts';

const MAP_WIDTH = 240;
/** VS Code makes a hover 250 pixels high; head and figures take the rest. */
const MAP_HEIGHT = 150;
/** Of one map in a strip; eight of them fit a hover's usual width. */
const STRIP_WIDTH = 72;
/** More would make the hover slow and longer than a screen. */
const MAX_PICTURES = 4;

export class TraceHover implements vscode.HoverProvider {
  private readonly library: TraceLibrary;

  constructor(library: TraceLibrary) {
    this.library = library;
  }

  async provideHover(
    document: vscode.TextDocument,
    position: vscode.Position,
  ): Promise<vscode.Hover | undefined> {
    const shown = await readDocument(this.library, document);
    const line = shown?.lines[position.line];
    if (shown === undefined || line === undefined || line.text === '') return undefined;
    const { ref, trace } = shown;
    if (line.step === undefined) return new vscode.Hover(runParts(trace));
    const span = line.latents.find(
      ({ start, end }) => position.character >= start && position.character < end,
    );
    if (span) {
      const range = new vscode.Range(position.line, span.start, position.line, span.end);
      return new vscode.Hover(latentParts(ref, trace, span.latent), range);
    }
    return new vscode.Hover(stepParts(ref, trace, line, line.step), document.lineAt(position.line).range);
  }
}

/** Registers the hover; it needs neither an engine nor a trusted workspace. */
export function registerTraceHover(library: TraceLibrary): vscode.Disposable {
  return vscode.languages.registerHoverProvider({ scheme: TRACE_SCHEME }, new TraceHover(library));
}

/** The pictures that were asked about, on the lines about the run. */
function runParts(trace: Trace): vscode.MarkdownString[] {
  return trace.pictures.slice(0, MAX_PICTURES).flatMap((picture) => {
    const part = pictureOf(Math.min(MAP_WIDTH, picture.width), `${picture.role} image`, (width) =>
      pictureAt(picture, width),
    );
    const { width, height, grid, tokenSize } = picture;
    part?.appendMarkdown(
      `\n\n${picture.role} image ${escaped(picture.name)}: ${width} × ${height} pixels, ` +
        `${grid.rows} × ${grid.columns} tokens of ${tokenSize} × ${tokenSize} pixels`,
    );
    return part ?? [];
  });
}

function latentParts(ref: TraceRef, trace: Trace, latent: TraceLatent): vscode.MarkdownString[] {
  const head = markdown();
  const { pictures, prompt, latents, answer } = massBySource(trace, firstLookRow(trace, latent.attention));
  head.appendMarkdown(
    `**Block ${latent.block + 1} · latent ${latent.index + 1}** at position ${latent.position} · ${panelLink(ref, trace, latent)}\n\n` +
      `Attention, last layer, mean of its heads: pictures ${share(pictures)}, prompt ${share(prompt)}, ` +
      `latents ${share(latents)}, answer ${share(answer)}.`,
  );
  const maps = selectorsOf(trace, trace.pictures).flatMap((selector) => mapParts(trace, latent, selector));
  return [head, ...maps.slice(0, MAX_PICTURES)];
}

function mapParts(trace: Trace, latent: TraceLatent, selector: MapSelector): vscode.MarkdownString[] {
  const map = mapOf(trace, latent, selector);
  if (map === undefined) return [];
  const alt = `${selector.kind} map of latent ${latent.index + 1}`;
  const drawn = pictureOf(widthFor(trace, selector.picture), alt, (width) =>
    renderMap(trace, latent, selector, { width }),
  );
  if (drawn === undefined) return [];
  // A hover is about half an editor high; the figures should not need scrolling.
  drawn.value = `${figures(map)}\n\n${drawn.value}\n\n${escaped(map.caption)}`;
  return [drawn];
}

function stepParts(ref: TraceRef, trace: Trace, line: TraceLine, step: Step): vscode.MarkdownString[] {
  return step.kind === 'text' ? textParts(trace, line, step) : blockParts(ref, trace, line, step);
}

function blockParts(
  ref: TraceRef,
  trace: Trace,
  line: TraceLine,
  { block, latents }: Extract<Step, { kind: 'block' }>,
): vscode.MarkdownString[] {
  const head = markdown();
  const first = latents[0];
  const link = first === undefined ? '' : ` · ${panelLink(ref, trace, first)}`;
  head.appendMarkdown(
    `**Step ${line.number} · block ${block.index + 1}**: ${block.latents} latents, ${describeEnd(block.ended)}${link}`,
  );
  if (latents.length === 0) return [head];
  const rows = latents.map((latent) => `| ${latent.index + 1} | ${pictureMass(trace, latent).toFixed(3)} |`);
  const strips = selectorsOf(trace, trace.pictures).flatMap((selector) => {
    const alt = `${selector.kind} maps of block ${block.index + 1}`;
    const strip = pictureOf(STRIP_WIDTH, alt, (width) =>
      renderBlockStrip(trace, block.index, selector, { width }),
    );
    const map = mapOf(trace, latents[0]!, selector);
    if (strip === undefined || map === undefined) return [];
    const picture = trace.pictures.find(({ id }) => id === selector.picture);
    strip.appendMarkdown(
      `\n\n${escaped(`${map.unit}, ${picture?.name}, one scale for all latents of the run`)}`,
    );
    return [strip];
  });
  const table = markdown();
  table.appendMarkdown(`| latent | attention on pictures |\n| --: | --: |\n${rows.join('\n')}`);
  return [head, ...strips.slice(0, MAX_PICTURES), table];
}

function textParts(
  trace: Trace,
  line: TraceLine,
  step: Extract<Step, { kind: 'text' }>,
): vscode.MarkdownString[] {
  const head = markdown();
  const tokens = trace.tokens.slice(step.first, step.last + 1);
  head.appendMarkdown(`**Step ${line.number}** · ${tokens.length} tokens\n\n`);
  head.appendCodeblock(step.text.trim(), 'text');
  const chosen = tokens.filter(({ probability }) => probability !== undefined);
  const least = chosen.toSorted((a, b) => a.probability! - b.probability!)[0];
  if (least !== undefined) {
    const text = escaped(JSON.stringify(least.text));
    head.appendMarkdown(`Least probable token: ${text}, ${least.probability!.toFixed(3)}.`);
  }
  const rows = tokens.flatMap(({ attention }) => (attention ? [firstLookRow(trace, attention)] : []));
  if (rows.length === 0) return [head];
  head.appendMarkdown(`\n\n${meanMass(trace, rows)}`);
  const maps = trace.pictures.flatMap((picture) => textMap(trace, rows, picture));
  return [head, ...maps.slice(0, MAX_PICTURES)];
}

/** Where a line's tokens look, on average. */
function textMap(trace: Trace, rows: Float32Array[], picture: TracePicture): vscode.MarkdownString[] {
  const shortest = Math.min(...rows.map(({ length }) => length));
  const mean = Float32Array.from({ length: shortest }, (_, key) =>
    rows.reduce((sum, row) => sum + row[key]! / rows.length, 0),
  );
  const selector = firstLook(trace, picture, 'attention');
  const map = attentionMapOfRow(trace, mean, picture, selector, "this line's tokens, averaged,");
  if (map === undefined) return [];
  const scale = { min: 0, max: map.values[map.peak]! };
  const drawn = pictureOf(widthFor(trace, picture.id), 'attention map of the line', (width) =>
    drawMap(map, picture, { ...MAP_STYLE, width, scale }),
  );
  if (drawn === undefined) return [];
  drawn.value = `${figures(map)}\n\n${drawn.value}\n\n${escaped(map.caption)} Its own scale.`;
  return [drawn];
}

function meanMass(trace: Trace, rows: Float32Array[]): string {
  const masses = rows.map((row) => massBySource(trace, row));
  const mean = (key: 'pictures' | 'prompt' | 'latents' | 'answer'): string =>
    share(masses.reduce((sum, mass) => sum + mass[key], 0) / masses.length);
  return (
    `Attention of its tokens, last layer, mean of its heads: pictures ${mean('pictures')}, prompt ${mean('prompt')}, ` +
    `latents ${mean('latents')}, answer ${mean('answer')}.`
  );
}

/** Attention where there is any, then what helper images offer; similarity is left to the panel. */
function selectorsOf(trace: Trace, pictures: TracePicture[]): MapSelector[] {
  return pictures.flatMap((picture) =>
    kindsFor(picture)
      .filter((kind) => kind === (picture.range === undefined ? 'selection' : 'attention'))
      .map((kind) => firstLook(trace, picture, kind)),
  );
}

/** A part with one picture, at the widest size that fits. */
function pictureOf(
  width: number,
  alt: string,
  render: (width: number) => Raster | undefined,
): vscode.MarkdownString | undefined {
  const png = pngUnder(HOVER_BYTES, width, render);
  if (png === undefined) return undefined;
  const part = markdown();
  const size = sizeOf(png);
  part.appendMarkdown(
    `<img src="${dataUri(png)}" alt="${alt}" width="${size.width}" height="${size.height}">`,
  );
  return part;
}

/** The width at which a picture's map is at most MAP_HEIGHT high. */
function widthFor(trace: Trace, id: string): number {
  const picture = trace.pictures.find((entry) => entry.id === id);
  if (picture === undefined) return MAP_WIDTH;
  return Math.max(16, Math.min(MAP_WIDTH, Math.round((MAP_HEIGHT * picture.width) / picture.height)));
}

/** From the PNG's header. Without it VS Code measures the hover before the picture is there. */
function sizeOf(png: Uint8Array): { width: number; height: number } {
  const view = new DataView(png.buffer, png.byteOffset);
  return { width: view.getUint32(16), height: view.getUint32(20) };
}

function figures(map: HeatMap): string {
  const peak = `row ${Math.floor(map.peak / map.columns) + 1}, column ${(map.peak % map.columns) + 1}`;
  const facts = [`peak ${(map.values[map.peak] ?? NaN).toPrecision(3)} at ${peak}`];
  if (map.mass !== undefined) facts.push(`mass ${map.mass.toFixed(3)}`);
  if (map.entropy) {
    facts.push(`entropy ${map.entropy.bits.toFixed(2)} bits (uniform ${map.entropy.uniformBits.toFixed(2)})`);
  }
  return `**${map.unit}**: ${facts.join(' · ')}`;
}

/** A link that moves the panel to this latent; only this one command may be called from a hover. */
function panelLink(ref: TraceRef, trace: Trace, latent: TraceLatent): string {
  const target = 'run' in ref ? { run: ref.run } : { file: ref.file.toString() };
  const args = encodeURIComponent(JSON.stringify([{ ...target, latent: trace.latents.indexOf(latent) }]));
  return `[Show in panel](command:ilvr.showLatent?${args})`;
}

function markdown(): vscode.MarkdownString {
  const part = new vscode.MarkdownString();
  part.supportHtml = true;
  part.isTrusted = { enabledCommands: ['ilvr.showLatent'] };
  return part;
}

/** Text of a trace inside Markdown; `appendText` would also keep it from wrapping. */
function escaped(text: string): string {
  return text.replaceAll(/[\\`*_{}[\]()#+\-!~|<>&$]/g, (character) => `&#${character.charCodeAt(0)};`);
}

function share(value: number): string {
  return value.toFixed(2);
}
