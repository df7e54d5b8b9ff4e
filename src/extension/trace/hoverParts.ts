/**
 * What hovers in a trace's text hold: on a latent its maps, on a block all its maps in a row, on a text step
 * what its tokens looked at. Each part has VS Code's limit of 100,000 characters to itself, so each picture gets
 * a part of its own. Knows nothing of VS Code.
 */

import { messageOf, UserError } from '../../base/errors.ts';
import { plural, t } from '../../base/l10n.ts';
import { placeText } from '../../heatmap/grid.ts';
import { kindName, type HeatMap } from '../../heatmap/map.ts';
import { scaleOf } from '../../heatmap/scale.ts';
import { MAX_STRIP } from '../../render/strip.ts';
import { visualCount } from '../../trace/columns.ts';
import type { Look } from '../../trace/looks.ts';
import { attentionMap, kindsFor, type MapSelector } from '../../trace/maps.ts';
import { chosenText } from '../../trace/protocolWords.ts';
import { openingOf } from '../../trace/opening.ts';
import type { Trace, TraceLatent, TracePicture } from '../../trace/schema.ts';
import { describeEnd, type Step } from '../../trace/steps.ts';
import type { OpenTrace } from '../../traceFile/openTrace.ts';
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

type TextStep = Extract<Step, { kind: 'text' }>;

/** A trace whose lines are hovered over. */
export interface Hovered {
  open: OpenTrace;
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
  for (const picture of hovered.open.trace.pictures.slice(0, MAX_PICTURES)) {
    const { width, height, grid, tokenSize } = picture;
    const name = pictureName(picture);
    const drawn = await drawnPart(hovered, name, picture, { width: Math.min(MAP_WIDTH, width) });
    const size = t('{0} × {1} pixels', width, height);
    const facts = t('{0} × {1} tokens of {2} × {2} pixels', grid.rows, grid.columns, tokenSize);
    parts.push(markup`${drawn}\n\n${name}: ${size}, ${facts}`);
  }
  return parts;
}

async function latentParts(hovered: Hovered, latent: TraceLatent): Promise<Markup[]> {
  const { trace, maps } = hovered.open;
  const { block, index, position } = latent;
  const name = ownWords(t('Block {0} · latent {1}', block + 1, index + 1));
  const place = ownWords(t('at position {0}', position));
  const chosen = chosenText(trace.tokens[latent.token]);
  const parts = [markup`**${name}** ${place} · ${panelLink(hovered, latent)}`];
  if (chosen !== undefined) parts.push(markup`${chosen}`);
  for (const { picture, selector } of shownPictures(hovered.open)) {
    const missing = await refusalOf(maps.load(selector));
    if (missing !== undefined) parts.push(missing);
    const map = maps.map(latent, selector);
    if (map === undefined) continue;
    const scale = maps.scale(selector, 'raw', 'run');
    const over = { kind: 'map', map, scale } as const;
    const alt = t('{0}: map of latent {1}', kindName(selector.kind), index + 1);
    const drawn = await drawnPart(hovered, alt, picture, { width: widthFor(picture), over });
    // A hover is about half an editor high; the picture should not need scrolling.
    parts.push(markup`${drawn}\n\n${figures(map)}\n\n${map.caption}`);
  }
  const look = openingOf(trace).look(trace.tokens[latent.token]);
  return look === undefined ? parts : [...parts, attentionOf(trace, [look])];
}

async function blockParts(
  hovered: Hovered,
  { block, latents, number }: Extract<Step, { kind: 'block' }>,
): Promise<Markup[]> {
  const { trace, maps } = hovered.open;
  const [first] = latents;
  const end = ownWords(describeEnd(block.ended, trace.model));
  const place = ownWords(t('Step {0} · block {1}', number, block.index + 1));
  const count = ownWords(plural(block.latents, '{0} latent', '{0} latents'));
  const what = markup`**${place}**: ${count}, ${end}`;
  if (first === undefined) return [what];
  const parts = [markup`${what} · ${panelLink(hovered, first)}`];
  for (const { picture, selector } of shownPictures(hovered.open)) {
    const missing = await refusalOf(maps.load(selector));
    if (missing !== undefined) parts.push(missing);
    const drawable = latents.flatMap((latent) => maps.map(latent, selector) ?? []);
    const [map] = drawable;
    if (map === undefined) continue;
    const scale = maps.scale(selector, 'raw', 'run');
    const over = { kind: 'strip', maps: drawable.slice(0, MAX_STRIP), scale } as const;
    const alt = t('{0}: maps of block {1}', kindName(selector.kind), block.index + 1);
    const drawn = await drawnPart(hovered, alt, picture, { width: STRIP_WIDTH, over });
    const caption = t('{0}, {1}, one scale for all latents of the run', map.unit, picture.name);
    const part = t('the first {0} of {1} latents', MAX_STRIP, drawable.length);
    parts.push(markup`${drawn}\n\n${caption}${drawable.length > MAX_STRIP ? `; ${part}` : ''}`);
  }
  const rows = latents
    .slice(0, MAX_STRIP)
    .map((latent) => markup`| ${latent.index + 1} | ${pictureMass(trace, latent).toFixed(3)} |`);
  const head = markup`| ${ownWords(t('latent'))} | ${ownWords(t('attention on pictures'))} |`;
  parts.push(markup`${head}\n| --: | --: |\n${joinMarkup(rows, '\n')}`);
  return parts;
}

async function textParts(hovered: Hovered, step: TextStep): Promise<Markup[]> {
  const { trace } = hovered.open;
  const tokens = trace.tokens.slice(step.first, step.last + 1);
  const name = ownWords(t('Step {0}', step.number));
  const title = markup`**${name}** · ${ownWords(plural(tokens.length, '{0} token', '{0} tokens'))}`;
  const facts = [codeMarkup(step.text.trim())];
  const chosen = tokens.filter(({ probability }) => probability !== undefined);
  const least = chosen.toSorted((a, b) => a.probability! - b.probability!)[0];
  if (least !== undefined) {
    const text = JSON.stringify(least.text);
    facts.push(markup`${t('Least probable token: {0}, {1}.', text, least.probability!.toFixed(3))}`);
  }
  const looks = tokens.flatMap((token) => openingOf(trace).look(token) ?? []);
  if (looks.length === 0) return [joinMarkup([title, ...facts], '\n\n')];
  facts.push(attentionOf(trace, looks));
  const maps: Markup[] = [];
  const missing = await refusalOf(loadRows(hovered.open, step));
  if (missing !== undefined) maps.push(missing);
  const visual = visualMean(hovered.open, step);
  for (const { picture } of visual === undefined ? [] : shownPictures(hovered.open)) {
    maps.push(...(await textMap(hovered, visual!, picture)));
  }
  // A hover is about half an editor high, and the text is in the editor already.
  return [title, ...maps, joinMarkup(facts, '\n\n')];
}

/** Where a line's tokens look, on average. */
async function textMap(hovered: Hovered, visual: Float32Array, picture: TracePicture): Promise<Markup[]> {
  const { trace, maps } = hovered.open;
  const selector = maps.opening(picture, 'attention');
  const map = attentionMap(trace, visual, picture, selector, t("this line's tokens, averaged,"));
  if (map === undefined) return [];
  const over = { kind: 'map', map, scale: scaleOf([map]) } as const;
  const drawing = { width: widthFor(picture), over };
  const drawn = await drawnPart(hovered, t('attention map of the line'), picture, drawing);
  return [markup`${drawn}\n\n${figures(map)}\n\n${map.caption} ${t('Its own scale.')}`];
}

/** Why arrays could not be read; a hover's figures, which need none, are true all the same. */
async function refusalOf(reading: Promise<void>): Promise<Markup | undefined> {
  try {
    await reading;
    return undefined;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return markup`${messageOf(error)}`;
  }
}

/** Brings what a line's words look at in the opening layer. */
async function loadRows({ trace, maps }: OpenTrace, { first, last }: TextStep): Promise<void> {
  const { family } = maps.rowNeeds(first, openingOf(trace).layer(), 'mean');
  await maps.slices.load({ family, from: first, to: last + 1 });
}

/** What a line's words pay to the patches in the opening layer, on average; undefined where no row is at hand. */
function visualMean({ trace, maps }: OpenTrace, { first, last }: TextStep): Float32Array | undefined {
  const layer = openingOf(trace).layer();
  const sum = new Float32Array(visualCount(trace));
  let rows = 0;
  for (let token = first; token <= last; token++) {
    const row = maps.row(token, layer, 'mean');
    if (row === undefined) continue;
    sum.forEach((_, patch) => (sum[patch]! += row[patch]!));
    rows++;
  }
  return rows === 0 ? undefined : sum.map((value) => value / rows);
}

/** What was looked at, on average, in a sentence. */
function attentionOf(trace: Trace, looks: readonly Look[]): Markup {
  const mean = (of: (look: Look) => number): string =>
    (looks.reduce((sum, look) => sum + of(look), 0) / looks.length).toFixed(2);
  const shares = t(
    'pictures {0}, prompt {1}, latents {2}, answer {3}',
    mean(({ mass }) => mass.pictures),
    mean(({ mass }) => mass.prompt),
    mean(({ mass }) => mass.latents),
    mean(({ mass }) => mass.answer),
  );
  const layer = t(
    'Attention in layer {0} of {1}, which looks at the pictures most, mean of its heads',
    openingOf(trace).layer() + 1,
    trace.model.layers,
  );
  return ownWords(`${layer}: ${shares}.`);
}

function pictureName({ role, name }: TracePicture): string {
  return t(role === 'input' ? 'input image {0}' : 'helper image {0}', name);
}

/** The first pictures, with attention where there is any, else what helper images offer; similarity is left to the panel. */
function shownPictures({ trace, maps }: OpenTrace): { picture: TracePicture; selector: MapSelector }[] {
  return trace.pictures.slice(0, MAX_PICTURES).flatMap((picture) =>
    kindsFor(picture)
      .filter((kind) => kind === (picture.range === undefined ? 'selection' : 'attention'))
      .map((kind) => ({ picture, selector: maps.opening(picture, kind) })),
  );
}

/** A picture, or why there is none: the figures beside it are true all the same. */
async function drawnPart(
  { open, draw }: Hovered,
  alt: string,
  picture: TracePicture,
  drawing: Omit<Drawing, 'picture'>,
): Promise<Markup> {
  try {
    const drawn = await draw({ ...drawing, picture: await open.picture(picture) });
    if (drawn !== undefined) return pictureMarkup(drawn.png, { ...drawn, alt });
    return markup`${ownWords(t('This picture does not fit into a hover.'))}`;
  } catch (error) {
    return markup`${messageOf(error)}`;
  }
}

/** The width at which a picture's map is at most MAP_HEIGHT high. */
function widthFor({ width, height }: TracePicture): number {
  return Math.max(16, Math.min(MAP_WIDTH, Math.round((MAP_HEIGHT * width) / height)));
}

function figures(map: HeatMap): Markup {
  const peak = (map.values[map.peak] ?? NaN).toPrecision(3);
  const facts = [t('peak {0} at {1}', peak, placeText(map.peak, map))];
  if (map.mass !== undefined) facts.push(t('mass {0}', map.mass.toFixed(3)));
  if (map.entropy) {
    const { bits, uniformBits } = map.entropy;
    facts.push(t('entropy {0} bits (uniform {1})', bits.toFixed(2), uniformBits.toFixed(2)));
  }
  return markup`**${map.unit}**: ${facts.join(' · ')}`;
}

/** A link that moves the panel to this latent. */
function panelLink({ open, target }: Hovered, latent: TraceLatent): Markup {
  const argument = { ...target, latent: open.trace.latents.indexOf(latent) };
  return commandLink(t('Show in panel'), 'ilvr.showLatent', argument);
}
