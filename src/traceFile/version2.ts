/**
 * Traces of version 2. Their tokens at latents were of kind "latent-pad": models of other projects have no pads there. Their
 * `model.protocol` was the name of a project whose model ran as a plain one; its notes say so.
 */

import type { AnyTrace } from './migrationStep.ts';

/** Kinds of tokens by the names that they had. */
const RENAMED: Readonly<Record<string, string>> = { 'latent-pad': 'latent' };

/** A token's kind by its name of today; what is no kind is left to the check that follows. */
export function kindToday(kind: unknown): unknown {
  return typeof kind === 'string' && Object.hasOwn(RENAMED, kind) ? RENAMED[kind] : kind;
}

export function fromVersion2(trace: AnyTrace): AnyTrace {
  const { tokens, model } = trace;
  if (!Array.isArray(tokens)) return trace;
  return {
    ...trace,
    ...(isObject(model) && { model: withoutName(model) }),
    tokens: tokens.map((token: unknown) =>
      isObject(token) && 'kind' in token ? { ...token, kind: kindToday(token['kind']) } : token,
    ),
  };
}

function withoutName(model: Record<string, unknown>): Record<string, unknown> {
  const { protocol: _, ...rest } = model;
  return rest;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
