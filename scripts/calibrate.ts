/**
 * Writes what `ilvr calibrate` finds of the two bundled controls to src/evidence/calibrated.ts, which pages and the command
 * line show beside each test until a user computes it anew. Needs a build.
 *
 *     npx tsx scripts/calibrate.ts
 */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const FILE = join(ROOT, 'src/evidence/calibrated.ts');

const folder = mkdtempSync(join(tmpdir(), 'ilvr-calibrate-'));
const out = join(folder, 'calibration.json');
execFileSync(process.execPath, [join(ROOT, 'dist/cli.cjs'), 'calibrate', '--out', out], { stdio: 'inherit' });
const head = '/** Written by scripts/calibrate.ts; see ./calibration.ts. */\n\n';
writeFileSync(FILE, `${head}export const CALIBRATED = ${readFileSync(out, 'utf8')};\n`);
rmSync(folder, { recursive: true });
execFileSync('npx', ['prettier', '--write', FILE]);
