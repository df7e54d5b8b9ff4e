/** Figures beside the picture: the patch that is read, where the query's mass goes, how narrow it is. */

import type { VNode } from 'preact';
import { placeText } from '../../heatmap/grid.ts';
import { isNearlyUniform } from '../../heatmap/statistics.ts';
import type { MassBySource } from '../../trace/looks.ts';
import { isShare } from '../../trace/maps.ts';
import { number, percent, share } from '../logic/format.ts';
import { pixelsOf } from '../logic/grid.ts';
import { Figure, Group } from './Figure.tsx';
import { RegionReadout } from './RegionReadout.tsx';
import type { Scene } from './scene.ts';
import { TokenReadout } from './TokenReadout.tsx';

interface ReadoutProps {
  scene: Scene;
  patch: number | undefined;
  /** Nothing is pointed at: the patch is the largest one. */
  isPeak: boolean;
}

export function Readout({ scene, patch, isPeak }: ReadoutProps): VNode {
  const { stage, token, view } = scene;
  const { map } = stage;
  return (
    <aside class="readout" aria-label="Readout" tabIndex={0}>
      {token !== undefined && <TokenReadout scene={scene} token={token} />}
      {token === undefined && view.region !== undefined && (
        <RegionReadout scene={scene} region={view.region} />
      )}
      {map !== undefined && patch !== undefined && (
        <PatchReadout scene={scene} patch={patch} isPeak={isPeak} />
      )}
      <SinkReadout scene={scene} />
      {stage.selector.kind === 'attention' && map !== undefined && <MassReadout scene={scene} />}
      {map?.entropy !== undefined && (
        <Group title="Entropy over the picture">
          <Figure name="this map" value={`${map.entropy.bits.toFixed(2)} bits`} />
          <Figure
            name="at most"
            value={`${map.entropy.uniformBits.toFixed(2)} bits`}
            title="Of a map that is the same everywhere"
          />
          {isNearlyUniform(map.entropy) && <Figure name="so it is" value="nearly uniform" strong />}
        </Group>
      )}
    </aside>
  );
}

function PatchReadout({ scene, patch, isPeak }: ReadoutProps & { patch: number }): VNode | null {
  const { stage, shown } = scene;
  const { map, selector } = stage;
  const { picture } = shown;
  if (map === undefined || picture === undefined) return null;
  const { x, y } = pixelsOf(patch, picture);
  const value = map.values[patch] ?? NaN;
  return (
    <Group title={isPeak ? 'Largest patch' : 'Patch'}>
      <Figure name="place" value={placeText(patch, map)} />
      <Figure name="token" value={`${patch + 1} of ${map.rows * map.columns}`} />
      {picture.range !== undefined && (
        <Figure
          name="position"
          value={String(picture.range.start + patch)}
          title="Place in the whole sequence, counted from 0"
        />
      )}
      <Figure name="pixels x" value={`${x[0]}–${x[1]}`} />
      <Figure name="pixels y" value={`${y[0]}–${y[1]}`} />
      <Figure name={map.unit} value={number(value)} strong />
      {map.mass !== undefined && map.mass > 0 && map.reading !== 'relative' && isShare(selector) && (
        <Figure name="of the picture’s mass" value={percent(value / map.mass)} />
      )}
      {map.selected !== undefined && (
        <Figure name="kept by the rule" value={map.selected.has(patch) ? 'yes' : 'no'} />
      )}
    </Group>
  );
}

/** A patch that most latents look at most, whatever they look for, says little about one of them. */
function SinkReadout({ scene: { maps, stage, view, dispatch } }: { scene: Scene }): VNode | null {
  const { selector, token, map } = stage;
  const sink = selector.kind === 'attention' && token === undefined ? maps.sink(selector) : undefined;
  if (sink === undefined || map === undefined) return null;
  const isMasked = view.reading === 'masked';
  return (
    <section class="group sink">
      <h3>Sink</h3>
      <p>
        {placeText(sink.patch, map)} is the largest patch for {sink.queries} of {sink.of} latents here.
        {map.removed !== undefined && ` Masked: ${percent(map.removed.share)} of this map’s mass.`}
      </p>
      <button
        type="button"
        class="quiet link"
        onClick={() => dispatch({ type: 'toggle-reading', reading: 'masked' })}
      >
        {isMasked ? 'Show it' : 'Mask it'}
      </button>
    </section>
  );
}

function MassReadout({ scene: { stage } }: { scene: Scene }): VNode | null {
  if (!isShare(stage.selector)) {
    return (
      <section class="group">
        <h3>Mass by source</h3>
        <p class="dim">Maxima over layers or heads do not add up to shares.</p>
      </section>
    );
  }
  return stage.mass === undefined ? null : <Sources mass={stage.mass} />;
}

function Sources({ mass }: { mass: MassBySource }): VNode {
  const sources: [name: string, value: number, title: string][] = [
    ['pictures', mass.pictures, 'Attention to all pictures of the prompt'],
    ['prompt text', mass.prompt, 'Attention to the words of the prompt'],
    ['latents', mass.latents, 'Attention to earlier latents, and its own position'],
    ['answer', mass.answer, 'Attention to words of the answer so far'],
  ];
  return (
    <Group title="Mass by source">
      {sources.map(([name, value, title]) => (
        <Figure key={name} name={name} value={share(value)} title={title} bar={value} />
      ))}
    </Group>
  );
}
