/** The work of `ilvr get-model`. */

import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { checkRevision, hubEndpoint, parseRepository } from '../hub/address.ts';
import { findCached } from '../hub/cache.ts';
import { AccessError } from '../hub/failures.ts';
import { fetchOffer, readOffer, roomFor, type Offer, type Room } from '../hub/getModel.ts';
import { Hub, type HubOptions } from '../hub/server.ts';
import { inBytes } from '../process/memory.ts';
import { EXIT, type CliContext } from './context.ts';
import { label, type Terminal } from './terminal.ts';

export interface GetModelOptions {
  to?: string;
  revision: string;
}

/**
 * Gets a model, or names the whole copy of it that is in the Hugging Face cache.
 * @param name "owner/name"
 * @returns the exit code
 * @throws UserError, AccessError or CancelledError; what has come is kept
 */
export async function getModel(context: CliContext, name: string, options: GetModelOptions): Promise<number> {
  const { terminal, signal } = context;
  const endpoint = hubEndpoint();
  const repository = parseRepository(name, endpoint);
  const revision = checkRevision(options.revision);
  const cached = options.to === undefined ? await findCached(repository, revision) : undefined;
  if (cached !== undefined) {
    terminal.line(label('cached'), cached.folder);
    terminal.line(label('note'), 'as it was when it was last fetched; --to DIR gets it from the hub');
    return EXIT.ok;
  }
  const folder = resolve(options.to ?? repository.split('/')[1]!);
  await withToken({ endpoint, signal }, (hub) => fetchInto(hub, { repository, revision, folder }, terminal));
  return EXIT.ok;
}

async function fetchInto(
  hub: Hub,
  { repository, revision, folder }: { repository: string; revision: string; folder: string },
  terminal: Terminal,
): Promise<void> {
  terminal.progress(`asking ${hub.endpoint}`);
  const offer = await readOffer(hub, repository, revision);
  terminal.line(label('model'), describe(offer));
  terminal.line(label('fetch'), sizesOf(offer, await roomFor(offer, folder)));
  let last = '';
  await fetchOffer(hub, offer, folder, ({ file, done, total }) => {
    const message = `${file} · ${inBytes(done)} of ${inBytes(total)}`;
    if (file !== last) terminal.progress(message, done / total);
    else terminal.passing(message, done / total);
    last = file;
  });
  terminal.clearProgress();
  terminal.line(label(offer.kind), folder);
}

/** "7.5 GB of 7.5 GB; 57.9 GB free on the disk" */
function sizesOf({ bytes }: Offer, { missing, cached, free }: Room): string {
  const copied = cached > 0 ? `, and ${inBytes(cached)} copied from the Hugging Face cache` : '';
  return `${inBytes(missing - cached)} of ${inBytes(bytes)}${copied}; ${inBytes(free)} free on the disk`;
}

/** "Qwen/Qwen2.5-VL-3B-Instruct at 66285546d2b8 · 12 files" */
function describe({ repository, commit, files }: Offer): string {
  return `${repository} at ${commit.slice(0, 12)} · ${files.length} files`;
}

/** Says who asks only when the server wants to know. */
async function withToken(options: HubOptions, work: (hub: Hub) => Promise<void>): Promise<void> {
  try {
    await work(new Hub(options));
  } catch (error) {
    const token = error instanceof AccessError ? await ownToken() : undefined;
    if (token === undefined) throw error;
    await work(new Hub({ ...options, token }));
  }
}

/** Where Hugging Face's own programs keep it. */
async function ownToken(env: NodeJS.ProcessEnv = process.env): Promise<string | undefined> {
  const home = env['HF_HOME'] ?? join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'huggingface');
  const file = env['HF_TOKEN_PATH'] ?? join(home, 'token');
  const token = env['HF_TOKEN'] ?? (await readFile(file, 'utf8').catch(() => ''));
  return token.trim() === '' ? undefined : token.trim();
}
