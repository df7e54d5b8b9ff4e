/** `ilvr doubt` with the real engine: figures as everywhere else, what is done is kept, bad samples have their rows. */

import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { DoubtEntry } from '../../src/evaluation/doubt.ts';
import { readResults } from '../../src/evaluation/results.ts';
import { scoresOf } from '../../src/evidence/faithfulness.ts';
import { BUILT_ENGINE, EXAMPLES, ilvr, temporaryFolder } from '../fixtures/cli.ts';

const entriesIn = (file: string): DoubtEntry[] =>
  readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => JSON.parse(line) as DoubtEntry);

describe.skipIf(!existsSync(BUILT_ENGINE))('the tests over a samples file (npm run build)', () => {
  const folder = temporaryFolder();
  const file = join(folder, 'three.jsonl');
  const [first, second] = readFileSync(join(EXAMPLES, 'samples.jsonl'), 'utf8').split('\n') as [
    string,
    string,
  ];
  for (const name of ['map-01', 'map-01-helper-1', 'map-01-helper-2'])
    copyFileSync(join(EXAMPLES, `${name}.png`), join(folder, `${name}.png`));
  // Of the second sample no picture is there.
  writeFileSync(file, `${first}\n${second}\nnot a sample\n`);

  const [results, kept, trace] = ['r.jsonl', 'd.jsonl', 'map-01.ilvr.json'].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  const onCpu = ['--device', 'cpu'];

  it('say of a run what `analyse` says of it, in each row of an evaluation', async () => {
    const args = ['evaluate', file, '--tests', '--limit', '1', '--results', results, ...onCpu];
    const evaluated = await ilvr(args, BUILT_ENGINE);
    expect(evaluated.code, evaluated.err).toBe(0);
    expect(evaluated.out).toMatch(/KL without latents +\S+ .* over 1 runs/);
    const { tests } = (await readResults(results)).results.get(1)!;
    await ilvr(['reason', join(folder, 'map-01.png'), '--trace', trace, ...onCpu], BUILT_ENGINE);
    const { out } = await ilvr(['analyse', trace, 'faithfulness', '--json', ...onCpu], BUILT_ENGINE);
    const { fractions, latents } = revived(out);
    expect(scoresOf(latents[0]!.state, fractions.data).map).toEqual(tests!.faithfulness);
  });

  it('say the same over the file, where a bad sample has its row', async () => {
    const { tests } = (await readResults(results)).results.get(1)!;
    const { code, out, err } = await ilvr(
      ['doubt', file, '--jobs', '2', '--resume', kept, ...onCpu],
      BUILT_ENGINE,
    );
    expect(code, err).toBe(0);
    expect(out).toMatch(/✓ map-01 .*\n✗ map-02 .*picture of this sample is missing.*\n✗ line 3 .*not JSON/);
    expect(out).toMatch(/not tested +2, in no figure/);
    // One right answer is too few to lose any by more than chance.
    expect(out).toMatch(/p = 1\.000 · which decides nothing\n/);
    expect(out).toMatch(/\np +too few answers are right with its own latents .*\(1; it takes 6/);
    expect(out).toMatch(/\nwhole blocks +yes +yes +yes +1\/1 .*\n.*\nmarkers alone +no +no +yes +1\/1 /);
    const [entry, ...bad] = entriesIn(kept);
    // But for rounding: another number of variants is read beside it.
    expect(entry!.kinds.find(({ kind }) => kind === 'markers')!.kl).toBeCloseTo(tests!.kl!, 8);
    // Alone among the samples that can be asked, it has no other's latents.
    expect(entry!.kinds.some(({ kind }) => kind === 'swap')).toBe(false);
    expect(bad.map(({ line, error }) => [line, error !== undefined])).toEqual([
      [2, true],
      [3, true],
    ]);
  });

  it('go on where they ended: what is done is not done again, what failed is', async () => {
    const before = entriesIn(kept);
    const again = await ilvr(['doubt', file, '--resume', kept, ...onCpu], BUILT_ENGINE);
    expect(again.out).toContain('Kept from an earlier run: 1.');
    expect(again.out).not.toContain('✓ map-01');
    expect(entriesIn(kept)).toEqual(before);
    const table = await ilvr(
      ['doubt', file, '--resume', kept, '--table', 'csv', '--base', '0.5', ...onCpu],
      BUILT_ENGINE,
    );
    expect(table.out).toMatch(/^blocks,content,.*\r?\nwhole,yes,yes,yes,1,1,1,0\.2\d+,1,1,/);
    const other = await ilvr(['doubt', file, '--resume', kept, '--limit', '2', ...onCpu], BUILT_ENGINE);
    expect([other.code, other.err]).toEqual([
      1,
      expect.stringMatching(/the settings differ.*chooses among: 2.*chooses among: 3.*--limit.*--resume/s),
    ]);
    const asked = await ilvr(
      ['doubt', file, '--resume', kept, '--question', 'Where?', ...onCpu],
      BUILT_ENGINE,
    );
    expect([asked.code, asked.err]).toEqual([
      1,
      expect.stringMatching(/question asked: “Where\?”.*--resume/s),
    ]);
    const wrong = await ilvr(['evaluate', file, '--results', kept, ...onCpu], BUILT_ENGINE);
    expect([wrong.code, wrong.err]).toEqual([1, expect.stringContaining('a file of the format ilvr-doubt')]);
  });
});

interface Faithfulness {
  fractions: { data: Float32Array };
  latents: { state: Parameters<typeof scoresOf>[0] }[];
}

/** Arrays as they were before they were printed. */
function revived(json: string): Faithfulness {
  const { result } = JSON.parse(json, (_, value: unknown) => {
    const { shape, data } = (value ?? {}) as { shape?: number[]; data?: number[] };
    return shape === undefined || data === undefined ? value : { shape, data: Float32Array.from(data) };
  }) as { result: Faithfulness };
  return result;
}
