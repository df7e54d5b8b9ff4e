/**
 * What is to be drawn: a view, and what the pointer rests on, resolved against a trace. The wished target is drawn when
 * its slices are at hand; until then the one before it stays, and only what needs no slices follows at once.
 */

import type { RunMaps } from '../../trace/runMaps.ts';
import type { Trace } from '../../trace/schema.ts';
import type { Gaze, Target } from './gaze.ts';
import { coveredOf, hasPicture, needsOf } from './needs.ts';
import { resolve, type Shown } from './resolve.ts';
import type { View } from './view.ts';

/** While a run goes on, words are asked for what they pay in groups of so many, not each time one is added. */
const PAID_GROUP = 32;

/** The target that a gaze asks for. */
export function targetOf(trace: Trace, maps: RunMaps, gaze: Gaze): Target {
  const isRunning = trace.status === 'running';
  const { tokens, latents } = trace;
  const shown = resolve(gaze.view, trace);
  const needed = maps.needs(shown.selector);
  // A complete trace is nearly always at hand as a whole, which is told faster than by counting.
  const covered = maps.slices.has(needed) ? latents.length : coveredOf(maps.slices, needed);
  const follows = isRunning && gaze.view.latent === undefined && covered > 0;
  return {
    view: gaze.view,
    run: trace.id,
    shown: follows ? { ...shown, latent: latents[covered - 1], latentIndex: covered - 1 } : shown,
    token: gaze.token !== undefined && tokens[gaze.token] !== undefined ? gaze.token : undefined,
    pointed: gaze.pointed !== undefined && latents[gaze.pointed] !== undefined ? gaze.pointed : undefined,
    paid: isRunning ? tokens.length - (tokens.length % PAID_GROUP) : tokens.length,
    covered,
  };
}

/** How much of a target is at hand. */
export function readinessOf(
  trace: Trace,
  maps: RunMaps,
  target: Target,
  drawn: Target | undefined,
): { picture: boolean; whole: boolean } {
  const needs = needsOf(trace, maps, target);
  // Latents that arrive during a run fill in as they come.
  const goesOn = trace.status === 'running' && drawn !== undefined && drawn.run === trace.id;
  const least = goesOn ? Math.max(drawn.covered, target.shown.latentIndex + 1) : trace.latents.length;
  const picture = hasPicture(maps.slices, needs, least);
  return { picture, whole: picture && needs.around.every((query) => maps.slices.has(query)) };
}

/** The last target that was drawn, with those wishes of the new one that need no slices; the same object if none do. */
export function kept(trace: Trace, drawn: Target, wished: Target): Target {
  const { latent, token, picture, kind, layer, heads, shading, region, patch, anchor } = drawn.view;
  const samePicture = drawn.shown.picture?.id === wished.shown.picture?.id;
  const view: View = {
    ...wished.view,
    latent,
    token,
    picture,
    kind,
    layer,
    heads,
    shading,
    region,
    ...(!samePicture && {
      patch,
      anchor,
    }),
  };
  // Objects of the trace may have been replaced since.
  const shown: Shown = {
    ...drawn.shown,
    latent: trace.latents[drawn.shown.latentIndex],
    picture: trace.pictures.find(({ id }) => id === drawn.shown.picture?.id) ?? drawn.shown.picture,
  };
  return isSame(view, drawn.view) && isSame(shown, drawn.shown) ? drawn : { ...drawn, view, shown };
}

function isSame<Value extends object>(a: Value, b: Value): boolean {
  return ([...Object.keys(a), ...Object.keys(b)] as (keyof Value)[]).every((key) => a[key] === b[key]);
}
