/** From logits to a token id, as Hugging Face's generate does it: rules, bans, temperature, what narrows a draw. */

import { UserError } from '../base/errors.ts';
import { RandomNumbers } from '../base/random.ts';
import type { GenerationDefaults } from '../model/config.ts';
import {
  argMax,
  ban,
  drawRules,
  likeliest,
  scoreRules,
  softmax,
  type LogitRule,
  type Sequence,
} from './logitRules.ts';

export interface SamplerSettings {
  /** 0 is greedy. */
  temperature: number;
  topP: number;
  /** Absent: the checkpoint's own. */
  topK?: number | undefined;
  /** 1 is none. Applied in greedy mode too, over prompt and answer, pads included. */
  repetitionPenalty: number;
  seed: number;
}

export class Sampler {
  private readonly settings: SamplerSettings;
  private readonly defaults: GenerationDefaults;
  private readonly random: RandomNumbers;
  private readonly scoreRules: LogitRule[];
  private readonly drawRules: LogitRule[];

  /** @param defaults the checkpoint's, whose rules hold beside the settings */
  constructor(
    settings: SamplerSettings,
    defaults: GenerationDefaults,
    random = new RandomNumbers(settings.seed),
  ) {
    const { temperature, topP, topK, repetitionPenalty } = settings;
    this.settings = settings;
    this.defaults = defaults;
    this.random = random;
    this.scoreRules = scoreRules(
      { ...defaults.scoreRules, repetition_penalty: repetitionPenalty },
      defaults.eosIds,
    );
    this.drawRules = drawRules({
      ...defaults.drawRules,
      temperature,
      top_p: topP,
      ...(topK !== undefined && { top_k: topK }),
    });
  }

  /** One that draws on as this one would, independently; or anew by another seed. */
  fork(changes: Partial<SamplerSettings> = {}): Sampler {
    const random = changes.seed === undefined ? this.random.copy() : undefined;
    return new Sampler({ ...this.settings, ...changes }, this.defaults, random);
  }

  /**
   * @param banned ids that must not be chosen
   * @throws UserError if the rules leave nothing to choose
   */
  choose(logits: Float32Array, sequence: Sequence, banned: readonly number[]): number {
    const scores = logits.slice();
    for (const apply of this.scoreRules) apply(scores, sequence);
    ban(scores, banned);
    const best = argMax(scores);
    if (scores[best] === -Infinity) throw nothingLeft();
    if (this.settings.temperature === 0) return best;
    for (const apply of this.drawRules) apply(scores, sequence);
    return this.draw(scores);
  }

  private draw(scores: Float32Array): number {
    const weights = softmax(scores);
    const ids = likeliest(scores);
    let left = this.random.next();
    for (const id of ids) {
      left -= weights[id]!;
      if (left < 0) return id;
    }
    return ids.at(-1)!;
  }
}

function nothingLeft(): UserError {
  return new UserError({
    problem: 'The generation settings leave no token that could be chosen',
    where: "the checkpoint's generation_config.json",
    remedy: 'Look there at suppress_tokens, bad_words_ids and no_repeat_ngram_size.',
  });
}
