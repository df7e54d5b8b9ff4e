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
  // A run's selected block is held in sight until the reader does something.
  const held = useRef<string | undefined>(undefined);
  const touched = useRef<string | undefined>(undefined);
  useLayoutEffect(() => {
    const touch = (): void => {
      touched.current = held.current;
    };
    for (const input of INPUTS) window.addEventListener(input, touch, { capture: true, passive: true });
    return () => INPUTS.forEach((input) => window.removeEventListener(input, touch, { capture: true }));
  }, []);
  useLayoutEffect(() => {
    if (running) return;
    held.current = trace.id;
    // Rows take their true heights only when they are drawn, which moves what is below them.
    if (touched.current === trace.id) return;
    const block = box.current?.querySelector('.step-block[data-selected="true"]');
    // The line that follows a block is what came of it.
    block?.nextElementSibling?.scrollIntoView({ block: 'nearest' });
    block?.scrollIntoView({ block: 'nearest' });
  }, [trace, running, total, latentIndex]);
}

/** What a reader does. */
export const INPUTS = ['wheel', 'pointerdown', 'keydown'] as const;
