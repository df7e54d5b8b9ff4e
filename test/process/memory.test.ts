import { expect, describe, it } from 'vitest';
import { UserError } from '../../src/base/errors.ts';
import { availableMemory, outOfMemory } from '../../src/process/memory.ts';

const MEMINFO = 'MemTotal:       8000000 kB\nMemAvailable:   4000000 kB\nSwapFree:       1000000 kB\n';
const MACHINE = 5_000_000 * 1024;

/** What a Linux system with these files has left. */
const left = (files: Record<string, string>): number =>
  availableMemory('linux', (path) => ({ '/proc/meminfo': MEMINFO, ...files })[path]);

describe('what may still be taken on Linux', () => {
  it('is what the machine has available, and its swap', () => {
    expect(left({})).toBe(MACHINE);
    expect(left({ '/proc/meminfo': 'MemAvailable:   70 kB\n' })).toBe(70 * 1024);
  });

  it('is less where a control group has less, of those around it the tightest', () => {
    const files = {
      '/proc/self/cgroup': '0::/outer/inner\n',
      '/sys/fs/cgroup/outer/memory.max': '3000000\n',
      '/sys/fs/cgroup/outer/memory.current': '1000000\n',
      '/sys/fs/cgroup/outer/inner/memory.max': 'max\n',
      '/sys/fs/cgroup/outer/inner/memory.current': '900000\n',
    };
    expect(left(files)).toBe(2_000_000);
    const cached = 'anon 5\ninactive_file 200000\nactive_file 50000\n';
    expect(left({ ...files, '/sys/fs/cgroup/outer/memory.stat': cached })).toBe(2_250_000);
  });

  it('is that of a container, which sees its group as the root', () => {
    expect(
      left({
        '/proc/self/cgroup': '0::/\n',
        '/sys/fs/cgroup/memory.max': '600000',
        '/sys/fs/cgroup/memory.current': '700000',
      }),
    ).toBe(0);
  });

  it('is that of the older control groups', () => {
    expect(
      left({
        '/proc/self/cgroup': '5:cpu,cpuacct:/x\n4:memory:/box\n0::/\n',
        '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
        '/sys/fs/cgroup/memory/memory.usage_in_bytes': '1000\n',
        '/sys/fs/cgroup/memory/box/memory.limit_in_bytes': '5000000\n',
        '/sys/fs/cgroup/memory/box/memory.usage_in_bytes': '4000000\n',
        '/sys/fs/cgroup/memory/box/memory.stat': 'cache 9\ntotal_inactive_file 300\ntotal_active_file 200\n',
      }),
    ).toBe(1_000_500);
  });

  it('is what the address space of this process has left', () => {
    expect(
      left({
        '/proc/self/limits':
          'Limit          Soft Limit  Hard Limit  Units\nMax address space         2048000   unlimited  bytes\n',
        '/proc/self/status': 'Name:\tnode\nVmSize:\t   1000 kB\n',
      }),
    ).toBe(1_024_000);
    expect(left({ '/proc/self/limits': 'Max address space         unlimited   unlimited  bytes\n' })).toBe(
      MACHINE,
    );
  });
});

it('says something on this machine', () => {
  expect(availableMemory()).toBeGreaterThan(1e6);
});

describe('an error for want of memory', () => {
  it.each([
    'Non-zero status code returned while running Softmax node. Failed to allocate memory for requested buffer of size 3845984256',
    'std::bad_alloc',
    'Array buffer allocation failed',
    'Invalid typed array length: 99999999999',
    'Out of memory',
  ])('is told as such: %s', (message) => {
    const told = outOfMemory(new RangeError(message));
    expect(told).toBeInstanceOf(UserError);
    expect(told!.message).toMatch(/not enough memory.* left on this machine.*--max-pixels/s);
  });

  it('says how much was asked for', () => {
    expect(
      outOfMemory(new Error('requested buffer of size 3845984256: Failed to allocate memory'))!.message,
    ).toContain('3.8 GB in one piece');
  });

  it.each(['Invalid typed array length: -1', 'Invalid array length', 'bad luck'])(
    'is not seen in others: %s',
    (message) => expect(outOfMemory(new RangeError(message))).toBeUndefined(),
  );

  it('is a real one of this runtime', () => {
    let thrown: unknown;
    try {
      new Float32Array(2 ** 45);
    } catch (error) {
      thrown = error;
    }
    expect(outOfMemory(thrown)).toBeInstanceOf(UserError);
  });
});
