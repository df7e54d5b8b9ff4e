/** `ilvr branch` with the real engine on a run of the bundled model: what is refused before it is asked, and what is printed. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { openTrace } from '../../src/traceFile/openTrace.ts';
import { BUILT_ENGINE, EXAMPLES, ilvr, temporaryFolder, type CliRun } from '../fixtures/cli.ts';

const ON_CPU = ['--device', 'cpu'];
const picture = (name: string): string => join(EXAMPLES, `${name}.png`);

describe('arguments of a branch', () => {
  it.each([
    ['bogus=1', /cannot be changed in a branch/],
    ['text=', /text to write is empty/],
    ['text=""', /text to write is empty/],
    ['seed=1.5', /no seed/],
    ['temperature=-1', /no temperature/],
    ['latents=nothing', /oracle, dummy, markers, none, or swap:FILE/],
    ['latents=swap', /swap:FILE/],
    ['mask=0,1,2,3', /counted from 1/],
    ['mask=1,2,3', /ROW,COLUMN,ROW,COLUMN/],
  ])('refuse %s before the trace is read', async (change, why) => {
    const { code, err } = await ilvr(['branch', 'none.ilvr.json', '--at', '1', '--with', change], 'none.cjs');
    expect([code, err]).toEqual([2, expect.stringMatching(why)]);
  });

  it('refuse two changes of one kind', async () => {
    const twice = ['--with', 'latents=zero', '--with', 'latents=mean'];
    const { code, err } = await ilvr(['branch', 'none.ilvr.json', '--at', '1', ...twice], 'none.cjs');
    expect([code, err]).toEqual([2, expect.stringContaining('"latents" is given twice')]);
  });
});

describe.skipIf(!existsSync(BUILT_ENGINE))('a branch with the built engine (npm run build)', () => {
  const folder = temporaryFolder();
  const recorded = join(folder, 'run.ilvr.json');
  const helped = join(folder, 'helped.ilvr.json');

  const branch = (of: string, ...args: string[]): Promise<CliRun> =>
    ilvr(['branch', of, ...args, ...ON_CPU], BUILT_ENGINE);

  beforeAll(async () => {
    const helpers = ['--helper', picture('map-01-helper-1'), '--helper', picture('map-01-helper-2')];
    for (const [file, more] of [
      [recorded, []],
      [helped, helpers],
    ] as const) {
      const args = ['reason', picture('map-01'), ...more, '--trace', file, ...ON_CPU];
      const { code, err } = await ilvr(args, BUILT_ENGINE);
      expect(code, err).toBe(0);
    }
  });

  it('prints what it goes on from with the lines of its blocks, and text in quotes as JSON', async () => {
    const { code, out, err } = await branch(recorded, '--at', 'block:2', '--with', 'text="down\\n"');
    expect(code, err).toBe(0);
    expect(out).toMatch(/branch +from token \d+: “down”/);
    expect(out).toMatch(/\nleft \(2,1\)\n◆ block 1 · 8 latents · forced · peak .*\nup \(1,1\)\ndown\n/);
  });

  it('says once that it has no blocks, and keeps what there is when it is cancelled', async () => {
    const file = join(folder, 'cancelled.ilvr.json');
    const args = ['branch', recorded, '--at', 'block:1', '--with', 'latents=none', '--trace', file];
    const run = await ilvr([...args, '--max-tokens', '3000', ...ON_CPU], BUILT_ENGINE, {
      cancelAt: /question [^]*\n\n[^]{3}/,
    });
    expect(run.code, run.err).toBe(130);
    expect(run.out).toMatch(
      /\nblocks +no latent blocks, from token \d+ on\nanswer +none \(cancelled: this is a partial answer\)/,
    );
    const made = await openTrace(file);
    await made.close();
    expect(made.trace.status).toBe('cancelled');
  });

  it("feeds what the teacher selects from the run's helper pictures", async () => {
    const file = join(folder, 'oracle.ilvr.json');
    const { code, err } = await branch(
      helped,
      '--at',
      'block:1',
      '--with',
      'latents=oracle',
      '--trace',
      file,
    );
    expect(code, err).toBe(0);
    const run = await openTrace(file);
    await run.close();
    expect(run.trace.settings.intervention).toBe('oracle');
    expect(run.trace.branch?.changes.intervention).toBe('oracle');
    // What it was fed is not in its trace, and is not made up anew.
    const again = await branch(file);
    expect([again.code, again.err]).toEqual([1, expect.stringContaining('is not in its trace')]);
  });

  it('says that a run has no helper pictures, without a model', async () => {
    const args = ['branch', recorded, '--at', 'block:1', '--with', 'latents=oracle'];
    const { code, err } = await ilvr(args, join(folder, 'none.cjs'));
    expect([code, err]).toEqual([1, expect.stringContaining('the run has no helper pictures')]);
  });

  it('does not write over the trace that it goes on from, and says so', async () => {
    const before = readFileSync(recorded, 'utf8');
    const { code, err } = await branch(recorded, '--at', 'block:1', '--trace', recorded);
    expect([code, err]).toEqual([1, expect.stringContaining('would replace a trace that is read')]);
    expect(readFileSync(recorded, 'utf8')).toBe(before);
  });

  it('hides a region by rows and columns from 1, of the picture that is named', async () => {
    const file = join(folder, 'mask.ilvr.json');
    const region = ['--at', 'block:1', '--with', 'mask=map-01.png:1,1,2,3'];
    const { code, err } = await branch(recorded, ...region, '--trace', file);
    expect(code, err).toBe(0);
    const run = await openTrace(file);
    await run.close();
    // Of six columns.
    expect(run.trace.branch?.masks?.[0]?.patches).toEqual([0, 1, 2, 6, 7, 8]);
    for (const [mask, why] of [
      ['1,1,7,1', /from 1,1 to 6,6 of map-01\.png/],
      ['2,2,1,1', /the upper left corner first/],
      ['other.png:1,1,1,1', /no such picture.*one of map-01\.png/],
    ] as const) {
      const wrong = await branch(recorded, '--at', 'block:1', '--with', `mask=${mask}`);
      expect([wrong.code, wrong.err]).toEqual([1, expect.stringMatching(why)]);
    }
  });
});
