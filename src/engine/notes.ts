/** What a reader should know of a run's settings before it begins: where it obeys the checkpoint's own, and where not. */

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
