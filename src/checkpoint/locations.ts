/**
 * Where a graph says its weights are. The runtime takes one folder and paths below it, resolves links, and
 * refuses a file that is really elsewhere. In the Hugging Face cache every file is a link to
 * `../../blobs/…`, and an adapter has a folder of its own, so that folder is the deepest one in which all
 * files really lie.
 */
import { realpath } from 'node:fs/promises';
import path from 'node:path';
import { UserError } from '../base/errors.ts';

export interface Locations {
  /** The common folder, absolute, without links. */
  root: string;
  /** The path of each file from there, with `/`. */
  of: ReadonlyMap<string, string>;
}

/**
 * @param remedy for files on several drives
 * @throws UserError if files lie on different drives, which have no folder in common
 */
export async function locate(
  files: readonly string[],
  remedy = 'Copy the adapter to the drive of the model.',
): Promise<Locations> {
  const real = await Promise.all(files.map(async (file) => realpath(file)));
  const root = commonFolder(real.map((file) => path.dirname(file)));
  if (root === undefined) {
    throw new UserError({
      problem: 'the weights lie on different drives',
      expected: 'all files on one drive',
      found: files.join(', '),
      remedy,
    });
  }
  const locations = real.map((file) => path.relative(root, file).split(path.sep).join('/'));
  return { root, of: new Map(files.map((file, i) => [file, locations[i]!])) };
}

function commonFolder(folders: readonly string[]): string | undefined {
  const drive = path.parse(folders[0] ?? '').root;
  if (folders.some((folder) => path.parse(folder).root !== drive)) return undefined;
  const [own = [], ...others] = folders.map((folder) => folder.slice(drive.length).split(path.sep));
  let shared = 0;
  while (shared < own.length && others.every((names) => names[shared] === own[shared])) shared++;
  return path.join(drive, ...own.slice(0, shared));
}
