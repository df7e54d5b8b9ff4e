/** Which base models can be trained here. */

import { UserError } from '../base/errors.ts';
import { baseOf, BASES } from '../model/bases/all.ts';
import type { ModelConfig } from '../model/config.ts';

/** @throws UserError for a base that training does not know */
export function requireTrainable({ text }: Pick<ModelConfig, 'text'>, where: string): void {
  const base = baseOf(text);
  if (base.isTrained) return;
  const trained = Object.values(BASES).filter(({ isTrained }) => isTrained);
  throw new UserError({
    problem: `Training does not know the base model ${base.label}`,
    expected: `a checkpoint on ${trained.map(({ label }) => label).join(' or ')}`,
    found: base.label,
    where,
    remedy: 'Train it with the code of its own project; runs and evaluations of it work here.',
  });
}
