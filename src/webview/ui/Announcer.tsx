/** Reads the current place and figure to screen readers, politely. */

import type { VNode } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { number } from '../logic/format.ts';
import type { Scene } from './scene.ts';

/** Long enough that holding a key down announces only where it stops. */
const PAUSE_MS = 150;

export function Announcer({ scene }: { scene: Scene }): VNode {
  const text = sentence(scene);
  const [spoken, setSpoken] = useState('');
  useEffect(() => {
    const timer = setTimeout(() => setSpoken(text), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <div class="hidden" aria-live="polite">
      {spoken}
    </div>
  );
}

function sentence({ stage: { map, title, absent }, view }: Scene): string {
  if (map === undefined) return `${title}. ${absent ?? ''}`;
  const patch = view.patch ?? map.peak;
  const row = Math.floor(patch / map.columns) + 1;
  const column = (patch % map.columns) + 1;
  const place = view.patch === undefined ? 'largest' : 'patch';
  return `${title}. ${place} at row ${row}, column ${column}: ${map.unit} ${number(map.values[patch] ?? NaN)}.`;
}
