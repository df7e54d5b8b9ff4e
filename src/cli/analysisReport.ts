/** Results of analyses as lines for a reader, and as JSON for another program. */

import { isNumericArray } from '../analysis/definition.ts';
import { lensWords, nearestPatches } from '../analysis/lensReading.ts';
import { ANALYSES, type AnalysisName, type AnalysisResult } from '../analysis/table.ts';
import { whyNothingTried } from '../evidence/causality.ts';
import { whyNothingChanged } from '../evidence/dependence.ts';
import type { AnalysisKey, AnalysisOrigin } from '../trace/analyses.ts';
import type { Trace, TraceLatent, TracePicture } from '../trace/schema.ts';
import { reportCausality, reportDecomposition, reportDependence, reportFaithfulness } from './doubtReport.ts';
import { label, Styled, type Terminal } from './terminal.ts';

type Reporter<Name extends AnalysisName> = (
  terminal: Terminal,
  result: AnalysisResult<Name>,
  trace: Trace,
) => void;

const REPORTERS: { [Name in AnalysisName]: Reporter<Name> } = {
  attention: reportAttention,
  causality: reportCausality,
  decomposition: reportDecomposition,
  dependence: reportDependence,
  divergence: reportDivergence,
  faithfulness: reportFaithfulness,
  lens: reportLens,
  pca: reportPca,
  relevance: reportRelevance,
  similarity: reportSimilarity,
};

/** Prints a result, and below it how it was computed and what it cannot show. */
export function reportAnalysis<Name extends AnalysisName>(
  terminal: Terminal,
  name: Name,
  result: AnalysisResult<Name>,
  trace: Trace,
): void {
  REPORTERS[name](terminal, result, trace);
  const { method, source, limits } = ANALYSES[name];
  for (const [what, text] of Object.entries({ method, source, limits }))
    terminal.line(label(what), new Styled('dim', text));
}

/** Why an analysis found nothing to try in a run; undefined where it did. */
export function whyUntried(name: AnalysisName, result: AnalysisResult<AnalysisName>): string | undefined {
  if (name === 'causality' || name === 'decomposition')
    return whyNothingTried(result as AnalysisResult<'causality'>);
  return name === 'dependence' ? whyNothingChanged(result as AnalysisResult<'dependence'>) : undefined;
}

/** The whole result, arrays as shape and numbers. */
export function asJson(
  { method, parameters, other }: AnalysisKey,
  { status, model, device }: AnalysisOrigin,
  result: AnalysisResult<AnalysisName>,
): string {
  const { version } = ANALYSES[method];
  const whole = { method, version, status, parameters, other, model, device, result };
  return JSON.stringify(whole, (_, value: unknown) =>
    isNumericArray(value) ? { shape: value.shape, data: [...value.data] } : value,
  );
}

/** By layer: what falls on pictures, as the mean of the heads and in the head with the most. */
function reportAttention(terminal: Terminal, { rows }: AnalysisResult<'attention'>, trace: Trace): void {
  for (const { token, attention } of rows) {
    const { text, kind } = trace.tokens[token]!;
    terminal.line(new Styled('bold', `token ${token + 1}, ${text === '' ? kind : JSON.stringify(text)}`));
    const [layers = 0, heads = 0, keys = 0] = attention.shape;
    for (let layer = 0; layer < layers; layer++) {
      const masses = Array.from({ length: heads }, (_, head) => {
        const start = (layer * heads + head) * keys;
        return inPictures(trace, attention.data.subarray(start, start + keys));
      });
      const most = masses.indexOf(Math.max(...masses));
      const mean = masses.reduce((sum, mass) => sum + mass, 0) / heads;
      terminal.line(
        label(`layer ${layer + 1}`),
        `pictures ${percent(mean)} · head ${most + 1}: ${percent(masses[most]!)}`,
      );
    }
  }
}

function reportDivergence(terminal: Terminal, { words }: AnalysisResult<'divergence'>, trace: Trace): void {
  const mean = words.reduce((total, { kl }) => total + kl, 0) / Math.max(1, words.length);
  terminal.line(label('words'), `${words.length} in both · KL(A ‖ B) mean ${mean.toPrecision(3)} nats`);
  for (const { a, b, kl, reverse, logA, logB } of words)
    terminal.line(
      label(`${a + 1} / ${b + 1}`),
      `${JSON.stringify(trace.tokens[a]?.text ?? '')}  KL ${kl.toPrecision(3)}, back ${reverse.toPrecision(3)} · log p ${logA.toFixed(3)} → ${logB.toFixed(3)}`,
    );
}

const WORDS_SHOWN = 3;

function reportLens(terminal: Terminal, { words, patches }: AnalysisResult<'lens'>, trace: Trace): void {
  if (words === undefined) return;
  const [latents = 0, rows = 0] = words.ids.shape;
  for (let n = 0; n < latents; n++) {
    terminal.line(new Styled('bold', nameOf(trace.latents[n]!)));
    for (let row = 0; row < rows; row++) {
      const said = lensWords(words, n, row)
        .slice(0, WORDS_SHOWN)
        .map(({ text, probability }) => `${JSON.stringify(text)} ${percent(probability)}`);
      const near = patches.map(({ picture, cosines }) => {
        const [patch] = nearestPatches(cosines, n, row, 1);
        return `${placeIn(trace, picture, patch!.token)}, cosine ${patch!.cosine.toFixed(3)}`;
      });
      terminal.line(label(row === 0 ? 'fed' : `layer ${row}`), [said.join(' · '), ...near].join('  '));
    }
  }
}

function reportPca(terminal: Terminal, { explained, latents }: AnalysisResult<'pca'>, trace: Trace): void {
  terminal.line(label('axes'), explained.map((share, k) => `${k + 1}: ${percent(share)}`).join(' · '));
  const [, axes = 0] = latents.shape;
  trace.latents.forEach((latent, n) => {
    const point = [...latents.data.subarray(n * axes, (n + 1) * axes)].map((x) => x.toFixed(4));
    terminal.line(label(nameOf(latent), 20), point.join('  '));
  });
}

function reportSimilarity(terminal: Terminal, { blocks, other }: AnalysisResult<'similarity'>): void {
  const shown = (cosine: number | undefined): string => cosine?.toFixed(3) ?? 'none';
  for (const { block, latents, within, between, collapsed } of blocks) {
    const facts = `${latents} latents · within ${shown(within)} · to other blocks ${shown(between)}`;
    terminal.line(label(`block ${block + 1}`), facts, collapsed ? new Styled('red', ' · collapsed') : '');
  }
  if (other === undefined) return;
  terminal.line(
    label('other'),
    `same places ${shown(other.samePlace)} · other places ${shown(other.otherPlaces)}`,
  );
}

function reportRelevance(
  terminal: Terminal,
  { answer, rollout, gradient }: AnalysisResult<'relevance'>,
  trace: Trace,
): void {
  const nats = (value: number): string => `${value.toPrecision(3)} nats`;
  terminal.line(label('answer'), `${JSON.stringify(answer.text)} · log p ${nats(answer.logProbability)}`);
  const show = (name: string, values: Float32Array | undefined, unit: (value: number) => string): void => {
    if (values === undefined) return;
    const sums = sources(trace, values).map(([source, value]) => `${source} ${unit(value)}`);
    terminal.line(label(name, 20), [...sums, ...strongest(trace, values)].join(' · '));
  };
  show('rollout', rollout?.answer.data, percent);
  show('latents followed', rollout?.followed.data, percent);
  show('gradient × input', gradient?.input.data, nats);
  show('latents followed', gradient?.followed?.data, nats);
  show('relevance', gradient?.relevance.data, (value) => value.toPrecision(3));
}

/** A picture in the prompt. */
interface SeenPicture {
  id: string;
  name: string;
  range: NonNullable<TracePicture['range']>;
}

/** Sum over the patches of all pictures. */
function inPictures(trace: Trace, values: Float32Array): number {
  return inPrompt(trace).reduce((total, { range }) => total + sumOf(patchesOf(values, range)), 0);
}

function patchesOf(values: Float32Array, { start, count }: SeenPicture['range']): Float32Array {
  return values.subarray(start, start + count);
}

function sumOf(values: Float32Array): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Sums over pictures, latents, and all else. */
function sources(trace: Trace, values: Float32Array): [string, number][] {
  const pictures = inPrompt(trace).map(({ name, range }): [string, number] => [
    name,
    sumOf(patchesOf(values, range)),
  ]);
  const latents = trace.latents.reduce((total, { position }) => total + (values[position] ?? 0), 0);
  const rest = sumOf(values) - latents - pictures.reduce((total, [, value]) => total + value, 0);
  return [...pictures, ['latents', latents], ['text', rest]];
}

/** Where the largest value of each picture is. */
function strongest(trace: Trace, values: Float32Array): string[] {
  return inPrompt(trace).map(({ id, range }) => {
    const own = patchesOf(values, range);
    let token = 0;
    own.forEach((value, i) => {
      if (Math.abs(value) > Math.abs(own[token]!)) token = i;
    });
    return `most at ${placeIn(trace, id, token)}`;
  });
}

function inPrompt({ pictures }: Trace): SeenPicture[] {
  return pictures.flatMap(({ id, name, range }) => (range === undefined ? [] : [{ id, name, range }]));
}

function placeIn({ pictures }: Trace, id: string, token: number): string {
  const picture = pictures.find((each) => each.id === id)!;
  const { columns } = picture.grid;
  return `${picture.name} row ${Math.floor(token / columns) + 1}, column ${(token % columns) + 1}`;
}

function nameOf({ block, index }: TraceLatent): string {
  return `block ${block + 1}, latent ${index + 1}`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
