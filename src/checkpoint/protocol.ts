/**
 * The latent protocol of a checkpoint: the record of its family, or of the file ilvr.json beside it, read for its
 * tokenizer, settings and weights.
 */

import { z } from 'zod';
import { UserError } from '../base/errors.ts';
import { baseOf } from '../model/bases/all.ts';
import type { ModelConfig } from '../model/config.ts';
import { familyOf, FAMILIES } from '../model/families/all.ts';
import type { Family, Settings } from '../model/families/family.ts';
import { WIDTH_OF, type LatentHead } from '../model/latentHead.ts';
import {
  type Count,
  type Marker,
  type Markers,
  type Protocol,
  type ProtocolChanges,
  type ProtocolRecord,
  withChanges,
} from '../model/protocol.ts';
import { candidates, declaredNames, onlyOne, settingsOf, type Recognised } from './families.ts';
import { show } from './json.ts';
import type { Tokenizer } from './text/tokenizer.ts';
import type { Weights } from './weights.ts';

const tokenName = z.string().min(1).max(200);
const latents = z.int().min(1).max(10_000);
const flag = z.boolean();
const fieldName = z.string().min(1).max(200);

const distance = z.strictObject({
  to: fieldName,
  measure: z.enum(['mse', 'mae', 'cosine']),
  threshold: z.number().positive(),
});

/** What a run, or a file beside a checkpoint, may change of a protocol. Strict: a switch that nobody knows is no switch. */
export const ChangesSchema = z
  .strictObject({
    count: latents,
    source: z.enum(['hidden', 'head', 'token']),
    headLogits: flag,
    firstFeed: z.enum(['after-start', 'replace-start']),
    stop: z.strictObject({
      endToken: flag.optional(),
      distance: distance.optional(),
      repeats: z.int().min(2).max(100).optional(),
    }),
    append: z.enum(['pad', 'own']),
    forcedEnd: flag,
    bansOutside: flag,
    startInside: z.enum(['ignored', 'restart', 'reset']),
    stopInside: z.enum(['ends', 'ignored']),
    limitInside: z.enum(['ends', 'ignored']),
    state: z.enum(['block', 'run']),
    firstToken: z.enum(['free', 'start']),
    bound: z.int().min(1).max(1_000_000),
    prompt: z.strictObject({
      images: z.enum(['first', 'last', 'placeholder']).optional(),
      lead: z.string().max(1000).optional(),
      trimmed: flag.optional(),
    }),
  })
  .partial();

const configCount = z.strictObject({
  from: z.literal('config'),
  field: fieldName,
  times: z.int().min(1).max(100).default(1),
  otherwise: latents,
});

/** A record of one's own in ilvr.json: what it does not say is as in the family `like`, else as in the one that is found. */
const OwnRecord = ChangesSchema.omit({ count: true })
  .extend({
    name: z.string().min(1).max(100),
    like: z.string().min(1).max(100),
    count: z.union([latents, configCount]),
    tokens: z.strictObject({
      start: tokenName.optional(),
      pad: tokenName.optional(),
      end: tokenName.optional(),
      visual: z.array(tokenName).min(1).max(1000).optional(),
    }),
  })
  .partial();

/** `protocol` in ilvr.json: a family's name, "none" for a plain model, or a record. */
export const OwnProtocol = z.union([z.string().min(1).max(100), OwnRecord], 'a name or a record');
export type OwnProtocol = z.output<typeof OwnProtocol>;

export interface ProtocolContext {
  /** Content of config.json. */
  json: unknown;
  config: ModelConfig;
  tokenizer: Pick<Tokenizer, 'idOf' | 'tokenText' | 'bytesOf'>;
  weights: Pick<Weights, 'stored'>;
  /** The checkpoint's folder, for messages. */
  where: string;
}

export interface FoundProtocol {
  protocol?: Protocol;
  latentHead?: LatentHead;
  family?: Family;
  /** Tokens that config.json gives as those of latent blocks, and nobody knows. */
  unknown?: string;
  /** What a reader should know, in sentences. */
  notes: string[];
}

/**
 * @param own what ilvr.json says
 * @throws UserError if several families claim the checkpoint, or it lacks what its protocol needs
 */
export function protocolOf(context: ProtocolContext, own: OwnProtocol | undefined): FoundProtocol {
  if (own === 'none') return { notes: ['By its ilvr.json it runs as a plain model, without latents.'] };
  const { json, config, tokenizer, where } = context;
  const found = (): Recognised | undefined => onlyOne(candidates(json, config, tokenizer), where);
  if (own === undefined) {
    const recognised = found();
    if (recognised === undefined) return unknownIn(context);
    return complete(context, recognised.family.record, recognised.family);
  }
  if (typeof own === 'string') {
    const family = named(own, where);
    return complete(context, family.record, family);
  }
  const { like, count, tokens, ...changes } = own;
  const family = like === undefined ? found()?.family : named(like, where);
  if (family === undefined) throw incomplete(where);
  const { name = family.record.name, ...rules } = changes;
  const record: ProtocolRecord = {
    ...withChanges(family.record, rules),
    name,
    count: count === undefined ? family.record.count : countOf(count),
    tokens: tokens === undefined ? family.record.tokens : withoutUndefined(tokens),
  };
  // Ids of tokens with other names stand in no field that the family knows.
  return complete(context, record, tokens === undefined ? family : { ...family, idFields: {} }, rules);
}

/** A run's protocol with what the run changes. @throws UserError if the checkpoint lacks what that needs */
export function changedProtocol(
  protocol: Protocol,
  { count, ...rules }: ProtocolChanges,
  context: Pick<ProtocolContext, 'weights' | 'config' | 'where'>,
): Protocol {
  const changed = {
    ...withChanges(protocol, rules),
    ...(count !== undefined && { count, countFrom: 'setting' as const }),
  };
  checkMarkers(changed, changed.tokens, context.where);
  checkDistance(changed, context);
  if (changed.source === 'head' && context.config.latentHead === undefined)
    throw lacks('the weights of the head for latents', context.where);
  return changed;
}

function complete(
  context: ProtocolContext,
  record: ProtocolRecord,
  family: Family,
  own: ProtocolChanges = {},
): FoundProtocol {
  const settings = settingsOf(context.json);
  const { source = record.source, headLogits = record.headLogits } = family.configured?.(settings) ?? {};
  const { count, tokens: names, ...rest } = record;
  const rules = { ...rest, source: own.source ?? source, headLogits: own.headLogits ?? headLogits };
  const tokens = markersOf(names, family, settings, context);
  const protocol: Protocol = { ...rules, tokens, count: numberOf(count, settings), countFrom: count.from };
  checkMarkers(protocol, names, context.where);
  checkDistance(protocol, context);
  return {
    family,
    protocol,
    ...(protocol.source === 'head' && { latentHead: headIn(context, settings) }),
    notes: [...(family.notes ?? []), ...(family.checked ? [] : [unchecked(protocol.name)])],
  };
}

function unchecked(name: string): string {
  return `The protocol of ${name} is as it is described; its runs here were not compared with those of its own code.`;
}

function unknownIn({ config, tokenizer }: ProtocolContext): FoundProtocol {
  const names = declaredNames(config.tokens, tokenizer)?.join(', ');
  if (names === undefined) return { notes: [] };
  return {
    unknown: names,
    notes: [
      `This checkpoint has latents of an unknown kind (the latent tokens ${names}). It can only run as a plain ${baseOf(config.text).label}, unless a record in ilvr.json beside its config.json says how it thinks.`,
    ],
  };
}

function named(name: string, where: string): Family {
  const family = familyOf(name);
  if (family !== undefined) return family;
  throw new UserError({
    problem: 'The protocol in ilvr.json is none that is known',
    expected: `"none" or one of ${FAMILIES.map(({ record }) => record.name).join(', ')}`,
    found: show(name),
    where,
  });
}

function incomplete(where: string): UserError {
  return new UserError({
    problem: 'The record in ilvr.json says only in part how the model thinks',
    expected: `"like": one of ${FAMILIES.map(({ record }) => record.name).join(', ')}`,
    found: 'no family that the checkpoint is known to be of',
    where,
    remedy: 'Name the family that is closest; the record then says what is different.',
  });
}

function countOf(count: number | z.output<typeof configCount>): Count {
  return typeof count === 'number' ? { from: 'setting', latents: count } : count;
}

function numberOf(count: Count, settings: Settings): number {
  if (count.from !== 'config') return count.latents;
  const value = settings(count.field);
  return (
    count.times * (typeof value === 'number' && latents.safeParse(value).success ? value : count.otherwise)
  );
}

function markersOf(
  names: Markers<string>,
  { idFields }: Family,
  settings: Settings,
  context: ProtocolContext,
): Markers<Marker> {
  const { tokenizer } = context;
  const markers: Markers<Marker> = {};
  for (const part of ['start', 'pad', 'end'] as const) {
    const name = names[part];
    const field = idFields[part];
    const given = field === undefined ? undefined : settings(field);
    const id = typeof given === 'number' ? given : name === undefined ? undefined : tokenizer.idOf(name);
    if (id === undefined) continue;
    checkId(id, name ?? part, context);
    markers[part] = { name: tokenizer.tokenText(id), id };
  }
  const visual = (names.visual ?? []).flatMap((name): Marker[] => {
    const id = tokenizer.idOf(name);
    if (id === undefined) return [];
    checkId(id, name, context);
    return [{ name, id }];
  });
  return visual.length === 0 ? markers : { ...markers, visual };
}

function checkId(id: number, name: string, { config, tokenizer, where }: ProtocolContext): void {
  const rows = config.text.vocabularySize;
  if (Number.isSafeInteger(id) && id >= 0 && id < rows && tokenizer.bytesOf(id) !== undefined) return;
  throw new UserError({
    problem: 'the files of the checkpoint do not belong together',
    expected: `an id for ${name} that is a token of the tokenizer, below ${rows}`,
    found: String(id),
    where,
    remedy: 'Copy all files from one and the same checkpoint.',
  });
}

/** @param names what each is called, for messages */
function checkMarkers(
  { source, append, forcedEnd, stop, bansOutside, tokens }: Protocol,
  names: Markers<unknown>,
  where: string,
): void {
  const nameOf = (part: keyof Markers<unknown>): string => {
    const name = names[part];
    return typeof name === 'string' ? `the token ${name}` : `a token for the ${part} of a block`;
  };
  if (source === 'token') {
    if (tokens.visual === undefined) throw lacks('one of the tokens that are its latents', where);
    return;
  }
  if (tokens.start === undefined) throw lacks(nameOf('start'), where);
  if (tokens.pad === undefined && (append === 'pad' || bansOutside)) throw lacks(nameOf('pad'), where);
  if (tokens.end === undefined && (forcedEnd || stop.endToken || bansOutside))
    throw lacks(nameOf('end'), where);
}

function checkDistance(
  { stop: { distance: rule } }: Protocol,
  { weights, config, where }: Pick<ProtocolContext, 'weights' | 'config' | 'where'>,
): void {
  if (rule === undefined) return;
  const shape = weights.stored(rule.to)?.shape;
  const size = config.text.hiddenSize;
  if (shape === undefined) throw lacks(`the tensor ${rule.to}, to which distances are taken`, where);
  if (shape.at(-1) !== size || shape.slice(0, -1).some((length) => length !== 1))
    throw lacks(`${size} numbers in the tensor ${rule.to}`, where, `shape ${show(shape)}`);
}

function headIn({ weights, where }: ProtocolContext, settings: Settings): LatentHead {
  const kind = settings('lvr_head_type') ?? 'simple';
  if (kind !== 'simple' && kind !== 'glu')
    throw lacks('a head for latents of type "simple" or "glu"', where, `lvr_head_type ${show(kind)}`);
  const width = weights.stored(WIDTH_OF[kind])?.shape[0];
  if (width === undefined) throw lacks(`the head for latents, whose tensor is ${WIDTH_OF[kind]}`, where);
  return { kind, width };
}

function lacks(expected: string, where: string, found = 'none'): UserError {
  return new UserError({
    problem: 'The checkpoint lacks what its latent protocol needs',
    expected,
    found,
    where,
    remedy: 'Copy all files of the checkpoint, or describe it in a file ilvr.json beside its config.json.',
  });
}

function withoutUndefined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, part]) => part !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
