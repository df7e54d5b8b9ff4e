/** Causal tests of runs by models whose latents are known to carry the answer, or known not to reach it. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { INTERVENTION_KINDS, type InterventionKind } from '../../src/analysis/intervention.ts';
import type { AnalysedRun } from '../../src/analysis/run.ts';
import type { AnalysisResult } from '../../src/analysis/table.ts';
import { CancelledError } from '../../src/base/errors.ts';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { analyseRequest, inputOf } from '../../src/client/analyseRequest.ts';
import { analyse } from '../../src/engine/analyse.ts';
import { summariesOf, verdictOf } from '../../src/evidence/causality.ts';
import { decompositionVerdict } from '../../src/evidence/decomposition.ts';
import { unansweredText } from '../../src/evidence/unanswered.ts';
import { Model } from '../../src/inference/model.ts';
import type { AnalysedInput, AnalysisOutcome } from '../../src/protocol/analyse.ts';
import { analysedRun } from '../../src/trace/analyses.ts';
import type { OpenTrace } from '../../src/traceFile/openTrace.ts';
import { examples, repository } from '../fixtures/paths.ts';
import { completeRun } from '../fixtures/reasonRun.ts';

type Causality = AnalysisResult<'causality'>;

const MAP = join(examples, 'map-02.png');
const OTHER_MAP = join(examples, 'map-03.png');
const helpers = [1, 2, 3].map((n) => ({
  name: `helper ${n}`,
  bytes: readFileSync(join(examples, `map-02-helper-${n}.png`)),
}));
/** Of map-02, as examples/samples.jsonl has it. */
const truth = { answer: 'DDL' };

/** A model, a run of it about a map, and one about another map. */
interface Ran {
  model: Model;
  run: OpenTrace;
  other: OpenTrace;
}

async function ran(name: string): Promise<Ran> {
  const model = await Model.open(await openCheckpoint(join(repository, 'models', name)), 'cpu');
  const settings = { helpers, maxTokens: 120 };
  return {
    model,
    run: await completeRun(model, { ...settings, image: MAP }),
    other: await completeRun(model, { ...settings, image: OTHER_MAP }),
  };
}

async function causality(
  { model, run, other }: Ran,
  parameters: Record<string, unknown> = {},
  watch: { pause?: () => Promise<void>; found?: (result: Causality) => void } = {},
  /** Null: there is none. */
  donor?: AnalysedRun | null,
  otherInput?: AnalysedInput,
): Promise<AnalysisOutcome<'causality'>> {
  const request = await analyseRequest(run.trace, run.container, { name: 'causality', parameters });
  const given = donor === undefined ? await analysedRun(other.trace, other.container) : donor;
  return analyse(contextOf(model, watch), {
    ...request,
    ...(given !== null && { other: given }),
    ...(otherInput && { otherInput }),
  });
}

async function decomposition({ model, run }: Ran): Promise<AnalysisResult<'decomposition'>> {
  const question = { name: 'decomposition', parameters: {} } as const;
  const { result } = await analyse(
    contextOf(model),
    await analyseRequest(run.trace, run.container, question),
  );
  return result as AnalysisResult<'decomposition'>;
}

function contextOf(
  model: Model,
  watch: { pause?: () => Promise<void>; found?: (result: Causality) => void } = {},
) {
  return {
    model,
    identity: { name: 'it', fingerprint: model.checkpoint.fingerprint },
    found: (watch.found ?? (() => undefined)) as () => void,
    progress: () => undefined,
    pause: watch.pause ?? (async () => undefined),
  };
}

const LATENT_KINDS = INTERVENTION_KINDS.filter((kind) => kind !== 'none');

describe('where latents are known not to reach the answer', () => {
  let bypassed: Ran;
  beforeAll(async () => {
    bypassed = await ran('control-bypassed');
  });
  afterAll(() => bypassed?.model.release());

  it('no replacement moves a word, and the verdict says so', async () => {
    const { status, result } = await causality(bypassed, { variants: LATENT_KINDS, truth });
    expect(status).toBe('complete');
    const summaries = summariesOf(result!);
    expect(summaries.map(({ kind }) => kind)).toEqual(LATENT_KINDS);
    for (const { kind, kl, otherWords, otherAnswers, followed, unanswered } of summaries) {
      expect([kind, kl!.most < 1e-9, otherWords, otherAnswers]).toEqual([kind, true, 0, 0]);
      expect([followed, unanswered]).toEqual([kind === 'noise' || kind === 'shuffle' ? 3 : 1, 0]);
    }
    expect(verdictOf(result!).finding).toBe('nothing');
    // The own words are the run's, and the answer is among them.
    const { tokens } = bypassed.run.trace;
    expect(result!.own!.words.join('')).toBe(result!.words.map(({ text }) => text).join(''));
    for (const { token, text } of result!.words) expect(tokens[token]!.text).toBe(text);
    expect(result!.answer.map((i) => result!.words[i]!.text).join('')).toBe(result!.own!.answer);
  });

  it('decomposition says of an answer that becomes another that it does, and that this is no finding about latents', async () => {
    const { sentence, rule } = decompositionVerdict(await decomposition(bypassed));
    expect(sentence).toBe(
      'Fed its own words, neither slots nor markers add to this answer. Written freely, it becomes another with “no block: format alone”.',
    );
    expect(rule).toContain('The controls are not told apart by “no block: format alone”');
  });

  it('only what does not count was tried: which, and what it did', async () => {
    const { result } = await causality(bypassed, { variants: ['markers', 'none'] }, {}, null);
    expect(verdictOf(result!)).toMatchObject({
      finding: 'open',
      sentence:
        'Only replacements that do not count were tried: markers alone (did not change the answer); no block at all (changed the answer).',
    });
  });

  it('taking blocks away is another matter: the text depends on there being some', async () => {
    const { result } = await causality(bypassed, { variants: ['none'] });
    const [none] = summariesOf(result!);
    expect([none!.moves, result!.variants[0]!.free[0]!.blocks]).toEqual([true, 0]);
  });
});

describe('where latents are known to carry the answer', () => {
  let carrying: Ran;
  beforeAll(async () => {
    carrying = await ran('control-carrying');
  });
  afterAll(() => carrying?.model.release());

  it('every replacement of their content changes it, and another run’s latents give that run’s answer', async () => {
    const { result } = await causality(carrying, { truth: { answer: 'anything' } });
    expect(verdictOf(result!).finding).toBe('needed');
    for (const { kind, moves } of summariesOf(result!)) expect([kind, moves]).toEqual([kind, true]);
    const free = (kind: InterventionKind): Causality['variants'][number]['free'] =>
      result!.variants.find((variant) => variant.kind === kind)!.free;
    const written = (trace: OpenTrace['trace']): string =>
      trace.tokens.map(({ kind, text }) => (kind === 'text' ? text : '')).join('');
    expect(free('swap')[0]!.words.join('')).toBe(written(carrying.other.trace));
    expect([free('zero')[0]!.right, result!.own!.right]).toEqual([false, false]);
    const [zero] = free('zero');
    const { difference } = zero!;
    expect(zero!.words.slice(0, difference)).toEqual(result!.own!.words.slice(0, difference));
    expect(zero!.words[difference!]).not.toBe(result!.own!.words[difference!]);
  });

  it('a single latent is a smaller change than all, and what cannot be done to one is told', async () => {
    const { result } = await causality(carrying, { block: 1, latent: 8 });
    const summaries = summariesOf(result!);
    const of = (kind: InterventionKind) => summaries.find((summary) => summary.kind === kind)!;
    expect([of('markers').missing, of('shuffle').missing]).toEqual(['whole-blocks', 'one-latent']);
    const { result: all } = await causality(carrying, { variants: ['zero'] });
    const [zero] = summariesOf(all!);
    expect(of('zero').kl!.mean).toBeGreaterThan(1e-6);
    expect(of('zero').kl!.mean).toBeLessThan(zero!.kl!.mean);
  });

  it('decomposition of an answer that rests on the slots', async () => {
    const { sentence } = decompositionVerdict(await decomposition(carrying));
    expect(sentence).toMatch(
      /^This answer rests on the slots \([\d.]+ nats\), not on the markers\. Empty markers make it less likely .* add [\d.]+\. Written freely, it becomes another with “pads/,
    );
  });

  it('a run that was cut before it stated an answer has no answer that could change', async () => {
    const cut: Ran = {
      ...carrying,
      run: await completeRun(carrying.model, { image: MAP, helpers, maxTokens: 13 }),
    };
    expect(cut.run.trace.tokens.at(-1)!.kind).toBe('text');
    const { result } = await causality(cut, { variants: ['zero', 'dummy'] });
    expect(result!.own).toMatchObject({ cut: true });
    expect(result!.own!.answer).toBeUndefined();
    const [zero] = summariesOf(result!);
    expect([zero!.otherAnswers, zero!.changes]).toEqual([undefined, false]);
    const sentence =
      'Nothing can be said of the answer: the run states none, because it was cut at its limit of tokens.';
    expect(verdictOf(result!)).toMatchObject({ finding: 'open', sentence });
    expect(decompositionVerdict(await decomposition(cut)).sentence).toBe(sentence);
    expect(unansweredText(cut.run.trace)).toContain('cut before it stated an answer');
    expect(unansweredText(carrying.run.trace)).toBeUndefined();
  });

  it('the latents of the run itself are not another run’s, nor are those that were replaced', async () => {
    const own = await analysedRun(carrying.run.trace, carrying.run.container);
    const { result } = await causality(carrying, { variants: ['swap'] }, {}, own);
    expect(result!.variants).toMatchObject([{ kind: 'swap', missing: 'other-same' }]);
    expect(verdictOf(result!).sentence).toBe(
      'Nothing could be tried (another run’s latents: the other run has the same latents).',
    );
    const input = await inputOf(carrying.other.trace, carrying.other.container);
    const { result: zeroed } = await causality(carrying, { variants: ['swap'] }, {}, undefined, {
      ...input,
      intervention: { kind: 'zero' },
    });
    expect(zeroed!.variants).toMatchObject([{ kind: 'swap', missing: 'other-replaced' }]);
  });

  it('latents of another size are not fed, and the other variants are tried all the same', async () => {
    const other = await analysedRun(carrying.other.trace, carrying.other.container);
    const latents = other.latents.map((each) => ({ ...each, vector: each.vector.subarray(0, 128) }));
    const { result } = await causality(carrying, { variants: ['zero', 'swap'] }, {}, { ...other, latents });
    expect(result!.variants.map(({ kind, missing }) => [kind, missing])).toEqual([
      ['zero', undefined],
      ['swap', 'other-size'],
    ]);
  });

  it('keeps what was found when it is stopped, and tells what does not exist', async () => {
    const parts: Causality[] = [];
    const pause = async (): Promise<void> => {
      if (parts.length > 1) throw new CancelledError();
    };
    const found = (part: Causality): void => void parts.push(part);
    const { status, result } = await causality(carrying, { variants: ['zero', 'dummy'] }, { pause, found });
    expect(status).toBe('cancelled');
    expect(result!.variants[0]!.free[0]!.words.length).toBeGreaterThan(0);
    await expect(causality(carrying, { block: 6 })).rejects.toThrow('This run has no such latent');
    await expect(causality(carrying, { latent: 1 })).rejects.toThrow('without its block');
    await expect(causality(carrying, { truth: { map: [[0]] } })).rejects.toThrow('cannot be walked');
  });
});
