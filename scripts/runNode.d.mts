import type { ChildProcess, SpawnOptions } from 'node:child_process';

export function endWith(child: ChildProcess): void;
export function runNode(args: string[], options?: SpawnOptions): Promise<number>;
