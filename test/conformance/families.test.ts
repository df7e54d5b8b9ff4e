/** Runs of other families as their released code had them, and that a protocol which is nearly theirs is told apart. */

import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runConformance } from '../../src/conformance/conformance.ts';
import { temporaryFolder } from '../fixtures/cli.ts';

/** The handed answers, which are not part of the repository. */
const families = join(import.meta.dirname, '../../../shared/data/families');

async function run(
  dir: string,
  filter: string,
): Promise<{ passed: number; failed: number; lines: string[] }> {
  const lines: string[] = [];
  const { passed, failed } = await runConformance({
    dir,
    device: 'cpu',
    filter,
    onCase: (line) => lines.push(line),
  });
  return { passed, failed, lines };
}

/** The answers of a family, beside its checkpoint with a record of another kind. */
function withRecord(name: string, protocol: object): string {
  const folder = temporaryFolder();
  for (const part of [name, 'generate']) mkdirSync(join(folder, part));
  for (const file of readdirSync(join(families, name)))
    symlinkSync(join(families, name, file), join(folder, name, file));
  for (const part of [`generate/${name}`, 'images'])
    symlinkSync(join(families, part), join(folder, part), 'dir');
  writeFileSync(join(folder, name, 'ilvr.json'), JSON.stringify({ protocol }));
  return folder;
}

describe.runIf(existsSync(families))('the answers of other families', () => {
  it('come out, one case of each kind', async () => {
    const cases = [
      'monet/one-block-forced-end',
      'lvr/limit-inside-block',
      'lvr-head/distance-start-inside-resets',
      'skila/one-block-end-token',
      'mirage/second-block-never-ends',
      'covt/text-only',
    ];
    const { passed, lines } = await run(families, `generate/(${cases.join('|')})$`);
    expect(lines.filter((line) => !line.startsWith('pass'))).toEqual([]);
    expect(passed).toBe(cases.length);
  });

  it.each<[string, string, object, string]>([
    ['Monet with its latents after start', 'monet', { firstFeed: 'after-start' }, 'early-end-token'],
    ['Mirage with four latents', 'mirage', { count: 4 }, 'one-block-forced-end'],
    ['LVR without its head', 'lvr-head', { source: 'hidden', headLogits: false }, 'one-block-steps'],
    ['SkiLa without an end of its own', 'skila', { stop: { endToken: false } }, 'one-block-end-token'],
  ])('do not come out of %s', async (_, name, record, item) => {
    const { passed, failed, lines } = await run(withRecord(name, record), `generate/${name}/${item}$`);
    expect(lines.join()).toContain('FAIL');
    expect([passed, failed]).toEqual([0, 1]);
  });
});
