/** A samples file to show, with invented results. */

import { seededNumbers } from '../../src/base/random.ts';
import { couldShowLoss, effectsOf } from '../../src/evaluation/comparison.ts';
import { USUAL } from '../../src/evaluation/fed.ts';
import { figuresOf, meansOf } from '../../src/evaluation/figures.ts';
import type { SampleResult } from '../../src/evaluation/results.ts';
import type { Pass } from '../../src/extension/evaluation/resultsFiles.ts';
import type { SampleEntry } from '../../src/extension/evaluation/samplesFile.ts';
import type { EvaluationState, TableState } from '../../src/protocol/evaluation.ts';

const PLANS = ['RRD', 'DDRR', 'ULL', 'DRURD', 'LLU'];

export function sampleEntries(count: number): SampleEntry[] {
  return Array.from({ length: count }, (_, i): SampleEntry => {
    const id = `map-${String(i + 1).padStart(3, '0')}`;
    const question = 'Find a safe path to the goal. Avoid the holes; the player may not leave the map.';
    const truth = PLANS[i % PLANS.length]!;
    return {
      line: i + 1,
      id,
      question,
      truth,
      size: 3 + (i % 4),
      searched: `${id}\n${question}\n${truth}`.toLowerCase(),
      picture: { id, name: `${id}.png`, read: async () => new Uint8Array() },
      ...(i % 97 === 41 && { problem: 'A picture of this sample is missing: map-042.png.' }),
      offset: 0,
      length: 0,
    };
  });
}

export function samplePasses(entries: readonly SampleEntry[], done: number): Pass[] {
  return USUAL.slice(0, done === 0 ? 0 : USUAL.length).map((fed, place): Pass => {
    const random = seededNumbers(place + 1);
    const results = entries.slice(0, done).map((entry): [number, SampleResult] => {
      const success = entry.problem === undefined && random() < (place === 0 ? 0.9 : 0.5 - 0.05 * place);
      const answer = success ? entry.truth : PLANS[(entry.line + place) % PLANS.length]!;
      return [
        entry.line,
        {
          line: entry.line,
          size: entry.size!,
          text: `Answer: ${answer}`,
          answer,
          verdict: success ? 'Reached goal' : 'Fell into a hole',
          success,
          blocks: entry.truth.length,
          latents: 8 * entry.truth.length,
          tokens: 20 + Math.round(60 * random()),
          milliseconds: Math.round(300 + 900 * random()),
          ...(fed === 'own' && entry.problem === undefined && { tests: testsOf(random) }),
          ...(entry.problem !== undefined && { error: entry.problem }),
        },
      ];
    });
    const settings = fed === 'own' ? {} : { intervention: fed };
    const header = {
      format: 'ilvr-results',
      version: 1,
      samples: 's',
      model: 'm',
      provider: 'cpu',
      settings,
    };
    return { fed, header: header as Pass['header'], results: new Map(results) };
  });
}

function testsOf(random: () => number): NonNullable<SampleResult['tests']> {
  const value = random() - 0.3;
  return {
    version: '1.1',
    kl: 10 ** (-4 * random()),
    faithfulness: { value, low: value - 0.2, high: value + 0.2 },
  };
}

/** The state that goes with them. */
export function sampleTable(count: number, done: number, more: Partial<TableState> = {}): TableState {
  const entries = sampleEntries(count);
  const passes = samplePasses(entries, done).map(({ fed, results }) => ({
    fed,
    results: [...results.values()],
  }));
  const effects = new Map(effectsOf(passes).map((effect) => [effect.fed, effect]));
  const unusable = entries.filter(({ problem }) => problem !== undefined);
  const id = '/work/maps/samples.maze.results.jsonl';
  const evaluation: EvaluationState = {
    id,
    running: false,
    facts: ['maze 92d5fc2f0a7a', 'CPU', 'float32', 'forced blocks', 'greedy', '2026-11-30'],
    passes: passes.map(({ fed, results }) => {
      const { all, sizes, notAnswered } = figuresOf(results);
      const effect = fed === 'own' ? undefined : effects.get(fed);
      return {
        fed,
        all,
        sizes,
        notAnswered,
        ...(effect && { effect: { ...effect, open: !couldShowLoss(effect.counts) } }),
      };
    }),
    ...(done > 0 && { tests: meansOf(passes[0]!.results.flatMap(({ tests }) => tests ?? [])) }),
    done: done * USUAL.length,
    total: count * USUAL.length,
  };
  return {
    version: 1,
    name: 'samples.jsonl',
    file: '/work/maps/samples.jsonl',
    samples: count,
    reading: false,
    cut: false,
    unusable: unusable.length,
    ...(unusable[0]?.problem !== undefined && { problem: unusable[0].problem }),
    sizes: [3, 4, 5, 6],
    model: 'maze',
    evaluations: done === 0 ? [] : [{ id, name: 'maze · CPU · samples.maze.results.jsonl' }],
    ...(done > 0 && { evaluation }),
    ...more,
  };
}
