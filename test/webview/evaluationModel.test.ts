/** The rows near what is seen, asked for anew at each state. */

import { beforeAll, expect, it, vi } from 'vitest';
import type { Row, RowQuery, Rows, TableState } from '../../src/protocol/evaluation.ts';
import { EvaluationModel } from '../../src/webview/evaluationModel.ts';

const QUERY: RowQuery = { fed: 'own', outcome: 'all', text: '', sort: 'line', down: false };

// There is no window here, and nobody looks.
beforeAll(() => vi.stubGlobal('requestAnimationFrame', () => 0));

function stateOf(version: number): TableState {
  return {
    version,
    name: 'samples.jsonl',
    file: '/samples.jsonl',
    samples: 1,
    reading: false,
    cut: false,
    unusable: 0,
    sizes: [],
    model: 'maze',
    evaluations: [],
  };
}

function rowsOf(version: number): Rows {
  const row: Row = {
    line: 1,
    question: '',
    truth: '',
    hasPicture: false,
    outcome: 'right',
    answer: `of ${version}`,
    outcomes: [],
  };
  return { version, count: 1, from: 0, rows: [row] };
}

it('rows of an older state are shown until newer ones come, those of another query never', async () => {
  const answers: ((rows: Rows) => void)[] = [];
  const model = new EvaluationModel(QUERY, {
    rows: () => new Promise((resolve) => answers.push(resolve)),
    picture: async () => ({}),
  });
  const answer = async (at: number): Promise<string | undefined> => {
    answers[at]!(rowsOf(at + 1));
    await Promise.resolve();
    await Promise.resolve();
    return model.row(0)?.answer;
  };
  for (const version of [1, 2]) {
    await model.show(stateOf(version));
    model.need([0]);
  }
  expect(await answer(0)).toBe('of 1');
  expect(await answer(1)).toBe('of 2');
  // The second's come again, late.
  for (const version of [3, 4]) {
    await model.show(stateOf(version));
    model.need([0]);
  }
  expect(await answer(3)).toBe('of 4');
  expect(await answer(2)).toBe('of 4');
  await model.show(stateOf(5));
  model.need([0]);
  model.ask({ ...QUERY, down: true });
  model.need([0]);
  expect(await answer(4)).toBe(undefined);
  expect(await answer(5)).toBe('of 6');
});
