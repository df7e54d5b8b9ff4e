/** Where models come from, and how they are called there. */

import { HUB_URL } from '@huggingface/hub';
import { UserError } from '../base/errors.ts';

/** A part of a name, as the hub allows it. */
const PART = /^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$/;
/** Branches, tags, commits, refs/pr/1. */
const REVISION = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$/;

/**
 * Address of the hub, without a slash at its end: HF_ENDPOINT, as Hugging Face's own programs read it, or theirs.
 * @throws UserError if it is no address
 */
export function hubEndpoint(env: NodeJS.ProcessEnv = process.env): string {
  const given = env['HF_ENDPOINT']?.trim();
  if (given === undefined || given === '') return HUB_URL;
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.username === '' && url.search === '')
    return given.replace(/\/+$/, '');
  throw new UserError({
    problem: 'The address of the server cannot be used',
    expected: 'an address such as https://huggingface.co',
    found: given,
    where: 'the environment variable HF_ENDPOINT',
    remedy: 'Correct it, or remove it.',
  });
}

/**
 * The name of a model: "owner/name". The address of its page is understood too.
 * @throws UserError if it is neither
 */
export function parseRepository(text: string, endpoint: string): string {
  const trimmed = text.trim();
  const page = [endpoint, HUB_URL].find((start) => trimmed.startsWith(`${start}/`));
  const name =
    page === undefined ? trimmed : trimmed.slice(page.length + 1).replace(/(\/tree\/main)?\/?$/, '');
  const parts = name.split('/');
  if (parts.length === 2 && parts.every((part) => PART.test(part) && !/\.\.|--/.test(part))) return name;
  throw new UserError({
    problem: 'This is no name of a model on the hub',
    expected: 'owner/name, such as Qwen/Qwen2.5-VL-3B-Instruct',
    found: trimmed === '' ? 'nothing' : trimmed,
  });
}

/** @throws UserError if it is no name of a branch, a tag or a commit */
export function checkRevision(revision: string): string {
  if (REVISION.test(revision) && !/\.\.|\/\/|\/$/.test(revision)) return revision;
  throw new UserError({
    problem: 'This is no name of a revision',
    expected: 'a branch, a tag or a commit, such as main',
    found: revision,
  });
}

export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

/** @throws UserError if HF_HUB_OFFLINE says that no server may be asked, as to Hugging Face's own programs */
export function requireOnline(env: NodeJS.ProcessEnv = process.env): void {
  if (!/^(1|true|yes|on)$/i.test(env['HF_HUB_OFFLINE'] ?? '')) return;
  throw new UserError({
    problem: 'No server may be asked',
    found: 'the environment variable HF_HUB_OFFLINE',
    remedy: 'Remove it to get a model, or open one that is on this machine.',
  });
}
