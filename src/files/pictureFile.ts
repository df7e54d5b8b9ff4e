/** A picture's file as bytes, for whoever shows it to a model. */

import { readPlainFile } from './plainFile.ts';

/** Pictures have at most 50 megapixels; this is more than so many of 16 bits and four channels take uncompressed. */
export const MAX_PICTURE_BYTES = 2 ** 29;

/** @throws UserError if it is no plain file, cannot be read, or has more than 512 MiB */
export async function readPictureFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
  return readPlainFile(path, { what: 'picture', maxBytes: MAX_PICTURE_BYTES });
}
