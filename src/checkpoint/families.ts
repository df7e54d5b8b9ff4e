/**
 * Whose latents a checkpoint thinks in, told by the names of tokens and the fields of config.json, never by ids: an id
 * that is a pad in one project is a start in another. The families themselves are ../model/families.
 */

import { UserError } from '../base/errors.ts';
import type { BaseName } from '../model/bases/name.ts';
import type { ModelConfig } from '../model/config.ts';
import { FAMILIES } from '../model/families/all.ts';
import type { Family, Settings } from '../model/families/family.ts';
import { findBase } from './bases/all.ts';
import { isRecord } from './json.ts';
import type { Tokenizer } from './text/tokenizer.ts';

export interface Recognised {
  family: Family;
  /** What told it. */
  evidence: string;
}

/** The base of an architecture: its own, or what a family calls its checkpoints, which differ by the protocol alone. */
export function baseOfArchitecture(name: string): BaseName | undefined {
  const own = findBase(({ architecture }) => architecture === name);
  return own ?? FAMILIES.find(({ known }) => known.architecture === name)?.base;
}

/** The settings of config.json, at its top or in its text_config; null is none. */
export function settingsOf(json: unknown): Settings {
  const parts = isRecord(json) ? [json, json['text_config']].filter(isRecord) : [];
  return (field) => parts.map((part) => part[field]).find((value) => value !== undefined && value !== null);
}

/**
 * The families that something speaks for, with what does; none for a model without latents. Whose a checkpoint is can
 * only be said where there is one.
 */
export function candidates(
  json: unknown,
  { architecture, tokens }: Pick<ModelConfig, 'architecture' | 'tokens'>,
  tokenizer: Pick<Tokenizer, 'idOf' | 'tokenText'>,
): Recognised[] {
  // Whoever gave it an architecture of his own has said whose it is.
  const byArchitecture = FAMILIES.filter(({ known }) => known.architecture === architecture);
  if (byArchitecture.length > 0)
    return byArchitecture.map((family) => ({ family, evidence: `architecture ${architecture}` }));
  const settings = settingsOf(json);
  const names = declaredNames(tokens, tokenizer);
  // Where config.json gives ids, only the tokens that they stand for count.
  const has = (token: string): boolean => names?.includes(token) ?? tokenizer.idOf(token) !== undefined;
  const found = FAMILIES.flatMap((family): Recognised[] => {
    const evidence = evidenceFor(family, settings, has);
    return evidence === undefined ? [] : [{ family, evidence }];
  });
  // Who shares another's tokens is told by settings of its own.
  const special = found.filter(({ family }) => family.known.settings !== undefined);
  const isShared = ({ family }: Recognised): boolean =>
    special.some((other) => other.family !== family && sharesTokens(family, other.family));
  return found.filter((one) => !isShared(one));
}

/** Names of the tokens that config.json gives as those of latent blocks. */
export function declaredNames(
  { latent }: ModelConfig['tokens'],
  tokenizer: Pick<Tokenizer, 'tokenText'>,
): string[] | undefined {
  return latent && [latent.pad, latent.start, latent.end].map((id) => tokenizer.tokenText(id));
}

function evidenceFor(
  { known }: Family,
  settings: Settings,
  has: (token: string) => boolean,
): string | undefined {
  const field = known.fields.find((key) => settings(key) !== undefined);
  if (field !== undefined) return `"${field}" in config.json`;
  const token = known.tokens.find(has);
  if (token !== undefined) return `the token ${token}`;
  if (known.allTokens?.every(has) !== true) return undefined;
  const needed = Object.entries(known.settings ?? {});
  const isMet = needed.every(([key, value]) =>
    value === '*' ? settings(key) !== undefined : settings(key) === value,
  );
  if (!isMet) return undefined;
  const [first] = needed;
  return first === undefined
    ? `the token ${known.allTokens[0]}`
    : `"${first[0]}": "${first[1]}" in config.json`;
}

function sharesTokens(a: Family, b: Family): boolean {
  return a.known.allTokens !== undefined && a.known.allTokens === b.known.allTokens;
}

/** @throws UserError if several families claim the checkpoint */
export function onlyOne(found: readonly Recognised[], where: string): Recognised | undefined {
  if (found.length <= 1) return found[0];
  throw new UserError({
    problem: 'This checkpoint could think in the latents of several projects',
    expected: 'tokens and settings of one of them',
    found: found.map(({ family, evidence }) => `${family.record.name} (${evidence})`).join(', '),
    where,
    remedy: `Say which in a file ilvr.json beside its config.json: {"protocol": "${found[0]!.family.record.name}"}, or {"protocol": "none"} for a plain model.`,
  });
}
