/** Connects the keyboard map to the page: where the focus is, and where it goes. */

import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { keyEffect, type Place } from '../logic/keyboard.ts';
import type { Scene } from './scene.ts';
import { INPUTS } from './useStepScroll.ts';

/** Id of the stage's focusable picture. */
export const STAGE_ID = 'stage-picture';
export const STEPS_ID = 'steps';

/** Listens on the whole page while a trace is shown; `help` opens the list of keys. */
export function useKeys(scene: Scene | undefined, help: () => void): void {
  const latest = useRef(scene);
  latest.current = scene;
  useEffect(() => {
    const listener = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || latest.current === undefined) return;
      if (handle(event, latest.current, help)) event.preventDefault();
    };
    const release = (): void => latest.current?.setAlone(false);
    window.addEventListener('keydown', listener);
    window.addEventListener('keyup', release);
    // A key that is let go elsewhere is never heard of here.
    window.addEventListener('blur', release);
    return () => {
      window.removeEventListener('keydown', listener);
      window.removeEventListener('keyup', release);
      window.removeEventListener('blur', release);
    };
  }, [help]);
  useFollowingFocus(scene);
}

/** @returns whether the key was the panel's */
function handle(event: KeyboardEvent, scene: Scene, help: () => void): boolean {
  const key = {
    key: event.key,
    shift: event.shiftKey,
    modified: event.ctrlKey || event.altKey || event.metaKey,
  };
  const grid = scene.shown.picture?.grid;
  const effect = keyEffect(key, placeOf(event.target), grid);
  if (effect === undefined) return false;
  if (effect.type === 'escape' && document.querySelector(':popover-open') !== null) return false;
  if (effect.type === 'help') help();
  else if (effect.type === 'alone') scene.setAlone(true);
  else if (effect.type === 'escape') escape(scene);
  else scene.dispatch(effect);
  return true;
}

/** Esc leads to the image; on the image it clears the region, then the cursor, then goes to the steps. */
function escape({ view, dispatch, hoverToken }: Scene): void {
  const stage = document.getElementById(STAGE_ID);
  hoverToken(undefined);
  if (view.token !== undefined) dispatch({ type: 'token', token: undefined });
  if (document.activeElement !== stage) stage?.focus();
  else if (view.region !== undefined) dispatch({ type: 'region', region: undefined });
  else if (view.patch !== undefined) dispatch({ type: 'patch', patch: undefined });
  else document.querySelector<HTMLElement>(`#${STEPS_ID} [tabindex="0"]`)?.focus();
}

function placeOf(target: EventTarget | null): Place {
  if (!(target instanceof Element)) return 'elsewhere';
  if (target.id === STAGE_ID) return 'stage';
  return target.closest('input, select, [role=radiogroup], [role=tablist], vscode-panel-tab, [data-arrows]')
    ? 'control'
    : 'elsewhere';
}

/** After ←/→/↑/↓ the focus stays with the selection, if it was in the steps; else it only scrolls into view. */
function useFollowingFocus(scene: Scene | undefined): void {
  const { token } = scene?.view ?? {};
  const latent = scene?.shown.latentIndex;
  const isFirst = useRef(true);
  // Before the page is drawn: afterwards it would be drawn twice.
  useLayoutEffect(() => {
    // Where a page begins is the steps' own affair.
    if (isFirst.current) {
      isFirst.current = false;
      return undefined;
    }
    const id = token === undefined ? `latent-${latent}` : `token-${token}`;
    const element = document.getElementById(id);
    if (document.activeElement?.closest(`#${STEPS_ID}`)) element?.focus({ preventScroll: true });
    return holdInSight(id);
  }, [token, latent]);
}

/**
 * Keeps an element of the steps in sight while rows around it take their true heights, which they do when they are
 * drawn first, and the list's own scrolling makes up for that; what the reader does ends it.
 */
function holdInSight(id: string): () => void {
  const list = document.getElementById(STEPS_ID);
  const rows = list?.querySelector(':scope > ol');
  const show = (): void => document.getElementById(id)?.scrollIntoView({ block: 'nearest' });
  show();
  if (list === null || !rows) return () => undefined;
  const observer = new ResizeObserver(show);
  observer.observe(rows);
  // The legend below takes another line once its numbers are there, and the list gives it.
  observer.observe(list);
  list.addEventListener('scroll', show);
  const stop = (): void => {
    observer.disconnect();
    list.removeEventListener('scroll', show);
    for (const input of INPUTS) list.removeEventListener(input, stop);
  };
  for (const input of INPUTS) list.addEventListener(input, stop);
  return stop;
}
