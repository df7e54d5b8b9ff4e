/** What the tests of src/hub share: a small model on a server of this machine, and folders. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { UserError } from '../../src/base/errors.ts';
import { fetchOffer, readOffer } from '../../src/hub/getModel.ts';
import { Hub, type HubOptions } from '../../src/hub/server.ts';
import { HubServer, REPOSITORY, sha256, type Intercept } from '../fixtures/hubServer.ts';

const MAZE = new URL('../../models/maze/', import.meta.url);

export const SHARDS = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'] as const;
export const SHARD_BYTES = 3_000_000;

/** What a repository may hold; the config is a real one, so that it is not refused. */
export function smallModel(): Record<string, string | Uint8Array> {
  const maze = (name: string): Uint8Array => readFileSync(new URL(name, MAZE));
  return {
    'README.md': '# A model',
    'config.json': maze('config.json'),
    'generation_config.json': maze('generation_config.json'),
    'tokenizer.json': maze('tokenizer.json'),
    'model.safetensors.index.json': JSON.stringify({ weight_map: { a: SHARDS[0], b: SHARDS[1] } }),
    [SHARDS[0]]: randomBytes(SHARD_BYTES),
    [SHARDS[1]]: randomBytes(SHARD_BYTES),
    'pytorch_model.bin': randomBytes(20_000),
    'modeling_small.py': 'import os',
  };
}

export async function startHub(files = smallModel()): Promise<HubServer> {
  const server = await HubServer.start(files);
  onTestFinished(() => server.close());
  return server;
}

export function hubOf(server: HubServer, options: Partial<HubOptions> = {}): Hub {
  return new Hub({ endpoint: server.endpoint, silenceMs: 20_000, retryDelaysMs: [1, 1, 1], ...options });
}

/** Offer and fetching in one. */
export async function getModel(
  server: HubServer,
  folder: string,
  options: Partial<HubOptions> = {},
): Promise<void> {
  const hub = hubOf(server, options);
  await fetchOffer(hub, await readOffer(hub, REPOSITORY, 'main'), folder);
}

/** The UserError that a promise rejects with. */
export async function refusal(promise: Promise<unknown>): Promise<UserError> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof UserError) return error;
  throw new Error(`no UserError, but ${String(error)}`);
}

/** Names in a folder; none if there is no such folder. */
export function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).toSorted() : [];
}

export function same(server: HubServer, folder: string, name: string): boolean {
  return readFileSync(join(folder, name)).equals(Buffer.from(server.files.get(name)!));
}

/** Does this to requests for the content of one file; `calls` counts them from 1. */
export function onContent(
  server: HubServer,
  name: string,
  act: (call: number, ...args: Parameters<Intercept>) => boolean,
): void {
  const oid = sha256(server.files.get(name)!);
  let calls = 0;
  server.intercept = (request, response) =>
    request.url?.startsWith(`/cdn/${oid}`) === true && act(++calls, request, response);
}

/** Name of an unfinished file. */
export const partOf = (server: HubServer, name: string): string =>
  `${name}.${sha256(server.files.get(name)!).slice(0, 12)}.part`;
