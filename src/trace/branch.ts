/** Branches: runs that go on from a point of another with something changed. What was changed and where, and its cost. */

import { plural, t } from '../base/l10n.ts';
import { arraysOf, bytesOf } from './arrays.ts';
import type { ArrayRef, Trace, TraceBlock, TraceBranch, TraceLatent, TraceToken } from './schema.ts';
import { describeIntervention } from './steps.ts';

/** What of a run stands before a token, as it is in its trace. */
export interface TracePast {
  tokens: TraceToken[];
  /** The last one is open where the token lies in it. */
  blocks: TraceBlock[];
  latents: TraceLatent[];
}

/** Of blocks that something outside the protocol cut off. */
const OPEN_ENDS: ReadonlySet<TraceBlock['ended']> = new Set(['running', 'limit', 'cancelled', 'endless']);

/** Everything before token `at`. */
export function pastOf({ tokens, blocks, latents }: Trace, at: number): TracePast {
  return {
    tokens: tokens.slice(0, at),
    blocks: blocks
      .filter(({ startToken }) => startToken < at)
      .map((block): TraceBlock => {
        const { endToken, ...rest } = block;
        const fed = tokens.slice(block.startToken, at).filter(({ kind }) => kind === 'latent').length;
        const count = Math.min(block.latents, fed);
        // A block without an end token is over when something else follows its latents.
        const isOver =
          endToken === undefined
            ? !OPEN_ENDS.has(block.ended) && count === block.latents && tokens[at - 1]?.kind !== 'latent'
            : endToken < at;
        return isOver ? block : { ...rest, latents: count, ended: 'running' };
      }),
    latents: latents.filter(({ token }) => token < at),
  };
}

/** How far the arrays reach that a past and the pictures refer to. */
export function arraysEnd({ pictures }: Trace, { tokens, latents }: TracePast): number {
  const refs: ArrayRef[] = [
    ...pictures.map(({ png }) => png),
    ...tokens.flatMap(({ attention }) => attention ?? []),
    ...latents.flatMap(arraysOf),
  ];
  return refs.reduce((end, ref) => Math.max(end, ref.offset + bytesOf(ref)), 0);
}

/** How many numbers of its seed a run had drawn before token `at`. */
export function drawsBefore({ tokens, blocks, settings, branch }: Trace, at: number): number {
  if (settings.temperature === 0) return 0;
  const from = branch?.drawsFrom ?? 0;
  const ends = new Map(blocks.map((block) => [block.endToken, block.ended]));
  // Of older traces, which do not keep what was chosen inside blocks.
  const isFree = settings.latents === 'free';
  return tokens.slice(from, at).filter(({ kind, forced, chosen }, i) => {
    // Inside a block the model may choose whatever becomes of its choice; a full one is ended without one.
    if (kind === 'latent') return chosen !== undefined || isFree || !forced;
    if (kind === 'latent-end') return ends.get(from + i) === 'end-token';
    return !forced;
  }).length;
}

/** What was changed and where, in a line: "token 14: “left”; seed 3". */
export function describeBranch(branch: TraceBranch): string {
  return `${t('from token {0}', branch.at + 1)}: ${describeChanges(branch)}`;
}

/** The same without the place. */
export function describeChanges({ at, changes, masks = [] }: TraceBranch): string {
  const { words, intervention, temperature, seed } = changes;
  const parts = [
    words && t('“{0}”', words.text.trim()),
    intervention === 'own' ? t('its own latents') : intervention && describeIntervention({ intervention }),
    ...masks
      .filter(({ from }) => from === at)
      .map(({ patches }) => plural(patches.length, '{0} patch hidden', '{0} patches hidden')),
    temperature !== undefined && t('temperature {0}', temperature),
    seed !== undefined && t('seed {0}', seed),
  ].filter((part) => typeof part === 'string');
  return parts.length === 0 ? t('nothing changed') : parts.join(', ');
}
