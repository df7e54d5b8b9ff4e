/**
 * What a page asks for while it draws: slices of the trace's arrays, and its pictures. Whatever is still being read
 * when the page goes away is given up. Knows nothing of VS Code.
 */

import { CancelledError, UserError } from '../../base/errors.ts';
import type { PanelHost } from '../../protocol/panel.ts';
import type { OpenTrace } from '../../traceFile/openTrace.ts';
import { parsePictureRequest, parseSliceRequest, requireAnswerable, requirePicture } from './queryCheck.ts';

/** Works with the trace that is shown. */
export type UseTrace = <Result>(work: (open: OpenTrace) => Promise<Result>) => Promise<Result>;

export class PageRequests implements Pick<PanelHost, 'slice' | 'cancelSlice' | 'picture'> {
  private readonly use: UseTrace;
  private readonly running = new Map<number, AbortController>();

  constructor(use: UseTrace) {
    this.use = use;
  }

  /** @throws UserError if the trace shown is another, or has no such slices; CancelledError */
  async slice(request: unknown): Promise<Float32Array[]> {
    const { id, run, query } = parseSliceRequest(request);
    const abort = new AbortController();
    this.running.get(id)?.abort(new CancelledError('The request'));
    this.running.set(id, abort);
    try {
      return await this.use(async ({ trace, reader }) => {
        requireRun(trace.id, run);
        requireAnswerable(trace, query);
        return reader.read(query, abort.signal);
      });
    } finally {
      if (this.running.get(id) === abort) this.running.delete(id);
    }
  }

  async cancelSlice(id: number): Promise<void> {
    this.running.get(id)?.abort(new CancelledError('The request'));
  }

  /** @throws UserError if the trace shown is another, has no such picture, or its bytes are damaged */
  async picture(request: unknown): Promise<Uint8Array> {
    const { run, picture } = parsePictureRequest(request);
    return this.use(async (open) => {
      requireRun(open.trace.id, run);
      return (await open.picture(requirePicture(open.trace, picture))).png;
    });
  }

  /** Gives up all that is being read. */
  cancelAll(): void {
    for (const abort of this.running.values()) abort.abort(new CancelledError('The request'));
  }
}

/** @throws UserError if a page asks about another trace than the one that is shown */
export function requireRun(shown: string, asked: string): void {
  if (shown === asked) return;
  throw new UserError({
    problem: 'The page asked about a trace that is not shown any more',
    expected: shown,
    found: asked.slice(0, 80),
  });
}
