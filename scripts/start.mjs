/**
 * `npm start`: answers an example map with the bundled model in the terminal, then opens VS Code.
 * `npm start -- --run <image>` stops after the terminal; the trace and its pictures are in traces/.
 */

import { basename, extname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { bootstrap, root, tsxArguments } from './bootstrap.mjs';
import { runNode } from './runNode.mjs';

const { run } = readArguments();
bootstrap();
const code = await answer(run === undefined ? join(root, 'examples/map-01.png') : resolve(run));
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

/** Runs the command line on a picture; its trace is named after the picture and the time. */
function answer(image) {
  const time = new Date().toISOString().slice(0, 19).replaceAll(':', '-');
  const name = `${basename(image, extname(image))}-${time}.ilvr.json`;
  const trace = relative(process.cwd(), join(root, 'traces', name));
  return runNode([join(root, 'dist/cli.cjs'), 'reason', image, '--trace', trace]);
}
