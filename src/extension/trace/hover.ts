/**
 * Hovers in a trace's text: on a latent its maps, on a block all its maps in a row, on a text step
 * what its tokens looked at. Pictures are data URIs; each part has VS Code's limit of 100,000 characters
 * to itself, so each picture gets a part of its own, and so does the link, which must not stand beside names.
 */

import * as vscode from 'vscode';
import { placeText } from '../../heatmap/grid.ts';
import type { HeatMap } from '../../heatmap/map.ts';
import { scaleOf } from '../../heatmap/scale.ts';
import { drawMap } from '../../render/overlay.ts';
import { HOVER_BYTES, pngUnder } from '../../render/png.ts';
import { pictureAt } from '../../render/picture.ts';
import { drawStrip } from '../../render/strip.ts';
import type { Raster } from '../../render/raster.ts';
import { attentionMapOfRow, kindsFor, massBySource, type MapSelector } from '../../trace/maps.ts';
import { runMaps } from '../../trace/runMaps.ts';
import type { Trace, TraceLatent, TracePicture } from '../../trace/schema.ts';
import { describeEnd, type Step } from '../../trace/steps.ts';
import {
  codeMarkup,
  commandLink,
  joinMarkup,
  markup,
  ownWords,
  pictureMarkup,
  type Markup,
} from '../markup.ts';
import { hoverOf } from '../window.ts';
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
    if (line.step === undefined) return hoverOf(runParts(trace));
    const span = line.latents.find(
      ({ start, end }) => position.character >= start && position.character < end,
    );
    if (span) {
      const range = new vscode.Range(position.line, span.start, position.line, span.end);
      return hoverOf(latentParts(ref, trace, span.latent), range);
    }
    return hoverOf(stepParts(ref, trace, line, line.step), document.lineAt(position.line).range);
  }
}

/** Registers the hover; it needs neither an engine nor a trusted workspace. */
export function registerTraceHover(library: TraceLibrary): vscode.Disposable {
  return vscode.languages.registerHoverProvider({ scheme: TRACE_SCHEME }, new TraceHover(library));
}

/** The pictures that were asked about, on the lines about the run. */
function runParts(trace: Trace): Markup[] {
  return trace.pictures.slice(0, MAX_PICTURES).flatMap((picture) => {
    const part = pictureOf(Math.min(MAP_WIDTH, picture.width), `${picture.role} image`, (width) =>
      pictureAt(picture, width),
    );
    const { width, height, grid, tokenSize } = picture;
    if (part === undefined) return [];
    const role = `${picture.role} image`;
    const facts =
      `${width} × ${height} pixels, ${grid.rows} × ${grid.columns} tokens of ` +
      `${tokenSize} × ${tokenSize} pixels`;
    return [markup`${part}\n\n${role} ${picture.name}: ${facts}`];
  });
}

function latentParts(ref: TraceRef, trace: Trace, latent: TraceLatent): Markup[] {
  const { block, index, position } = latent;
  const place = markup`**Block ${block + 1} · latent ${index + 1}** at position ${position}`;
  const mass = massBySource(trace, runMaps(trace).openingRow(latent.attention));
  const head = markup`${place} · ${panelLink(ref, trace, latent)}\n\n${attentionOf(trace, [mass], ',')}`;
  const maps = selectorsOf(trace, trace.pictures).flatMap((selector) => mapParts(trace, latent, selector));
  return [head, ...maps.slice(0, MAX_PICTURES)];
}

function mapParts(trace: Trace, latent: TraceLatent, selector: MapSelector): Markup[] {
  const maps = runMaps(trace);
  const map = maps.map(latent, selector);
  const picture = trace.pictures.find(({ id }) => id === selector.picture);
  if (map === undefined || picture === undefined) return [];
  const scale = maps.scale(selector, 'raw', 'run');
  const alt = `${selector.kind} map of latent ${latent.index + 1}`;
  const drawn = pictureOf(widthFor(trace, selector.picture), alt, (width) =>
    drawMap(map, scale, picture, { width }),
  );
  if (drawn === undefined) return [];
  // A hover is about half an editor high; the figures should not need scrolling.
  return [markup`${figures(map)}\n\n${drawn}\n\n${map.caption}`];
}

function stepParts(ref: TraceRef, trace: Trace, line: TraceLine, step: Step): Markup[] {
  return step.kind === 'text' ? textParts(trace, line, step) : blockParts(ref, trace, line, step);
}

function blockParts(
  ref: TraceRef,
  trace: Trace,
  line: TraceLine,
  { block, latents }: Extract<Step, { kind: 'block' }>,
): Markup[] {
  const first = latents[0];
  const end = ownWords(describeEnd(block.ended));
  const place = markup`**Step ${line.number ?? 0} · block ${block.index + 1}**`;
  const what = markup`${place}: ${block.latents} latents, ${end}`;
  const head = first === undefined ? what : markup`${what} · ${panelLink(ref, trace, first)}`;
  if (latents.length === 0) return [head];
  const rows = latents.map(
    (latent) => markup`| ${latent.index + 1} | ${pictureMass(trace, latent).toFixed(3)} |`,
  );
  const strips = selectorsOf(trace, trace.pictures).flatMap((selector) => {
    const alt = `${selector.kind} maps of block ${block.index + 1}`;
    const picture = trace.pictures.find(({ id }) => id === selector.picture);
    const maps = latents.flatMap((latent) => runMaps(trace).map(latent, selector) ?? []);
    const [map] = maps;
    if (picture === undefined || map === undefined) return [];
    const scale = runMaps(trace).scale(selector, 'raw', 'run');
    const strip = pictureOf(STRIP_WIDTH, alt, (width) => drawStrip(maps, scale, picture, { width }));
    if (strip === undefined) return [];
    const caption = `${map.unit}, ${picture.name}, one scale for all latents of the run`;
    return [markup`${strip}\n\n${caption}`];
  });
  const table = markup`| latent | attention on pictures |\n| --: | --: |\n${joinMarkup(rows, '\n')}`;
  return [head, ...strips.slice(0, MAX_PICTURES), table];
}

function textParts(trace: Trace, line: TraceLine, step: Extract<Step, { kind: 'text' }>): Markup[] {
  const tokens = trace.tokens.slice(step.first, step.last + 1);
  const facts = [
    markup`**Step ${line.number ?? 0}** · ${tokens.length} tokens\n\n${codeMarkup(step.text.trim())}`,
  ];
  const chosen = tokens.filter(({ probability }) => probability !== undefined);
  const least = chosen.toSorted((a, b) => a.probability! - b.probability!)[0];
  if (least !== undefined) {
    facts.push(
      markup`Least probable token: ${JSON.stringify(least.text)}, ${least.probability!.toFixed(3)}.`,
    );
  }
  const rows = tokens.flatMap(({ attention }) => (attention ? [runMaps(trace).openingRow(attention)] : []));
  if (rows.length === 0) return [joinMarkup(facts, '\n\n')];
  const masses = rows.map((row) => massBySource(trace, row));
  facts.push(attentionOf(trace, masses, ' of its tokens,'));
  const maps = trace.pictures.flatMap((picture) => textMap(trace, rows, picture));
  return [joinMarkup(facts, '\n\n'), ...maps.slice(0, MAX_PICTURES)];
}

/** Where a line's tokens look, on average. */
function textMap(trace: Trace, rows: Float32Array[], picture: TracePicture): Markup[] {
  const shortest = Math.min(...rows.map(({ length }) => length));
  const mean = Float32Array.from({ length: shortest }, (_, key) =>
    rows.reduce((sum, row) => sum + row[key]! / rows.length, 0),
  );
  const selector = runMaps(trace).opening(picture, 'attention');
  const map = attentionMapOfRow(trace, mean, picture, selector, "this line's tokens, averaged,");
  if (map === undefined) return [];
  const scale = scaleOf([map]);
  const drawn = pictureOf(widthFor(trace, picture.id), 'attention map of the line', (width) =>
    drawMap(map, scale, picture, { width }),
  );
  if (drawn === undefined) return [];
  return [markup`${figures(map)}\n\n${drawn}\n\n${map.caption} Its own scale.`];
}

/** What was looked at, on average, in a sentence. */
function attentionOf(
  trace: Trace,
  masses: readonly ReturnType<typeof massBySource>[],
  whose: string,
): Markup {
  const shares = (['pictures', 'prompt', 'latents', 'answer'] as const).map((key) => {
    const mean = masses.reduce((sum, mass) => sum + mass[key], 0) / masses.length;
    return `${key} ${mean.toFixed(2)}`;
  });
  return ownWords(`Attention${whose} ${layerText(trace)}: ${shares.join(', ')}.`);
}

/** "layer 5 of 6, whose latents look most, mean of its heads" */
function layerText(trace: Trace): string {
  return `layer ${runMaps(trace).openingLayer() + 1} of ${trace.model.layers}, which looks at the pictures most, mean of its heads`;
}

/** Attention where there is any, then what helper images offer; similarity is left to the panel. */
function selectorsOf(trace: Trace, pictures: TracePicture[]): MapSelector[] {
  return pictures.flatMap((picture) =>
    kindsFor(picture)
      .filter((kind) => kind === (picture.range === undefined ? 'selection' : 'attention'))
      .map((kind) => runMaps(trace).opening(picture, kind)),
  );
}

/** A part with one picture, at the widest size that fits. */
function pictureOf(
  width: number,
  alt: string,
  render: (width: number) => Raster | undefined,
): Markup | undefined {
  const png = pngUnder(HOVER_BYTES, width, render);
  if (png === undefined) return undefined;
  return pictureMarkup(png, { ...sizeOf(png), alt });
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

function figures(map: HeatMap): Markup {
  const facts = [`peak ${(map.values[map.peak] ?? NaN).toPrecision(3)} at ${placeText(map.peak, map)}`];
  if (map.mass !== undefined) facts.push(`mass ${map.mass.toFixed(3)}`);
  if (map.entropy) {
    facts.push(`entropy ${map.entropy.bits.toFixed(2)} bits (uniform ${map.entropy.uniformBits.toFixed(2)})`);
  }
  return markup`**${map.unit}**: ${facts.join(' · ')}`;
}

/** A link that moves the panel to this latent. */
function panelLink(ref: TraceRef, trace: Trace, latent: TraceLatent): Markup {
  const target = 'run' in ref ? { run: ref.run } : { file: ref.file.toString() };
  const argument = { ...target, latent: trace.latents.indexOf(latent) };
  return commandLink('Show in panel', 'ilvr.showLatent', argument);
}
