/** What the panel makes of analyses: numbers of their views, and what it knows while one is computed. */

import { describe, expect, test } from 'vitest';
import { CancelledError, UserError } from '../../src/base/errors.ts';
import type { AnalysesHost, AnalysisAnswer } from '../../src/protocol/panelAnalyses.ts';
import { Analyses } from '../../src/webview/analyses.ts';
import { headsOnPictures } from '../../src/evidence/heads.ts';
import {
  measuresOf,
  relevanceBySource,
  relevanceMap,
  relevanceOfLatents,
} from '../../src/evidence/relevance.ts';
import { nearestIn, scatterOf } from '../../src/evidence/scatter.ts';
import { sampleResult } from './sampleAnalyses.ts';
import { sampleRun } from './sampleTrace.ts';

const { trace } = sampleRun();
const picture = trace.pictures[0]!;

describe('relevance', () => {
  const result = sampleResult(trace, 'relevance');
  const measures = measuresOf(result);

  test('offers what was computed, each with its own unit, and nothing else', () => {
    expect(measures.map(({ id }) => id)).toEqual(['rollout', 'attention', 'input', 'chefer']);
    expect(new Set(measures.map(({ caption }) => caption)).size).toBe(4);
    const { answer, rollout } = result;
    expect(measuresOf({ answer, ...(rollout && { rollout }) }).map(({ id }) => id)).toEqual(['rollout']);
  });

  test('gradient × attention is the sum over the layers', () => {
    const { shape, data } = result.gradient!.keys;
    const width = shape[1]!;
    const sum = [0, 1, 2, 3].reduce((total, l) => total + data[l * width + 9]!, 0);
    expect(measures[1]!.values[9]).toBeCloseTo(sum);
  });

  test('a map is the picture’s part of the sequence; signed ones are scaled both ways', () => {
    const map = relevanceMap(measures[0]!, picture)!;
    const { start, count } = picture.range!;
    expect(map.values).toEqual(measures[0]!.values.slice(start, start + count));
    expect(map.kind).toBe('attention');
    expect(relevanceMap(measures[1]!, picture)!.kind).toBe('similarity');
    expect(relevanceMap(measures[0]!, trace.pictures[1]!)).toBeUndefined();
  });

  test('sources share the whole among them, and latents are read at their positions', () => {
    for (const measure of measures) {
      const { pictures, prompt, latents, answer } = relevanceBySource(trace, measure);
      const total = measure.values.reduce((sum, value) => sum + value, 0);
      expect(pictures + prompt + latents + answer).toBeCloseTo(total, 4);
      const own = relevanceOfLatents(trace, measure);
      expect(own.reduce((sum, value) => sum + value, 0)).toBeCloseTo(latents, 4);
    }
  });
});

describe('the plane of a PCA', () => {
  const points = scatterOf(sampleResult(trace, 'pca'), [0, 2]);

  test('has every point once, from edge to edge, latents last', () => {
    expect(points.filter(({ of }) => of === 'patch')).toHaveLength(36);
    expect(points.slice(-12).map(({ of, index }) => [of, index])).toEqual(
      trace.latents.map((_, i) => ['latent', i]),
    );
    expect(Math.min(...points.map(({ x }) => x))).toBe(0);
    expect(Math.max(...points.map(({ y }) => y))).toBe(1);
  });

  test('a point is found under the pointer, and none far from all', () => {
    const box = { width: 400, height: 200 };
    const latent = points.at(-3)!;
    expect(nearestIn(points, latent, box, 12)).toBe(latent);
    expect(nearestIn(points, { x: 3, y: 3 }, box, 12)).toBeUndefined();
  });

  test('without a second direction all lie on a line', () => {
    const flat = { shape: [1, 1], data: Float32Array.of(2) };
    const words = { ids: [], texts: [], points: { shape: [0, 1], data: new Float32Array() } };
    const lengths = { latents: 1, pictures: 1, words: 1 };
    const [only] = scatterOf({ explained: [1], latents: flat, pictures: [], words, lengths }, [0, 1]);
    expect(only).toMatchObject({ x: 0.5, y: 0.5 });
  });
});

test('of each head, what lies on the pictures is added up', () => {
  const keys = trace.prompt.ids.length;
  const { start, count } = picture.range!;
  const data = new Float32Array(2 * keys);
  data.fill(0.5, keys, keys + 1);
  data[keys + start] = 0.25;
  data[keys + start + count - 1] = 0.125;
  expect(headsOnPictures(trace, { shape: [1, 2, keys], data })).toEqual([[0, 0.375]]);
});

describe('while an analysis is computed', () => {
  const answer: AnalysisAnswer = {
    method: 'lens',
    about: { title: 'Lens', method: '', source: '', limits: '' },
    canCompute: true,
    command: '',
    fields: [],
  };
  const whole: AnalysisAnswer = {
    ...answer,
    found: { result: sampleResult(trace, 'lens'), status: 'complete' },
  };
  /** A page's analyses, and how its host answers the computation. */
  const opened = async () => {
    let settle: { resolve: (answer: AnalysisAnswer) => void; reject: (error: Error) => void };
    const calls: string[] = [];
    const host: AnalysesHost = {
      analysis: async ({ method }) => {
        calls.push(`kept ${method}`);
        return answer;
      },
      analyse: ({ method }) => {
        calls.push(`compute ${method}`);
        return new Promise((resolve, reject) => (settle = { resolve, reject }));
      },
      cancelAnalysis: async (id) => void calls.push(`cancel ${id}`),
      chooseModel: async () => {
        calls.push('choose a model');
        return true;
      },
      calibrate: async () => {
        calls.push('calibrate');
        return true;
      },
    };
    const analyses = new Analyses(host, () => undefined);
    analyses.show(trace);
    analyses.state('lens');
    await Promise.resolve();
    await Promise.resolve();
    return { analyses, calls, settle: () => settle };
  };
  const rest = () => new Promise((resolve) => setTimeout(resolve));

  test('the host is asked once for what is kept, and parts are shown as they come', async () => {
    const { analyses, calls, settle } = await opened();
    expect(analyses.state('lens').answer).toBe(answer);
    analyses.compute('lens', {});
    analyses.hear({ id: 0, progress: 'Layer 1 of 2' });
    expect(analyses.state('lens').running).toEqual({ id: 0, progress: 'Layer 1 of 2' });
    analyses.hear({ id: 0, result: whole.found!.result });
    expect(analyses.state('lens').answer?.found?.status).toBe('partial');
    settle().resolve(whole);
    await rest();
    expect(analyses.state('lens')).toEqual({ answer: whole });
    expect(calls).toEqual(['kept lens', 'compute lens']);
  });

  test('what goes wrong is told, and a cancel is not', async () => {
    const { analyses, calls, settle } = await opened();
    analyses.compute('lens', {});
    settle().reject(new UserError({ problem: 'The model is another one' }));
    await rest();
    expect(analyses.state('lens').problem).toContain('The model is another one');
    analyses.compute('lens', {});
    analyses.cancel('lens');
    settle().reject(new CancelledError('The analysis'));
    await rest();
    expect(analyses.state('lens')).toEqual({ answer });
    expect(calls).toContain('cancel 1');
  });

  test('for want of its model, another can be chosen, and it is asked once more', async () => {
    const { analyses, calls, settle } = await opened();
    analyses.compute('lens', { words: 3 });
    settle().reject(new UserError({ problem: 'This needs the model that made the run', choose: 'model' }));
    await rest();
    expect(analyses.state('lens').needsModel).toEqual({ words: 3 });
    await analyses.chooseModel('lens');
    settle().resolve(whole);
    await rest();
    expect(analyses.state('lens')).toEqual({ answer: whole });
    expect(calls.slice(1)).toEqual(['compute lens', 'choose a model', 'compute lens']);
  });

  test('another run has none of it, and what was being computed is stopped', async () => {
    const { analyses, calls, settle } = await opened();
    analyses.compute('lens', {});
    analyses.show({ ...trace, id: 'another' });
    expect(calls.at(-1)).toBe('cancel 0');
    settle().resolve(whole);
    await rest();
    expect(analyses.state('lens').answer?.found).toBeUndefined();
  });
});
