/**
 * What a long piece of work is at, as a code: the engine has no language, and who shows it has one. The window says it in
 * the reader's, the command line in English.
 */

import { message, translated } from './l10n.ts';

/** By code; {0} is what it is done to. */
const ACTIVITIES = {
  'read-checkpoint': message('reading the checkpoint'),
  'use-cpu': message('using the CPU'),
  'try-gpu': message('trying the GPU in a process of its own'),
  'check-packed': message('checking the packed weights'),
  pack: message('packing weights to {0} bits'),
  'open-graph': message('opening the {0} graph'),
  encode: message('encoding {0}'),
  'read-prompt': message('reading the prompt'),
  'read-run': message('reading the run again'),
  'read-runs': message('reading the runs again'),
  'walk-from-answer': message('walking back from the answer'),
  'walk-from-latents': message('walking back from latents'),
  'read-states': message('reading states as words'),
  'compare-patches': message('comparing with patches'),
  'compare-words': message('comparing words'),
  'follow-variants': message('following the variants'),
  'change-picture': message('changing the picture'),
  'take-patches': message('taking patches away'),
  'find-directions': message('computing the directions'),
} as const;

export interface Activity {
  code: keyof typeof ACTIVITIES;
  /** A name: of a picture, a graph, a format. */
  of?: string;
}

/** Takes what is being done, and how far it is from 0 to 1 where that is known. */
export type OnActivity = (activity: Activity, fraction?: number) => void;

/** In the reader's language. A code of a newer engine reads as it is. */
export function activityText({ code, of }: Activity): string {
  if (!Object.hasOwn(ACTIVITIES, code)) return code;
  const sentence = ACTIVITIES[code];
  return of === undefined ? translated(sentence) : translated(sentence, of);
}
