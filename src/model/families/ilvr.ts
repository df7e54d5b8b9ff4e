/** ILVR (arXiv 2512.05665): exactly K hidden states between start and end. */

import type { Protocol, ProtocolRecord, ProtocolRules } from '../protocol.ts';
import type { Family } from './family.ts';

/** The released code of August 2026: K pads, then end; pad and end are banned outside. */
const record: ProtocolRecord = {
  name: 'ILVR',
  tokens: { start: '<|latent_start|>', pad: '<|latent_pad|>', end: '<|latent_end|>' },
  count: { from: 'config', field: 'latent_size', times: 1, otherwise: 8 },
  source: 'hidden',
  headLogits: false,
  firstFeed: 'after-start',
  stop: { endToken: false },
  append: 'pad',
  forcedEnd: true,
  bansOutside: true,
  startInside: 'ignored',
  stopInside: 'ignored',
  limitInside: 'ends',
  state: 'block',
  firstToken: 'free',
  bound: 1024,
  prompt: { images: 'first' },
};

/** Its tokens and fields are Mirage's, from which it began. */
export const ILVR: Family = {
  record,
  known: { fields: [], tokens: [], allTokens: ['<|latent_pad|>', '<|latent_start|>', '<|latent_end|>'] },
  idFields: { start: 'latent_start_id', pad: 'latent_token_id', end: 'latent_end_id' },
  weights: ['shuai22/comt_ckpt'],
  base: 'qwen2.5-vl',
  checked: true,
  released: { temperature: 0 },
};

/**
 * Without its logits processor: inside a block the model's end leaves it early, its start begins it again, anything
 * else becomes a pad; after K pads end is put in all the same.
 */
const FREE: Pick<ProtocolRules, 'stop' | 'bansOutside' | 'startInside'> = {
  stop: { endToken: true },
  bansOutside: false,
  startInside: 'restart',
};

/** Whether a protocol is ILVR's own, which its training recipe is for. */
export function isIlvr({ name }: Pick<Protocol, 'name'>): boolean {
  return name === record.name;
}

/** The same protocol with its blocks as free as they can be; only ILVR's own has two forms. */
export function freed(protocol: Protocol): Protocol {
  return isIlvr(protocol) ? { ...protocol, ...FREE } : protocol;
}
