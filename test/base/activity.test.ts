/** What an engine is at, in the language of who shows it. */

import { readFileSync } from 'node:fs';
import { afterEach, expect, it } from 'vitest';
import { activityText, type Activity } from '../../src/base/activity.ts';
import { setBundle, type Bundle } from '../../src/base/l10n.ts';

afterEach(() => setBundle(undefined));

it('is English on the command line and German in a German window, whatever it is done to', () => {
  const activity: Activity = { code: 'encode', of: 'map-04.png' };
  expect(activityText(activity)).toBe('encoding map-04.png');
  setBundle(JSON.parse(readFileSync('l10n/bundle.l10n.de.json', 'utf8')) as Bundle);
  expect(activityText(activity)).toBe('kodiert map-04.png');
  expect(activityText({ code: 'pack', of: '8' })).toBe('packt Gewichte auf 8 Bit');
});

it('of a newer engine reads as it is', () => {
  expect(activityText({ code: 'toString' as Activity['code'] })).toBe('toString');
});
