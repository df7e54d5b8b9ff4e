/** Every family that is known. Which one a checkpoint is of, ../../checkpoint/families.ts finds. */

import { COVT } from './covt.ts';
import type { Family } from './family.ts';
import { ILVR } from './ilvr.ts';
import { LASER } from './laser.ts';
import { LVR } from './lvr.ts';
import { MIRAGE } from './mirage.ts';
import { MONET } from './monet.ts';
import { SKILA, SWIMBIRD } from './skila.ts';

export const FAMILIES: readonly Family[] = [ILVR, MIRAGE, MONET, LVR, SKILA, COVT, LASER, SWIMBIRD];

/** The family of a name, in whatever case. */
export function familyOf(name: string): Family | undefined {
  return FAMILIES.find(({ record }) => record.name.toLowerCase() === name.toLowerCase());
}
