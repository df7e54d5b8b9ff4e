/**
 * Brings the slices that are wanted, and only those: a request whose answer nobody waits for any more is cancelled,
 * and nothing is asked for twice.
 */

import { CancelledError, messageOf } from '../base/errors.ts';
import type { Query } from '../trace/queries.ts';
import type { Slices } from '../trace/slices.ts';

interface Request {
  key: string;
  query: Query;
  abort: AbortController;
}

export interface LoaderEvents {
  /** More slices are at hand. */
  onArrived: () => void;
  /** A request failed; what is drawn stays. */
  onProblem: (message: string) => void;
}

export class SliceLoader {
  private readonly slices: Slices;
  private readonly events: LoaderEvents;
  private wanted: readonly Query[] = [];
  private ahead: readonly Query[] = [];
  private running: Request[] = [];
  /** Requests that ended, whatever became of them: what the bound forgot, or the host refused, is not asked again. */
  private readonly ended = new Set<string>();

  /** Requests that ended cancelled although they were wanted: those are tried once more. */
  private readonly shared = new Set<string>();

  constructor(slices: Slices, events: LoaderEvents) {
    this.slices = slices;
    this.events = events;
  }

  /**
   * Replaces what is wanted.
   * @param ahead what may be wanted next; read one by one while nothing else is
   */
  want(wanted: readonly Query[], ahead: readonly Query[] = []): void {
    this.wanted = wanted;
    this.ahead = ahead;
    const keys = new Set([...wanted, ...ahead].map(keyOf));
    for (const key of this.ended) if (!keys.has(key)) this.ended.delete(key);
    for (const request of this.running) if (!this.isWanted(request.query)) request.abort.abort();
    this.running = this.running.filter(({ abort }) => !abort.signal.aborted);
    this.pump();
  }

  /** Nothing is wanted any more. */
  stop(): void {
    this.want([]);
  }

  private pump(): void {
    for (const query of this.wanted) this.ask(query);
    if (this.running.length > 0) return;
    for (const query of this.ahead) {
      this.ask(query);
      if (this.running.length > 0) return;
    }
  }

  private ask(query: Query): void {
    const key = keyOf(query);
    const isAsked = this.running.some((request) => overlap(request.query, query));
    if (isAsked || this.ended.has(key) || this.slices.has(query)) return;
    const request = { key, query, abort: new AbortController() };
    this.running.push(request);
    void this.load(request);
  }

  private async load({ key, query, abort }: Request): Promise<void> {
    const { signal } = abort;
    let isCancelled = false;
    try {
      await this.slices.load(query, signal);
    } catch (error) {
      // Wanted again at once, it shares the end of the request that was cancelled just before.
      isCancelled = error instanceof CancelledError;
      if (!isCancelled) this.events.onProblem(messageOf(error));
    }
    if (!signal.aborted) {
      if (!isCancelled || this.shared.has(key)) this.ended.add(key);
      if (isCancelled) this.shared.add(key);
      else this.shared.delete(key);
      this.running = this.running.filter((request) => request.abort !== abort);
      // Nothing is drawn of what was read ahead.
      if (this.wanted.some((other) => overlap(query, other))) this.events.onArrived();
    }
    this.pump();
  }

  private isWanted(query: Query): boolean {
    return [...this.wanted, ...this.ahead].some((other) => overlap(query, other));
  }
}

function overlap(a: Query, b: Query): boolean {
  return a.from < b.to && b.from < a.to && JSON.stringify(a.family) === JSON.stringify(b.family);
}

function keyOf({ family, from, to }: Query): string {
  return `${JSON.stringify(family)}:${from}:${to}`;
}
