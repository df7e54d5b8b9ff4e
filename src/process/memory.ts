/**
 * How much memory this process may still take, and how to say that it was too little. The least of several bounds
 * counts: what the machine has left, the control groups that this process is in, and its own address space.
 */

import { readFileSync } from 'node:fs';
import { freemem, totalmem } from 'node:os';
import { messageOf, UserError } from '../base/errors.ts';

/** The text of a system file; undefined if there is none. */
type Read = (path: string) => string | undefined;

/**
 * Bytes that can be taken without anything being ended for it. macOS does not say what it could give back, so
 * there it is all that the machine has.
 * @param platform,read for tests
 */
export function availableMemory(
  platform: NodeJS.Platform = process.platform,
  read: Read = readSystemFile,
): number {
  if (platform === 'darwin') return totalmem();
  if (platform !== 'linux') return freemem();
  const bounds = [machine(read), ...groups(read), addressSpace(read)];
  return Math.max(0, Math.min(...bounds.filter((bound) => bound !== undefined)));
}

/** "3.4 GB" */
export function inBytes(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB`;
  return bytes >= 1e6 ? `${Math.round(bytes / 1e6)} MB` : `${Math.round(bytes / 1e3)} kB`;
}

/** How runtimes say that an allocation failed: onnxruntime, C++, V8, Node, Dawn, libvips. */
const FAILURES = [
  /failed to allocate memory/i,
  /bad[_ ]alloc/i,
  /array buffer allocation failed/i,
  /out of memory/i,
  /cannot allocate memory/i,
  /not enough memory/i,
  /invalid typed array length: \d/i,
  /exceeds the max(imum)? buffer size/i,
];

/** Whether an error of whatever origin says that an allocation failed. One that we wrote has been told already. */
export function saysOutOfMemory(error: unknown): boolean {
  const told = error instanceof UserError ? error.cause : error;
  return told !== undefined && FAILURES.some((failure) => failure.test(messageOf(told)));
}

/** What to throw in place of an error that says that memory ran out; undefined for any other. */
export function outOfMemory(error: unknown): UserError | undefined {
  if (error instanceof UserError) return undefined;
  const message = messageOf(error);
  if (!FAILURES.some((failure) => failure.test(message))) return undefined;
  const asked = /(?:requested buffer of size|typed array length:?) (\d+)/i.exec(message)?.[1];
  return new UserError(
    {
      problem: 'There was not enough memory',
      ...(asked !== undefined && { expected: `${inBytes(Number(asked))} in one piece` }),
      found: `${inBytes(availableMemory())} left on this machine for this program`,
      remedy:
        'Lower the pixel budget (--max-pixels, setting ilvr.maxPixels), use a smaller picture or model, or free memory.',
    },
    { cause: error },
  );
}

function machine(read: Read): number | undefined {
  const text = read('/proc/meminfo');
  const available = kilobytes(text, 'MemAvailable');
  return available === undefined ? undefined : available + (kilobytes(text, 'SwapFree') ?? 0);
}

/** What each group with a bound, of this process or around it, has left. Its cached file pages can be given back. */
function groups(read: Read): (number | undefined)[] {
  return (read('/proc/self/cgroup') ?? '').split('\n').flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (path === undefined) return [];
    if (controllers === '') {
      return foldersOf('/sys/fs/cgroup', path).map((folder) =>
        leftIn(read, folder, 'memory.max', 'memory.current', ['inactive_file', 'active_file']),
      );
    }
    if (!controllers!.split(',').includes('memory')) return [];
    return foldersOf('/sys/fs/cgroup/memory', path).map((folder) =>
      leftIn(read, folder, 'memory.limit_in_bytes', 'memory.usage_in_bytes', [
        'total_inactive_file',
        'total_active_file',
      ]),
    );
  });
}

/** A folder and those above it, up to the root. */
function foldersOf(root: string, path: string): string[] {
  const names = path.split('/').filter((name) => name !== '');
  return Array.from({ length: names.length + 1 }, (_, i) => [root, ...names.slice(0, i)].join('/'));
}

function leftIn(
  read: Read,
  folder: string,
  limitFile: string,
  usageFile: string,
  reclaimable: readonly string[],
): number | undefined {
  const limit = numberIn(read(`${folder}/${limitFile}`));
  const used = numberIn(read(`${folder}/${usageFile}`));
  if (limit === undefined || used === undefined) return undefined;
  const facts = read(`${folder}/memory.stat`) ?? '';
  const cached = reclaimable.map(
    (name) => numberIn(new RegExp(`^${name} (\\d+)$`, 'm').exec(facts)?.[1]) ?? 0,
  );
  return limit - used + cached.reduce((sum, bytes) => sum + bytes, 0);
}

/** `ulimit -v`. */
function addressSpace(read: Read): number | undefined {
  const limit = numberIn(/^Max address space +(\d+)/m.exec(read('/proc/self/limits') ?? '')?.[1]);
  const used = kilobytes(read('/proc/self/status'), 'VmSize');
  return limit === undefined || used === undefined ? undefined : limit - used;
}

function kilobytes(text: string | undefined, name: string): number | undefined {
  const found = numberIn(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text ?? '')?.[1]);
  return found === undefined ? undefined : found * 1024;
}

/** Nothing for a word such as "max". */
function numberIn(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text.trim()) ? Number(text) : undefined;
}

function readSystemFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
