/** Which variants of a run are tried: what is fed in each, as often as chance wants, and why some are not. */

import type { InterventionKind, InterventionScope, WhyMissing } from '../../analysis/intervention.ts';
import type { AnalysedRun } from '../../analysis/run.ts';
import { unreachable, UserError } from '../../base/errors.ts';
import type { LatentIntervention } from '../../protocol/engine.ts';
import { DONE_TO_TOKENS } from '../../inference/intervention.ts';
import { hasEnded } from '../../trace/answer.ts';
import type { ModelRun } from './modelRun.ts';
import { teacherTargets } from './oracle.ts';

export interface PlannedVariant {
  kind: InterventionKind;
  /** Why there are no draws. */
  missing?: WhyMissing;
  draws: LatentIntervention[];
}

/**
 * The part of the run that is meant, both counted from 1 and 0 for all.
 * @throws UserError if it has no such block or latent, or none at all
 */
export function scopeOf(
  { run, protocol }: Pick<ModelRun, 'run' | 'protocol'>,
  { block, latent }: { block: number; latent: number },
): InterventionScope | undefined {
  if (run.latents.length === 0) throw noLatents(run, protocol);
  if (block === 0) {
    if (latent === 0) return undefined;
    throw new UserError({ problem: 'A latent is named without its block', remedy: 'Name the block too.' });
  }
  const count = run.latents.filter((each) => each.block === block - 1).length;
  if (count >= Math.max(1, latent)) return { block: block - 1, ...(latent > 0 && { latent: latent - 1 }) };
  throw new UserError({
    problem: 'This run has no such latent',
    expected:
      count === 0
        ? `a block from 1 to ${run.blocks.length}`
        : `a latent from 1 to ${count} in block ${block}`,
    found: latent === 0 ? `block ${block}` : `latent ${latent} of block ${block}`,
  });
}

function noLatents(run: AnalysedRun, protocol: ModelRun['protocol']): UserError {
  const problem = 'This run has no latents to replace';
  // Without a protocol the model would have made none later either.
  if (protocol !== undefined && run.blocks.length === 0 && !hasEnded(run)) {
    return new UserError({
      problem,
      expected: 'a run with a latent block',
      found: `one that was cut after ${run.tokens.length} tokens, before its first block`,
      remedy: 'Ask again with a higher limit of tokens.',
    });
  }
  return new UserError({
    problem,
    remedy: 'Ask a model that thinks in latent blocks, or force the token that begins one.',
  });
}

export async function planVariants(
  of: ModelRun,
  { variants, repeats, seed }: { variants: readonly InterventionKind[]; repeats: number; seed: number },
  scope: InterventionScope | undefined,
): Promise<PlannedVariant[]> {
  const own = byBlock(of.run);
  const latents = own.flat();
  const targets = variants.includes('oracle') ? await teacherTargets(of) : [];
  const samples = Array.from({ length: repeats }, (_, i) => seed + i);
  const kinds = of.donor === undefined ? variants : [...variants, 'swap' as const];
  const inPlace = scope === undefined ? {} : { scope };
  return [...new Set(kinds)].map((kind): PlannedVariant => {
    const missing = whyMissing(kind, { of, scope, targets });
    if (missing !== undefined) return { kind, missing, draws: [] };
    const draws = ((): LatentIntervention[] => {
      switch (kind) {
        case 'noise':
          return samples.map((sample) => ({ kind, sample }));
        case 'shuffle':
          return samples.map((sample) => ({ kind, sample, blocks: own }));
        case 'mean':
          return [{ kind, latents }];
        case 'swap':
          return [{ kind, latents: of.donor!.latents.map(({ vector }) => vector) }];
        case 'oracle':
          return [{ kind, blocks: targets }];
        case 'zero':
        case 'dummy':
        case 'markers':
        case 'none':
          return [{ kind }];
        default:
          return unreachable(kind);
      }
    })();
    return { kind, draws: draws.map((draw) => ({ ...draw, ...inPlace })) };
  });
}

interface Circumstances {
  of: ModelRun;
  scope: InterventionScope | undefined;
  targets: readonly Float32Array[][];
}

function whyMissing(kind: InterventionKind, { of, scope, targets }: Circumstances): WhyMissing | undefined {
  const { donor: other, protocol } = of;
  if (protocol?.source === 'token' && !DONE_TO_TOKENS.includes(kind)) return 'tokens';
  const isOne = scope?.latent !== undefined;
  switch (kind) {
    case 'swap':
      if (other === undefined) return 'no-other-run';
      if (other.latents.length === 0) return 'other-has-none';
      if (other.latents[0]!.vector.length !== of.run.latents[0]!.vector.length) return 'other-size';
      if (!of.donorOwn) return 'other-replaced';
      return isSame(of.run, other) ? 'other-same' : undefined;
    case 'shuffle':
      return isOne ? 'one-latent' : undefined;
    case 'oracle':
      if (of.model.checkpoint.config.tokens.latent === undefined) return 'other-recipe';
      if (targets.length === 0) return 'no-helpers';
      return scope === undefined || scope.block < targets.length ? undefined : 'no-helper-here';
    case 'markers':
    case 'none':
      return isOne ? 'whole-blocks' : undefined;
    case 'zero':
    case 'noise':
    case 'mean':
    case 'dummy':
      return undefined;
    default:
      return unreachable(kind);
  }
}

/** Whether the other run would feed what was fed anyway. */
function isSame({ latents }: AnalysedRun, { latents: others }: AnalysedRun): boolean {
  return latents.every(({ vector }, i) => {
    const other = others[i % others.length]!.vector;
    return vector.every((value, c) => value === other[c]);
  });
}

/** The run's latents, block by block. */
function byBlock({ blocks, latents }: AnalysedRun): Float32Array[][] {
  return blocks.map((_, block) => latents.flatMap((each) => (each.block === block ? [each.vector] : [])));
}
