/** `npm run check:gpu` as a whole, in its tiny shape, on the CPU: a GPU computed in software takes minutes for it. */

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../fixtures/cli.ts';
import { repository } from '../fixtures/paths.ts';

/** What it prints, and its exit code. */
async function check(...args: string[]): Promise<{ code: number | null; out: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'scripts/checkGpu.ts', '--quick', ...args], {
    cwd: repository,
  });
  let out = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (piece: Buffer) => {
      out += piece.toString();
    });
  const code = await new Promise<number | null>((done) => child.on('exit', done));
  return { code, out };
}

it('it checks answers, prints one table and writes what is in it as JSON', { timeout: 240_000 }, async () => {
  const json = join(temporaryFolder(), 'report.json');
  const { code, out } = await check('--device', 'cpu', '--weights', 'float32', '--json', json);
  expect(code, out).toBe(0);
  expect(out).toMatch(/^conformance on cpu: [1-9]\d* passed, 0 failed$/m);
  const lines = out.split('\n');
  const head = lines.findIndex((line) => line.startsWith('shape  layers  decode'));
  expect(lines[head + 1]).toMatch(/^tiny +2 +\d+\.\d ms +\d+ % of \d+\.\d GB\/s .* \d+ tokens\/s +\d+ ms/);
  const report = JSON.parse(readFileSync(json, 'utf8')) as {
    device: string;
    outcomes: { shape: string; figures: Record<string, number> }[];
  };
  expect([report.device, report.outcomes.map(({ shape }) => shape)]).toEqual(['cpu', ['tiny']]);
  for (const [name, value] of Object.entries(report.outcomes[0]!.figures))
    expect(value, name).toBeGreaterThan(0);
});
