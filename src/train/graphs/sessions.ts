/** Sessions by the sizes that their graphs were built for, opened when first needed. */

import { openSession, type Runtime, type Session } from '../../ort/session.ts';

/**
 * Where the results of a run's first sizes lie, mostly its frequent ones. A plan is another 0.6 % faster and holds twice as
 * much as an arena, which may be a gigabyte; those of later sizes share the heap and are up to 5 % slower (docs/log.md).
 */
const FIRST_MEMORIES = ['plan', 'arena', 'arena', 'arena'] as const;

export class SessionCache<Size> {
  private readonly build: (size: Size) => Uint8Array;
  private readonly runtime: Runtime;
  private readonly opened = new Map<string, Promise<Session>>();

  constructor(build: (size: Size) => Uint8Array, runtime: Runtime) {
    this.build = build;
    this.runtime = runtime;
  }

  async get(size: Size): Promise<Session> {
    const key = JSON.stringify(size);
    const session = this.opened.get(key) ?? this.open(size);
    this.opened.set(key, session);
    return session;
  }

  private open(size: Size): Promise<Session> {
    return openSession(this.build(size), {
      ...this.runtime,
      weightsFolder: '', // every weight is an input
      memory: FIRST_MEMORIES[this.opened.size] ?? 'heap',
    });
  }

  async release(): Promise<void> {
    const sessions = await Promise.all(this.opened.values());
    this.opened.clear();
    await Promise.all(sessions.map((session) => session.release()));
  }
}
