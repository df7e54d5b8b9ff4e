import { expect, it } from 'vitest';
import type { ChatTemplate, Prompt } from '../../../src/checkpoint/text/chatTemplate.ts';
import { quickTemplate } from '../../../src/train/data/quickTemplate.ts';

/** Counts how often it is run. */
function counted(change: (text: string) => string): ChatTemplate & { runs: number } {
  return {
    source: 'a test',
    runs: 0,
    render({ parts, system, addGenerationPrompt = true }: Prompt): string {
      this.runs++;
      const said = parts.map((part) => (part.type === 'image' ? '<pad>' : change(part.text))).join('');
      return `${system ?? 'none'}|${said}|${addGenerationPrompt ? 'go' : ''}`;
    },
  };
}

const ask = (text: string): Prompt => ({ parts: [{ type: 'image' }, { type: 'text', text }] });

it('is run twice for prompts of a shape, whatever their texts, and renders the same', () => {
  const template = counted((text) => text);
  const quick = quickTemplate(template);
  for (const text of ['up', ' $& \n', '', 'up up']) {
    expect(quick.render(ask(text))).toBe(`none|<pad>${text}|go`);
    expect(quick.render({ ...ask(text), addGenerationPrompt: false })).toBe(`none|<pad>${text}|`);
    expect(quick.render({ ...ask(text), system: 'be short' })).toBe(`be short|<pad>${text}|go`);
  }
  expect(template.runs).toBe(6);
  expect(quickTemplate(template)).toBe(quick);
});

it.each<[string, (text: string) => string]>([
  ['trims', (text) => text.trim()],
  ['escapes', (text) => text.replaceAll('<', '&lt;')],
  ['says it twice', (text) => text + text],
])('a template that %s is run each time', (_, change) => {
  const quick = quickTemplate(counted(change));
  for (const text of [' up ', '<b>', 'up'])
    expect(quick.render(ask(text))).toBe(`none|<pad>${change(text)}|go`);
});
