/**
 * Child processes of ours: Node on one of our bundles. None outlives the process that started it, and none
 * lets the runtime call home.
 */

import { fork, type ChildProcess, type SerializationType } from 'node:child_process';
import { librariesBeside } from './cudaFiles.ts';
import { PARENT } from './parent.ts';
import { NO_TELEMETRY } from './telemetry.ts';

export interface ChildOptions {
  /** Node's own arguments; absent: as this process's. */
  execArgv?: readonly string[];
  /** How messages travel; `advanced` carries typed arrays. */
  serialization?: SerializationType;
  /** It ends by itself when this process has gone, in its own way, instead of at once. */
  endsItself?: boolean;
}

/**
 * Weights lie in pages of 2 MB where the system gives them to those who ask (`madvise`, as on Debian and Ubuntu): a step
 * reads gigabytes, and opening writes them. glibc alone reads it; what the user has set of his own stands.
 */
const HUGE_PAGES = process.platform === 'linux' ? { GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1' } : {};

const running = new Set<ChildProcess>();

/** Starts Node on a script, with pipes for what it prints and a channel for messages. */
export function startChild(
  script: string,
  args: readonly string[] = [],
  { execArgv = process.execArgv, serialization = 'json', endsItself = false }: ChildOptions = {},
): ChildProcess {
  const child = fork(script, args, {
    // Two processes cannot listen on one debugger's port.
    execArgv: execArgv.filter((argument) => !argument.startsWith('--inspect')),
    serialization,
    // In a desktop window the executable is Electron.
    env: {
      ...HUGE_PAGES,
      ...process.env,
      ...librariesBeside(script),
      ...NO_TELEMETRY,
      [PARENT]: String(process.pid),
      ELECTRON_RUN_AS_NODE: '1',
    },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  if (!endsItself) endWithThisProcess(child);
  return child;
}

/**
 * However this process ends, so do its children. A process that is killed cannot see to that; its children
 * notice themselves (./parent.ts).
 */
function endWithThisProcess(child: ChildProcess): void {
  if (running.size === 0) process.on('exit', endAll);
  running.add(child);
  const forget = (): void => {
    running.delete(child);
    if (running.size === 0) process.off('exit', endAll);
  };
  child.once('exit', forget);
  child.once('error', () => child.pid === undefined && forget());
}

/** SIGKILL also ends a process that is stopped, or that a driver keeps from its own handlers. */
function endAll(): void {
  for (const child of running) child.kill('SIGKILL');
}
