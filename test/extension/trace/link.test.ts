/** Claims about links to places in traces: they lead back to the place, and nothing else is believed of them. */

import { expect, test } from 'vitest';
import { linkQuery, parseLink, placeIn } from '../../../src/extension/trace/link.ts';
import { smallTrace } from '../../fixtures/smallTrace.ts';

const trace = smallTrace();
/** VS Code decodes an address's query once before anyone sees it. */
const received = (query: string): string => decodeURIComponent(query);

test('a link leads back to latent, layer, head, kind and picture', () => {
  const picture = trace.pictures[0]!.id;
  const place = { latent: 2, layer: 1, heads: 'max', kind: 'similarity', picture } as const;
  const link = parseLink(received(linkQuery(trace, 'small.ilvr.json', place)));
  expect(link.id).toBe('small');
  expect(placeIn(trace, link)).toEqual(place);
});

test('a link leads back to a word', () => {
  const token = trace.tokens.findIndex(({ kind }) => kind === 'text');
  expect(placeIn(trace, parseLink(received(linkQuery(trace, 'a.ilvr.json', { token }))))).toEqual({ token });
});

test('numbers count from 1, as the panel shows them', () => {
  expect(linkQuery(trace, 'a', { latent: 0, layer: 1, heads: 'mean' })).toMatch(
    /latent=1&layer=2&heads=mean/,
  );
});

test('a step alone leads to the first latent of its block, or to its first word', () => {
  const place = (step: number): unknown => placeIn(trace, parseLink(`id=small&step=${step}`));
  const block = linkQuery(trace, 'a', { latent: 0 }).match(/step=(\d+)/)![1];
  expect(place(Number(block))).toEqual({ latent: 0 });
  const word = trace.tokens.findIndex(({ kind }) => kind === 'text');
  const text = linkQuery(trace, 'a', { token: word }).match(/step=(\d+)/)![1];
  expect(place(Number(text))).toEqual({ token: word });
});

test.each(['map-01 + 2.ilvr.json', '100 % & more=less?#.ilvr.json', 'Größe – 図.ilvr.json'])(
  'the name %s comes through',
  (name) => {
    expect(parseLink(received(linkQuery(trace, name, {}))).file).toBe(name);
  },
);

test.each([
  ['', 'without an id'],
  ['id=', 'an empty id'],
  [`id=${'x'.repeat(200)}`, 'a long id'],
  ['id=a&file=..%2Fsecret.ilvr.json', 'a path'],
  ['id=a&file=C:\\secret.ilvr.json', 'a path of Windows'],
  ['id=a&latent=0', 'a latent below 1'],
  ['id=a&latent=1e9', 'a latent that is no plain number'],
  ['id=a&layer=first', 'a layer without a number'],
  ['id=a&kind=gradient', 'a kind that there is not'],
  ['id=a&command=ilvr.reason', 'more than a place'],
  ['id=%E0%A4%A', 'broken encoding'],
])('%s is refused: %s', (query) => {
  expect(() => parseLink(query)).toThrow(/This link cannot be read/);
});

test.each([
  ['latent=99', /no such latent as the link names.*1 to \d+.*99/],
  ['layer=99', /no such layer/],
  ['heads=99', /no such heads/],
  ['step=99', /no such step/],
  ['token=9999', /no such token/],
  ['picture=other', /no such picture/],
])('%s is not in the trace, and told', (part, message) => {
  expect(() => placeIn(trace, parseLink(`id=small&${part}`))).toThrow(message);
});

test('a latent is no word', () => {
  const pad = trace.tokens.findIndex(({ kind }) => kind === 'latent');
  expect(() => placeIn(trace, parseLink(`id=small&token=${pad + 1}`))).toThrow(/expected one of a word/);
});
