/**
 * `npm run train:bundled`: makes the bundled models again, from random weights to exported folders. Needs no step
 * before it on a fresh clone.
 *
 * Every phase is a config in models/recipe and a run folder in build/bundled; a phase that is finished is not
 * done again, one that was stopped or killed goes on where it was. `--only maze` trains the maze without its controls,
 * `--only worlds` (`npm run train:worlds`) the model of worlds.
 */

import { copyFileSync, existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { bootstrap, root } from './bootstrap.mjs';
import { runNode } from './runNode.mjs';

const recipe = path.join(root, 'models/recipe');
const runs = path.join(root, 'build/bundled');

/**
 * What is trained of new weights: a description, and phases in order, of which those with `out` end in a bundled model
 * and those with `until` before the end of their schedule.
 */
const RECIPES = [
  {
    name: 'maze',
    blank: 'blank',
    phases: [
      { name: 'perception' },
      { name: 'base' },
      { name: 'base2' },
      { name: 'figures' },
      { name: 'base3' },
      { name: 'base4', out: 'models/recipe/base' },
      { name: 'base5' },
      { name: 'base6' },
      { name: 'base7' },
      { name: 'base8' },
      { name: 'stage1' },
      { name: 'stage2', out: 'models/maze' },
    ],
  },
  {
    name: 'controls',
    blank: 'blank',
    phases: [
      { name: 'control-carrying', out: 'models/control-carrying' },
      { name: 'control-bypassed', out: 'models/control-bypassed' },
    ],
  },
  {
    name: 'worlds',
    blank: 'worlds/blank',
    phases: [
      { name: 'worlds/perception' },
      { name: 'worlds/styles' },
      { name: 'worlds/base' },
      { name: 'worlds/short' },
      { name: 'worlds/align' },
      { name: 'worlds/changes' },
      { name: 'worlds/self' },
      { name: 'worlds/walks' },
      { name: 'worlds/walks2' },
      { name: 'worlds/pushes' },
      { name: 'worlds/pushes2' },
      { name: 'worlds/targets' },
      { name: 'worlds/targets2' },
      { name: 'worlds/own', until: 539 },
      { name: 'worlds/own2', until: 90 },
      { name: 'worlds/own3', until: 184 },
      { name: 'worlds/own4', out: 'models/worlds' },
    ],
  },
];

const { values } = parseArgs({ options: { only: { type: 'string' } } });

bootstrap();
for (const { name, blank, phases } of RECIPES) {
  if (values.only !== undefined && values.only !== name) continue;
  const initial = path.join(runs, path.dirname(blank), 'initial');
  if (!existsSync(path.join(initial, 'model.safetensors')))
    await ilvr('initialise', path.join(recipe, blank), initial, '--seed', '0');
  for (const phase of phases) await train(phase);
}

/** @param {{ name: string, out?: string, until?: number }} phase */
async function train({ name, out, until }) {
  console.log(`\n── ${name}`);
  if (!isFinished(name, until)) {
    const stop = until === undefined ? [] : ['--steps', String(until)];
    const status = await run('train', path.join(recipe, `${name}.json`), ...stop);
    // A run that is asked to stop before its end says that it was stopped.
    if (!isFinished(name, until)) process.exit(status || 1);
  }
  console.log(`curves: ${path.relative(root, path.join(runs, name, 'curves.svg'))}`);
  if (out === undefined) return;
  // An export replaces nothing but an export, and the card is none of its files.
  const card = path.join(root, out, 'README.md');
  rmSync(card, { force: true });
  await ilvr('export', path.join(runs, name), path.join(root, out));
  copyFileSync(path.join(recipe, 'cards', `${path.basename(out)}.md`), card);
}

/**
 * @param {string} name
 * @param {number} [until]
 */
function isFinished(name, until) {
  const latest = path.join(runs, name, 'latest');
  if (!existsSync(latest)) return false;
  const { steps } = JSON.parse(readFileSync(path.join(recipe, `${name}.json`), 'utf8'));
  return readFileSync(latest, 'utf8').trim() === `step-${until ?? steps}`;
}

/** @param {string[]} args of the command line */
async function ilvr(...args) {
  const status = await run(...args);
  if (status !== 0) process.exit(status);
}

/** @param {string[]} args of the command line */
function run(...args) {
  // With what training gains by: see src/extension/training/process.ts.
  return runNode(['--single-threaded-gc', path.join(root, 'dist/cli.cjs'), ...args], { cwd: root });
}
