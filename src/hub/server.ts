/**
 * Requests to a hub of models, with the rules for a server that nobody knows: redirects lead to https or back to the
 * hub only, the access token goes to the hub alone, answers to questions are bounded, and a server that falls silent
 * is not waited for.
 */

import { CancelledError, messageOf, UserError } from '../base/errors.ts';
import { hubEndpoint, requireOnline } from './address.ts';
import { failureOf, PassingError, withRetries, type RetryOptions } from './failures.ts';

const MAX_REDIRECTS = 5;
/** A page of a list of files is some hundred kilobytes. */
const MAX_ANSWER_BYTES = 16 * 2 ** 20;
/** A list of files comes in pages; no checkpoint has so many. */
const MAX_QUESTIONS = 50;
const SILENCE_MS = 30_000;

export interface HubOptions {
  /** See `hubEndpoint`. */
  endpoint?: string | undefined;
  token?: string | undefined;
  signal?: AbortSignal | undefined;
  /** How long a server may say nothing. */
  silenceMs?: number | undefined;
  retryDelaysMs?: readonly number[] | undefined;
}

/** What a server answers; its content is read once, or let go. */
export interface Answer {
  /** Success, or 416: the range that was asked for is not there. */
  status: number;
  headers: Headers;
  content(): AsyncGenerator<Uint8Array>;
  discard(): Promise<void>;
}

/** A hub for one errand: its signal ends all of it. */
export class Hub {
  readonly endpoint: string;
  readonly signal: AbortSignal | undefined;
  private readonly token: string | undefined;
  private readonly silenceMs: number;
  private readonly retry: RetryOptions;
  private questions = 0;
  /** A server that has answered once may come back; one that never did is not there. */
  private hasAnswered = false;

  /** @throws UserError if there is no such address, or no server may be asked */
  constructor(options: HubOptions = {}) {
    requireOnline();
    this.endpoint = options.endpoint ?? hubEndpoint();
    this.signal = options.signal;
    this.token = mayCarryTokens(new URL(this.endpoint)) ? options.token : undefined;
    this.silenceMs = options.silenceMs ?? SILENCE_MS;
    this.retry = { signal: options.signal, delaysMs: options.retryDelaysMs };
  }

  /**
   * One request, redirects followed.
   * @throws PassingError if it may help to ask again; AccessError, UserError or CancelledError if not
   */
  async get(address: string, headers: Record<string, string> = {}): Promise<Answer> {
    let url = new URL(address);
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      const { status, location, ...answer } = await this.once(url, headers);
      if (location === undefined) {
        if ((status >= 200 && status < 300) || status === 416) return { status, ...answer };
        await answer.discard();
        throw failureOf(status, answer.headers, placeOf(url), this.tokenFor(url) !== undefined);
      }
      await answer.discard();
      url = this.follow(location, url);
    }
    throw untrusted(`more than ${MAX_REDIRECTS} redirects`, 'the file', placeOf(url));
  }

  /** The same until it succeeds or does not pass. */
  retried<T>(attempt: () => Promise<T>, gained?: () => number): Promise<T> {
    return withRetries(attempt, { ...this.retry, ...(gained && { gained }) });
  }

  /** For the library that knows the hub's questions: whole answers, from the hub itself, not too many. */
  readonly fetch: typeof fetch = async (input, init) => {
    const address = input instanceof Request ? input.url : String(input);
    if (new URL(address).origin !== new URL(this.endpoint).origin)
      throw untrusted(placeOf(new URL(address)), `more of the list from ${this.endpoint}`, this.endpoint);
    if (++this.questions > MAX_QUESTIONS)
      throw untrusted('a list of files without an end', 'some hundred files', this.endpoint);
    const headers = Object.fromEntries(new Headers(init?.headers));
    return this.retried(async () => {
      const answer = await this.get(address, headers);
      return new Response(await wholeOf(answer, MAX_ANSWER_BYTES, address), { headers: answer.headers });
    });
  };

  private async once(
    url: URL,
    headers: Record<string, string>,
  ): Promise<Answer & { location: string | undefined }> {
    const silence = new Silence(this.silenceMs);
    const signal = AbortSignal.any([silence.signal, ...(this.signal ? [this.signal] : [])]);
    const token = this.tokenFor(url);
    const all = { ...headers, ...(token !== undefined && { authorization: `Bearer ${token}` }) };
    try {
      const response = await silence.during(() => fetch(url, { headers: all, redirect: 'manual', signal }));
      this.hasAnswered = true;
      const isRedirect = response.status >= 300 && response.status < 400;
      return {
        status: response.status,
        headers: response.headers,
        location: isRedirect ? (response.headers.get('location') ?? undefined) : undefined,
        content: () => this.content(response, silence, url),
        // What is let go may fail as it likes.
        discard: async () => response.body?.cancel().catch(() => undefined),
      };
    } catch (error) {
      throw this.told(error, silence, url);
    }
  }

  private async *content(response: Response, silence: Silence, url: URL): AsyncGenerator<Uint8Array> {
    const reader = response.body?.getReader();
    if (reader === undefined) return;
    try {
      for (;;) {
        const { done, value } = await silence.during(() => reader.read());
        if (done) return;
        yield value;
      }
    } catch (error) {
      throw this.told(error, silence, url);
    } finally {
      await reader.cancel().catch(() => undefined);
    }
  }

  private follow(location: string, from: URL): URL {
    const url = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
    const isHub = url?.origin === new URL(this.endpoint).origin;
    if (url !== undefined && (isHub || url.protocol === 'https:')) return url;
    throw untrusted(
      url === undefined ? location : placeOf(url),
      'a redirect to an https address',
      placeOf(from),
    );
  }

  /** Nobody but the hub is told who asks. */
  private tokenFor(url: URL): string | undefined {
    return url.origin === new URL(this.endpoint).origin ? this.token : undefined;
  }

  private told(error: unknown, silence: Silence, url: URL): unknown {
    if (this.signal?.aborted === true) return new CancelledError('Getting the model');
    const failure = new UserError({
      problem: silence.signal.aborted
        ? 'The server has fallen silent'
        : 'The connection to the server failed',
      found: silence.signal.aborted
        ? `nothing for ${Math.round(this.silenceMs / 1000)} seconds`
        : reasonOf(error),
      where: placeOf(url),
      remedy: 'Check the network and try again; what has come is kept.',
    });
    return this.hasAnswered || !isNobody(error) ? new PassingError(failure) : failure;
  }
}

/** The content of an answer in memory. @throws UserError if it is longer than `maxBytes` */
export async function wholeOf(
  answer: Answer,
  maxBytes: number,
  address: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of answer.content()) {
    length += chunk.length;
    if (length > maxBytes) {
      throw untrusted('more than that', `at most ${maxBytes} bytes`, placeOf(new URL(address)));
    }
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

/** For what no hub of good faith sends. */
export function untrusted(found: string, expected: string, where: string): UserError {
  return new UserError({
    problem: 'The server sends what it should not',
    expected,
    found,
    where,
    remedy: 'Nothing of it was used. Check the address of the server and the name of the model.',
  });
}

/** Ends a request when nothing comes for too long; only while something is waited for. */
class Silence {
  private readonly controller = new AbortController();
  private readonly milliseconds: number;
  readonly signal = this.controller.signal;

  constructor(milliseconds: number) {
    this.milliseconds = milliseconds;
  }

  async during<T>(wait: () => Promise<T>): Promise<T> {
    const timer = setTimeout(() => this.controller.abort(), this.milliseconds);
    try {
      return await wait();
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Without what stands behind the question mark: signatures of addresses are secrets. */
function placeOf({ origin, pathname }: URL): string {
  return `${origin}${pathname}`;
}

/** Tokens are not sent where everybody on the way can read them. */
function mayCarryTokens({ protocol, hostname }: URL): boolean {
  return protocol === 'https:' || /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
}

/** Whether the address has no server, or no such name exists. */
function isNobody(error: unknown): boolean {
  const cause = error instanceof Error ? (error.cause as { code?: unknown } | undefined) : undefined;
  return cause?.code === 'ECONNREFUSED' || cause?.code === 'ENOTFOUND';
}

/** "fetch failed" says nothing; its cause does. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return messageOf(cause instanceof Error && cause.message !== '' ? cause : error);
}
