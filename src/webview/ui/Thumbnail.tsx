/**
 * A latent's small map as a button: the room for the map, which is on the row's canvas under it (RowMaps.tsx), over a bar
 * of how much of its attention lies on the pictures. Pointing at it shows it on the stage, selecting it keeps it there.
 */

import type { VNode } from 'preact';
import { t } from '../../base/l10n.ts';
import { placeText } from '../../heatmap/grid.ts';
import { kindName } from '../../heatmap/map.ts';
import { totalOf } from '../../heatmap/statistics.ts';
import { chosenText } from '../../trace/protocolWords.ts';
import { lookAt } from '../../trace/looks.ts';
import { familyOf, isShare } from '../../trace/maps.ts';
import type { TraceLatent } from '../../trace/schema.ts';
import { number, share } from '../logic/format.ts';
import { mapHeight } from '../logic/thumbnails.ts';
import type { Scene } from './scene.ts';

interface ThumbnailProps {
  index: number;
  latent: TraceLatent;
  scene: Scene;
  focusable: boolean;
  /** Width in CSS pixels. */
  width: number;
  /** Of the brush, 0 to 1. */
  strength: number;
  amount: number | undefined;
}

export function Thumbnail(props: ThumbnailProps): VNode {
  const { index, latent, scene, focusable, width, strength, amount } = props;
  const { shown, dispatch } = scene;
  const place = t('Block {0}, latent {1}', latent.block + 1, latent.index + 1);
  const mass = visualMass(scene, latent, index);
  const facts = [place, ...figures(scene, latent)];
  const chosen = chosenText(scene.trace.tokens[latent.token]);
  if (chosen !== undefined) facts.push(chosen);
  if (mass !== undefined) facts.push(t('visual mass {0}', share(mass)));
  if (amount !== undefined) facts.push(`${scene.brush!.title}: ${number(amount)}`);
  return (
    <button
      id={`latent-${index}`}
      type="button"
      class="thumbnail"
      tabIndex={focusable ? 0 : -1}
      aria-label={facts.join(', ')}
      aria-pressed={shown.latentIndex === index}
      title={facts.join('\n')}
      style={{ paddingTop: `${mapHeight(width, shown.picture)}px` }}
      onClick={() => dispatch({ type: 'latent', latent: index })}
      onPointerEnter={() => scene.hoverLatent(index)}
      onPointerLeave={() => scene.hoverLatent(undefined)}
    >
      <span class="mass-bar" aria-hidden="true" style={{ backgroundSize: lengthOf(mass ?? 0) }} />
      <span
        class="meter"
        aria-hidden="true"
        data-on={amount !== undefined}
        style={{ backgroundSize: lengthOf(strength) }}
      />
    </button>
  );
}

/** Of a bar, from 0 to 1; said of the bar alone, since a style of the button would be worked out for all that is in it. */
function lengthOf(part: number): string {
  return `${(100 * part).toFixed(1)}% 100%`;
}

/**
 * Of the latent's own query, in the layer and heads that are shown; heads averaged where another kind is. Undefined
 * where layers or heads are joined by maxima, which are no shares.
 */
function visualMass(
  { trace, maps, shown: { selector } }: Scene,
  latent: TraceLatent,
  index: number,
): number | undefined {
  const { kind, layer } = selector;
  if (kind === 'attention' && selector.heads !== 'mean') {
    const visual = isShare(selector) ? maps.slices.at(familyOf(selector), index) : undefined;
    return visual && totalOf(visual);
  }
  return layer === 'max' ? undefined : lookAt(trace.tokens[latent.token] ?? {}, layer)?.mass.pictures;
}

/** What a screen reader needs of a picture that it cannot show. */
function figures({ shown: { selector, picture }, maps, view }: Scene, latent: TraceLatent): string[] {
  const map = maps.map(latent, selector, view.reading);
  if (map === undefined || picture === undefined) return [t('no map: {0}', kindName(selector.kind))];
  const value = `${map.unit} ${number(map.values[map.peak]!)}`;
  return [t('largest {0} at {1}', value, placeText(map.peak, map))];
}
