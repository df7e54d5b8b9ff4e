/** Sessions by the sizes that their graphs were built for, opened when first needed. */

import { openSession, type Session, type SessionOptions } from '../ort/session.ts';

/** Where graphs run. */
export type Runtime = Pick<SessionOptions, 'provider' | 'threads'>;

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
    // Every weight is an input, so there is no folder to find any in.
    const session =
      this.opened.get(key) ?? openSession(this.build(size), { ...this.runtime, weightsFolder: '' });
    this.opened.set(key, session);
    return session;
  }

  async release(): Promise<void> {
    const sessions = await Promise.all(this.opened.values());
    this.opened.clear();
    await Promise.all(sessions.map((session) => session.release()));
  }
}
