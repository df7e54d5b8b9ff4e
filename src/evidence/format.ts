/** Numbers and places as text. One rule per quantity, so that readout, labels, tables and figures agree. */

import { t } from '../base/l10n.ts';
import { latentIndexAt } from '../trace/columns.ts';
import type { Trace, TraceToken } from '../trace/schema.ts';

/** A probability, cosine or share: three significant digits, never in exponents above 0.0001. */
export function number(value: number): string {
  if (Number.isNaN(value)) return t('no value');
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size < 1e-4) return value.toExponential(1).replaceAll('-', '−');
  const digits = Math.min(6, Math.max(0, 2 - Math.floor(Math.log10(size))));
  return value.toFixed(digits).replace('-', '−');
}

/** A share as a percentage: "17.2 %". */
export function percent(part: number): string {
  return Number.isNaN(part) ? t('no value') : `${(part * 100).toFixed(part < 0.1 ? 2 : 1)} %`;
}

/** A share of mass with two digits, as in block rows. */
export function share(value: number): string {
  return value.toFixed(2);
}

/** "0.41 s", "53 ms", "2 min 5 s". */
export function duration(milliseconds: number): string {
  if (milliseconds < 100) return `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

/** A token's text with its white space made visible, for labels. */
export function tokenLabel(token: TraceToken): string {
  if (token.text === '') return t('(part of a character)');
  return `“${token.text.replaceAll('\n', '↵').replaceAll('\t', '⇥')}”`;
}

/** What stands at a position of the answer: "block 2, latent 3", "start of block 2", or a token's text. */
export function positionName(trace: Trace, token: number): string {
  const latent = trace.latents[latentIndexAt(trace, token) ?? -1];
  if (latent !== undefined) return t('block {0}, latent {1}', latent.block + 1, latent.index + 1);
  const block = trace.blocks.find(({ startToken, endToken }) => startToken === token || endToken === token);
  if (block === undefined) return tokenLabel(trace.tokens[token]!);
  return t(block.startToken === token ? 'start of block {0}' : 'end of block {0}', block.index + 1);
}
