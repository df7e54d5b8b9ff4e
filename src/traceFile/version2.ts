/** Traces of version 2, whose tokens at latents were of kind "latent-pad": models of other projects have no pads there. */

import type { AnyTrace } from './migrationStep.ts';

/** Kinds of tokens by the names that they had. */
const RENAMED: Readonly<Record<string, string>> = { 'latent-pad': 'latent' };

/** A token's kind by its name of today; what is no kind is left to the check that follows. */
export function kindToday(kind: unknown): unknown {
  return typeof kind === 'string' && Object.hasOwn(RENAMED, kind) ? RENAMED[kind] : kind;
}

export function fromVersion2(trace: AnyTrace): AnyTrace {
  const { tokens } = trace;
  if (!Array.isArray(tokens)) return trace;
  return {
    ...trace,
    tokens: tokens.map((token: unknown) =>
      typeof token === 'object' && token !== null && 'kind' in token
        ? { ...token, kind: kindToday(token.kind) }
        : token,
    ),
  };
}
