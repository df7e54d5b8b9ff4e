/** Claims about text from outside: whatever it holds, it is only text. */

import { describe, expect, it } from 'vitest';
import { oneLine, plainText, printable } from '../../src/base/plainText.ts';

/** VS Code's own reading of links in notifications, prompts and progress (base/common/linkedText.ts). */
const LINK = /\[([^\]]+)\]\(((?:https?:\/\/|command:|file:)[^)\s]+)(?: (["'])(.+?)(\3))?\)/gi;
/** And of icons in labels (base/common/iconLabels.ts). */
const ICON = /\$\([A-Za-z0-9-]+(?:~[A-Za-z]+)?\)/;

describe('plain text', () => {
  it.each([
    '[Repair it](command:runCommands?%7B%22commands%22%3A%5B%5D%7D)',
    '[a](https://example.com)',
    '[a](file:///etc/passwd "title")',
    '[[a]](command:x)',
    'in [x](](command:x)',
    '[a]\n(command:x)',
    '[a]\u200b(command:x)',
    '[a]\u0000(command:x)',
    `[a](command:${'x'.repeat(5000)})`,
    `${'x'.repeat(598)}[a](command:x)${'y'.repeat(600)}`,
  ])('holds no link: %j', (text) => {
    expect(plainText(text)).not.toMatch(LINK);
    expect(plainText(`before ${text} after`)).not.toMatch(LINK);
  });

  it('shows what the link was, with a space in its syntax', () => {
    expect(plainText('[Repair it](command:x)')).toBe('[Repair it] (command:x)');
  });

  it.each(['$(trash)', '\\$(trash)', '$$(sync~spin)', '$(a)$(b)'])('holds no icon: %j', (text) => {
    expect(plainText(text)).not.toMatch(ICON);
  });

  it('is one line, and its control, bidirectional and invisible characters are written out', () => {
    expect(plainText('a\r\n  b\u2028c\u0085d\te')).toBe('a b c d e');
    expect(plainText('x\u001b[31m\u202egnp.exe\u200b\u{e0041}')).toBe(
      'x\\u001b[31m\\u202egnp.exe\\u200b\\u{e0041}',
    );
  });

  it('leaves other writing as it is, and what emoji are made of', () => {
    for (const text of ['map-01.png', 'Größe 3 × 4 µm', 'نقشه‌ها', '👩‍🚀 ❤️', '地図', 'C:\\maps (2)\\[1].png'])
      expect(plainText(text)).toBe(text);
  });

  it('keeps the beginning and the end of a long text, within its limit', () => {
    const text = plainText(`The file is damaged: found ${'\u0000'.repeat(1e6)}. Export it again.`, 100);
    expect(text).toMatch(/^The file is damaged: found .* … .*Export it again\.$/);
    expect(text.length).toBeLessThanOrEqual(103);
    const halves = plainText('👩'.repeat(500), 101);
    expect(halves).not.toMatch(/\p{Cs}/u);
  });
});

describe('printable text', () => {
  it('cannot steer a terminal', () => {
    const hostile = 'evil\u001b]0;PWNED\u0007\u001b[31mred\u009b2J\u007f\u0008';
    expect(printable(hostile)).toBe('evil\\u001b]0;PWNED\\u0007\\u001b[31mred\\u009b2J\\u007f\\u0008');
  });

  it('keeps line ends and tabs; on one line they are spaces', () => {
    expect(printable('a\r\nb\n\tc\rd')).toBe('a\nb\n\tc\\u000dd');
    expect(oneLine('m\nn1 \n n2  x')).toBe('m n1 n2  x');
  });
});
