/** The share of right answers under each intervention, with its interval, as SVG that takes the page's colours. */

import { FED_NAMES, type Fed } from './fed.ts';
import type { Share } from './figures.ts';
import { html, type Markup } from './html.ts';
import { interval, percent } from './words.ts';

const WIDTH = 720;
const LEFT = 150;
const RIGHT = 132;
const ROW = 34;
const TOP = 26;
const BOTTOM = 30;

/** A line across the chart: what is right without a model. */
export interface ChanceLine {
  share: number;
  name: string;
}

export function shareChart(
  rows: readonly { fed: Fed; share: Share }[],
  chance: readonly ChanceLine[],
): Markup {
  const inner = WIDTH - LEFT - RIGHT;
  const height = TOP + rows.length * ROW + BOTTOM;
  const bottom = height - BOTTOM;
  const x = (share: number): string => (LEFT + share * inner).toFixed(1);
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  return html`<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="chart-title">
    <title id="chart-title">
      Share of right answers by what was fed at the latents:
      ${rows.map(({ fed, share }) => `${FED_NAMES[fed]} ${shareText(share)}`).join('; ')}
    </title>
    ${ticks.map(
      (tick) =>
        html`<line class="grid" x1="${x(tick)}" x2="${x(tick)}" y1="${TOP}" y2="${bottom}" />
          <text class="tick" x="${x(tick)}" y="${bottom + 18}" text-anchor="middle">${tick * 100} %</text> `,
    )}${chance.map(
      ({ share, name }, i) =>
        html`<line class="chance" x1="${x(share)}" x2="${x(share)}" y1="${TOP - 4}" y2="${bottom}" />
          <text class="tick" x="${x(share)}" y="${TOP - 10}" text-anchor="${anchorOf(chance, i)}"
            >${name}</text
          > `,
    )}${rows.map(({ fed, share }, i) => {
      const y = TOP + (i + 0.5) * ROW;
      const at = share.of === 0 ? 0 : share.right / share.of;
      return html`<text class="name" x="${LEFT - 14}" y="${y + 4}" text-anchor="end">${FED_NAMES[fed]}</text>
        <line class="interval" x1="${x(share.low)}" x2="${x(share.high)}" y1="${y}" y2="${y}" />
        <circle class="mark" cx="${x(at)}" cy="${y}" r="5" />
        <text class="value" x="${WIDTH - RIGHT + 14}" y="${y + 4}"
          >${share.of === 0 ? 'no samples' : percent(at)}</text
        > `;
    })}
  </svg>`;
}

/** Two names beside each other must not lie on one another. */
function anchorOf(chance: readonly ChanceLine[], i: number): 'start' | 'middle' | 'end' {
  if (chance.length < 2) return 'middle';
  const least = Math.min(...chance.map(({ share }) => share));
  return chance[i]!.share === least && chance.findIndex(({ share }) => share === least) === i
    ? 'end'
    : 'start';
}

function shareText(share: Share): string {
  return share.of === 0 ? 'no samples' : `${percent(share.right / share.of)}, ${interval(share)}`;
}
