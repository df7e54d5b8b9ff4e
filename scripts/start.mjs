/**
 * `npm start`: answers an example map and a drawn world with the bundled models in the terminal, then opens VS Code.
 * `npm start -- --run <image>` stops after the terminal; the trace and its pictures are in traces/.
 */

import { basename, extname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { bootstrap, root, tsxArguments } from './bootstrap.mjs';
import { runNode } from './runNode.mjs';

const { run } = readArguments();
bootstrap();
const code =
  run === undefined
    ? (await answer(join(root, 'examples/map-01.png'))) || (await answerWorld())
    : await answer(resolve(run));
if (code !== 0 || run !== undefined) process.exit(code);
console.log();
process.exit(await runNode(tsxArguments('scripts/host/openWindow.ts', [join(root, 'examples')])));

function readArguments() {
  try {
    return parseArgs({ options: { run: { type: 'string' } } }).values;
  } catch (error) {
    console.error(`${error.message}\nUsage: npm start [-- --run <image>]`);
    return process.exit(2);
  }
}

/** A world that is drawn anew, by the model whose latents are needed. */
function answerWorld() {
  console.log();
  return reason('world', ['--example', 'world']);
}

function answer(image) {
  return reason(basename(image, extname(image)), [image]);
}

/** Runs the command line; the trace is named after what is asked about, and the time. */
function reason(about, options) {
  const time = new Date().toISOString().slice(0, 19).replaceAll(':', '-');
  const name = `${about}-${time}.ilvr.json`;
  const trace = relative(process.cwd(), join(root, 'traces', name));
  return runNode([join(root, 'dist/cli.cjs'), 'reason', ...options, '--trace', trace]);
}
