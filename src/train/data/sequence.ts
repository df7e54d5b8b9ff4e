/**
 * A training sample as the token sequence that the student reads: prompt, then the plan's texts and
 * latent blocks, and which of its tokens are learnt. What stands at pictures and latents is decided elsewhere.
 */

import { UserError } from '../../base/errors.ts';
import {
  encodePrompt,
  expandImages,
  promptParts,
  type ChatTemplate,
} from '../../checkpoint/text/chatTemplate.ts';
import type { Tokenizer } from '../../checkpoint/text/tokenizer.ts';
import { quickTemplate } from './quickTemplate.ts';
import type { ModelConfig } from '../../model/config.ts';
import { mropePositions, type PatchGrid, type Position } from '../../model/positions.ts';
import type { NumericArray } from '../../tensor/array.ts';

/** A picture as a vision tower sees it. */
export interface Picture {
  grid: PatchGrid;
  /** (tokens, C), merged */
  features: NumericArray;
}

/** A picture that a tower which is trained is yet to look at. */
export interface Patches {
  grid: PatchGrid;
  /** (patches, pixels per patch) */
  pixels: Float32Array;
}

/** Text, or a latent block with the picture that supervises it in stage 1. */
export type PlanStep<P = Picture> = { type: 'text'; content: string } | { type: 'latent'; helper?: P };

/** Its pictures come as features, or as patches where the tower is trained. */
export interface TrainingSample<P = Picture> {
  /** Holds `<image>` once for each picture. */
  question: string;
  pictures: readonly P[];
  plan: readonly PlanStep<P>[];
}

/** With pictures in either form. */
export type AnySample = TrainingSample<Picture | Patches>;

/** No loss at this position (the value that PyTorch ignores). */
export const IGNORED = -100;

export interface TrainingSequence {
  ids: number[];
  /** The id itself where it is learnt, else IGNORED. */
  labels: number[];
  positions: Position[];
  /** Index of the token that opens the assistant's turn; what is before it is the prompt. */
  turnStart: number;
  /** Index of the first pad of each latent block; its K pads are consecutive. */
  blocks: number[];
}

/** What the tokens of a sample are made of: of its pictures only the size counts. */
export interface SampleText {
  question: string;
  pictures: readonly { grid: PatchGrid }[];
  plan: readonly PlanStep<unknown>[];
}

type Source = { config: ModelConfig; tokenizer: Tokenizer; chatTemplate: ChatTemplate };

/**
 * The released layout: everything after the assistant's name is learnt, from the line's end to the
 * end of the turn, but for latent pads.
 * @throws UserError if the model knows no latent tokens or the texts hold a token of ours
 */
export function sequenceOf(source: Source, sample: SampleText): TrainingSequence {
  const { config, tokenizer } = source;
  const { latent, imagePad } = config.tokens;
  if (latent === undefined) throw noLatents(config.protocol?.name);
  const { mergeSize } = config.vision;
  const tokens = sample.pictures.map(({ grid }) => (grid.height * grid.width) / mergeSize ** 2);
  const { before, after, turnStart, learntFrom } = frameOf(source, sample.question, tokens);
  const answer = answerText(sample.plan, tokenizer, latent, config.latentSize);
  // Encoded as one text: where a token ends may depend on what follows it.
  const ids = expandImages(tokenizer.encode(before + answer + after), tokens, imagePad);
  const grids = sample.pictures.map(({ grid }) => grid);
  return {
    ids,
    labels: ids.map((id, i) => (i < learntFrom || id === latent.pad ? IGNORED : id)),
    positions: mropePositions(ids, imagePad, grids, mergeSize).positions,
    turnStart,
    blocks: ids.flatMap((id, i) => (id === latent.start ? [i + 1] : [])),
  };
}

/** What stands around an answer. */
interface Frame {
  before: string;
  after: string;
  turnStart: number;
  /** Index of the first learnt token. */
  learntFrom: number;
}

/** Drawn maps ask the same questions again and again, and a template takes longer than the rest of a sequence. */
const MAX_FRAMES = 1000;
const frames = new WeakMap<Source, Map<string, Frame>>();
const turnEnds = new WeakMap<ChatTemplate, string>();

/** @param tokens merged tokens of each picture */
function frameOf(given: Source, question: string, tokens: readonly number[]): Frame {
  let known = frames.get(given);
  if (known === undefined || known.size >= MAX_FRAMES) frames.set(given, (known = new Map()));
  const key = JSON.stringify([question, tokens]);
  const { config, tokenizer, chatTemplate } = given;
  const source = { config, tokenizer, chatTemplate: quickTemplate(chatTemplate) };
  const frame = known.get(key) ?? renderFrame(source, question, tokens);
  known.set(key, frame);
  return frame;
}

function renderFrame(source: Source, question: string, tokens: readonly number[]): Frame {
  const { chatTemplate, tokenizer, config } = source;
  const parts = promptParts(question, tokens.length, 'placeholder');
  const before = chatTemplate.render({ parts });
  const trimmed = expandImages(tokenizer.encode(before.trimEnd()), tokens, config.tokens.imagePad);
  return {
    before,
    after: turnEnd(chatTemplate),
    turnStart: encodePrompt(source, { parts, addGenerationPrompt: false }, tokens).ids.length,
    learntFrom: trimmed.length,
  };
}

/** Pictures' features by the index of the pad where each stands. */
export function pictureVectors(
  ids: readonly number[],
  imagePad: number,
  pictures: readonly Picture[],
): Map<number, Float32Array> {
  const rows = pictures.flatMap(({ features }) => rowsOf(features));
  const pads = ids.flatMap((id, i) => (id === imagePad ? [i] : []));
  return new Map(pads.map((index, n) => [index, rows[n]!]));
}

/** (N, C) → N vectors, which are views */
export function rowsOf({ shape, data }: NumericArray): Float32Array[] {
  const [count = 0, width = 0] = shape;
  return Array.from({ length: count }, (_, i) => data.subarray(i * width, (i + 1) * width));
}

/** Texts as they are, and start, K pads, end for each latent block. */
function answerText(
  plan: SampleText['plan'],
  tokenizer: Tokenizer,
  latent: { pad: number; start: number; end: number },
  latentSize: number,
): string {
  const [start, pad, end] = [latent.start, latent.pad, latent.end].map((id) => tokenizer.tokenText(id));
  const block = `${start}${pad!.repeat(latentSize)}${end}`;
  for (const step of plan) {
    if (step.type === 'text') checkText(step.content, tokenizer, Object.values(latent));
  }
  return plan.map((step) => (step.type === 'text' ? step.content : block)).join('');
}

/** What the template writes after a turn: Qwen's is `<|im_end|>` and a line's end. */
function turnEnd(template: ChatTemplate): string {
  const known = turnEnds.get(template);
  if (known !== undefined) return known;
  const mark = 'the text of the user';
  const rendered = template.render({ parts: [{ type: 'text', text: mark }], addGenerationPrompt: false });
  const end = rendered.slice(rendered.lastIndexOf(mark) + mark.length);
  turnEnds.set(template, end);
  return end;
}

/** A latent token written in a text would be taken for a block. */
function checkText(text: string, tokenizer: Tokenizer, reserved: readonly number[]): void {
  const found = tokenizer.encode(text).find((id) => reserved.includes(id));
  if (found === undefined) return;
  throw new UserError({
    problem: `a text of the plan contains ${tokenizer.tokenText(found)}, which marks latent blocks`,
    expected: 'blocks as steps of their own',
    remedy: 'Split the text there and add a step of type latent.',
  });
}

/** @param other the project whose latents the model thinks in */
function noLatents(other: string | undefined): UserError {
  if (other !== undefined) {
    return new UserError({
      problem: `The recipe of ILVR trains K pads between two markers, and this model thinks in latents of ${other}`,
      expected: 'a checkpoint of ILVR, or a plain Qwen2.5-VL with its three tokens',
      found: other,
      remedy: 'Train it with the code of its own project; runs, analyses and evaluations of it work here.',
    });
  }
  return new UserError({
    problem: 'the model knows no latent blocks',
    expected: 'latent_token_id, latent_start_id and latent_end_id in config.json or the tokenizer',
    remedy: 'Add the three tokens to the tokenizer and the ids to config.json.',
  });
}
