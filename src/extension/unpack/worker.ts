/** The process that reads one large trace: it is sent a request, answers, and is ended by who started it. */

import { messageOf, UserError, type ErrorDetails } from '../../base/errors.ts';
import { endWithParent } from '../../process/parent.ts';
import { unpackTrace, type Unpacked, type UnpackRequest } from './unpacking.ts';

/** Errors lose their class between processes. */
export type Answer = { unpacked: Unpacked } | { refused: ErrorDetails } | { defect: string };

endWithParent();
process.once('message', (request: UnpackRequest) => {
  void answerTo(request).then((answer) => process.send?.(answer));
});

async function answerTo(request: UnpackRequest): Promise<Answer> {
  try {
    return { unpacked: await unpackTrace(request) };
  } catch (error) {
    return error instanceof UserError ? { refused: error.details } : { defect: messageOf(error) };
  }
}
