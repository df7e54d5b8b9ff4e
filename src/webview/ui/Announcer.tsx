/** Reads what changed and the current figure to screen readers, politely. */

import type { VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { placeText } from '../../heatmap/grid.ts';
import { ownerText } from '../logic/caption.ts';
import { choiceLabel, number } from '../logic/format.ts';
import type { Scene } from './scene.ts';

/** Long enough that holding a key down announces only where it stops. */
const PAUSE_MS = 150;

export function Announcer({ scene }: { scene: Scene }): VNode {
  const now = settingsOf(scene);
  const said = useRef(now);
  const place = sentence(scene);
  const [spoken, setSpoken] = useState('');
  const key = [...Object.values(now), place].join();
  useEffect(() => {
    const timer = setTimeout(() => {
      const changed = Object.entries(now).filter(([name, text]) => said.current[name] !== text);
      said.current = now;
      setSpoken([...changed.map(([, text]) => `${text}.`), place].join(' '));
    }, PAUSE_MS);
    return () => clearTimeout(timer);
  }, [key]);
  return (
    <div class="hidden" aria-live="polite">
      {spoken}
    </div>
  );
}

/** What is only said when it changes; nobody wants to hear it with every latent. */
function settingsOf({ shown, trace, view, stage }: Scene): Record<string, string> {
  const { kind, layer, heads } = shown.selector;
  const attention = kind === 'attention';
  const forToken =
    stage.token === undefined ? '' : ' in the small maps; this token’s map is the mean of its heads';
  return {
    kind,
    layer: attention ? choiceLabel('layer', layer, trace.model.layers) : '',
    heads: attention ? choiceLabel('head', heads, trace.model.heads) + forToken : '',
    law: view.law,
    reading: attention ? `${view.reading} attention` : '',
    owner: `scale of ${ownerText(stage.owner)}`,
    contour: view.contour ? 'contour on' : 'contour off',
  };
}

function sentence({ stage: { map, title, absent }, view }: Scene): string {
  if (map === undefined) return `${title}. ${absent ?? ''}`;
  const patch = view.patch ?? map.peak;
  const which = view.patch === undefined ? 'largest' : 'patch';
  return `${title}. ${which} at ${placeText(patch, map)}: ${map.unit} ${number(map.values[patch] ?? NaN)}.`;
}
