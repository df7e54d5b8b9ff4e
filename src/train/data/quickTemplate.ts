/**
 * A chat template that is run once for prompts of one shape where it only puts their texts in: drawn questions are
 * all different, and a template takes longer than the rest of a training sequence.
 */

import type { ChatTemplate, Prompt, PromptPart } from '../../checkpoint/text/chatTemplate.ts';

const known = new WeakMap<ChatTemplate, ChatTemplate>();

/** Renders what `template` renders, unless that depends on what a text says beyond the texts tried here. */
export function quickTemplate(template: ChatTemplate): ChatTemplate {
  const quick = known.get(template) ?? { source: template.source, render: quickRenderer(template) };
  known.set(template, quick);
  return quick;
}

function quickRenderer(template: ChatTemplate): ChatTemplate['render'] {
  const shapes = new Map<string, readonly string[] | undefined>();
  return (prompt) => {
    const key = JSON.stringify([
      prompt.system,
      prompt.addGenerationPrompt,
      prompt.parts.map(({ type }) => type),
    ]);
    if (!shapes.has(key)) shapes.set(key, surroundings(template, prompt));
    const around = shapes.get(key);
    return around === undefined ? template.render(prompt) : filled(around, textsOf(prompt));
  };
}

/** What stands around the texts of prompts of this shape; undefined if the template does more than to put them in. */
function surroundings(template: ChatTemplate, prompt: Prompt): string[] | undefined {
  const marks = textsOf(prompt).map((_, i) => ` \n the text ${i} <b>{{ x }}</b>  \n`);
  const rendered = template.render(withTexts(prompt, marks));
  const around: string[] = [];
  let from = 0;
  for (const mark of marks) {
    const at = rendered.indexOf(mark, from);
    if (at < 0) return undefined;
    around.push(rendered.slice(from, at));
    from = at + mark.length;
  }
  around.push(rendered.slice(from));
  const others = marks.map((_, i) => `Another ${i}?`);
  return template.render(withTexts(prompt, others)) === filled(around, others) ? around : undefined;
}

function textsOf({ parts }: Prompt): string[] {
  return parts.flatMap((part) => (part.type === 'text' ? [part.text] : []));
}

function withTexts(prompt: Prompt, texts: readonly string[]): Prompt {
  let next = 0;
  const parts = prompt.parts.map((part): PromptPart =>
    part.type === 'text' ? { ...part, text: texts[next++]! } : part,
  );
  return { ...prompt, parts };
}

function filled(around: readonly string[], texts: readonly string[]): string {
  return around.map((piece, i) => piece + (texts[i] ?? '')).join('');
}
