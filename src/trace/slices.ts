/**
 * Slices that are at hand. Drawing is synchronous, reading is not: a drawing takes what is here, and asks for the rest
 * with `load`, after which it is drawn again. What was used longest ago goes when the bound is reached.
 */

import type { CancelSignal } from '../base/cancel.ts';
import type { Family, Query } from './queries.ts';

/** Reads the members of a query; from the container, or through a channel from who has it. */
export type Fetch = (query: Query, signal?: CancelSignal) => Promise<Float32Array[]>;

/** Bytes of slices that are kept. */
export const SLICE_BUDGET = 2 ** 26;

interface Entry {
  members: Map<number, Float32Array>;
  bytes: number;
}

export class Slices {
  /** Grows with whatever arrives. */
  version = 0;
  private readonly fetch: Fetch;
  private readonly budget: number;
  /** In the order of use. */
  private readonly entries = new Map<string, Entry>();
  private readonly pending = new Map<string, Promise<void>>();

  constructor(fetch: Fetch, budget = SLICE_BUDGET) {
    this.fetch = fetch;
    this.budget = budget;
  }

  /** A member of a family if it is at hand; an empty array where the trace has none. */
  at(family: Family, member = 0): Float32Array | undefined {
    return this.entry(family)?.members.get(member);
  }

  /** Whether all of a query's members are at hand. */
  has({ family, from, to }: Query): boolean {
    const members = this.entry(family)?.members;
    for (let member = from; member < to; member++) if (!members?.has(member)) return false;
    return true;
  }

  /** Fetches what is missing of a query. Resolves when it is at hand. */
  async load(query: Query, signal?: CancelSignal): Promise<void> {
    const missing = this.missing(query);
    if (missing === undefined) return;
    const key = `${keyOf(query.family)}:${missing.from}:${missing.to}`;
    const running = this.pending.get(key) ?? this.fetchInto(missing, signal);
    this.pending.set(key, running);
    try {
      await running;
    } finally {
      this.pending.delete(key);
    }
  }

  /** Forgets everything. */
  clear(): void {
    this.entries.clear();
  }

  private async fetchInto(query: Query, signal: CancelSignal | undefined): Promise<void> {
    const arrived = await this.fetch(query, signal);
    const entry = this.entry(query.family) ?? { members: new Map<number, Float32Array>(), bytes: 0 };
    this.entries.set(keyOf(query.family), entry);
    arrived.forEach((values, i) => {
      entry.bytes += values.byteLength - (entry.members.get(query.from + i)?.byteLength ?? 0);
      entry.members.set(query.from + i, values);
    });
    this.version++;
    this.forget();
  }

  /** The span of members that are not there. */
  private missing({ family, from, to }: Query): Query | undefined {
    const members = this.entry(family)?.members;
    let [first, end] = [from, to];
    while (first < end && members?.has(first)) first++;
    while (end > first && members?.has(end - 1)) end--;
    return first === end ? undefined : { family, from: first, to: end };
  }

  private entry(family: Family): Entry | undefined {
    const key = keyOf(family);
    const entry = this.entries.get(key);
    if (entry === undefined) return undefined;
    this.entries.delete(key);
    this.entries.set(key, entry);
    return entry;
  }

  /** The family used last stays, however large it is: it is being drawn. */
  private forget(): void {
    let bytes = 0;
    for (const entry of this.entries.values()) bytes += entry.bytes;
    for (const [key, entry] of this.entries) {
      if (bytes <= this.budget || this.entries.size === 1) return;
      this.entries.delete(key);
      bytes -= entry.bytes;
    }
  }
}

function keyOf(family: Family): string {
  return JSON.stringify(family);
}
