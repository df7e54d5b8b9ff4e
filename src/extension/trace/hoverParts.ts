/**
 * What hovers in a trace's text hold: on a latent its maps, on a block all its maps in a row, on a text step
 * what its tokens looked at. Each part has VS Code's limit of 100,000 characters to itself, so each picture gets
 * a part of its own. Knows nothing of VS Code.
 */

import { messageOf } from '../../base/errors.ts';
import { placeText } from '../../heatmap/grid.ts';
import type { HeatMap } from '../../heatmap/map.ts';
import { scaleOf } from '../../heatmap/scale.ts';
import { MAX_STRIP } from '../../render/strip.ts';
import { attentionMapOfRow, kindsFor, massBySource, type MapSelector } from '../../trace/maps.ts';
import { runMaps } from '../../trace/runMaps.ts';
import type { Trace, TraceLatent, TracePicture } from '../../trace/schema.ts';
import { describeEnd, type Step } from '../../trace/steps.ts';
import type { Drawing, Drawn } from '../draw/drawing.ts';
import {
  codeMarkup,
  commandLink,
  joinMarkup,
  markup,
  ownWords,
  pictureMarkup,
  type Markup,
} from '../markup.ts';
import { pictureMass, type LatentSpan, type TraceLine } from './text.ts';

const MAP_WIDTH = 240;
/** VS Code makes a hover 250 pixels high; head and figures take the rest. */
const MAP_HEIGHT = 150;
/** Of one map in a strip; eight of them fit a hover's usual width. */
const STRIP_WIDTH = 72;
/** More would make the hover slow and longer than a screen. */
const MAX_PICTURES = 4;

/** A trace whose lines are hovered over. */
export interface Hovered {
  trace: Trace;
  /** What a link to the trace's panel names: a run, or a file's address. */
  target: { run: string } | { file: string };
  /** Draws a picture that a hover can hold; rejects where the trace's picture cannot be shown. */
  draw: (drawing: Drawing) => Promise<Drawn | undefined>;
}

/** The latent that a column of a line belongs to. */
export function latentAt(line: TraceLine, column: number): LatentSpan | undefined {
  return line.latents.find(({ start, end }) => column >= start && column < end);
}

/** The parts of the hover over a column of a line. */
export async function hoverParts(hovered: Hovered, line: TraceLine, column: number): Promise<Markup[]> {
  const { step } = line;
  if (step === undefined) return runParts(hovered);
  const span = latentAt(line, column);
  if (span !== undefined) return latentParts(hovered, span.latent);
  return step.kind === 'text' ? textParts(hovered, step) : blockParts(hovered, step);
}

/** The pictures that were asked about, on the lines about the run. */
async function runParts(hovered: Hovered): Promise<Markup[]> {
  const parts: Markup[] = [];
  for (const picture of hovered.trace.pictures.slice(0, MAX_PICTURES)) {
    const { width, height, grid, tokenSize } = picture;
    const drawing = { picture, width: Math.min(MAP_WIDTH, width) };
    const drawn = await drawnPart(hovered, `${picture.role} image`, drawing);
    const facts =
      `${width} × ${height} pixels, ${grid.rows} × ${grid.columns} tokens of ` +
      `${tokenSize} × ${tokenSize} pixels`;
    parts.push(markup`${drawn}\n\n${picture.role} image ${picture.name}: ${facts}`);
  }
  return parts;
}

async function latentParts(hovered: Hovered, latent: TraceLatent): Promise<Markup[]> {
  const { trace } = hovered;
  const { block, index, position } = latent;
  const place = markup`**Block ${block + 1} · latent ${index + 1}** at position ${position}`;
  const mass = massBySource(trace, runMaps(trace).openingRow(latent.attention));
  const maps = runMaps(trace);
  const parts = [markup`${place} · ${panelLink(hovered, latent)}`];
  for (const { picture, selector } of shownPictures(trace)) {
    const map = maps.map(latent, selector);
    if (map === undefined) continue;
    const scale = maps.scale(selector, 'raw', 'run');
    const drawing = { picture, width: widthFor(picture), over: { kind: 'map', map, scale } } as const;
    const drawn = await drawnPart(hovered, `${selector.kind} map of latent ${index + 1}`, drawing);
    // A hover is about half an editor high; the picture should not need scrolling.
    parts.push(markup`${drawn}\n\n${figures(map)}\n\n${map.caption}`);
  }
  return [...parts, attentionOf(trace, [mass], ',')];
}

async function blockParts(
  hovered: Hovered,
  { block, latents, number }: Extract<Step, { kind: 'block' }>,
): Promise<Markup[]> {
  const { trace } = hovered;
  const [first] = latents;
  const end = ownWords(describeEnd(block.ended));
  const place = markup`**Step ${number} · block ${block.index + 1}**`;
  const what = markup`${place}: ${block.latents} latents, ${end}`;
  if (first === undefined) return [what];
  const parts = [markup`${what} · ${panelLink(hovered, first)}`];
  for (const { picture, selector } of shownPictures(trace)) {
    const maps = latents.flatMap((latent) => runMaps(trace).map(latent, selector) ?? []);
    const [map] = maps;
    if (map === undefined) continue;
    const scale = runMaps(trace).scale(selector, 'raw', 'run');
    const over = { kind: 'strip', maps: maps.slice(0, MAX_STRIP), scale } as const;
    const alt = `${selector.kind} maps of block ${block.index + 1}`;
    const drawn = await drawnPart(hovered, alt, { picture, width: STRIP_WIDTH, over });
    const caption = `${map.unit}, ${picture.name}, one scale for all latents of the run`;
    const part = maps.length > MAX_STRIP ? `; the first ${MAX_STRIP} of ${maps.length} latents` : '';
    parts.push(markup`${drawn}\n\n${caption}${part}`);
  }
  const rows = latents
    .slice(0, MAX_STRIP)
    .map((latent) => markup`| ${latent.index + 1} | ${pictureMass(trace, latent).toFixed(3)} |`);
  parts.push(markup`| latent | attention on pictures |\n| --: | --: |\n${joinMarkup(rows, '\n')}`);
  return parts;
}

async function textParts(hovered: Hovered, step: Extract<Step, { kind: 'text' }>): Promise<Markup[]> {
  const { trace } = hovered;
  const tokens = trace.tokens.slice(step.first, step.last + 1);
  const title = markup`**Step ${step.number}** · ${tokens.length} tokens`;
  const facts = [codeMarkup(step.text.trim())];
  const chosen = tokens.filter(({ probability }) => probability !== undefined);
  const least = chosen.toSorted((a, b) => a.probability! - b.probability!)[0];
  if (least !== undefined) {
    facts.push(
      markup`Least probable token: ${JSON.stringify(least.text)}, ${least.probability!.toFixed(3)}.`,
    );
  }
  const rows = tokens.flatMap(({ attention }) => (attention ? [runMaps(trace).openingRow(attention)] : []));
  if (rows.length === 0) return [joinMarkup([title, ...facts], '\n\n')];
  const masses = rows.map((row) => massBySource(trace, row));
  facts.push(attentionOf(trace, masses, ' of its tokens,'));
  const maps: Markup[] = [];
  for (const { picture } of shownPictures(trace)) maps.push(...(await textMap(hovered, rows, picture)));
  // A hover is about half an editor high, and the text is in the editor already.
  return [title, ...maps, joinMarkup(facts, '\n\n')];
}

/** Where a line's tokens look, on average. */
async function textMap(hovered: Hovered, rows: Float32Array[], picture: TracePicture): Promise<Markup[]> {
  const { trace } = hovered;
  const shortest = Math.min(...rows.map(({ length }) => length));
  const mean = Float32Array.from({ length: shortest }, (_, key) =>
    rows.reduce((sum, row) => sum + row[key]! / rows.length, 0),
  );
  const selector = runMaps(trace).opening(picture, 'attention');
  const map = attentionMapOfRow(trace, mean, picture, selector, "this line's tokens, averaged,");
  if (map === undefined) return [];
  const over = { kind: 'map', map, scale: scaleOf([map]) } as const;
  const drawing = { picture, width: widthFor(picture), over };
  const drawn = await drawnPart(hovered, 'attention map of the line', drawing);
  return [markup`${drawn}\n\n${figures(map)}\n\n${map.caption} Its own scale.`];
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

/** The first pictures, with attention where there is any, else what helper images offer; similarity is left to the panel. */
function shownPictures(trace: Trace): { picture: TracePicture; selector: MapSelector }[] {
  return trace.pictures.slice(0, MAX_PICTURES).flatMap((picture) =>
    kindsFor(picture)
      .filter((kind) => kind === (picture.range === undefined ? 'selection' : 'attention'))
      .map((kind) => ({ picture, selector: runMaps(trace).opening(picture, kind) })),
  );
}

/** A picture, or why there is none: the figures beside it are true all the same. */
async function drawnPart({ draw }: Hovered, alt: string, drawing: Drawing): Promise<Markup> {
  const { name, png, width, height } = drawing.picture;
  try {
    const drawn = await draw({ ...drawing, picture: { name, png, width, height } });
    if (drawn !== undefined) return pictureMarkup(drawn.png, { ...drawn, alt });
    return markup`This picture does not fit into a hover.`;
  } catch (error) {
    return markup`${messageOf(error)}`;
  }
}

/** The width at which a picture's map is at most MAP_HEIGHT high. */
function widthFor({ width, height }: TracePicture): number {
  return Math.max(16, Math.min(MAP_WIDTH, Math.round((MAP_HEIGHT * width) / height)));
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
function panelLink({ trace, target }: Hovered, latent: TraceLatent): Markup {
  const argument = { ...target, latent: trace.latents.indexOf(latent) };
  return commandLink('Show in panel', 'ilvr.showLatent', argument);
}
