/**
 * Addresses of places in traces: `vscode://ilvr-inspector.ilvr-inspector/trace?id=…&file=…&step=3&latent=12&layer=5`.
 * They name a trace by its id, so that they lead to it on every computer that has it. Whoever opens one may have it from
 * anywhere: it names nothing but a place, and each part is checked. All numbers count from 1, as the panel shows them.
 * Knows nothing of VS Code.
 */

import * as z from 'zod';
import { faultText } from '../../base/faults.ts';
import { UserError } from '../../base/errors.ts';
import { MAP_KINDS } from '../../heatmap/map.ts';
import type { PanelSelection } from '../../protocol/panel.ts';
import type { Choice } from '../../trace/choice.ts';
import type { Trace } from '../../trace/schema.ts';
import { stepsOf } from '../../trace/steps.ts';

/** After the extension's id. */
export const LINK_PATH = '/trace';

const number = z
  .string()
  .regex(/^[1-9]\d{0,7}$/, 'a number from 1')
  .transform(Number);
const choice = z.union([z.literal(['mean', 'max']), number]);

const linkSchema = z.strictObject({
  id: z.string().min(1).max(128),
  /** Name of a file that it may be found by: no path. */
  file: z
    .string()
    .min(1)
    .max(255)
    .regex(/^[^/\\]+$/, 'a name without folders')
    .optional(),
  step: number.optional(),
  latent: number.optional(),
  /** Of a word, in the answer. */
  token: number.optional(),
  layer: choice.optional(),
  heads: choice.optional(),
  kind: z.enum(MAP_KINDS).optional(),
  /** Id of a picture of the trace. */
  picture: z.string().min(1).max(128).optional(),
});

/** A place in a trace, as an address names it. */
export type TraceLink = z.output<typeof linkSchema>;

/**
 * Reads the address's part after the question mark, as VS Code gives it: decoded once.
 * @throws UserError if it is no such address
 */
export function parseLink(query: string): TraceLink {
  const parts = partsOf(query);
  const { success, data, error } = linkSchema.safeParse(parts);
  if (success) return data;
  throw unreadable(faultText(error, parts));
}

/**
 * The part after the question mark of an address that leads to what is looked at. Values are encoded twice, as VS Code
 * decodes the whole once, and then cannot tell an "&" of a file's name from one between two parts.
 */
export function linkQuery(trace: Trace, file: string, place: PanelSelection): string {
  const { latent, token, layer, heads, kind, picture } = place;
  const at = token ?? trace.latents[latent ?? -1]?.token;
  const step = stepsOf(trace).find(({ first, last }) => at !== undefined && first <= at && at <= last);
  const parts: Record<keyof TraceLink, string | number | undefined> = {
    id: trace.id,
    file,
    step: step?.number,
    latent: fromOne(latent),
    token: fromOne(token),
    layer: fromOne(layer),
    heads: fromOne(heads),
    kind,
    picture,
  };
  const stated = Object.entries(parts).flatMap(([name, value]) =>
    value === undefined ? [] : `${name}=${encodeURIComponent(encodeURIComponent(value))}`,
  );
  return stated.join('&');
}

/** What to select. @throws UserError if the trace has no such place */
export function placeIn(trace: Trace, link: TraceLink): PanelSelection {
  const { kind, picture } = link;
  if (picture !== undefined && !trace.pictures.some(({ id }) => id === picture)) {
    throw noPlace('picture', picture, trace.pictures.map(({ id }) => id).join(', '));
  }
  const layer = choiceOf('layer', link.layer, trace.model.layers);
  const heads = choiceOf('heads', link.heads, trace.model.heads);
  return {
    ...selectedIn(trace, link),
    ...(layer !== undefined && { layer }),
    ...(heads !== undefined && { heads }),
    ...(kind !== undefined && { kind }),
    ...(picture !== undefined && { picture }),
  };
}

function partsOf(query: string): Record<string, string> {
  const pairs = query.split('&').map((pair) => {
    const [name = '', ...value] = pair.split('=');
    return [name, decoded(value.join('='))] as const;
  });
  return Object.fromEntries(pairs);
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    throw unreadable(value.slice(0, 100));
  }
}

function unreadable(found: string): UserError {
  return new UserError({
    problem: 'This link cannot be read',
    expected: 'the id of a trace, and numbers of a step, latent, layer and head',
    found,
  });
}

/** A word or a latent, or else the first of a step. */
function selectedIn(trace: Trace, { step, latent, token }: TraceLink): PanelSelection {
  const { tokens, latents } = trace;
  if (token !== undefined) {
    const isWord = tokens[indexOf('token', token, tokens.length)]!.kind === 'text';
    if (!isWord) throw noPlace('token', token, 'one of a word');
    return {
      token: token - 1,
      ...(latent !== undefined && latent <= latents.length && { latent: latent - 1 }),
    };
  }
  if (latent !== undefined) return { latent: indexOf('latent', latent, latents.length) };
  if (step === undefined) return {};
  const steps = stepsOf(trace);
  const found = steps[indexOf('step', step, steps.length)]!;
  if (found.kind === 'text') return { token: found.first };
  const [first] = found.latents;
  return first === undefined ? {} : { latent: latents.indexOf(first) };
}

function indexOf(what: string, place: number, count: number): number {
  if (place <= count) return place - 1;
  throw noPlace(what, place, `1 to ${count}`);
}

function choiceOf(
  what: string,
  value: number | 'mean' | 'max' | undefined,
  count: number,
): Choice | undefined {
  return typeof value === 'number' ? indexOf(what, value, count) : value;
}

function fromOne(value: Choice | undefined): Choice | undefined {
  return typeof value === 'number' ? value + 1 : value;
}

function noPlace(what: string, found: string | number, expected: string): UserError {
  return new UserError({
    problem: `This trace has no such ${what} as the link names`,
    expected,
    found: String(found),
  });
}
