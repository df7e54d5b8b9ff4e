/**
 * From a question with pictures to the model's input ids, by the checkpoint's own chat template.
 *
 * A template is a program from a stranger: it runs in the Jinja interpreter (no access to ours), for a
 * bounded time and with a bounded result.
 */
import path from 'node:path';
import { Template } from '@huggingface/jinja';
import { z } from 'zod';
import { UserError, messageOf } from '../../base/errors.ts';
import type { SpecialTokens } from '../../model/config.ts';
import type { PromptStyle } from '../../model/protocol.ts';
import { isThere } from '../../files/plainFile.ts';
import { bounded } from '../bounded.ts';
import { parseWith, readJsonIfPresent, readText } from '../json.ts';
import { withoutLoopControls } from './loopControls.ts';
import type { Tokenizer } from './tokenizer.ts';

const MAX_TEMPLATE_CHARACTERS = 1_000_000;
const MAX_PROMPT_CHARACTERS = 4_000_000;
/** Of what a template says when it raises an exception. */
const MAX_SHOWN = 500;
/** A piece of the user's message. Pictures are taken in the order in which they stand. */
export type PromptPart = { type: 'image' } | { type: 'text'; text: string };

export interface Prompt {
  /** System message; without it the template decides (Qwen's says "You are a helpful assistant."). */
  system?: string;
  parts: readonly PromptPart[];
  /** Whether to open the assistant's turn, as before generating. Default true. */
  addGenerationPrompt?: boolean;
  /** What the authors' code adds to the template's text, or takes off it. */
  style?: Pick<PromptStyle, 'lead' | 'trimmed'> | undefined;
}

export interface ChatTemplate {
  /** File that the template came from. */
  readonly source: string;
  /** The prompt as text, each picture still one pad. @throws UserError if the template fails. */
  render(prompt: Prompt): string;
}

/**
 * The chat template of the first folder that has one: in chat_template.jinja, else chat_template.json, else
 * tokenizer_config.json.
 * @throws UserError if none has, or it is no Jinja template.
 */
export async function loadChatTemplate(...folders: [string, ...string[]]): Promise<ChatTemplate> {
  const { text, source } = await findTemplate(folders);
  if (text.length > MAX_TEMPLATE_CHARACTERS) {
    throw failure(source, `a template of ${text.length} characters`);
  }
  const template = attempt(source, () => parseTemplate(text));
  return { source, render: (prompt) => render(template, prompt, source) };
}

function parseTemplate(text: string): Template {
  const template = new Template(text);
  template.parsed.body = withoutLoopControls(template.parsed.body);
  return template;
}

/** A prompt ready for the model. */
export interface EncodedPrompt {
  /** As rendered, each picture one pad. */
  text: string;
  /** Input ids, each picture as many pads as it has merged tokens. */
  ids: number[];
}

/**
 * Renders, tokenises and expands a prompt.
 * @param tokensPerImage merged tokens of each picture, in order (`ProcessedImage.mergedTokens`)
 * @throws UserError if the text itself contains the picture's pad token, or pictures and pads differ in number
 */
export function encodePrompt(
  checkpoint: { chatTemplate: ChatTemplate; tokenizer: Tokenizer; config: { tokens: SpecialTokens } },
  prompt: Prompt,
  tokensPerImage: readonly number[],
): EncodedPrompt {
  const { chatTemplate, tokenizer, config } = checkpoint;
  const pad = config.tokens.imagePad;
  const texts = prompt.parts.flatMap((part) => (part.type === 'text' ? [part.text] : []));
  for (const text of [prompt.system ?? '', ...texts]) {
    if (tokenizer.encode(text).includes(pad)) throw padInText(tokenizer.tokenText(pad));
  }
  const text = chatTemplate.render(prompt);
  return { text, ids: expandImages(tokenizer.encode(text), tokensPerImage, pad) };
}

/**
 * Repeats the n-th picture pad to the n-th count.
 * @throws UserError if there are not as many pads as pictures.
 */
export function expandImages(
  ids: readonly number[],
  tokensPerImage: readonly number[],
  imagePad: number,
): number[] {
  const pads = ids.filter((id) => id === imagePad).length;
  if (pads !== tokensPerImage.length) {
    throw new UserError({
      problem: 'the prompt does not have one place per picture',
      expected: `${tokensPerImage.length} places for ${tokensPerImage.length} pictures`,
      found: `${pads}`,
      remedy: 'The chat template may not be one for pictures, or the text may contain the picture token.',
    });
  }
  let image = 0;
  return ids.flatMap((id) =>
    id === imagePad ? Array.from({ length: tokensPerImage[image++]! }, () => id) : [id],
  );
}

/** Where pictures go: before the text (the ILVR evaluation), after it, or at `<image>` placeholders (its training). */
export type ImagePlacement = PromptStyle['images'];

/**
 * The parts of a question. Without placeholders a literal `<image>` in the text stays text.
 * @throws UserError if `placeholder` is asked for and placeholders and pictures differ in number.
 */
export function promptParts(question: string, imageCount: number, placement: ImagePlacement): PromptPart[] {
  if (placement !== 'placeholder') {
    const images = Array.from({ length: imageCount }, (): PromptPart => ({ type: 'image' }));
    return placement === 'first' ? [...images, ...textPart(question)] : [...textPart(question), ...images];
  }
  const pieces = question.split('<image>');
  if (pieces.length - 1 !== imageCount) {
    throw new UserError({
      problem: 'the question does not have one <image> per picture',
      expected: `${imageCount}`,
      found: `${pieces.length - 1}`,
      remedy: 'Write <image> once for each picture, or put the pictures first.',
    });
  }
  return pieces.flatMap((piece, i) =>
    i === 0 ? textPart(piece) : [{ type: 'image' } as const, ...textPart(piece)],
  );
}

/** A text as a part; none for an empty one. */
function textPart(text: string): PromptPart[] {
  return text === '' ? [] : [{ type: 'text', text }];
}

function render(template: Template, prompt: Prompt, source: string): string {
  const system = prompt.system === undefined ? [] : [{ role: 'system', content: prompt.system }];
  const messages = [...system, { role: 'user', content: prompt.parts.map((part) => ({ ...part })) }];
  const variables = { messages, add_generation_prompt: prompt.addGenerationPrompt ?? true };
  const text = styled(
    prompt,
    attempt(source, () => template.render(variables)),
  );
  if (text.length > MAX_PROMPT_CHARACTERS)
    throw failure(source, `a prompt of ${text.length} characters, more than ${MAX_PROMPT_CHARACTERS}`);
  checkWhole(text, prompt, source);
  return text;
}

function styled({ style, parts }: Prompt, text: string): string {
  const lead = parts.some(({ type }) => type === 'image') ? (style?.lead ?? '') : '';
  return lead + (style?.trimmed === true ? text.replace(/\n$/, '') : text);
}

/** A template may trim and wrap what it is given, but a model must not be asked something else than the user. */
function checkWhole(text: string, prompt: Prompt, source: string): void {
  const squeezed = text.replaceAll(/\s/g, '');
  const has = (given: string): boolean => squeezed.includes(given.replaceAll(/\s/g, ''));
  if (prompt.system !== undefined && !has(prompt.system)) throw dropped('the system prompt', source);
  if (!prompt.parts.every((part) => part.type !== 'text' || has(part.text)))
    throw dropped('the question', source);
}

function dropped(what: string, where: string): UserError {
  return new UserError({
    problem: `the chat template of the checkpoint leaves out ${what}, or changes it`,
    expected: `a prompt that holds ${what}`,
    where,
    remedy:
      what === 'the question'
        ? 'Compare it with the template of the model that this one was trained from.'
        : 'Ask without a system prompt, or use a template that takes one.',
  });
}

/** Runs template code for a bounded time. */
function attempt<T>(source: string, run: () => T): T {
  try {
    return bounded(run);
  } catch (error) {
    throw failure(source, messageOf(error).slice(0, MAX_SHOWN));
  }
}

const JsonTemplate = z.looseObject({ chat_template: z.string() });
const Named = z.object({ name: z.string(), template: z.string() });
const ConfigTemplate = z.looseObject({ chat_template: z.union([z.string(), z.array(Named)]).optional() });

async function findTemplate(folders: readonly string[]): Promise<{ text: string; source: string }> {
  for (const folder of folders) {
    const found = await templateIn(folder);
    if (found !== undefined) return found;
  }
  throw new UserError({
    problem: 'the checkpoint has no chat template',
    expected: 'chat_template.jinja, chat_template.json or "chat_template" in tokenizer_config.json',
    where: folders.join(', '),
    remedy: 'Copy the file from the model that this one was trained from.',
  });
}

async function templateIn(folder: string): Promise<{ text: string; source: string } | undefined> {
  const jinja = path.join(folder, 'chat_template.jinja');
  if (await isThere(jinja)) return { text: await readText(jinja), source: jinja };
  const jsonFile = path.join(folder, 'chat_template.json');
  const json = await readJsonIfPresent(jsonFile);
  if (json !== undefined)
    return { text: parseWith(JsonTemplate, json, jsonFile).chat_template, source: jsonFile };
  const source = path.join(folder, 'tokenizer_config.json');
  const config = parseWith(ConfigTemplate, (await readJsonIfPresent(source)) ?? {}, source);
  const found = config.chat_template;
  const text = typeof found === 'string' ? found : found?.find(({ name }) => name === 'default')?.template;
  return text === undefined ? undefined : { text, source };
}

function failure(where: string, found: string): UserError {
  return new UserError({
    problem: 'the chat template of the checkpoint failed',
    found,
    where,
    remedy: 'Compare it with the template of the model that this one was trained from.',
  });
}

function padInText(pad: string): UserError {
  return new UserError({
    problem: `the text contains ${pad}, which stands for picture tokens`,
    expected: 'text without it',
    remedy: 'Remove it from the question; pictures are added by themselves.',
  });
}
