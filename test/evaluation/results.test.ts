/** A results file that is gone on with: for more samples than before, and what is said where that cannot be. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ResultsFile, type Growing, type ResultsHeader } from '../../src/evaluation/results.ts';
import { temporaryFolder } from '../fixtures/cli.ts';

const header = (settings: Record<string, unknown>): ResultsHeader => ({
  format: 'ilvr-results',
  version: 1,
  samples: 'a'.repeat(64),
  model: 'b'.repeat(64),
  provider: 'cpu',
  settings,
});

const entry = (line: number): string =>
  JSON.stringify({
    line,
    text: '',
    answer: '',
    verdict: '',
    success: true,
    blocks: 0,
    tokens: 0,
    milliseconds: 0,
  });

function written(settings: Record<string, unknown>, lines: readonly number[]): string {
  const path = join(temporaryFolder(), 'r.jsonl');
  writeFileSync(path, [JSON.stringify(header(settings)), ...lines.map(entry), ''].join('\n'));
  return path;
}

/** Of which the first is another among more. */
const growing = (now: number): Growing => ({ setting: 'swapAmong', now, stays: (line) => line > 1 });

describe('a results file', () => {
  it('is gone on with for more samples: only what is other among them is done again', async () => {
    const path = written({ swapAmong: 3 }, [1, 2, 3]);
    const file = await ResultsFile.open(path, header({ swapAmong: 5 }), growing(5));
    await file.close();
    expect([...file.kept.keys()]).toEqual([2, 3]);
    // What is written says so, and a third time nothing is done again.
    expect(JSON.parse(readFileSync(path, 'utf8').split('\n')[0]!)).toMatchObject({
      settings: { swapAmong: 5 },
    });
    const again = await ResultsFile.open(path, header({ swapAmong: 5 }), growing(5));
    await again.close();
    expect([...again.kept.keys()]).toEqual([2, 3]);
  });

  it('of more samples is not gone on with for fewer, and says what to do', async () => {
    const path = written({ seed: 0, swapAmong: 5 }, [1]);
    const opened = ResultsFile.open(path, header({ seed: 0, swapAmong: 3 }), growing(3));
    await expect(opened).rejects.toMatchObject({
      details: {
        expected: 'samples that a swap chooses among: 3',
        found: 'samples that a swap chooses among: 5',
        remedy: expect.stringContaining('--limit') as unknown,
      },
    });
  });

  it('names in words each setting that differs, and no other', async () => {
    const path = written({ temperature: 1, seed: 3, maxTokens: 300, question: 'Where?' }, [1]);
    const opened = ResultsFile.open(
      path,
      header({ temperature: 0, seed: 3, maxTokens: 300, intervention: 'zero' }),
    );
    await expect(opened).rejects.toMatchObject({
      details: {
        expected: "temperature: 0; what is fed at the latents: zero; question asked: each sample's own",
        found:
          "temperature: 1; what is fed at the latents: the model's own latents; question asked: “Where?”",
      },
    });
  });
});
