/**
 * Runs of other families, as their released code had them: every id, every block, every latent. What a case sets beside
 * the prompt (Monet's number of latents, LVR's strategy) is what its own code takes as a setting.
 */

import * as z from 'zod';
import { promptParts } from '../checkpoint/text/chatTemplate.ts';
import { changedProtocol } from '../checkpoint/protocol.ts';
import type { NewToken } from '../inference/generation.ts';
import type { Model } from '../inference/model.ts';
import { distanceStrategy } from '../model/families/lvr.ts';
import { firstLatent, type Protocol, type ProtocolChanges } from '../model/protocol.ts';
import { tensorCase, type Answers, type StoredTensors } from './answers.ts';
import { caseRounding, compare, same, type Check, type Measure, type NotRun } from './check.ts';
import {
  compareLatents,
  idsGiven,
  logitsOf,
  padKeys,
  preparePrompt,
  replay,
  type OpenModel,
  type Replay,
} from './inference.ts';
import type { Nearness } from './nearness.ts';

const ids = z.array(z.int());

export const familyCase = z.looseObject({
  family: z.string(),
  name: z.string(),
  images: z.array(z.string()),
  question: z.string(),
  system: z.string().optional(),
  /** Whether the text stood before the pictures. */
  text_first: z.boolean().optional(),
  prompt: z.string(),
  prompt_ids: ids,
  grids: z.array(ids).optional(),
  force: z.record(z.string(), z.int()),
  max_new_tokens: z.int().min(1),
  repetition_penalty: z.number(),
  /** LVR's decoding: exactly so many latents, or until a vector lies near the learned one. */
  strategy: z.enum(['steps', 'latent']).optional(),
  lvr_steps: z.int().min(1).optional(),
  lvr_end_threshold: z.number().optional(),
  criterion: z.enum(['mse', 'mae', 'cosine']).optional(),
  /** Monet's number of latents. */
  latent_size: z.int().min(1).optional(),
  new_ids: ids,
  text: z.string().optional(),
  blocks: z.array(
    z.strictObject({ start: z.int(), latents: z.int(), next: z.int().optional(), end: z.int().optional() }),
  ),
  latent_positions: ids,
  /** Of latents that are tokens: where they stand. */
  visual_tokens: ids.optional(),
  visual_positions: ids.optional(),
  rounding: caseRounding,
});

type FamilyCase = z.output<typeof familyCase>;

/** Whether the cases of generate/SOURCE are runs of a family. */
export async function isFamily(answers: Answers, source: string): Promise<boolean> {
  const cases = await answers.cases(`generate/${source}`, z.looseObject({})).catch(() => []);
  return cases.some((item) => 'family' in item);
}

/** generate/SOURCE answers of a family. */
export async function familyChecks(
  answers: Answers,
  open: OpenModel,
  near: Nearness,
  source: string,
): Promise<(Check | NotRun)[]> {
  const cases = await answers.cases(`generate/${source}`, familyCase);
  return cases.flatMap((item) =>
    tensorCase(
      answers,
      `generate/${source}/${item.name}`,
      `generate/${source}/${item.name}`,
      async (expected) => checkRun(answers, await open(source), near, item, expected),
    ),
  );
}

async function checkRun(
  answers: Answers,
  model: Model,
  near: Nearness,
  item: FamilyCase,
  expected: StoredTensors,
): Promise<Measure[]> {
  const { config, weights, folder } = model.checkpoint;
  if (config.protocol === undefined)
    return [same('latent protocol', 'none', `that of ${item.family}, by its names`)];
  const protocol = changedProtocol(config.protocol, changesOf(item), { config, weights, where: folder });
  const prompt = await preparePrompt(answers, model, item, {
    parts: partsOf(item, protocol),
    ...asked(item, protocol),
  });
  const run = await replay(model, prompt, { ...idsGiven(item, near), mode: 'forced', protocol });
  const newIds = run.tokens.map(({ id }) => id);
  return [
    same('prompt', prompt.text, item.prompt),
    compare('prompt_ids', prompt.ids, item.prompt_ids),
    ...(item.grids === undefined
      ? []
      : [
          same(
            'grids',
            prompt.pictures.map(({ grid }) => [1, grid.height, grid.width]),
            // Of pictures that were dropped there are none.
            item.grids.slice(0, prompt.pictures.length),
          ),
        ]),
    compare('new_ids', newIds, item.new_ids),
    ...(item.text === undefined ? [] : [same('text', model.checkpoint.tokenizer.decode(newIds), item.text)]),
    ...(protocol.source === 'token'
      ? await compareVisual(run, near, item, expected)
      : await compareFed(run, near, protocol, item, expected)),
    near.measure(
      'logits',
      await logitsOf(model, run.hidden),
      await expected.float32('logits'),
      item.rounding,
    ),
  ];
}

function changesOf({
  strategy,
  lvr_steps,
  lvr_end_threshold,
  criterion,
  latent_size,
}: FamilyCase): ProtocolChanges {
  return {
    ...(lvr_steps !== undefined && { count: lvr_steps }),
    ...(latent_size !== undefined && { count: latent_size }),
    ...(strategy === 'latent' && distanceStrategy(criterion ?? 'mse', lvr_end_threshold ?? 0)),
  };
}

function asked({ system }: FamilyCase, { prompt: style }: Protocol) {
  return { style, ...(system !== undefined && { system }) };
}

/** A picture that no placeholder names is dropped, as the released code does. */
function partsOf(item: FamilyCase, { prompt }: Protocol) {
  const { images, question, text_first: textFirst = false } = item;
  const placement = textFirst ? 'last' : prompt.images;
  const places = placement === 'placeholder' ? question.split('<image>').length - 1 : images.length;
  return promptParts(question, Math.min(places, images.length), placement);
}

async function compareFed(
  run: Replay,
  near: Nearness,
  protocol: Protocol,
  item: FamilyCase,
  expected: StoredTensors,
): Promise<Measure[]> {
  return [
    same('blocks', blocksOf(run, protocol, item), item.blocks),
    compare(
      'latent_positions',
      run.latents.map(({ position }) => position),
      item.latent_positions,
    ),
    ...(await compareLatents(run, expected, near, item.rounding)),
  ];
}

/**
 * Blocks as the answers have them: those of at least one vector that was fed, and what came after these. An answer may
 * leave out the token after them where the run ended with it, as it was never fed.
 */
function blocksOf(
  { account, tokens, latents }: Replay,
  protocol: Protocol,
  { blocks, prompt_ids }: FamilyCase,
) {
  const fed = new Set(latents.map(({ position }) => position - prompt_ids.length));
  const own = account.flatMap(({ startToken: start, latents: decided, endToken: end }) => {
    const first = firstLatent(protocol, start);
    const places = Array.from({ length: decided }, (_, i) => first + i).filter((place) => fed.has(place));
    const next = first + places.length;
    return places.length === 0 ? [] : [{ start, latents: places.length, next, end }];
  });
  return own.map(({ start, latents: count, next, end }, i) => {
    const isTold = blocks[i]?.next !== undefined || next < tokens.length - 1;
    return { start, latents: count, ...(isTold && { next }), ...(end !== undefined && { end }) };
  });
}

async function compareVisual(
  { latents, tokens }: Replay,
  { measure }: Nearness,
  item: FamilyCase,
  expected: StoredTensors,
): Promise<Measure[]> {
  const isLatent = ({ kind }: NewToken): boolean => kind === 'latent';
  const keys = expected.shape('visual_attention').at(-1)!;
  return [
    same('blocks', [], item.blocks),
    compare('latent_positions', [], item.latent_positions),
    compare('latents', [], await expected.float32('latents')),
    compare('latent_attention', [], await expected.float32('latent_attention')),
    compare(
      'visual_tokens',
      tokens.filter(isLatent).map(({ index }) => index),
      item.visual_tokens ?? [],
    ),
    compare(
      'visual_positions',
      latents.map(({ position }) => position),
      item.visual_positions ?? [],
    ),
    measure(
      'visual_states',
      latents.flatMap(({ vector }) => Array.from(vector)),
      await expected.float32('visual_states'),
      item.rounding,
      'latents',
    ),
    measure(
      'visual_attention',
      latents.flatMap(({ attention }) => padKeys(attention, keys)),
      await expected.float32('visual_attention'),
      item.rounding,
      'attention',
    ),
  ];
}
