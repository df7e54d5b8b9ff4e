/** What is drawn of two runs: which latents, which maps on which scale, lines of their texts. */

import { t } from '../../base/l10n.ts';
import type { Row } from '../../comparison/align.ts';
import type { RunComparison } from '../../comparison/compare.ts';
import type { AnalysisResult } from '../../analysis/table.ts';
import { LAWS, type Law } from '../../heatmap/law.ts';
import { MAP_KINDS, type HeatMap, type MapKind } from '../../heatmap/map.ts';
import { difference } from '../../heatmap/readings.ts';
import { scaleOf, type Scale } from '../../heatmap/scale.ts';
import { SIDES, type Side } from '../../protocol/comparison.ts';
import { kindsFor, type MapSelector } from '../../trace/maps.ts';
import { openingOf } from '../../trace/opening.ts';
import type { RunMaps } from '../../trace/runMaps.ts';
import type { Trace, TraceLatent, TracePicture } from '../../trace/schema.ts';
import { latentsOf } from '../../trace/steps.ts';

/** How the reader looks at two runs; it survives a reload. */
export interface ComparisonView {
  /** Index among the pairs of blocks, and place in the block. */
  pair: number;
  latent: number;
  kind: MapKind;
  /** 0-based; absent: where A's latents look most. */
  layer?: number | undefined;
  /** Index among A's pictures. */
  picture: number;
  law: Law;
  /** What shades the words. */
  measure: 'difference' | 'divergence';
}

const OPENING: ComparisonView = {
  pair: 0,
  latent: 0,
  kind: 'attention',
  picture: 0,
  law: 'heat',
  measure: 'difference',
};

/** The stored view, as far as it is one. */
export function restoreComparisonView(stored: unknown): ComparisonView {
  if (typeof stored !== 'object' || stored === null) return OPENING;
  const { pair, latent, kind, layer, picture, law, measure } = stored as Partial<ComparisonView>;
  const index = (value: unknown): number =>
    Number.isInteger(value) && (value as number) >= 0 ? (value as number) : 0;
  return {
    pair: index(pair),
    latent: index(latent),
    kind: MAP_KINDS.find((known) => known === kind) ?? OPENING.kind,
    ...(layer !== undefined && { layer: index(layer) }),
    picture: index(picture),
    law: LAWS.find((known) => known === law) ?? OPENING.law,
    measure: measure === 'divergence' ? measure : OPENING.measure,
  };
}

/** Two latents at the same place, and the maps that are drawn of them. */
export interface Looked {
  blocks: { a: number; b: number };
  /** As many places as the shorter of the blocks has, and the one that is shown. */
  places: number;
  place: number;
  latents: Record<Side, TraceLatent>;
  pictures: Record<Side, TracePicture>;
  selectors: Record<Side, MapSelector>;
  layer: number;
  kinds: MapKind[];
}

/** What the view looks at; undefined where there is nothing to look at in both. */
export function lookedAt(
  traces: Record<Side, Trace>,
  { blocks }: RunComparison,
  view: ComparisonView,
): Looked | undefined {
  const pair = blocks[Math.min(view.pair, blocks.length - 1)];
  if (pair === undefined) return undefined;
  const [ours, theirs] = [latentsOf(traces.a, pair.a), latentsOf(traces.b, pair.b)];
  const places = Math.min(ours.length, theirs.length);
  const place = Math.min(view.latent, places - 1);
  const picture = traces.a.pictures[Math.min(view.picture, traces.a.pictures.length - 1)];
  const other = picture && counterpart(picture, traces.a, traces.b);
  if (places === 0 || picture === undefined || other === undefined) return undefined;
  const kinds = kindsFor(picture).filter((kind) => kindsFor(other).includes(kind));
  const kind = kinds.includes(view.kind) ? view.kind : kinds[0];
  if (kind === undefined) return undefined;
  const layers = Math.min(traces.a.model.layers, traces.b.model.layers);
  const layer = Math.min(view.layer ?? openingOf(traces.a).layer(), layers - 1);
  const selector = ({ id }: TracePicture): MapSelector => ({ kind, picture: id, layer, heads: 'mean' });
  return {
    blocks: pair,
    places,
    place,
    latents: { a: ours[place]!, b: theirs[place]! },
    pictures: { a: picture, b: other },
    selectors: { a: selector(picture), b: selector(other) },
    layer,
    kinds,
  };
}

/** B's picture that stands for one of A's: of the same name and role, or at the same place. */
function counterpart(picture: TracePicture, a: Trace, b: Trace): TracePicture | undefined {
  const among = (trace: Trace): TracePicture[] => trace.pictures.filter(({ role }) => role === picture.role);
  const same = among(b).find(({ name }) => name === picture.name);
  return same ?? among(b)[among(a).indexOf(picture)];
}

export interface DrawnMaps {
  /** Absent while its slices are being read. */
  maps: Partial<Record<Side, HeatMap>>;
  /** Of both runs. */
  scale: Scale;
  difference?: HeatMap;
  /** Of the differences of all places that both have. */
  differenceScale?: Scale;
}

/** One scale spans what is compared: the maps of all latents of both runs. */
export function drawnMaps(
  maps: Record<Side, RunMaps>,
  traces: Record<Side, Trace>,
  { selectors, latents }: Looked,
): DrawnMaps {
  const all = SIDES.flatMap((side) =>
    traces[side].latents.flatMap((latent) => maps[side].map(latent, selectors[side]) ?? []),
  );
  const [a, b] = SIDES.map((side) => maps[side].map(latents[side], selectors[side]));
  const less = a && b && difference(a, b);
  return {
    maps: { ...(a && { a }), ...(b && { b }) },
    scale: scaleOf(all),
    ...(less && { difference: less, differenceScale: scaleOf([less]) }),
  };
}

/** Part of a line; `word` is its index among the shared words where it is one. */
export interface Fragment {
  text: string;
  isOther: boolean;
  shade?: number;
  title?: string;
}

export type Line =
  { kind: 'text'; a: Fragment[]; b: Fragment[] } | { kind: 'block'; a?: number; b?: number; pair?: number };

/** Lines of both texts beside each other: words between two blocks or line ends are one line. */
export function linesOf(
  traces: Record<Side, Trace>,
  comparison: RunComparison,
  divergence: AnalysisResult<'divergence'> | undefined,
  measure: ComparisonView['measure'],
): Line[] {
  const shades = shadesOf(comparison, divergence, measure);
  const lines: Line[] = [];
  let open: Extract<Line, { kind: 'text' }> | undefined;
  for (const row of comparison.rows) {
    if (row.kind === 'block') {
      const pair = comparison.blocks.findIndex(({ a, b }) => a === row.a && b === row.b);
      lines.push({ ...row, ...(pair >= 0 && { pair }) });
      open = undefined;
      continue;
    }
    if (open === undefined) lines.push((open = { kind: 'text', a: [], b: [] }));
    for (const side of SIDES) open[side].push(...fragmentsOf(row, side, traces[side], shades));
    if (row.kind === 'same' && endsLine(open.a)) open = undefined;
  }
  return lines.filter(
    (line) => line.kind === 'block' || SIDES.some((side) => textIn(line[side]).trim() !== ''),
  );
}

function endsLine(fragments: readonly Fragment[]): boolean {
  return fragments.at(-1)?.text.includes('\n') === true;
}

function textIn(fragments: readonly Fragment[]): string {
  return fragments.map(({ text }) => text).join('');
}

/** Of the words of A and of B, by token. */
type Shades = Record<Side, Map<number, { shade: number; title: string }>>;

/** Nats at which a word is shaded fully: a factor of e. */
const FULL = 1;

function shadesOf(
  { words }: RunComparison,
  divergence: AnalysisResult<'divergence'> | undefined,
  measure: ComparisonView['measure'],
): Shades {
  const shades: Shades = { a: new Map(), b: new Map() };
  const add = (pair: { a: number; b: number }, value: number, title: string): void => {
    const shade = { shade: Math.min(1, Math.abs(value) / FULL), title };
    for (const side of SIDES) shades[side].set(pair[side], shade);
  };
  if (measure === 'divergence') {
    for (const word of divergence?.words ?? []) add(word, word.kl, t('KL {0} nats', nats(word.kl)));
  } else {
    for (const word of words)
      if (word.difference !== undefined)
        add(word, word.difference, t('log p of B less A: {0} nats', nats(word.difference)));
  }
  return shades;
}

/** Three digits after the point, or fewer zeros. */
export function nats(value: number): string {
  const size = Math.abs(value);
  const text = size !== 0 && size < 0.001 ? size.toExponential(1).replace('-', '−') : size.toFixed(3);
  return value < 0 ? `−${text}` : text;
}

function fragmentsOf(
  row: Exclude<Row, { kind: 'block' }>,
  side: Side,
  { tokens }: Trace,
  shades: Shades,
): Fragment[] {
  const span = row[side];
  if (span === undefined) return [];
  return tokens.slice(span.first, span.last + 1).flatMap((token, i): Fragment[] => {
    const text = token.kind === 'end' ? '' : token.text;
    const shade = row.kind === 'same' ? shades[side].get(span.first + i) : undefined;
    return text === '' ? [] : [{ text, isOther: row.kind === 'other', ...shade }];
  });
}
