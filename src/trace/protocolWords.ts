/** How a model thinks in latents, in words: what the headers of panel, text and command line say. */

import { message, plural, t, translated, type Message } from '../base/l10n.ts';
import type { TraceProtocol, TraceToken } from './schema.ts';

/** "Monet · 10 latents in place of the start token, its own ids, ends itself or after 10" */
export function describeProtocol(protocol: TraceProtocol): string {
  return [protocol.name, whatIsFed(protocol)].join(' · ');
}

/** Whether all its blocks have the same number of latents; older traces, which have no protocol, were of such. */
export function isOfFixedLength(protocol: Pick<TraceProtocol, 'stop' | 'source'> | undefined): boolean {
  if (protocol === undefined) return true;
  const { stop, source } = protocol;
  return source !== 'token' && !stop.endToken && stop.distance === undefined && stop.repeats === undefined;
}

function whatIsFed(protocol: TraceProtocol): string {
  if (protocol.source === 'token') return t('its latents are ordinary tokens; nothing is fed back');
  const { count, firstFeed, source, append, state, limitInside, firstToken } = protocol;
  const isExact = isOfFixedLength(protocol);
  const latents = isExact
    ? plural(count, '{0} latent', '{0} latents')
    : plural(count, 'up to {0} latent', 'up to {0} latents');
  return [
    firstFeed === 'replace-start'
      ? t('{0} in place of the start token', latents)
      : t('{0} after the start token', latents),
    ...(source === 'head' ? [t('through its head')] : []),
    ...(append === 'own' ? [t('its own ids')] : []),
    ending(protocol, isExact),
    ...(state === 'run' ? [t('counted over the whole run')] : []),
    ...(limitInside === 'ignored' ? [t('the limit of tokens waits for the end of a block')] : []),
    ...(firstToken === 'start' ? [t('begins with a block')] : []),
  ].join(', ');
}

function ending({ stop, count, forcedEnd }: TraceProtocol, isExact: boolean): string {
  if (isExact) return forcedEnd ? t('end token put in') : t('no end token');
  const ways = [
    ...(stop.endToken ? [t('itself')] : []),
    ...(stop.distance === undefined ? [] : [nearness(stop.distance)]),
    ...(stop.repeats === undefined ? [] : [t('after {0} equal ids', stop.repeats)]),
    t('after {0}', count),
  ];
  return t('ends {0}', ways.join(t(' or ')));
}

function nearness({ measure, threshold }: NonNullable<TraceProtocol['stop']['distance']>): string {
  return t('near its learned vector ({0} below {1})', measure, threshold);
}

const IMAGES: Record<TraceProtocol['prompt']['images'], Message> = {
  first: message('pictures stand before the text'),
  last: message('pictures stand after the text'),
  placeholder: message('pictures stand at each <image> of the question'),
};

/** How the model's authors ask, as a sentence. */
export function promptWords({ prompt, name }: TraceProtocol): string {
  return t('{0} is asked so: {1}.', name, translated(IMAGES[prompt.images]));
}

/** What the model chose at a latent, whatever id stands there; undefined where it was not asked. */
export function chosenText(token: Pick<TraceToken, 'chosen'> | undefined): string | undefined {
  return token?.chosen === undefined ? undefined : t('the model chose “{0}” here', token.chosen);
}
