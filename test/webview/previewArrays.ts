/** The arrays of the runs that a preview shows, outside its page, as the extension host has them. */

import { toBase64 } from '../../src/base/base64.ts';
import { UserError, type ErrorDetails } from '../../src/base/errors.ts';
import type { Query } from '../../src/trace/queries.ts';
import type { OpenTrace } from '../../src/traceFile/openTrace.ts';

/** What the page's stand-in for the host asks; JSON. */
export type ArrayQuestion =
  | { type: 'slice'; id: number; run: string; query: Query }
  | { type: 'cancel'; id: number }
  | { type: 'picture'; run: string; picture: string };

/** Arrays in base64. */
export type ArrayAnswer = { arrays: string[] } | { problem: ErrorDetails };

/** Answers a page's questions from the runs it was shown. A test may hold answers back, or have them fail. */
export class PreviewArrays {
  /** What was asked and not cancelled, as text: "visual 0-12". */
  readonly asked: string[] = [];
  readonly cancelled: string[] = [];
  /** Slices for which this holds wait until `release`. */
  holds: (query: Query) => boolean = () => false;
  /** Slices for which this holds fail. */
  fails: (query: Query) => boolean = () => false;
  private readonly runs = new Map<string, OpenTrace>();
  private readonly aborts = new Map<number, { abort: AbortController; name: string }>();
  private held: (() => void)[] = [];

  add(run: OpenTrace): void {
    this.runs.set(run.trace.id, run);
  }

  /** As if nothing had been shown or asked yet. */
  forget(): void {
    this.release();
    this.fails = () => false;
    this.runs.clear();
    this.asked.length = 0;
    this.cancelled.length = 0;
  }

  /** The page is gone: what it asked for is nobody's, as in the extension host. */
  cancelAll(): void {
    for (const { abort } of this.aborts.values()) abort.abort();
  }

  /** Lets go what is held back. */
  release(): void {
    this.holds = () => false;
    for (const go of this.held.splice(0)) go();
  }

  async answer(question: ArrayQuestion): Promise<ArrayAnswer> {
    try {
      return { arrays: (await this.arrays(question)).map((array) => toBase64(bytesOf(array))) };
    } catch (error) {
      const { message } = error as Error;
      return { problem: error instanceof UserError ? error.details : { problem: message } };
    } finally {
      if (question.type === 'slice') this.aborts.delete(question.id);
    }
  }

  private async arrays(question: ArrayQuestion): Promise<(Float32Array | Uint8Array)[]> {
    if (question.type === 'cancel') {
      const request = this.aborts.get(question.id);
      request?.abort.abort();
      if (request !== undefined) this.cancelled.push(request.name);
      return [];
    }
    const run = this.runs.get(question.run);
    if (run === undefined) throw new Error(`no run ${question.run}`);
    if (question.type === 'picture') {
      const picture = run.trace.pictures.find(({ id }) => id === question.picture)!;
      return [(await run.picture(picture)).png];
    }
    return this.slices(run, question);
  }

  private async slices(
    run: OpenTrace,
    { id, query }: Extract<ArrayQuestion, { type: 'slice' }>,
  ): Promise<Float32Array[]> {
    const abort = new AbortController();
    const name = nameOf(query);
    this.aborts.set(id, { abort, name });
    this.asked.push(name);
    if (this.holds(query)) await new Promise<void>((resolve) => this.held.push(resolve));
    if (this.fails(query)) throw new UserError({ problem: 'The arrays of this trace are damaged' });
    return run.reader.read(query, abort.signal);
  }
}

function nameOf({ family, from, to }: Query): string {
  const layer = 'layer' in family ? ` layer ${family.layer}` : '';
  return `${family.of}${layer} ${from}-${to}`;
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array | Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
