/**
 * What a reader should know of a run before it begins: where its settings obey the checkpoint's own and where not, and
 * what is asked of the model that it never met in training.
 */

import { shortened } from '../base/plainText.ts';
import type { TrainedOn } from '../checkpoint/trainedOn.ts';
import type { GenerationDefaults } from '../model/config.ts';
import type { ReasonRequest } from '../protocol/engine.ts';

const FILE = "the checkpoint's generation_config.json";

/** Below it a draw takes the likeliest token as surely as greedy choice does; Qwen's own files say 0.000001. */
const GREEDY_BELOW = 1e-3;

/** Sentences; none for a checkpoint that asks for nothing special. */
export function notesOn(
  generation: GenerationDefaults,
  { temperature, topP }: Pick<ReasonRequest, 'temperature' | 'topP'>,
): string[] {
  const { scoreRules, drawRules, ignored = [] } = generation;
  const obeyed = { ...scoreRules, ...(temperature > 0 && drawRules) };
  const left = ignored.map(({ name, value }) => `${name} ${value}`);
  return [
    ...sentence(`Obeyed from ${FILE}`, listed(obeyed)),
    ...sentence(`Not used from ${FILE}`, left),
    ...(temperature > 0 ? otherShare(generation, topP) : greedyInstead(generation)),
  ];
}

/** How much of a remark comes from a question, a file or the name of a picture. */
const MAX_WORD = 40;
const MAX_LISTED = 6;

/** A picture as the model sees it before it is resized. */
interface AskedPicture {
  name: string;
  width: number;
  height: number;
}

/** What a small model never met in training, in sentences: it answers all the same. */
export function beyondTraining(
  { words, wordCount, pictures: sizes, mostPictures }: TrainedOn,
  question: string,
  pictures: readonly AskedPicture[],
): string[] {
  const asked = question.replaceAll('<image>', ' ').match(/[\p{L}\p{M}\p{N}]+/gu) ?? [];
  return [
    ...(words === undefined ? [] : strangeWords(words, asked)),
    ...(wordCount === undefined ? [] : otherLength(wordCount, asked.length)),
    ...(mostPictures !== undefined && pictures.length > mostPictures
      ? [
          `Questions of the model's training had at most ${counted(mostPictures, 'picture')}. This one has ${pictures.length}.`,
        ]
      : []),
    ...(sizes === undefined ? [] : otherSizes(sizes, pictures)),
  ];
}

function otherLength([fewest, most]: readonly [number, number], asked: number): string[] {
  if (asked > most)
    return [
      `The longest question of the model's training had ${counted(most, 'word')}. This one has ${asked}.`,
    ];
  if (asked < fewest)
    return [
      `The shortest question of the model's training had ${counted(fewest, 'word')}. This one has ${asked}.`,
    ];
  return [];
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

function strangeWords(known: readonly string[], asked: readonly string[]): string[] {
  const strange = [...new Set(asked)].filter((word) => !known.includes(word));
  const found = someOf(strange.map((word) => `“${shortened(word, MAX_WORD)}”`));
  return strange.length === 0
    ? []
    : [`No question of the model's training had ${found}. What it makes of such words means nothing.`];
}

function otherSizes(known: NonNullable<TrainedOn['pictures']>, pictures: readonly AskedPicture[]): string[] {
  const sizes = someOf(known.map(([width, height]) => `${width} × ${height}`));
  const others = pictures.filter(
    ({ width, height }) =>
      !known.some(([knownWidth, knownHeight]) => knownWidth === width && knownHeight === height),
  );
  return others.map(({ name, width, height }) => {
    const which = pictures.length === 1 ? 'This one' : shortened(name, MAX_WORD);
    return `Pictures of the model's training had ${sizes} px. ${which} has ${width} × ${height}.`;
  });
}

function someOf(all: readonly string[]): string {
  const more = all.length - MAX_LISTED;
  return `${all.slice(0, MAX_LISTED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function greedyInstead({ samples, temperature = 1, topP, drawRules }: GenerationDefaults): string[] {
  if (samples !== true || temperature < GREEDY_BELOW) return [];
  const asked = listed({ temperature, ...(topP !== undefined && { top_p: topP }), ...drawRules });
  return [`The checkpoint is published with sampling (${asked.join(', ')}). This run is greedy.`];
}

function otherShare({ samples, topP }: GenerationDefaults, used: number): string[] {
  if (samples !== true || topP === undefined || topP === used) return [];
  return [`The checkpoint is published with top_p ${topP}. This run uses ${used}.`];
}

function sentence(lead: string, parts: string[]): string[] {
  return parts.length === 0 ? [] : [`${lead}: ${parts.join(', ')}.`];
}

function listed(settings: object): string[] {
  return Object.entries(settings).map(([name, value]) => {
    const text = JSON.stringify(value) ?? '';
    return `${name} ${text.length > 60 ? `${text.slice(0, 57)}...` : text}`;
  });
}
