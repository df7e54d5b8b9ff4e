/** Takes what is looked at out of the panel: as SVG or PNG with its caption, or as numbers. */

import type { VNode } from 'preact';
import { t } from '../../base/l10n.ts';
import { chartNumbers } from '../../figure/chartNumbers.ts';
import type { Figure } from '../../figure/figure.ts';
import { svgOf } from '../../figure/svg.ts';
import type { PanelHost } from '../../protocol/panel.ts';
import { shareLayer } from '../../trace/looks.ts';
import { pngOf } from '../draw/figure.ts';
import { rowFigure, stageFigure } from '../logic/figures.ts';
import { Button } from '../toolkit.tsx';
import type { Scene } from './scene.ts';

const MENU_ID = 'figure-menu';

/** The button, and the menu that it opens; Esc or a click elsewhere closes it. */
export function FigureMenu({ scene }: { scene: Scene }): VNode {
  const { call, stage } = scene;
  const toggle = (): void => void document.getElementById(MENU_ID)?.togglePopover();
  const act = (work: (host: PanelHost) => Promise<void>): void => {
    toggle();
    call(work);
  };
  const items: [string, (host: PanelHost) => Promise<void>][] = [
    [t('Save this map as SVG'), (host) => saveSvg(scene, host, stageFigure)],
    [t('Save this map as PNG'), (host) => savePng(scene, host, stageFigure)],
    [t('Copy this map as PNG'), (host) => copyPng(scene, host)],
    [t('Save the block’s row as SVG'), (host) => saveSvg(scene, host, rowFigure)],
    [t('Save the block’s row as PNG'), (host) => savePng(scene, host, rowFigure)],
    [t('Save the charts’ numbers as CSV'), (host) => saveNumbers(scene, host)],
  ];
  return (
    <>
      <Button
        appearance="icon"
        label={t('Save figure')}
        title={t('Save figure')}
        disabled={stage.map === undefined}
        onClick={toggle}
      >
        ⤓
      </Button>
      <div id={MENU_ID} class="help figure-menu" popover="auto" role="dialog" aria-label={t('Save figure')}>
        <h2>{t('Save figure')}</h2>
        {items.map(([label, work]) => (
          <Button key={label} onClick={() => act(work)}>
            {label}
          </Button>
        ))}
      </div>
    </>
  );
}

type Maker = typeof stageFigure;

async function figureOf(scene: Scene, host: PanelHost, make: Maker): Promise<Figure> {
  const { trace, shown } = scene;
  const figure =
    shown.picture && make(scene, await host.picture({ run: trace.id, picture: shown.picture.id }));
  if (figure === undefined) throw new Error(t('There is no map to save.'));
  return figure;
}

async function saveSvg(scene: Scene, host: PanelHost, make: Maker): Promise<void> {
  const bytes = new TextEncoder().encode(svgOf(await figureOf(scene, host, make)));
  await host.saveFigure({ name: nameOf(scene), kind: 'svg', bytes });
}

async function savePng(scene: Scene, host: PanelHost, make: Maker): Promise<void> {
  const bytes = await pngOf(await figureOf(scene, host, make));
  await host.saveFigure({ name: nameOf(scene), kind: 'png', bytes });
}

async function copyPng(scene: Scene, host: PanelHost): Promise<void> {
  const bytes = await pngOf(await figureOf(scene, host, stageFigure));
  const blob = new Blob([bytes.slice()], { type: 'image/png' });
  await navigator.clipboard.write([new ClipboardItem({ 'image/png': blob })]);
}

async function saveNumbers(scene: Scene, host: PanelHost): Promise<void> {
  const { trace, shown } = scene;
  const bytes = new TextEncoder().encode(chartNumbers(trace, shareLayer(shown.selector.layer)));
  await host.saveFigure({ name: nameOf(scene), kind: 'csv', bytes });
}

/** "map-05 block 2 latent 3" */
function nameOf({ shown: { picture, latent } }: Scene): string {
  const place = latent === undefined ? '' : ` block ${latent.block + 1} latent ${latent.index + 1}`;
  return `${picture?.name.replace(/\.\w+$/, '') ?? 'trace'}${place}`;
}
