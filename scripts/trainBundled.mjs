/**
 * `npm run train:bundled`: makes the bundled models again, from random weights to exported folders. Needs no step
 * before it on a fresh clone.
 *
 * Every phase is a config in models/recipe and a run folder in build/bundled; a phase that is finished is not
 * done again, one that was stopped or killed goes on where it was. `--only maze` trains the maze without its controls,
 * `--only worlds` (`npm run train:worlds`) the model of worlds.
 */

import { copyFileSync, existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { bootstrap, root } from './bootstrap.mjs';
import { runNode } from './runNode.mjs';

const recipe = path.join(root, 'models/recipe');
const runs = path.join(root, 'build/bundled');

/**
 * What is trained of new weights: a description, and phases in order, of which those with `out` end in a bundled model.
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
      { name: 'worlds/targets' },
      { name: 'worlds/thoughts' },
      { name: 'worlds/own', out: 'models/worlds' },
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

/** @param {{ name: string, out?: string }} phase */
async function train({ name, out }) {
  console.log(`\n── ${name}`);
  if (!isFinished(name)) {
    const status = await run('train', path.join(recipe, `${name}.json`));
    // A run that is asked to stop before its end says that it was stopped.
    if (!isFinished(name)) process.exit(status || 1);
  }
  console.log(`curves: ${path.relative(root, path.join(runs, name, 'curves.svg'))}`);
  if (out === undefined) return;
  // What lies there is a part of the repository, not of an export alone: it goes when its successor is whole.
  const [bundled, fresh] = [path.join(root, out), path.join(runs, name, 'exported')];
  rmSync(fresh, { recursive: true, force: true });
  await ilvr('export', path.join(runs, name), fresh);
  const trainedOn = 'ilvr_trained_on.json';
  if (existsSync(path.join(bundled, trainedOn)))
    copyFileSync(path.join(bundled, trainedOn), path.join(fresh, trainedOn));
  copyFileSync(path.join(recipe, 'cards', `${path.basename(out)}.md`), path.join(fresh, 'README.md'));
  rmSync(bundled, { recursive: true, force: true });
  renameSync(fresh, bundled);
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
  const status = await run(...args);
  if (status !== 0) process.exit(status);
}

/** @param {string[]} args of the command line */
function run(...args) {
  // With what training gains by: see src/extension/training/process.ts.
  return runNode(['--single-threaded-gc', path.join(root, 'dist/cli.cjs'), ...args], { cwd: root });
}
