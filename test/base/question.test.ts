import { expect, it } from 'vitest';
import { shownQuestion } from '../../src/base/question.ts';

it.each([
  ['<image>What is it?', 'What is it?'],
  ['<image>\n<image> What?\n<image>', 'What?'],
  ['Is <image> like <image>, or not?', 'Is <image> like <image>, or not?'],
])('%j is shown as %j', (question, shown) => {
  expect(shownQuestion(question)).toBe(shown);
});
