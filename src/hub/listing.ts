/** What a model's repository holds, as the hub tells it; checked, since the hub may be anybody's. */

import { listFiles, modelInfo } from '@huggingface/hub';
import * as z from 'zod';
import { UserError } from '../base/errors.ts';
import { isCommit } from './address.ts';
import { untrusted, type Hub } from './server.ts';

/** Files beside each other in a repository; the largest models have some hundred shards. */
const MAX_FILES = 10_000;
/** A tebibyte; the hub itself takes files of half of that. */
const MAX_FILE_BYTES = 2 ** 40;

/** Digest of a file's content, as hex: sha256 for large ones, git's own (sha1 of a header and the content) else. */
export interface Digest {
  kind: 'sha256' | 'git';
  hex: string;
}

export interface HubFile {
  /** Plain name in the top folder. */
  name: string;
  bytes: number;
  digest: Digest;
}

export interface Listing {
  /** "owner/name" */
  repository: string;
  /** The commit that the revision names now. */
  commit: string;
  /** Those of the top folder. */
  files: HubFile[];
  folders: string[];
}

const size = z.int().min(0).max(MAX_FILE_BYTES);
const entrySchema = z.object({
  type: z.string(),
  path: z.string().max(1000),
  size: size.default(0),
  oid: z
    .string()
    .regex(/^[0-9a-f]{40}$/)
    .optional(),
  lfs: z.object({ oid: z.string().regex(/^[0-9a-f]{64}$/), size }).nullish(),
});

type Entry = z.output<typeof entrySchema>;

/**
 * Lists the top folder of a model at a revision, in two or more requests.
 * @param revision branch, tag or commit
 * @throws AccessError, UserError or CancelledError
 */
export async function readListing(hub: Hub, repository: string, revision: string): Promise<Listing> {
  const common = { hubUrl: hub.endpoint, fetch: hub.fetch };
  const { sha } = await understood(hub, () =>
    modelInfo({ ...common, name: repository, revision, additionalFields: ['sha'] }),
  );
  if (typeof sha !== 'string' || !isCommit(sha)) throw notTheHub(hub, 'a model without a commit');
  const entries = await understood(hub, async () => {
    const found: Entry[] = [];
    for await (const entry of listFiles({
      ...common,
      repo: { type: 'model', name: repository },
      revision: sha,
    })) {
      found.push(entrySchema.parse(entry));
      if (found.length > MAX_FILES) throw notTheHub(hub, `more than ${MAX_FILES} files`);
    }
    return found;
  });
  return { repository, commit: sha, ...sorted(hub, entries) };
}

function sorted(hub: Hub, entries: readonly Entry[]): Pick<Listing, 'files' | 'folders'> {
  const names = new Set<string>();
  for (const { path } of entries) {
    if (!isPlainName(path)) throw untrusted(`the name ${JSON.stringify(path)}`, 'plain names', hub.endpoint);
    if (names.has(path)) throw untrusted(`${JSON.stringify(path)} twice`, 'each file once', hub.endpoint);
    names.add(path);
  }
  return {
    files: entries.filter(({ type }) => type === 'file').map((entry) => fileOf(hub, entry)),
    folders: entries.filter(({ type }) => type === 'directory').map(({ path }) => path),
  };
}

/** A name that stays in its folder on every system. */
function isPlainName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !/[/\\:\p{Cc}]/u.test(name);
}

function fileOf(hub: Hub, { path, size: ownSize, oid, lfs }: Entry): HubFile {
  if (lfs) return { name: path, bytes: lfs.size, digest: { kind: 'sha256', hex: lfs.oid } };
  if (oid === undefined) throw notTheHub(hub, `${path} without a checksum`);
  return { name: path, bytes: ownSize, digest: { kind: 'git', hex: oid } };
}

/** The library takes answers as they are; what it or the schema stumbles over is the server's fault. */
async function understood<T>(hub: Hub, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof z.ZodError) {
      const [issue] = error.issues;
      throw notTheHub(hub, `a file with a wrong "${issue?.path.join('.') ?? ''}"`);
    }
    if (error instanceof SyntaxError || error instanceof TypeError) throw notTheHub(hub, 'something else');
    throw error;
  }
}

function notTheHub(hub: Hub, found: string): UserError {
  return new UserError({
    problem: 'The server does not answer as a hub of models does',
    expected: "the Hugging Face hub's list of a model's files",
    found,
    where: hub.endpoint,
    remedy: 'Check the address of the server (HF_ENDPOINT).',
  });
}
