/** Who asks the hub: an access token, kept in VS Code's secret storage and nowhere else. */

import type { SecretStorage } from 'vscode';
import { AccessError } from '../hub/failures.ts';

export interface TokenSources {
  secrets: Pick<SecretStorage, 'get' | 'store'>;
  /** Address of the hub; a token is for this one alone. */
  endpoint: string;
  /** Asks the person; undefined if they leave. Absent: nobody is asked. */
  ask?: (() => Promise<string | undefined>) | undefined;
}

/**
 * Does something that may need a token: first without one, then, if the server asks, with the one that is kept, then
 * with one that the person is asked for. One that was let in is kept.
 * @param work is done again with each token; undefined says that none is sent
 * @throws AccessError if no token was given, or none was let in
 */
export async function withToken<T>(
  { secrets, endpoint, ask }: TokenSources,
  work: (token: string | undefined) => Promise<T>,
): Promise<T> {
  const key = `ilvr.hub.token ${endpoint}`;
  const sources = [async () => undefined, () => secrets.get(key), async () => ask?.()];
  let refused: AccessError | undefined;
  for (const source of sources) {
    const token = await source();
    if (refused !== undefined && token === undefined) continue;
    try {
      const result = await work(token);
      if (token !== undefined) await secrets.store(key, token);
      return result;
    } catch (error) {
      if (!(error instanceof AccessError)) throw error;
      refused = error;
    }
  }
  throw refused!;
}
