/** Figures beside the picture: the patch that is read, where the query's mass goes, how narrow it is. */

import type { VNode } from 'preact';
import { massBySource } from '../../trace/maps.ts';
import { number, percent, share } from '../logic/format.ts';
import { pixelsOf } from '../logic/grid.ts';
import { isShare } from '../../trace/maps.ts';
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
  return (
    <aside class="readout" aria-label="Readout" tabIndex={0}>
      {token !== undefined && <TokenReadout scene={scene} token={token} />}
      {token === undefined && view.region !== undefined && (
        <RegionReadout scene={scene} region={view.region} />
      )}
      {stage.map !== undefined && patch !== undefined && (
        <PatchReadout scene={scene} patch={patch} isPeak={isPeak} />
      )}
      {stage.row !== undefined && <MassReadout scene={scene} row={stage.row} />}
      {stage.map?.entropy !== undefined && (
        <Group title="Entropy over the picture">
          <Figure name="this map" value={`${stage.map.entropy.bits.toFixed(2)} bits`} />
          <Figure name="uniform" value={`${stage.map.entropy.uniformBits.toFixed(2)} bits`} />
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
  const row = Math.floor(patch / map.columns) + 1;
  const column = (patch % map.columns) + 1;
  const tokens = map.rows * map.columns;
  return (
    <Group title={isPeak ? 'Largest patch' : 'Patch'}>
      <Figure name="place" value={`row ${row}, column ${column}`} />
      <Figure name="token" value={`${patch + 1} of ${tokens}`} />
      {picture.range !== undefined && (
        <Figure name="in the sequence" value={String(picture.range.start + patch)} />
      )}
      <Figure name="pixels x" value={`${x[0]}–${x[1]}`} />
      <Figure name="pixels y" value={`${y[0]}–${y[1]}`} />
      <Figure name={map.unit} value={number(value)} strong />
      {map.mass !== undefined && map.mass > 0 && isShare(selector) && (
        <Figure name="of the picture’s mass" value={percent(value / map.mass)} />
      )}
      {map.selected !== undefined && (
        <Figure name="kept by the rule" value={map.selected.has(patch) ? 'yes' : 'no'} />
      )}
    </Group>
  );
}

function MassReadout({ scene, row }: { scene: Scene; row: Float32Array }): VNode {
  if (!isShare(scene.stage.selector)) {
    return (
      <Group title="Mass by source">
        <p class="dim">Maxima over layers or heads do not add up to shares.</p>
      </Group>
    );
  }
  const mass = massBySource(scene.trace, row);
  const sources: [string, number][] = [
    ['pictures', mass.pictures],
    ['prompt text', mass.prompt],
    ['latents', mass.latents],
    ['answer', mass.answer],
  ];
  return (
    <Group title="Mass by source">
      {sources.map(([name, value]) => (
        <Figure key={name} name={name} value={share(value)} bar={value} />
      ))}
    </Group>
  );
}
