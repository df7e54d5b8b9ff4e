/** How a page's stand-in for the host asks for arrays, which stay outside the page (./previewArrays.ts). */

import { fromBase64 } from '../../src/base/base64.ts';
import { UserError } from '../../src/base/errors.ts';
import type { ArrayAnswer, ArrayQuestion } from './previewArrays.ts';

/** Exposed by whoever drives the page. */
declare const askForArrays: (question: ArrayQuestion) => Promise<ArrayAnswer>;

/** The browser's own is faster, where it has one: what this stand-in takes counts in measurements of the page. */
const Native = Uint8Array as { fromBase64?: (text: string) => Uint8Array<ArrayBuffer> };

export async function ask(question: ArrayQuestion): Promise<Uint8Array[]> {
  const answer = await askForArrays(question);
  if ('problem' in answer) throw new UserError(answer.problem);
  return answer.arrays.map((array) => Native.fromBase64?.(array) ?? fromBase64(array));
}

export async function askForSlices(
  request: Omit<Extract<ArrayQuestion, { type: 'slice' }>, 'type'>,
): Promise<Float32Array[]> {
  return (await ask({ type: 'slice', ...request })).map((bytes) => new Float32Array(bytes.buffer));
}
