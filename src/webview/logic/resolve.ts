/** Turns the reader's wishes into what the trace can show. */

import { t } from '../../base/l10n.ts';
import type { MapKind } from '../../heatmap/map.ts';
import { kindsFor, type MapSelector } from '../../trace/maps.ts';
import type { Trace, TraceLatent, TracePicture } from '../../trace/schema.ts';
import { clampChoice, selectedLatent, shownLayer, type View } from './view.ts';

export interface Shown {
  latent: TraceLatent | undefined;
  /** Index of `latent` in trace.latents; -1 when there is none. */
  latentIndex: number;
  picture: TracePicture | undefined;
  kinds: MapKind[];
  selector: MapSelector;
}

/** What is on the stage. A wished kind that the picture lacks comes back when another picture has it. */
export function resolve(view: View, trace: Trace): Shown {
  const picture = trace.pictures.find(({ id }) => id === view.picture) ?? trace.pictures[0];
  const kinds = picture === undefined ? [] : kindsFor(picture);
  const latentIndex = selectedLatent(view, trace);
  return {
    latent: trace.latents[latentIndex],
    latentIndex,
    picture,
    kinds,
    selector: {
      kind: kinds.includes(view.kind) ? view.kind : (kinds[0] ?? 'attention'),
      picture: picture?.id ?? '',
      layer: shownLayer(view, trace),
      heads: clampChoice(view.heads, trace.model.heads),
    },
  };
}

/** "Input", "Helper 1": how the chooser calls a picture; several inputs go by their own names. */
export function pictureLabel(trace: Trace, picture: TracePicture): string {
  const alike = trace.pictures.filter(({ role }) => role === picture.role);
  const place = alike.indexOf(picture) + 1;
  if (picture.role === 'helper') return t('Helper {0}', place);
  return alike.length === 1 ? t('Input') : `${place}: ${picture.name.replace(/\.\w+$/, '')}`;
}
