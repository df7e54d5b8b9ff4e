/** What the next key would ask for: if it is at hand, the key shows at once. */

import { MAP_KINDS } from '../../heatmap/map.ts';
import type { Query } from '../../trace/queries.ts';
import type { RunMaps } from '../../trace/runMaps.ts';
import type { Trace } from '../../trace/schema.ts';
import { needsOf } from './needs.ts';
import type { Target } from './gaze.ts';
import { targetOf } from './target.ts';
import { reduce, type Command } from './view.ts';

const KEYS: readonly Command[] = [
  ...([1, -1] as const).flatMap((by): Command[] => [
    { type: 'move', by },
    { type: 'move-step', by },
    { type: 'move-layer', by },
    { type: 'move-heads', by },
  ]),
  ...MAP_KINDS.map((kind): Command => ({ type: 'set', values: { kind } })),
];

/** The slices of what one more key would show, those of the likeliest keys first. */
export function aheadOf(trace: Trace, maps: RunMaps, { view }: Target): Query[] {
  return KEYS.flatMap((command) => {
    const next = reduce(view, command, trace);
    const target = targetOf(trace, maps, { view: next, token: next.token, pointed: undefined });
    const { picture, around } = needsOf(trace, maps, target);
    return [...picture, ...around].filter(isCheap);
  });
}

/** Maxima, and several layers of single heads, take reading whole arrays: nobody may want them. */
function isCheap({ family }: Query): boolean {
  if (!('layer' in family)) return true;
  const heads = 'heads' in family ? family.heads : 'mean';
  return heads !== 'max' && (heads === 'mean' ? family.layer !== 'max' : typeof family.layer === 'number');
}
