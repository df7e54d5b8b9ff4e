/** Checks what a page asks for. It comes from a webview, so nothing of it is believed. Knows nothing of VS Code. */

import * as z from 'zod';
import { ANALYSIS_NAMES, type AnalysisName } from '../../analysis/table.ts';
import { faultText } from '../../base/faults.ts';
import { unreachable, UserError } from '../../base/errors.ts';
import { visualCount } from '../../trace/columns.ts';
import type { Family, Query } from '../../trace/queries.ts';
import type { Trace } from '../../trace/schema.ts';
import { SLICE_BUDGET } from '../../trace/slices.ts';

const count = z.int().min(0);
/** Which layers and heads there are depends on the trace; too large ones mean the last. */
const choice = z.union([count, z.literal(['mean', 'max'])]);
const patches = z
  .array(count)
  .min(1)
  .max(2 ** 16);

const query = z.strictObject({
  family: z.discriminatedUnion('of', [
    z.strictObject({ of: z.literal('visual'), layer: choice, heads: choice }),
    z.strictObject({ of: z.literal('row'), layer: choice, heads: choice }),
    z.strictObject({ of: z.literal('similarity'), picture: z.string() }),
    z.strictObject({ of: z.literal('selection'), picture: z.string() }),
    z.strictObject({
      of: z.literal('paid'),
      layer: choice,
      to: z.union([z.strictObject({ latent: count }), z.strictObject({ picture: z.string(), patches })]),
      count,
    }),
    z.strictObject({ of: z.literal('cosines'), count }),
  ]),
  from: count,
  to: count,
});

const sliceRequest = z.strictObject({ id: z.int(), run: z.string(), query });
const analysisRequest = z.strictObject({
  /** Of one that is computed. */
  id: z.int().optional(),
  run: z.string(),
  method: z.enum(ANALYSIS_NAMES as [AnalysisName, ...AnalysisName[]]),
  /** Of one that is computed; checked by the analysis itself. */
  parameters: z.record(z.string(), z.unknown()).default({}),
});
const pictureRequest = z.strictObject({ run: z.string(), picture: z.string() });

export type SliceRequest = { id: number; run: string; query: Query };
export type PictureRequest = z.output<typeof pictureRequest>;

/** @throws UserError if it is no request for slices */
export function parseSliceRequest(request: unknown): SliceRequest {
  return parsed(sliceRequest, request);
}

/** @throws UserError if it is no request about an analysis */
export function parseAnalysisRequest(request: unknown): z.output<typeof analysisRequest> {
  return parsed(analysisRequest, request);
}

/** @throws UserError if it is no request for a picture */
export function parsePictureRequest(request: unknown): PictureRequest {
  return parsed(pictureRequest, request);
}

/** @throws UserError if the trace has no such slices, or they are more than anyone keeps */
export function requireAnswerable(trace: Trace, { family, from, to }: Query): void {
  const members = membersOf(trace, family);
  if (from > to || to > members) throw refused(`members 0 to ${members}`, `${from} to ${to}`);
  for (const id of picturesOf(family)) requirePicture(trace, id);
  if (family.of === 'cosines' && family.count > trace.latents.length) {
    throw refused(`at most ${trace.latents.length} latents`, String(family.count));
  }
  if (family.of === 'paid' && family.count > trace.tokens.length) {
    throw refused(`at most ${trace.tokens.length} tokens`, String(family.count));
  }
  if (family.of === 'paid' && 'latent' in family.to && family.to.latent >= trace.latents.length) {
    throw refused(`one of ${trace.latents.length} latents`, String(family.to.latent));
  }
  const bytes = (to - from) * widthOf(trace, family) * 4;
  if (bytes > SLICE_BUDGET) throw refused(`at most ${SLICE_BUDGET} bytes`, `${bytes} bytes`);
}

/** @throws UserError if the trace has no such picture */
export function requirePicture(trace: Trace, id: string): Trace['pictures'][number] {
  const picture = trace.pictures.find((other) => other.id === id);
  if (picture === undefined) throw refused('a picture of this trace', JSON.stringify(id.slice(0, 80)));
  return picture;
}

function membersOf({ latents, tokens }: Trace, { of }: Family): number {
  if (of === 'row') return tokens.length;
  return of === 'paid' || of === 'cosines' ? 1 : latents.length;
}

/** Numbers of a member, at most. */
function widthOf(trace: Trace, family: Family): number {
  switch (family.of) {
    case 'visual':
      return visualCount(trace);
    case 'row':
      return trace.prompt.ids.length + trace.tokens.length;
    case 'paid':
      return trace.tokens.length;
    case 'cosines':
      return family.count ** 2;
    case 'similarity':
    case 'selection': {
      const { rows, columns } = requirePicture(trace, family.picture).grid;
      return rows * columns;
    }
    default:
      return unreachable(family);
  }
}

function picturesOf(family: Family): string[] {
  if ('picture' in family) return [family.picture];
  return family.of === 'paid' && 'picture' in family.to ? [family.to.picture] : [];
}

function parsed<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw refused('a request for a part of the trace', faultText(result.error, value));
}

function refused(expected: string, found: string): UserError {
  return new UserError({ problem: 'The page asked for what this trace does not have', expected, found });
}
