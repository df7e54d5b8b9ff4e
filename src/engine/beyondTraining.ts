/** What of a question and its pictures a small model never met in training. It answers all the same. */

import { shortened } from '../base/plainText.ts';
import type { TrainedOn } from '../checkpoint/trainedOn.ts';

/** How much of a remark comes from a question, a file or the name of a picture. */
const MAX_WORD = 40;
const MAX_LISTED = 6;

/** A picture as the model sees it before it is resized. */
interface AskedPicture {
  name: string;
  width: number;
  height: number;
}

/** Sentences; none where all was in training, or nobody said what was. */
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
