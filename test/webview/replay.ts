/** A finished trace as the events that would have made it, in the order an engine sends them. */

import type { ReasonEvent } from '../../src/trace/events.ts';
import type { Trace } from '../../src/trace/schema.ts';

export function eventsOf(trace: Trace): ReasonEvent[] {
  const { id, createdAt, producer, question, model, device, settings, prompt, pictures } = trace;
  const events: ReasonEvent[] = [
    { type: 'start', id, createdAt, producer, question, model, device, settings },
    { type: 'prompt', prompt, pictures },
  ];
  trace.tokens.forEach(({ attention, looks, ...token }, index) => {
    events.push({ type: 'token', token });
    const block = trace.blocks.find(({ startToken }) => startToken === index);
    if (block !== undefined) {
      const { endToken: _, ...open } = block;
      events.push({ type: 'block-start', block: { ...open, latents: 0, ended: 'running' } });
    }
    const latent = trace.latents.find((entry) => entry.token === index);
    if (latent !== undefined) events.push({ type: 'latent', latent });
    if (looks !== undefined) events.push({ type: 'looks', index, looks, ...(attention && { attention }) });
    const ended = trace.blocks.find(({ endToken }) => endToken === index);
    if (ended !== undefined) events.push({ type: 'block-end', block: ended });
  });
  for (const timing of trace.timings) events.push({ type: 'timing', timing });
  if (trace.status !== 'running') {
    const failure = trace.failure === undefined ? {} : { failure: trace.failure };
    events.push({ type: 'done', status: trace.status, ...failure });
  }
  return events;
}
