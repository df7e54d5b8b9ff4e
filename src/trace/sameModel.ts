/** Whether a model that is open is the one that made a run. */

import { UserError } from '../base/errors.ts';
import type { TraceModel } from './schema.ts';

export type ModelIdentity = Pick<TraceModel, 'name' | 'fingerprint' | 'sha256'>;

/**
 * The bytes tell models apart that were trained on from one another; large ones are known by their headers only.
 * @throws UserError that says which two they are
 */
export function requireModel(open: ModelIdentity, made: ModelIdentity): void {
  const byBytes = open.sha256 !== undefined && made.sha256 !== undefined;
  if (byBytes ? open.sha256 === made.sha256 : open.fingerprint === made.fingerprint) return;
  const show = ({ name, fingerprint, sha256 }: ModelIdentity): string =>
    `${name} (${byBytes ? 'sha256' : 'fingerprint'} ${(byBytes ? sha256! : fingerprint).slice(0, 12)})`;
  throw new UserError({
    problem: 'This needs the model that made the run',
    expected: show(made),
    found: show(open),
    remedy: 'Choose its folder, or run the question again with the one that is open.',
    choose: 'model',
  });
}
