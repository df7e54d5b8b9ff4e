/** Claims about the Markdown of hovers: what is put into it stays text. */

import { describe, expect, it } from 'vitest';
import {
  codeMarkup,
  commandLink,
  escapeMarkdown,
  joinMarkup,
  markup,
  ownWords,
  pictureMarkup,
} from '../../src/extension/markup.ts';

const HOSTILE = [
  '[a](command:x)',
  '<https://example.com>',
  'https://example.com www.example.com someone@example.com',
  '<img src=x onerror=alert(1)> <b>b</b>',
  '![a](https://example.com/a.png)',
  '# head\n- list\n```\ncode\n```',
  '$(trash) ~~a~~ **b** _c_ `d` | e | &lt;',
  '\u202eabc\u001b[31m',
];

describe('a value in a hover', () => {
  it.each(HOSTILE)('is letters, digits, spaces and entities only: %j', (text) => {
    expect(escapeMarkdown(text).replaceAll(/&#\d+;/g, '')).toMatch(/^[A-Za-z0-9 ]*$/);
    expect(markup`before ${text} after`.source).toBe(`before ${escapeMarkdown(text)} after`);
  });

  it('reads as what it was', () => {
    const read = escapeMarkdown('a](b) & <c>: 地図').replaceAll(/&#(\d+);/g, (_, code: string) =>
      String.fromCharCode(Number(code)),
    );
    expect(read).toBe('a](b) & <c>: 地図');
  });

  it('has a length that a hover can hold', () => {
    expect(escapeMarkdown('<'.repeat(1e6)).length).toBeLessThan(10_000);
    expect(codeMarkup('`'.repeat(1e6)).source.length).toBeLessThan(30_000);
  });
});

describe('a block of text in a hover', () => {
  it.each(['```\n[a](command:x)\n```', '`````', 'plain', '~~~\n', '\r```\r'])(
    'is not ended by what it holds: %j',
    (text) => {
      const [fence, ...lines] = codeMarkup(text).source.trim().split('\n');
      const end = lines.pop();
      expect(fence).toBe(`${end}text`);
      for (const line of lines) expect(line.trim().startsWith(end!)).toBe(false);
    },
  );
});

describe('a part of a hover that may call a command', () => {
  const link = commandLink('Show', 'ilvr.showLatent', { file: 'file:///a/(b) [c].json', latent: 1 });

  it('names the command, and its argument cannot end the link', () => {
    expect(link.commands).toEqual(['ilvr.showLatent']);
    const [, query] = /^\[Show\]\(command:ilvr\.showLatent\?([^()\s]*)\)$/.exec(link.source) ?? [];
    expect(JSON.parse(decodeURIComponent(query!))).toEqual([{ file: 'file:///a/(b) [c].json', latent: 1 }]);
  });

  it('may hold numbers and words of ours, and no text that may come from outside', () => {
    expect(markup`${1} ${ownWords('stopped')} ${link}`.commands).toEqual(['ilvr.showLatent']);
    expect(() => markup`${'a name'} ${link}`).toThrow(/no text from outside/);
    expect(() => joinMarkup([codeMarkup('an answer'), link])).toThrow(/no text from outside/);
  });
});

it('a picture is a data address with its size', () => {
  const { source } = pictureMarkup(Uint8Array.of(1, 2, 3), { width: 4, height: 5, alt: 'a map' });
  expect(source).toBe('![a map](data:image/png;base64,AQID|width=4,height=5)');
});
