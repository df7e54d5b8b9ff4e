/**
 * The process that reads one large trace: it is sent a request, answers, hands over the trace's long lists piece by piece
 * as they are asked for, and is ended by who started it.
 */

import { messageOf, UserError, type ErrorDetails } from '../../base/errors.ts';
import { endWithParent } from '../../process/parent.ts';
import type { Trace } from '../../trace/schema.ts';
import {
  unpackTrace,
  type LongList,
  type PieceRequest,
  type Unpacked,
  type UnpackRequest,
} from './unpacking.ts';

/** Of `unpacked`, the long lists are empty. Errors lose their class between processes. */
export type Answer =
  | { unpacked: Unpacked; lengths: Record<LongList, number> }
  | { entries: Trace[LongList] }
  | { refused: ErrorDetails }
  | { defect: string };

/** Entries of a message: taken in within one or two milliseconds. */
const ENTRIES = 256;

endWithParent();
process.once('message', (request: UnpackRequest) => void answerTo(request));

async function answerTo(request: UnpackRequest): Promise<void> {
  try {
    const { trace, arrays } = await unpackTrace(request);
    const { tokens, latents } = trace;
    process.on('message', ({ list, from }: PieceRequest) =>
      send({ entries: trace[list].slice(from, from + ENTRIES) }),
    );
    send({
      unpacked: { trace: { ...trace, tokens: [], latents: [] }, arrays },
      lengths: { tokens: tokens.length, latents: latents.length },
    });
  } catch (error) {
    send(error instanceof UserError ? { refused: error.details } : { defect: messageOf(error) });
  }
}

function send(answer: Answer): void {
  process.send?.(answer);
}
