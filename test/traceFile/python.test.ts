/** The readers of docs/trace.md read what they say they read. Needs a Python with NumPy; ILVR_PYTHON names another one. */

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readArray } from '../../src/trace/arrays.ts';
import { EXPORT_FORMS, EXPORT_SUFFIX, exportTrace } from '../../src/traceFile/export.ts';
import { temporaryFolder } from '../fixtures/cli.ts';
import { smallRun } from '../fixtures/smallTrace.ts';

const PYTHON = process.env['ILVR_PYTHON'] ?? 'python3';
const hasNumpy = spawnSync(PYTHON, ['-c', 'import numpy']).status === 0;

const text = readFileSync(join(import.meta.dirname, '../../docs/trace.md'), 'utf8');
const readers = [...text.matchAll(/```python\n([\s\S]*?)```/g)].map(([, code]) => code!);

describe.runIf(hasNumpy)('the reader in the manual', () => {
  it.each(EXPORT_FORMS)('of %s gives the attention of the first latent', async (form) => {
    const folder = temporaryFolder();
    const run = smallRun();
    await exportTrace(run, join(folder, `run${EXPORT_SUFFIX[form]}`), { form });
    // All numbers, in order, and the shape: swapped axes would show.
    const code = `${readers[EXPORT_FORMS.indexOf(form)]}\nprint(json.dumps([attention.shape, attention.ravel().tolist()]))`;
    const { stdout, stderr } = spawnSync(PYTHON, ['-c', code], { cwd: folder, encoding: 'utf8' });
    expect(stderr).toBe('');
    const [shape, values] = JSON.parse(stdout.trim().split('\n').at(-1)!) as [number[], number[]];
    const expected = await readArray(run.container, run.trace.latents[0]!.attention);
    expect(shape).toEqual(expected.shape);
    expect(Float32Array.from(values)).toEqual(expected.data);
  });
});

it('there is one reader for each form', () => {
  expect(readers).toHaveLength(EXPORT_FORMS.length);
  for (const code of readers) expect(code.trim().split('\n').length).toBeLessThanOrEqual(12);
});
