/** How much room a disk has. */

import { statfs } from 'node:fs/promises';
import path from 'node:path';

/** Bytes that this user may still write where a folder is, or would be: of the nearest folder above it that is there. */
export async function freeSpace(folder: string): Promise<number> {
  for (let at = path.resolve(folder); ; at = path.dirname(at)) {
    try {
      const { bavail, bsize } = await statfs(at);
      return bavail * bsize;
    } catch (error) {
      if (at === path.dirname(at)) throw error;
    }
  }
}
