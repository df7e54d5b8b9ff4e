/** Reads what changed and the current figure to screen readers, politely. */

import type { VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { message, t, translated, type Message } from '../../base/l10n.ts';
import { kindName, type Reading } from '../../heatmap/map.ts';
import { placeText } from '../../heatmap/grid.ts';
import type { Law } from '../../heatmap/law.ts';
import { choiceLabel } from '../../trace/choice.ts';
import { ownerText } from '../logic/caption.ts';
import { number } from '../logic/format.ts';
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

const LAWS: Record<Law, Message> = { spotlight: message('spotlight'), heat: message('heat') };

const READINGS: Record<Reading, Message> = {
  raw: message('raw attention'),
  masked: message('masked attention'),
  relative: message('relative attention'),
};

/** What is only said when it changes; nobody wants to hear it with every latent. */
function settingsOf({ shown, trace, view, stage }: Scene): Record<string, string> {
  const { kind, layer, heads } = shown.selector;
  const attention = kind === 'attention';
  const forToken =
    stage.token === undefined ? '' : ` ${t('in the small maps; this token’s map is the mean of its heads')}`;
  return {
    kind: kindName(kind),
    layer: attention ? choiceLabel('layer', layer, trace.model.layers) : '',
    heads: attention ? choiceLabel('head', heads, trace.model.heads) + forToken : '',
    law: translated(LAWS[view.law]),
    reading: attention ? translated(READINGS[view.reading]) : '',
    owner: t('scale of {0}', ownerText(stage.owner)),
    contour: view.contour ? t('contour on') : t('contour off'),
  };
}

function sentence({ stage: { map, title, absent }, view }: Scene): string {
  if (map === undefined) return `${title}. ${absent ?? ''}`;
  const patch = view.patch ?? map.peak;
  const where = placeText(patch, map);
  const place = view.patch === undefined ? t('largest at {0}', where) : t('patch at {0}', where);
  return `${title}. ${place}: ${map.unit} ${number(map.values[patch] ?? NaN)}.`;
}
