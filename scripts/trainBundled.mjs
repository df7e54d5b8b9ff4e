/**
 * `npm run train:bundled`: makes the bundled models again, from random weights to exported folders. Needs no step
 * before it on a fresh clone.
 *
 * Every phase is a config in models/recipe and a run folder in build/bundled; a phase that is finished is not
 * done again, one that was stopped or killed goes on where it was. `--only main` leaves the controls out.
 */

import { copyFileSync, existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { bootstrap, root } from './bootstrap.mjs';
import { runNode } from './runNode.mjs';

const recipe = path.join(root, 'models/recipe');
const runs = path.join(root, 'build/bundled');

/** Phases in order; those with `out` end in a bundled model. */
const PHASES = [
  { name: 'perception', of: 'main' },
  { name: 'base', of: 'main' },
  { name: 'base2', of: 'main' },
  { name: 'figures', of: 'main' },
  { name: 'base3', of: 'main' },
  { name: 'base4', of: 'main', out: 'models/recipe/base' },
  { name: 'base5', of: 'main' },
  { name: 'base6', of: 'main' },
  { name: 'base7', of: 'main' },
  { name: 'base8', of: 'main' },
  { name: 'stage1', of: 'main' },
  { name: 'stage2', of: 'main', out: 'models/maze' },
  { name: 'control-carrying', of: 'controls', out: 'models/control-carrying' },
  { name: 'control-bypassed', of: 'controls', out: 'models/control-bypassed' },
];

const { values } = parseArgs({ options: { only: { type: 'string' } } });

bootstrap();
const initial = path.join(runs, 'initial');
if (!existsSync(path.join(initial, 'model.safetensors')))
  await ilvr('initialise', path.join(recipe, 'blank'), initial, '--seed', '0');
for (const { name, of, out } of PHASES) {
  if (values.only !== undefined && values.only !== of) continue;
  console.log(`\n── ${name}`);
  if (!isFinished(name)) await ilvr('train', path.join(recipe, `${name}.json`));
  console.log(`curves: ${path.relative(root, path.join(runs, name, 'curves.svg'))}`);
  if (out === undefined) continue;
  // An export replaces nothing but an export, and the card is none of its files.
  const card = path.join(root, out, 'README.md');
  rmSync(card, { force: true });
  await ilvr('export', path.join(runs, name), path.join(root, out));
  copyFileSync(path.join(recipe, 'cards', `${path.basename(out)}.md`), card);
}

/** @param {string} name */
function isFinished(name) {
  const latest = path.join(runs, name, 'latest');
  if (!existsSync(latest)) return false;
  const { steps } = JSON.parse(readFileSync(path.join(recipe, `${name}.json`), 'utf8'));
  return readFileSync(latest, 'utf8').trim() === `step-${steps}`;
}

/** @param {string[]} args of the command line */
async function ilvr(...args) {
  // With what training gains by: see src/extension/training/process.ts.
  const status = await runNode(['--single-threaded-gc', path.join(root, 'dist/cli.cjs'), ...args], {
    cwd: root,
  });
  if (status !== 0) process.exit(status);
}
