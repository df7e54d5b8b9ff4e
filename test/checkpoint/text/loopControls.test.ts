import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { loadChatTemplate } from '../../../src/checkpoint/text/chatTemplate.ts';
import { FUZZ_ROUNDS, mutate, seededRandom } from '../../fixtures/random.ts';
import { caseFile, haveCases } from '../cases.ts';
import { expectUserError, folderOf } from '../support.ts';
import { UserError } from '../../../src/base/errors.ts';

async function render(source: string, question = 'abcde'): Promise<string> {
  const template = await loadChatTemplate(await folderOf({ 'chat_template.jinja': source }));
  return template.render({ parts: [{ type: 'image' }, { type: 'text', text: question }] });
}

/** What stands around the loop holds the question, which no prompt may lack. */
const asked = 'abcde:';

describe('loop controls of a chat template', () => {
  // Jinja2 3.1 of Python with loopcontrols gives these.
  test.each([
    ['{% for i in range(5) %}{{ i }}{% continue %}x{% endfor %}', '01234'],
    ['{% for i in range(5) %}{{ i }}{% break %}x{% endfor %}', '0'],
    ['{% for i in range(5) %}{% if i == 2 %}[{% continue %}]{% endif %}{{ i }}{% endfor %}', '01[34'],
    ['{% for i in range(5) %}{% if i == 2 %}[{% break %}]{% endif %}{{ i }}{% endfor %}', '01['],
    [
      '{% for i in range(4) %}a{% if i % 2 == 0 %}b{% else %}c{% continue %}{% endif %}d{% endfor %}',
      'abdacabdac',
    ],
    [
      '{% for i in range(3) %}{% if i > 0 %}{% if i > 1 %}<{% continue %}{% endif %}-{% endif %}{{ i }}{% endfor %}',
      '0-1<',
    ],
    [
      '{% for i in range(3) %}({% for j in range(5) %}{% if j == i %}{% continue %}{% endif %}{% if j == 3 %}{% break %}{% endif %}{{ j }}{% endfor %}){% endfor %}',
      '(12)(02)(01)',
    ],
    [
      '{% for i in range(4) %}{% for j in range(2) %}{{ j }}{% endfor %}{% if i == 1 %}{% break %}{% endif %};{% endfor %}',
      '01;01',
    ],
    ['{% for i in range(3) %}{% if i == 0 %}{% continue %}{% endif %}{{ loop.index }}{% endfor %}', '23'],
    [
      '{% for i in range(3) %}{% for j in [] %}{% else %}-{% endfor %}{% if i == 1 %}{% break %}{% endif %}{{ i }}{% endfor %}',
      '-0-',
    ],
    ['{% for i in range(9) if i is odd %}{% if i == 5 %}{% break %}{% endif %}{{ i }}{% endfor %}', '13'],
    [
      '{% set n = namespace(k=0) %}{% for i in range(5) %}{% if i == 1 %}{% continue %}{% endif %}{% set n.k = n.k + i %}{% endfor %}{{ n.k }}',
      '9',
    ],
    [
      '{% for i in range(2) %}{% filter upper %}a{% if i == 1 %}b{% endif %}{% endfilter %}{% if i == 0 %}{% continue %}{% endif %}!{% endfor %}',
      'AAB!',
    ],
    [
      '{% macro m(x) %}{% for c in x %}{% if c == 2 %}{% continue %}{% endif %}{{ c }}{% endfor %}{% endmacro %}{% for i in range(2) %}{{ m([1, 2, 3]) }}{% if i == 1 %}{% break %}{% endif %},{% endfor %}',
      '13,13',
    ],
  ])('%s', async (template, expected) => {
    expect(await render(asked + template)).toBe(asked + expected);
  });

  test.each([
    ['outside a loop', '{% continue %}'],
    ['in a macro of a loop', '{% for i in [1] %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}'],
    ['in a loop with an else', '{% for i in range(2) %}{% continue %}{% else %}none{% endfor %}'],
    [
      "under a loop's else",
      '{% for i in [1] %}{% for j in [] %}{% else %}{% continue %}{% endfor %}{% endfor %}',
    ],
  ])('are refused %s', async (_, template) => {
    await expectUserError(async () => render(asked + template), 'chat template', '{% ');
  });

  test('never lose what stands before them (fuzz)', async () => {
    const random = seededRandom(31);
    for (let round = 0; round < Math.min(FUZZ_ROUNDS, 2000) / 4; round++) {
      const bound = 1 + random.below(4);
      const at = random.below(5);
      const control = random.pick(['continue', 'break']);
      const before = random.pick(['x', '{{ i }}', '']);
      const template = `{% for i in range(${bound}) %}${before}{% if i == ${at} %}<{% ${control} %}>{% endif %}${before}.{% endfor %}`;
      expect(await render(asked + template)).toBe(asked + played(bound, at, control, before));
    }
  });

  test('are refused or rendered whatever happened to the template (fuzz)', async () => {
    const random = seededRandom(32);
    const template = `${asked}{% for i in range(3) %}a{% if i == 1 %}b{% continue %}c{% endif %}{% for j in range(2) %}{% break %}{% endfor %}{% endfor %}`;
    for (let round = 0; round < FUZZ_ROUNDS / 4; round++) {
      await render(mutate(template, random)).catch((error: unknown) =>
        expect(error).toBeInstanceOf(UserError),
      );
    }
  });
});

function played(bound: number, at: number, control: string, before: string): string {
  let text = '';
  for (let i = 0; i < bound; i++) {
    const written = before === '{{ i }}' ? String(i) : before;
    text += written;
    if (i === at) {
      text += '<';
      if (control === 'break') break;
      continue;
    }
    text += `${written}.`;
  }
  return text;
}

describe('a prompt', () => {
  test('without the question is refused', async () => {
    const silent = '{% for m in messages %}{{ m.role }}{% endfor %}';
    await expectUserError(async () => render(silent), 'leaves out the question');
    const first =
      '{% for m in messages %}{% for c in m.content %}{% if c.text %}{{ c.text[0:2] }}{% endif %}{% endfor %}{% endfor %}';
    await expectUserError(async () => render(first), 'or changes it');
  });
  test('without the system prompt that was given is refused', async () => {
    const users =
      "{% for m in messages %}{% if m.role == 'user' %}{% for c in m.content %}{{ c.text }}{% endfor %}{% endif %}{% endfor %}";
    const template = await loadChatTemplate(await folderOf({ 'chat_template.jinja': users }));
    await expectUserError(
      () => template.render({ system: 'Be brief.', parts: [{ type: 'text', text: 'Hi' }] }),
      'leaves out the system prompt',
      'without a system prompt',
    );
  });
  test('may have its spaces changed by the template', async () => {
    const trimmed =
      '{% for m in messages %}{% for c in m.content %}{% if c.text %}{{ c.text | trim }}{% endif %}{% endfor %}{% endfor %}';
    expect(await render(trimmed, '  two words \n')).toBe('two words');
  });
  test('that cannot be made says why in a line or two, whatever the template raises', async () => {
    const shout = "{{ raise_exception('[Repair](command:x) ' * 100000) }}";
    const error: unknown = await render(shout).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).message.length).toBeLessThan(1000);
    const plain = "{{ raise_exception('out of date. [Repair it](command:x)') }}";
    await expectUserError(async () => render(plain), 'out of date. [Repair it](command:x)');
  });
});

test.runIf(haveCases)('the handed template with loop controls gives its prompt', async () => {
  const name = '06-template-continue';
  const { question, prompt } = JSON.parse(await readFile(caseFile(name, 'expected.json'), 'utf8')) as {
    question: string;
    prompt: string;
  };
  const template = await loadChatTemplate(caseFile(name, 'tpl-continue-system'));
  expect(template.render({ parts: [{ type: 'image' }, { type: 'text', text: question }] })).toBe(prompt);
});
