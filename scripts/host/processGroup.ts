/** A child process with everything it starts, ended together whatever way the script ends. */

import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process';

/** The group that `startGroup` returned. */
export interface ProcessGroup {
  child: ChildProcess;
  /** Ends every process of the group; resolves when its leader is gone. */
  dispose(): Promise<void>;
}

const running = new Set<ChildProcess>();
let exitHandlersInstalled = false;

/** Starts `command` as the leader of a new process group. */
export function startGroup(command: string, args: string[], options: SpawnOptions): ProcessGroup {
  installExitHandlers();
  const child = spawn(command, args, { ...options, detached: true });
  running.add(child);
  return { child, dispose: () => endGroup(child) };
}

async function endGroup(child: ChildProcess): Promise<void> {
  const exited = new Promise<void>((done) => child.once('exit', () => done()));
  const alreadyGone = child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
  signalGroup(child, 'SIGTERM');
  if (!alreadyGone) await Promise.race([exited, delay(2_000)]);
  // The leader may leave children behind, and a leader that ignores SIGTERM must go too.
  signalGroup(child, 'SIGKILL');
  running.delete(child);
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The whole group is gone already.
  }
}

/** A detached group outlives its parent, so every way out of the script has to end it. */
function installExitHandlers(): void {
  if (exitHandlersInstalled) return;
  exitHandlersInstalled = true;
  // Before other exit handlers: those remove folders that these processes still write to.
  process.prependListener('exit', () => {
    for (const child of running) signalGroup(child, 'SIGKILL');
  });
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    process.on(signal, () => process.exit(code));
  }
}

/** Resolves after `ms` milliseconds without keeping the process alive. */
export function delay(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms).unref());
}
