/** Child processes of plain scripts: none goes on without its script. */

import { spawn } from 'node:child_process';

// From their first moment on, whatever they are; src/process/telemetry.ts says why.
process.env.ORT_DISABLE_TELEMETRY = '1';

/** Exit codes by the signals that end a script; Ctrl-C reaches its children by itself. */
const CODES = /** @type {const} */ ({ SIGTERM: 143, SIGHUP: 129 });

/**
 * What ends this process ends the child before it.
 * @param {import('node:child_process').ChildProcess} child
 */
export function endWith(child) {
  for (const [signal, code] of Object.entries(CODES)) {
    const end = () => {
      child.once('exit', () => process.exit(code));
      child.kill(signal);
    };
    process.on(signal, end);
    child.once('exit', () => process.off(signal, end));
  }
}

/**
 * Runs Node on a script in this terminal. Ctrl-C goes to the child as well, which ends in its own way; this process
 * waits for it. Through the channel it notices if this process is killed.
 * @param {string[]} args
 * @param {import('node:child_process').SpawnOptions} options
 * @returns {Promise<number>} its exit code
 */
export function runNode(args, options = {}) {
  process.on('SIGINT', waitForChild);
  return new Promise((done) => {
    const child = spawn(process.execPath, args, {
      stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
      ...options,
    });
    endWith(child);
    child.once('exit', (status, signal) => {
      process.off('SIGINT', waitForChild);
      done(status ?? (signal === 'SIGINT' ? 130 : 1));
    });
  });
}

function waitForChild() {}
