/**
 * What the reader looks at, and how each command changes it.
 *
 * A `View` is plain data that survives a reload (VS Code's setState). It holds wishes, not facts: the
 * trace may not have the wished latent or kind yet, so `resolve.ts` turns it into what is shown.
 */

import { unreachable } from '../../base/errors.ts';
import { CONTOUR_SHARE, STRENGTH } from '../../heatmap/constants.ts';
import type { MapGrid } from '../../heatmap/grid.ts';
import type { Law } from '../../heatmap/law.ts';
import type { MapKind, Reading } from '../../heatmap/map.ts';
import { SCOPES, type Scope } from '../../heatmap/scale.ts';
import type { PanelSelection } from '../../protocol/panel.ts';
import type { Choice } from '../../trace/choice.ts';
import { latentIndexAt } from '../../trace/columns.ts';
import { openingOf } from '../../trace/opening.ts';
import type { Trace } from '../../trace/schema.ts';
import { movePatch, patchesOf, type Region, regionOf } from './grid.ts';
import type { MeasureId } from '../../evidence/relevance.ts';
import type { Plane } from '../../evidence/scatter.ts';
import type { Shares } from '../../evidence/sources.ts';
import { stepListOf } from './stepList.ts';

export const TABS = [
  'span',
  'sources',
  'narrowing',
  'similarity',
  'lens',
  'pca',
  'relevance',
  'attention',
  'causality',
  'decomposition',
  'dependence',
  'faithfulness',
  'timing',
] as const;
export type Tab = (typeof TABS)[number];

/** Which tokens are shaded for the selected latent: those that attend to it, or those it attends to. */
export const SHADINGS = ['attending', 'attended'] as const;
export type Shading = (typeof SHADINGS)[number];

export interface View {
  /** Index into trace.latents; absent until the reader selects one. */
  latent?: number | undefined;
  /** Id of the run that the selection is for: a reload in the middle of it keeps the selection. */
  run?: string | undefined;
  /** Token under the keyboard's cursor, when that is in the text; index into trace.tokens. */
  token?: number | undefined;
  picture?: string | undefined;
  kind: MapKind;
  /** Absent until the reader chooses: the layer whose latents look most. */
  layer?: Choice | undefined;
  heads: Choice;
  law: Law;
  reading: Reading;
  /** Whose values the scale spans. */
  scope: Scope;
  contour: boolean;
  /** Share of a map's mass that the contour encloses. */
  share: number;
  strength: number;
  smooth: boolean;
  outlines: boolean;
  shading: Shading;
  /** Patch under the keyboard's cursor. */
  patch?: number | undefined;
  region?: Region | undefined;
  /** Patch at which a region began to be extended by keyboard. */
  anchor?: number | undefined;
  tab: Tab;
  /** Of what the sources' shares are. */
  shares: Shares;
  /** Axes of the scatter of components, from left to right and upwards. */
  plane: Plane;
  /** What relevance is measured by. */
  measure: MeasureId;
  /** Token whose heads are shown; 0 or another that is not known: the first there is. */
  headsToken: number;
  /** Height of the evidence in pixels, as far as there is room; absent until the reader moves its edge. */
  evidenceHeight?: number | undefined;
  /** Absent until the reader opens or closes it: then it is open where there is room. */
  evidenceOpen?: boolean | undefined;
  /** Whether the drawing's rarer settings are shown. */
  more: boolean;
}

export const INITIAL_VIEW: View = {
  kind: 'attention',
  heads: 'mean',
  law: 'spotlight',
  reading: 'raw',
  scope: 'run',
  contour: true,
  share: CONTOUR_SHARE,
  strength: STRENGTH,
  smooth: false,
  outlines: false,
  shading: 'attending',
  tab: 'span',
  shares: 'all',
  plane: '0 1',
  measure: 'rollout',
  headsToken: 0,
  more: false,
};

export type Command =
  | { type: 'run-started'; id: string }
  | { type: 'latent'; latent: number }
  /** To the next latent, or to the next token when the cursor is in the text. */
  | { type: 'move'; by: 1 | -1 }
  | { type: 'move-step'; by: 1 | -1 }
  | { type: 'token'; token: number | undefined }
  | { type: 'move-layer' | 'move-heads'; by: 1 | -1 }
  | { type: 'patch'; patch: number | undefined }
  | {
      type: 'move-patch';
      rows: number;
      columns: number;
      grid: MapGrid;
      extend: boolean;
    }
  | { type: 'region'; region: Region | undefined }
  | { type: 'toggle-law' | 'toggle-contour' | 'next-scope' }
  /** To that reading, or back to the values as they are. */
  | { type: 'toggle-reading'; reading: Exclude<Reading, 'raw'> }
  /** A plain setting. */
  | { type: 'set'; values: Partial<Settings> };

export type Settings = Pick<
  View,
  | 'picture'
  | 'kind'
  | 'layer'
  | 'heads'
  | 'law'
  | 'reading'
  | 'scope'
  | 'contour'
  | 'share'
  | 'strength'
  | 'smooth'
  | 'outlines'
  | 'shading'
  | 'tab'
  | 'shares'
  | 'plane'
  | 'measure'
  | 'headsToken'
  | 'evidenceHeight'
  | 'evidenceOpen'
  | 'more'
>;

/** What a reader keeps for other panels: how things are drawn and laid out, not what is looked at. */
const PREFERENCES = [
  'law',
  'scope',
  'contour',
  'share',
  'strength',
  'smooth',
  'outlines',
  'shading',
  'shares',
  'plane',
  'measure',
  'evidenceHeight',
  'evidenceOpen',
  'more',
] as const satisfies (keyof View)[];

export type Preferences = Pick<View, (typeof PREFERENCES)[number]>;

export function preferencesOf(view: View): Preferences {
  return Object.fromEntries(PREFERENCES.map((key) => [key, view[key]])) as unknown as Preferences;
}

/** The view after `command`; `view` itself is left alone. */
export function reduce(view: View, command: Command, trace: Trace | undefined): View {
  switch (command.type) {
    case 'run-started':
      if (view.run === command.id) return view;
      return {
        ...view,
        run: command.id,
        latent: undefined,
        token: undefined,
        patch: undefined,
        region: undefined,
        anchor: undefined,
      };
    case 'latent':
      return { ...view, latent: command.latent, token: undefined };
    case 'move':
      return trace === undefined ? view : move(view, command.by, trace);
    case 'move-step':
      return trace === undefined ? view : moveStep(view, command.by, trace);
    case 'token':
      return { ...view, token: command.token };
    case 'move-layer':
      return trace === undefined
        ? view
        : { ...view, layer: stepChoice(shownLayer(view, trace), command.by, trace.model.layers) };
    case 'move-heads':
      return trace === undefined
        ? view
        : { ...view, heads: stepChoice(view.heads, command.by, trace.model.heads) };
    case 'patch':
      return { ...view, patch: command.patch, anchor: undefined };
    case 'move-patch':
      return movedPatch(view, command);
    case 'region':
      return { ...view, region: command.region, anchor: undefined };
    case 'toggle-law':
      return { ...view, law: view.law === 'heat' ? 'spotlight' : 'heat' };
    case 'toggle-contour':
      return { ...view, contour: !view.contour };
    case 'next-scope':
      return { ...view, scope: SCOPES[(SCOPES.indexOf(view.scope) + 1) % SCOPES.length]! };
    case 'toggle-reading':
      return { ...view, reading: view.reading === command.reading ? 'raw' : command.reading };
    case 'set':
      return apply(view, command.values);
    default:
      return unreachable(command);
  }
}

/** The order that [ ] and { } walk: mean, max, then each layer or head; it does not wrap. */
export function stepChoice(choice: Choice, by: 1 | -1, count: number): Choice {
  const order: Choice[] = ['mean', 'max', ...Array.from({ length: count }, (_, i) => i)];
  const at = typeof choice === 'number' ? Math.min(choice, count - 1) + 2 : order.indexOf(choice);
  return order[Math.min(order.length - 1, Math.max(0, at + by))] ?? choice;
}

/**
 * The latent that is selected: the wished one or the nearest there is. Without a wish it is the newest while
 * a run goes on, and afterwards the one that looks at the pictures most, so that a run always ends alike.
 */
export function selectedLatent(view: View, trace: Trace): number {
  const last = trace.latents.length - 1;
  if (view.latent !== undefined) return Math.min(view.latent, last);
  return trace.status === 'running' ? last : openingOf(trace).latent();
}

/** What is looked at, for a link to it. */
export function placeOf(view: View, trace: Trace): PanelSelection {
  const { token, picture, kind, heads } = view;
  const latent = selectedLatent(view, trace);
  const shown = trace.pictures.find(({ id }) => id === picture) ?? trace.pictures[0];
  return {
    ...(latent >= 0 && { latent }),
    ...(token !== undefined && { token }),
    ...(trace.pictures.some(({ id }) => id === picture) && { picture: picture! }),
    ...(view.region !== undefined &&
      shown !== undefined && { picture: shown.id, patches: patchesOf(view.region, shown.grid) }),
    kind,
    layer: shownLayer(view, trace),
    heads: clampChoice(heads, trace.model.heads),
  };
}

/** The wished layer, or the one whose latents look most; a layer of the last model may not exist in this one. */
export function shownLayer({ layer }: View, trace: Trace): Choice {
  return layer === undefined ? openingOf(trace).layer() : clampChoice(layer, trace.model.layers);
}

/** A layer or head that exists. */
export function clampChoice(choice: Choice, count: number): Choice {
  return typeof choice === 'number' ? Math.min(choice, count - 1) : choice;
}

/** Share of the mass for the contour; 0 where there is none. */
export function contourShare({ contour, share }: Pick<View, 'contour' | 'share'>): number {
  return contour ? share : 0;
}

function apply(view: View, values: Partial<Settings>): View {
  const next = { ...view, ...values };
  // Words have attention only: another kind is asked of the latent.
  if (values.kind !== undefined && values.kind !== 'attention') next.token = undefined;
  // Patches of one picture mean nothing in another.
  return values.picture !== undefined && values.picture !== view.picture
    ? { ...next, patch: undefined, region: undefined, anchor: undefined }
    : next;
}

function move(view: View, by: 1 | -1, trace: Trace): View {
  if (view.token !== undefined) {
    return { ...view, token: nextWord(trace, view.token, by) ?? view.token };
  }
  if (trace.latents.length === 0) return view;
  const latent = Math.min(trace.latents.length - 1, Math.max(0, selectedLatent(view, trace) + by));
  return { ...view, latent };
}

/** The nearest token of text in a direction. */
function nextWord({ tokens }: Trace, from: number, by: 1 | -1): number | undefined {
  for (let i = from + by; i >= 0 && i < tokens.length; i += by) if (tokens[i]!.kind === 'text') return i;
  return undefined;
}

function moveStep(view: View, by: 1 | -1, trace: Trace): View {
  const list = stepListOf(trace);
  const selected = trace.latents[selectedLatent(view, trace)];
  const at = list.indexAt(view.token ?? selected?.token ?? 0);
  // A block that is only just begun has no latent to go to.
  for (let i = at + by; i >= 0 && i < list.steps.length; i += by) {
    const step = list.steps[i]!;
    if (step.kind === 'text') return { ...view, token: step.first };
    const target = step.latents[Math.min(selected?.index ?? 0, step.latents.length - 1)];
    const latent = target && latentIndexAt(trace, target.token);
    if (latent !== undefined) return { ...view, latent, token: undefined };
  }
  return view;
}

function movedPatch(view: View, command: Extract<Command, { type: 'move-patch' }>): View {
  const { grid, extend } = command;
  const patch = movePatch(view.patch, command.rows, command.columns, grid);
  if (!extend) return { ...view, patch, anchor: undefined };
  const anchor = view.anchor ?? view.patch ?? patch;
  return { ...view, patch, anchor, region: regionOf(anchor, patch, grid) };
}
