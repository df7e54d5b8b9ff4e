/** Where the list of steps is scrolled to. */

import { useLayoutEffect, useRef } from 'preact/hooks';
import type { Scene } from './scene.ts';

/** This near to its end, a list is being followed, in CSS pixels. */
const NEAR = 48;

/** A running list is followed to its end, until the reader scrolls away; then its selected block is shown. */
export function useStepScroll(
  box: { current: HTMLElement | null },
  { trace, version, view, shown: { latentIndex } }: Scene,
  total: number,
): void {
  const follows = useRef(true);
  const running = trace.status === 'running';
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const note = (): void => {
      follows.current = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR;
    };
    element.addEventListener('scroll', note);
    return () => element.removeEventListener('scroll', note);
  }, []);
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    const isUntouched = view.latent === undefined && view.token === undefined;
    if (running && isUntouched && follows.current) element.scrollTop = element.scrollHeight;
  }, [version, running, total]);
  const shown = useRef<{ id: string; until: number } | undefined>(undefined);
  useLayoutEffect(() => {
    if (running) return;
    const now = performance.now();
    if (shown.current?.id !== trace.id) shown.current = { id: trace.id, until: now + SETTLE_MS };
    // Rows take their true heights only when they are drawn, which moves what is below them.
    if (now > shown.current.until) return;
    const block = box.current?.querySelector('.step-block[data-selected="true"]');
    // The line that follows a block is what came of it.
    block?.nextElementSibling?.scrollIntoView({ block: 'nearest' });
    block?.scrollIntoView({ block: 'nearest' });
  }, [trace, running, total, latentIndex]);
}

/** How long after it was shown a place is held while rows above it take their heights. */
export const SETTLE_MS = 400;
