/**
 * What a suite is: a function that declares claims. A claim's name is a sentence that is true when
 * its body returns, and it fails when the body throws or takes too long.
 */

export interface ClaimOptions {
  /** 20 s unless told; running a model takes longer. */
  timeoutMs?: number;
}

/** Declares one claim; the runner calls bodies in the order of their declaration. */
export type DeclareClaim = (name: string, body: () => void | Promise<void>, options?: ClaimOptions) => void;

/** Every `*.suite.ts` exports one of these under the name `suite`. */
export type Suite = (claim: DeclareClaim) => void;

/** Waits until `probe` returns something other than undefined or false, and returns it. */
export async function eventually<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMs = 10_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  while (Date.now() < deadline) {
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error(`${what}: not within ${timeoutMs / 1000} s`);
}
