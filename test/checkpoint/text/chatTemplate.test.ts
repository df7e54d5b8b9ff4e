import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import {
  encodePrompt,
  expandImages,
  loadChatTemplate,
  promptParts,
} from '../../../src/checkpoint/text/chatTemplate.ts';
import type { PromptPart } from '../../../src/checkpoint/text/chatTemplate.ts';
import { openCheckpoint } from '../../../src/checkpoint/checkpoint.ts';
import { processImage } from '../../../src/checkpoint/pixels/image.ts';
import { golden, goldenJson, haveGoldens } from '../goldens.ts';
import { expectUserError, folderOf } from '../support.ts';

const question: PromptPart[] = [{ type: 'image' }, { type: 'text', text: 'Why?' }];

async function rendered(files: Record<string, string | object>): Promise<string> {
  return (await loadChatTemplate(await folderOf(files))).render({ parts: question });
}

/** The template of Qwen2.5-VL-Instruct. */
const qwen =
  "{% set image_count = namespace(value=0) %}{% set video_count = namespace(value=0) %}{% for message in messages %}{% if loop.first and message['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}<|im_start|>{{ message['role'] }}\n{% if message['content'] is string %}{{ message['content'] }}<|im_end|>\n{% else %}{% for content in message['content'] %}{% if content['type'] == 'image' or 'image' in content or 'image_url' in content %}{% set image_count.value = image_count.value + 1 %}{% if add_vision_id %}Picture {{ image_count.value }}: {% endif %}<|vision_start|><|image_pad|><|vision_end|>{% elif content['type'] == 'video' or 'video' in content %}{% set video_count.value = video_count.value + 1 %}{% if add_vision_id %}Video {{ video_count.value }}: {% endif %}<|vision_start|><|video_pad|><|vision_end|>{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/** Writes what messages say. */
const texts =
  '{% for m in messages %}{% for c in m.content %}{% if c.text %}{{ c.text }}{% endif %}{% endfor %}{% endfor %}';

describe('a chat template', () => {
  test('of Qwen2.5-VL', async () => {
    expect(await rendered({ 'chat_template.jinja': qwen })).toBe(
      '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>Why?<|im_end|>\n<|im_start|>assistant\n',
    );
  });
  test('takes a system message and may leave the answer unopened', async () => {
    const template = await loadChatTemplate(await folderOf({ 'chat_template.jinja': qwen }));
    const text = template.render({
      system: 'Be brief.',
      parts: [{ type: 'text', text: 'Hi' }],
      addGenerationPrompt: false,
    });
    expect(text).toBe('<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n');
  });
  test('is found in each of its three places', async () => {
    const files = { 'tokenizer_config.json': { chat_template: `config: ${texts}` } };
    expect(await rendered(files)).toBe('config: Why?');
    expect(await rendered({ ...files, 'chat_template.json': { chat_template: `json: ${texts}` } })).toBe(
      'json: Why?',
    );
    expect(await rendered({ ...files, 'chat_template.jinja': `jinja: ${texts}` })).toBe('jinja: Why?');
    const named = { chat_template: [{ name: 'default', template: `named: ${texts}` }] };
    expect(await rendered({ 'tokenizer_config.json': named })).toBe('named: Why?');
  });
  test.each<[string, Record<string, string | object>, string]>([
    ['is missing', {}, 'no chat template'],
    ['is no template', { 'chat_template.jinja': '{% if %}' }, 'chat template'],
    ['complains', { 'chat_template.jinja': "{{ raise_exception('no system role') }}" }, 'no system role'],
    ['uses an unknown filter', { 'chat_template.jinja': '{{ 1 | nonsense }}' }, 'nonsense'],
    [
      'never ends',
      {
        'chat_template.jinja':
          '{% for i in range(60000) %}{% for j in range(60000) %}{% endfor %}{% endfor %}',
      },
      'no end after 3 seconds',
    ],
    [
      'doubles without end',
      {
        'chat_template.jinja':
          "{% set n = namespace(s='xxxxxxxxxx') %}{% for i in range(40) %}{% set n.s = n.s + n.s %}{% endfor %}{{ n.s }}",
      },
      'chat template',
    ],
  ])('is refused if it %s', async (_, files, words) => expectUserError(async () => rendered(files), words));
});

describe('pictures in a prompt', () => {
  test('become as many pads as they have tokens', () => {
    expect(expandImages([1, 9, 2, 9, 3], [2, 3], 9)).toEqual([1, 9, 9, 2, 9, 9, 9, 3]);
  });
  test.each([[[]], [[1]], [[1, 2, 3]]])('must match the pads: %j', async (counts) => {
    await expectUserError(() => expandImages([9, 1, 9], counts, 9), `${counts.length} pictures`, 'found 2');
  });
  test('stand before the text or at their placeholders', async () => {
    const image = { type: 'image' } as const;
    expect(promptParts('a <image>', 1, 'first')).toEqual([image, { type: 'text', text: 'a <image>' }]);
    expect(promptParts('<image>a<image> b', 2, 'placeholder')).toEqual([
      image,
      { type: 'text', text: 'a' },
      image,
      { type: 'text', text: ' b' },
    ]);
    await expectUserError(() => promptParts('a', 1, 'placeholder'), '<image>');
  });
});

interface Case {
  name: string;
  images: string[];
  content?: (string | 0)[];
  question: string;
  prompt: string;
  input_ids?: number[];
  prompt_ids?: number[];
}

function partsOf({ content, images, question: text }: Case): PromptPart[] {
  if (!content) return promptParts(text, images.length, 'first');
  return content.map((part) => (part === 0 ? { type: 'image' } : { type: 'text', text: part }));
}

const runs: [string, string][] = [
  ['forward', 'flat'],
  ['forward', 'tied'],
  ['generate', 'flat'],
  ['generate', 'tied'],
  ['generate', 'first-model'],
];

describe.skipIf(!haveGoldens).each(runs)('the prompts of %s/%s', async (kind, folder) => {
  const checkpoint = haveGoldens ? await openCheckpoint(golden(folder)) : undefined;
  test.each(haveGoldens ? goldenJson<Case[]>(kind, folder, 'cases.json') : [])('$name', async (one) => {
    const counts: number[] = [];
    for (const name of one.images) {
      const image = await processImage(await readFile(golden('images', name)), name, checkpoint!.processor);
      counts.push(image.mergedTokens);
    }
    const encoded = encodePrompt(checkpoint!, { parts: partsOf(one) }, counts);
    expect(encoded.text).toBe(one.prompt);
    expect(encoded.ids).toEqual(one.input_ids ?? one.prompt_ids);
  });
});

test.skipIf(!haveGoldens)('a question with the picture token in it is refused', async () => {
  const checkpoint = await openCheckpoint(golden('flat'));
  const parts: PromptPart[] = [{ type: 'text', text: 'What is <|image_pad|>?' }];
  await expectUserError(() => encodePrompt(checkpoint, { parts }, []), '<|image_pad|>', 'Remove it');
});
