/** Takes what is looked at out of the panel: as SVG or PNG with its caption, or as numbers. */

import type { VNode } from 'preact';
import { useRef } from 'preact/hooks';
import { t, translated } from '../../base/l10n.ts';
import type { AnalysisName } from '../../analysis/table.ts';
import type { Chart, ChartSource } from '../../figure/chart.ts';
import { CHARTS, isChartName } from '../../figure/charts.ts';
import { csvOf } from '../../figure/csv.ts';
import { svgOf } from '../../figure/svg.ts';
import type { PanelHost } from '../../protocol/panel.ts';
import { pngOf } from '../draw/figure.ts';
import { chartChoices, rowFigure, stageFigure } from '../logic/figures.ts';
import type { AnalysisState } from '../analyses.ts';
import { Button } from '../toolkit.tsx';
import type { Scene } from './scene.ts';

/** One that can be taken out. */
interface Item {
  name: string;
  /** Of the file, without its ending. */
  file: string;
  make: (host: PanelHost) => Promise<Chart | undefined>;
}

const FORMS = ['svg', 'png', 'copy', 'csv'] as const;
type Form = (typeof FORMS)[number];

/** The button, and the menu that it opens; Esc, a click elsewhere or its button closes it. */
export function FigureMenu({ scene }: { scene: Scene }): VNode {
  const menu = useRef<HTMLDivElement>(null);
  const close = (): void => menu.current?.hidePopover();
  const take = (item: Item, form: Form): void => {
    close();
    scene.call((host) => takeOut(item, form, host));
  };
  return (
    <>
      <Button
        appearance="icon"
        label={t('Save figure')}
        title={t('Save figure')}
        onClick={() => menu.current?.togglePopover()}
      >
        ⤓
      </Button>
      <div
        ref={menu}
        class="help figure-menu"
        popover="auto"
        role="dialog"
        aria-label={t('Save figure')}
        // Focus that is in it goes back to the button when it closes.
        onToggle={(event) => {
          if (event.newState === 'open') event.currentTarget.querySelector('button')?.focus();
        }}
      >
        <div class="popover-head">
          <h2>{t('Save figure')}</h2>
          <button type="button" class="quiet" aria-label={t('Close')} title={t('Close')} onClick={close}>
            ✕
          </button>
        </div>
        <table>
          <tbody>
            {itemsOf(scene).map((item) => (
              <tr key={item.name}>
                <th scope="row">{item.name}</th>
                {FORMS.map((form) => (
                  <td key={form}>
                    <button
                      type="button"
                      class="hold"
                      aria-label={labelOf(form, item.name)}
                      title={labelOf(form, item.name)}
                      onClick={() => take(item, form)}
                    >
                      {form === 'copy' ? t('Copy') : form.toUpperCase()}
                    </button>
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
        <p class="dim">{t('With its colour bar and caption, on white. CSV holds the numbers.')}</p>
      </div>
    </>
  );
}

function labelOf(form: Form, name: string): string {
  return form === 'copy' ? t('Copy as PNG: {0}', name) : t('Save as {0}: {1}', form.toUpperCase(), name);
}

/** What can be taken out of what is looked at. */
function itemsOf(scene: Scene): Item[] {
  const { shown, stage, view } = scene;
  const { picture, latent } = shown;
  const about = picture?.name.replace(/\.\w+$/, '') ?? 'trace';
  const mapOf =
    (make: typeof stageFigure) =>
    async (host: PanelHost): Promise<Chart | undefined> =>
      picture && make(scene, await host.picture({ run: scene.trace.id, picture: picture.id }));
  const place = latent === undefined ? '' : ` block ${latent.block + 1}`;
  const items: Item[] = [];
  if (stage.map !== undefined) {
    const file = latent === undefined ? about : `${about}${place} latent ${latent.index + 1}`;
    items.push({ name: t('This map'), file, make: mapOf(stageFigure) });
  }
  if (latent !== undefined && picture !== undefined)
    items.push({ name: t('The block’s row'), file: `${about}${place}`, make: mapOf(rowFigure) });
  if (isChartName(view.tab)) {
    const chart = CHARTS[view.tab];
    items.push({
      name: t('Chart: {0}', translated(chart.title)),
      file: `${about} ${view.tab}`,
      make: async (host) => chart.draw(sourceOf(scene, host), chartChoices(scene)),
    });
  }
  return items;
}

function sourceOf({ trace, maps, analyses }: Scene, host: PanelHost): ChartSource {
  return {
    trace,
    maps,
    png: ({ id }) => host.picture({ run: trace.id, picture: id }),
    found: async <Name extends AnalysisName>(name: Name) => {
      const { answer }: AnalysisState<Name> = analyses.state(name);
      return answer?.found && { ...answer.found, method: answer.about.method };
    },
  };
}

async function takeOut({ file, make }: Item, form: Form, host: PanelHost): Promise<void> {
  const chart = await make(host);
  if (chart === undefined) throw new Error(t('There is nothing to save yet.'));
  const bytes = await bytesOf(chart, form);
  if (form !== 'copy') return host.saveFigure({ name: file, kind: form, bytes });
  const blob = new Blob([bytes.slice()], { type: 'image/png' });
  await navigator.clipboard.write([new ClipboardItem({ 'image/png': blob })]);
}

async function bytesOf({ figure, numbers }: Chart, form: Form): Promise<Uint8Array> {
  if (form === 'svg') return new TextEncoder().encode(svgOf(figure));
  if (form === 'csv') return new TextEncoder().encode(csvOf(numbers));
  return pngOf(figure);
}
