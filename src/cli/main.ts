/** Entry point of the command line's bundle, dist/cli.cjs; the engine's bundle lies beside it. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { endWithParent } from '../process/parent.ts';
import { EXIT } from './context.ts';
import { runCli, STOPPABLE } from './program.ts';
import { Terminal } from './terminal.ts';

const root = join(__dirname, '..');
const manifest: Record<string, unknown> = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const cancel = new AbortController();

/** Signals so close to each other are one. */
const SAME_MS = 200;
/** For a run whose window has closed: to finish its step and save. */
const PATIENCE_MS = 10 * 60_000;

const isStoppable = STOPPABLE.includes(process.argv[2] ?? '');
let asked = 0;

/**
 * Ctrl-C, the end of the terminal, or the system's: the first stops between two steps and keeps what there is, the
 * second ends at once. What a command has started ends with it.
 */
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    // A shell and the system may both pass on one and the same.
    if (cancel.signal.aborted && Date.now() - asked < SAME_MS) return;
    if (cancel.signal.aborted || !isStoppable) process.exit(EXIT.cancelled);
    asked = Date.now();
    cancel.abort();
  });
}

/** Started by the extension: when its window closes, a run ends as by Ctrl-C. */
if (process.send !== undefined) {
  process.on('disconnect', () => cancel.abort());
  endWithParent(PATIENCE_MS);
}
// Listening alone must not keep a program alive that is done.
process.channel?.unref();

/** Who reads the output may stop, as `head` does; there is no one left to tell then. */
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // A command that is stopping, or whose terminal has gone, still has something to keep.
    if (error.code === 'EIO' || (error.code === 'EPIPE' && cancel.signal.aborted)) return;
    if (error.code !== 'EPIPE') throw error;
    process.exit(process.exitCode ?? EXIT.ok);
  });
}

/** The engine lies beside this file; models and package.json one folder up, in the repository and in a package. */
async function main(): Promise<void> {
  process.exitCode = await runCli(process.argv.slice(2), {
    enginePath: join(__dirname, 'engine.cjs'),
    trainWorkerPath: join(__dirname, 'trainWorker.cjs'),
    packWorkerPath: join(__dirname, 'packWorker.cjs'),
    models: join(root, 'models'),
    version: String(manifest['version']),
    terminal: new Terminal({ out: process.stdout, err: process.stderr, env: process.env }),
    signal: cancel.signal,
    debug: process.env['ILVR_DEBUG'] === '1',
    // Imported when it is wanted: it alone loads the runtime into this process.
    runConformance: async (options) =>
      (await import('../conformance/conformance.ts')).runConformance(options),
    ...(process.send && {
      tellParent: (message) =>
        process.connected && process.send!(message, undefined, undefined, () => undefined),
    }),
  });
}

void main();
