/** What a run is said to take against what it takes, in a process of its own. */

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { changedModel } from '../fixtures/changedModel.ts';

const program = fileURLToPath(new URL('../fixtures/peakMemory.ts', import.meta.url));
/** With a processor that leaves pictures as large as they are. */
const folder = await changedModel({ processor: { min_pixels: 3136, max_pixels: 12_845_056 } });

it.runIf(process.platform === 'linux').each([
  ['as a whole', 896, 672, 3072],
  ['in parts', 1260, 1008, 6480],
])(
  'a picture %s takes between half and twice of what was computed',
  async (_, width, height, patches) => {
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--import',
      'tsx',
      program,
      folder,
      String(width),
      String(height),
    ]);
    const found = JSON.parse(stdout) as { patches: number; computed: number; measured: number };
    expect(found.patches).toBe(patches);
    expect(found.measured).toBeLessThan(2 * found.computed);
    expect(found.measured).toBeGreaterThan(found.computed / 2);
  },
  600_000,
);
