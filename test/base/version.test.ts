import { expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { VERSION } from '../../src/base/version.ts';

it('the version in the code is that of the package', () => {
  expect(VERSION).toBe(packageJson.version);
});
