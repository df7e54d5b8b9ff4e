/** How faithful the map on the stage is, where that was tested; else a way to test it. */

import type { VNode } from 'preact';
import { t } from '../../base/l10n.ts';
import { isApart, scoresOf, signed, whyNoScore } from '../../evidence/faithfulness.ts';
import { Figure, Group } from './Figure.tsx';
import type { Scene } from './scene.ts';

export function FaithfulnessReadout({ scene }: { scene: Scene }): VNode | null {
  const { analyses, canRun, dispatch, shown, stage, token, trace } = scene;
  const { kind, layer } = stage.selector;
  const { latent } = shown;
  if (stage.map === undefined || latent === undefined || token !== undefined || kind === 'selection')
    return null;
  const place = { block: latent.block + 1, latent: latent.index + 1 };
  const open = (): void => dispatch({ type: 'set', values: { tab: 'faithfulness', evidenceOpen: true } });
  // What a trace does not keep is not asked for.
  const isKept = trace.analyses?.some(({ method }) => method === 'faithfulness') === true;
  const state = isKept ? analyses.state('faithfulness') : analyses.known('faithfulness');
  const { result } = state?.answer?.found ?? {};
  const tested = result?.latents.find(
    (each) =>
      trace.latents[each.latent]?.block === latent.block &&
      trace.latents[each.latent]?.index === latent.index,
  );
  const isOfKind = state?.answer?.fields.find(({ name }) => name === 'map')?.value === kind;
  const isOfMap = isOfKind && (kind !== 'attention' || layer === result?.layer);
  if (tested === undefined || result === undefined || !isOfMap) {
    if (!canRun) return null;
    const ofLayer = kind === 'attention' && typeof layer === 'number' ? { layer: layer + 1 } : {};
    return (
      <section class="group">
        <h3>{t('Faithfulness')}</h3>
        <button
          type="button"
          class="quiet link"
          title={t('Takes patches away in the order of this map and looks what becomes of the next state')}
          disabled={state?.running !== undefined}
          onClick={() => {
            open();
            analyses.compute('faithfulness', { ...place, map: kind, ...ofLayer });
          }}
        >
          {state?.running === undefined ? t('Test this map') : t('Computing…')}
        </button>
      </section>
    );
  }
  const { map, sink } = scoresOf(tested.state, result.fractions.data);
  if (map === undefined) {
    return (
      <Group title={t('Faithfulness')}>
        <Figure name={t('this map')} value={t('no score')} title={whyNoScore(tested, result.layer) ?? ''} />
      </Group>
    );
  }
  return (
    <Group title={t('Faithfulness')}>
      <Figure
        name={t('this map')}
        value={signed(map.value)}
        strong={isApart(map)}
        title={t('On the next state; above 0: better than random orders')}
      />
      <Figure name={t('interval')} value={`${signed(map.low)} … ${signed(map.high)}`} />
      {sink !== undefined && <Figure name={t('by the sink alone')} value={signed(sink.value)} />}
    </Group>
  );
}
