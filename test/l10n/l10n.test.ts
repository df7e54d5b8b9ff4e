/** Every sentence of the window has a German one: claims on the sources, the bundle and package.nls.*.json. */

import { readFileSync } from 'node:fs';
import { SyntaxKind, type Node } from 'typescript/unstable/ast';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { plural, setBundle, t } from '../../src/base/l10n.ts';
import { calledName, Sources, upwards, type Call, type Literal } from './sources.ts';

/** Folders whose sentences reach the window. */
const FOLDERS = [
  'base',
  'tensor',
  'heatmap',
  'analysis',
  'trace',
  'comparison',
  'evidence',
  'figure',
  'watch',
  'process',
  'extension',
  'webview',
];

const readJson = (file: string) => JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>;
const placeholders = (text: string): string[] => [...new Set(text.match(/\{\d\}/g))].toSorted();

const isCompared = ({ parent }: Node): boolean =>
  parent.kind === SyntaxKind.CaseClause ||
  (parent.kind === SyntaxKind.BinaryExpression &&
    /^[=!]==$/.test((parent as Node & { operatorToken: Node }).operatorToken.getText()));

describe('what the sources say and what the German bundle holds', () => {
  const bundle = readJson('l10n/bundle.l10n.de.json');
  let calls: Call[];

  beforeAll(() => {
    calls = FOLDERS.flatMap((folder) => {
      using sources = new Sources(`src/${folder}`);
      return sources.calls();
    }).filter(({ place }) => !place.startsWith('src/base/l10n.ts'));
  });

  it('calls are found', () => {
    expect(calls.length).toBeGreaterThan(100);
  });

  it('messages are literals, so that they can be found', () => {
    expect(calls.filter(({ messages }) => messages === undefined).map(({ place }) => place)).toEqual([]);
  });

  it('nothing is translated while a module loads, when the language is not known', () => {
    expect(
      calls.filter(({ isInFunction, isMark }) => !isInFunction && !isMark).map(({ place }) => place),
    ).toEqual([]);
  });

  it('every message is in the bundle', () => {
    const missing = calls.flatMap(({ messages, place }) =>
      (messages ?? []).filter((message) => !Object.hasOwn(bundle, message)).map((text) => `${place} ${text}`),
    );
    expect(missing).toEqual([]);
  });

  it('nothing is in the bundle that nobody says', () => {
    const said = new Set(calls.flatMap(({ messages }) => messages ?? []));
    expect(Object.keys(bundle).filter((message) => !said.has(message))).toEqual([]);
  });

  it('placeholders are those of the message, and each has a value', () => {
    const wrong = Object.entries(bundle).filter(
      ([message, german]) => String(placeholders(message)) !== String(placeholders(german)),
    );
    expect(wrong).toEqual([]);
    const short = calls.filter(
      ({ messages, values, isMark }) =>
        !isMark &&
        (messages ?? []).some((message) => placeholders(message).some((name) => Number(name[1]) >= values)),
    );
    expect(short.map(({ place }) => place)).toEqual([]);
  });
});

describe('what a page shows', () => {
  /** Names, and what only machines read though it has blanks. */
  const KNOWN = ['ILVR', 'Chefer et al.', '(forced-colors: active)', 'px sans-serif'];
  /** Attributes and properties that people read or hear. */
  const SPOKEN =
    /^(title|label|alt|placeholder|note|figure|aria-(label|valuetext|roledescription|description))$/;
  const WORDS = /[A-Za-z]{2,}[,.;:]? [A-Za-z]/;

  const isFor = (kinds: readonly SyntaxKind[], node: Node): boolean =>
    [...upwards(node)].some(({ kind }) => kinds.includes(kind));
  const attributeOf = (node: Node): string | undefined => {
    const path = [...upwards(node)];
    const at = path.findIndex(({ kind }) => kind === SyntaxKind.JsxAttribute);
    // What is an argument is no text yet.
    if (at < 0 || path.slice(0, at).some((inner) => calledName(inner) !== undefined)) return undefined;
    return (path[at] as Node & { name: Node }).name.getText();
  };
  /** Whether people would read a literal as it stands. */
  const isShown = ({ text, node }: Literal): boolean => {
    if (!/[A-Za-z]{2}/.test(text) || KNOWN.includes(text.trim()) || isCompared(node)) return false;
    if (isFor([SyntaxKind.ImportDeclaration, SyntaxKind.LiteralType, SyntaxKind.ThrowStatement], node)) {
      return false;
    }
    // Errors stay English; no one sees those that say that something was cancelled.
    if ([...upwards(node)].some((outer) => calledName(outer)?.endsWith('Error') === true)) return false;
    if (node.kind === SyntaxKind.JsxText) return true;
    const attribute = attributeOf(node);
    if (attribute !== undefined) return SPOKEN.test(attribute);
    // Selectors of style sheets have blanks too.
    return WORDS.test(text) && !text.includes('[');
  };

  it('no text between tags, no label and no sentence of it bypasses the language', () => {
    using sources = new Sources('src/webview');
    const shown = sources.literals().filter(isShown);
    expect(shown.map(({ place, text }) => `${place} ${text.trim()}`)).toEqual([]);
  });
});

describe('what the extension shows', () => {
  const PROPERTIES =
    /^(label|title|detail|description|placeholder|tooltip|spoken|name|prompt|openLabel|text)$/;
  // The last is a setting's own value.
  const NAMES = ['ILVR', 'Qwen2.5-VL', 'auto'];

  it('no title, label or description of it bypasses the language', () => {
    using sources = new Sources('src/extension');
    const shown = sources.literals().filter(({ text, node }) => {
      if (!/[A-Za-z]{2}/.test(text) || NAMES.includes(text) || isCompared(node)) return false;
      const property = [...upwards(node)].find(({ kind }) => kind === SyntaxKind.PropertyAssignment);
      return property !== undefined && PROPERTIES.test((property as Node & { name: Node }).name.getText());
    });
    expect(shown.map(({ place, text }) => `${place} ${text}`)).toEqual([]);
  });
});

describe('the manifest', () => {
  const english = readJson('package.nls.json');
  const german = readJson('package.nls.de.json');

  it('has the same keys in both languages', () => {
    expect(Object.keys(german)).toEqual(Object.keys(english));
  });

  it('names no key that is missing, and none is superfluous', () => {
    const used = readFileSync('package.json', 'utf8').matchAll(/"%([\w.-]+)%"/g);
    expect(new Set([...used].map(([, key]) => key))).toEqual(new Set(Object.keys(english)));
  });

  it('has the same links and code in both languages', () => {
    const marks = (text: string): string[] => (text.match(/\(command:[\w.]+\)|`[^`]+`/g) ?? []).toSorted();
    for (const [key, text] of Object.entries(english)) expect(marks(german[key]!), key).toEqual(marks(text));
  });
});

describe('t', () => {
  afterAll(() => setBundle(undefined));

  it('is English without a bundle, and where the bundle lacks a sentence', () => {
    expect(t('{0} of {1}', 2, 'all')).toBe('2 of all');
    setBundle({ other: 'anderes' });
    expect(t('{0} of {1}', 2, 'all')).toBe('2 of all');
    // No sentence of a bundle, though every object has it.
    expect(t('constructor')).toBe('constructor');
  });

  it('puts values where the language wants them, and never reads them again', () => {
    setBundle({ '{0} of {1}': 'von {1} {0}' });
    expect(t('{0} of {1}', '{1}', '{0}')).toBe('von {0} {1}');
    expect(t('{0} of {1}', 1)).toBe('von {1} 1');
  });

  it('has a form for one and a form for other numbers', () => {
    setBundle({ '{0} step in {1}': '{0} Schritt in {1}', '{0} steps in {1}': '{0} Schritte in {1}' });
    const said = [0, 1, 2].map((count) => plural(count, '{0} step in {1}', '{0} steps in {1}', 'x'));
    expect(said).toEqual(['0 Schritte in x', '1 Schritt in x', '2 Schritte in x']);
  });
});
