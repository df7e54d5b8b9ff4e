/** Dependence and faithfulness, of models whose latents are known to carry the answer, or known not to reach it. */

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AnalysisName, AnalysisResult } from '../../src/analysis/table.ts';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { analyseRequest, inputOf } from '../../src/client/analyseRequest.ts';
import { analyse } from '../../src/engine/analyse.ts';
import { dependenceVerdict, meanOf } from '../../src/evidence/dependence.ts';
import { mapFaithfulness } from '../../src/evaluation/tests.ts';
import { faithfulnessVerdict, scoresOf, scoreText, withoutPicture } from '../../src/evidence/faithfulness.ts';
import { Model } from '../../src/inference/model.ts';
import { analysedRun } from '../../src/trace/analyses.ts';
import { openingOf } from '../../src/trace/opening.ts';
import type { OpenTrace } from '../../src/traceFile/openTrace.ts';
import type { AnalyseRequest } from '../../src/protocol/analyse.ts';
import { examples, repository } from '../fixtures/paths.ts';
import { completeRun } from '../fixtures/reasonRun.ts';

let model: Model;
let run: OpenTrace;

async function open(name: string): Promise<void> {
  model = await Model.open(await openCheckpoint(join(repository, 'models', name)), 'cpu');
  run = await completeRun(model, { maxTokens: 120, image: join(examples, 'map-03.png') });
}

async function resultOf<Name extends AnalysisName>(
  name: Name,
  parameters: Record<string, unknown> = {},
  more: Partial<AnalyseRequest> = {},
): Promise<AnalysisResult<Name>> {
  const request = await analyseRequest(run.trace, run.container, { name, parameters });
  const { result } = await analyse(
    {
      model,
      identity: { name: 'it', fingerprint: model.checkpoint.fingerprint },
      found: () => undefined,
      progress: () => undefined,
      pause: async () => undefined,
    },
    { ...request, ...more },
  );
  return result as AnalysisResult<Name>;
}

describe.each([
  { name: 'control-bypassed', carries: false },
  { name: 'control-carrying', carries: true },
])('of $name', ({ name, carries }) => {
  beforeAll(() => open(name));
  afterAll(() => model.release());

  it('dependence: latents follow the picture, and hand it on where they carry the answer alone', async () => {
    const result = await resultOf('dependence');
    const tried = result.changes.map(({ change }) => change);
    expect(tried).toEqual(['blurred', 'grey', 'masked', 'mirrored']);
    for (const { change, picture, latents, words, question, whole, through } of result.changes) {
      expect([change, latents!.cosines.shape]).toEqual([change, [run.trace.latents.length]]);
      for (const part of [picture!, latents!, words!, question!])
        expect(meanOf(part.distances)).toBeGreaterThan(0.01);
      expect(whole!.kl).toBeGreaterThan(1e-6);
      // All of the picture's effect passes through the latents, or nothing of it.
      if (carries) expect(through!.kl / whole!.kl).toBeCloseTo(1, 2);
      else expect(through!.kl).toBeLessThan(1e-9);
    }
    const { sentence, rule } = dependenceVerdict(result);
    const moved = carries ? 'words with 4 of 4 (KL up to' : 'words with none of 4 (KL up to 0 nats';
    expect(sentence).toContain(`move the probabilities of the ${moved}`);
    expect(rule).toContain('No answer is written freely');
  });

  it('dependence: a region that hides nothing that is there changes little, one outside is told', async () => {
    const whole = await resultOf('dependence', { changes: ['masked'], region: [0, 0, 5, 5] });
    const corner = await resultOf('dependence', { changes: ['masked'], region: [0, 0, 0, 0] });
    const distance = ({ changes }: typeof whole): number => meanOf(changes[0]!.latents!.distances);
    expect(distance(corner)).toBeLessThan(distance(whole));
    await expect(resultOf('dependence', { region: [0, 0, 6, 1] })).rejects.toThrow('does not lie in');
    const other = await resultOf('dependence', { changes: ['replaced'] });
    expect(other.changes).toEqual([{ change: 'replaced', missing: 'no-other-run' }]);
    expect(dependenceVerdict(other).sentence).toBe(
      'Nothing could be tried (another run’s: no other run was chosen).',
    );
  });

  it('dependence: a picture that is replaced by itself is not changed', async () => {
    const others = {
      other: await analysedRun(run.trace, run.container),
      otherInput: await inputOf(run.trace, run.container),
    };
    const result = await resultOf('dependence', { changes: ['replaced'] }, others);
    expect(result.changes).toEqual([{ change: 'replaced', missing: 'same-picture' }]);
    expect(dependenceVerdict(result).sentence).toContain('the picture stays the same for the model');
  });

  it('refuses a run whose latents were replaced, and a branch of one', async () => {
    const zero = { intervention: { kind: 'zero' as const } };
    for (const name of ['causality', 'decomposition', 'dependence', 'faithfulness'] as const) {
      for (const given of [zero, { replacedBefore: true }])
        await expect(resultOf(name, {}, given)).rejects.toThrow('latents of this run were replaced already');
    }
    await expect(resultOf('lens', {}, zero)).resolves.toBeDefined();
  });

  it('faithfulness: without the picture the state is another; only carrying latents take the answer along', async () => {
    const parameters = { points: 2, orders: 3, latent: 1 };
    const { latents, fractions, layer } = await resultOf('faithfulness', parameters);
    expect(layer).toBeLessThan(run.trace.model.layers);
    expect([...fractions.data]).toEqual([0, 0.5, 1]);
    const [{ state, answer }] = latents as [(typeof latents)[number]];
    expect(withoutPicture(state)).toBeLessThan(0.95);
    expect(state.random.shape).toEqual([3, 3]);
    const lost = withoutPicture(answer);
    if (carries) expect(lost).toBeLessThan(-0.5);
    else expect(Math.abs(lost)).toBeLessThan(1e-6);
    // In the carrying control latents see no picture, so that their maps are empty.
    if (!carries) {
      const [deletion, insertion] = [state.deletion!.data, state.insertion!.data];
      expect([deletion[0], insertion[2], answer.deletion!.data[0]]).toEqual([1, 1, 0]);
      expect([insertion[0], deletion[2]]).toEqual([deletion[2], withoutPicture(state)]);
      // Not the same order, so not the same curve, but for the ends.
      expect(insertion[1]).not.toBe(deletion[1]);
      const { map } = scoresOf(state, fractions.data);
      expect(map!.low).toBeLessThan(map!.value);
    }
    await expect(resultOf('faithfulness', { block: 9 })).rejects.toThrow('no such latent');
    await expect(resultOf('faithfulness', { layer: 9 })).rejects.toThrow('no such layer');
  });

  it('faithfulness: a map that is empty has no order and no score; its layer is the one that a run opens with', async () => {
    const result = await resultOf('faithfulness', { points: 2, orders: 3, latent: 0 });
    expect(result.layer).toBe(openingOf(run.trace).layer());
    const count = result.latents.length;
    const why = result.latents.map(({ withoutOrder }) => withoutOrder);
    expect(why).toEqual(Array.from({ length: count }, () => (carries ? 'no-look' : undefined)));
    const { sentence } = faithfulnessVerdict(result);
    const { faithfulness } = mapFaithfulness(result);
    expect(faithfulness === undefined).toBe(carries);
    if (!carries) {
      expect(sentence).toContain(`of ${count} latents`);
      return;
    }
    const [{ state, answer }] = result.latents as [(typeof result.latents)[number]];
    expect(scoresOf(state, result.fractions.data)).toEqual({ map: undefined, sink: undefined });
    expect(scoreText(scoresOf(answer, result.fractions.data).map)).toBe('no score');
    expect(sentence).toBe(
      `No score for ${count} of ${count} latents: they look at no picture (their attention on it is 0 in layer ${run.trace.model.layers}).`,
    );
    // By likeness to the picture's features it has one.
    const alike = await resultOf('faithfulness', { points: 2, orders: 3, map: 'similarity' });
    expect(alike.latents[0]!.withoutOrder).toBeUndefined();
    const { map, sink } = scoresOf(alike.latents[0]!.state, alike.fractions.data);
    expect([map === undefined, sink]).toEqual([false, undefined]);
  });

  it('faithfulness by the mask: what a latent does not see cannot move it', async () => {
    const { latents } = await resultOf('faithfulness', { points: 2, orders: 3, hide: 'mask' });
    const { state, answer } = latents[0]!;
    expect(state.mean).toBeUndefined();
    // In the carrying control latents see nothing but each other, whatever is hidden.
    if (carries) expect(withoutPicture(state)).toBeCloseTo(1, 5);
    else expect(withoutPicture(state)).toBeLessThan(0.99);
    expect(withoutPicture(answer)).toBeCloseTo(0, 5);
  });
});

describe('scores', () => {
  const line = (...data: number[]) => ({ shape: [data.length], data: Float32Array.from(data) });

  it('are areas between curves: 1 at most, 0 for a random order, below 0 for the wrong end first', () => {
    const random = { shape: [2, 3], data: Float32Array.from([1, 0.5, 0, 1, 0.5, 0]) };
    const curves = (deletion: number[], insertion: number[]) => ({
      deletion: line(...deletion),
      insertion: line(...insertion),
      sinkDeletion: line(1, 0.5, 0),
      sinkInsertion: line(0, 0.5, 1),
      random,
    });
    const fractions = Float32Array.from([0, 0.5, 1]);
    const good = scoresOf(curves([1, 0, 0], [0, 1, 1]), fractions);
    expect(good.map).toEqual({ value: 0.25, low: 0.25, high: 0.25 });
    expect(good.sink!.value).toBe(0);
    expect(scoresOf(curves([1, 1, 0], [0, 0, 1]), fractions).map!.value).toBe(-0.25);
  });
});
