/** An engine with a model loaded, for the length of one command. */

import { randomUUID } from 'node:crypto';
import { UserError } from '../base/errors.ts';
import { EngineClient } from '../client/engineClient.ts';
import type { LoadedModel } from '../protocol/engine.ts';
import type { TraceDevice } from '../trace/schema.ts';
import type { CliContext } from './context.ts';
import { loadOptions, type ModelOptions } from './options.ts';
import { printable } from './terminal.ts';

export interface Session {
  client: EngineClient;
  loaded: LoadedModel;
  /** Whether the process has ended since the model was loaded; a new one would know no model. */
  isLost: () => boolean;
  /**
   * Starts the engine and loads the model again if the process has ended since.
   * @throws UserError if the model is another one by now
   */
  restore: () => Promise<void>;
}

/**
 * Starts the engine, loads the model, says what was loaded and where, and ends the engine afterwards.
 * @throws whatever loading or `use` throws
 */
export async function withModel<T>(
  context: CliContext,
  options: ModelOptions,
  use: (session: Session) => Promise<T>,
): Promise<T> {
  const { terminal, debug } = context;
  let loading = true;
  let ended: string | undefined;
  const client = new EngineClient({
    enginePath: context.enginePath,
    log: (level, text) => {
      if (debug || level === 'error') terminal.error(terminal.style('dim', printable(text)));
    },
    exited: (reason) => {
      ended = reason;
    },
    // Loading can take minutes and belongs in a log; the preparation of each run does not.
    progress: ({ message, fraction }) => {
      if (loading) terminal.progress(printable(message), fraction);
      else terminal.passing(printable(message), fraction);
    },
  });
  try {
    terminal.progress('Starting the engine');
    const request = { id: randomUUID(), ...loadOptions(options, context.bundledModel) };
    const loaded = await client.load(request, context.signal);
    loading = false;
    describeModel(context, loaded);
    const restore = async (): Promise<void> => {
      if (ended === undefined) return;
      terminal.error(`The engine ended unexpectedly (${printable(ended)}). Starting it again.`);
      const again = await client.load({ ...request, id: randomUUID() }, context.signal);
      checkSame(loaded, again);
      ended = undefined;
    };
    return await use({ client, loaded, isLost: () => ended !== undefined, restore });
  } finally {
    terminal.clearProgress();
    client.dispose();
  }
}

function checkSame(before: LoadedModel, now: LoadedModel): void {
  const identity = ({ model, device }: LoadedModel): string =>
    `${model.sha256 ?? model.fingerprint} on ${device.provider}`;
  if (identity(before) === identity(now)) return;
  throw new UserError({
    problem: 'The model has changed since the evaluation began',
    expected: identity(before),
    found: identity(now),
    remedy: 'Evaluate it anew, with another results file.',
  });
}

function describeModel({ terminal }: CliContext, { model, device, milliseconds }: LoadedModel): void {
  const label = (text: string): string => terminal.style('dim', text.padEnd(9));
  const size = `${(model.parameters / 1e6).toFixed(2)} M parameters, ${model.dtype}`;
  const latents = model.latentSize === undefined ? 'no latent tokens' : `K = ${model.latentSize}`;
  terminal.line(
    `${label('model')}${printable(model.name)} · ${size} · ${latents} · loaded in ${seconds(milliseconds)}`,
  );
  if (model.adapter !== undefined) {
    const { name, rank, alpha } = model.adapter;
    terminal.line(`${label('adapter')}${printable(name)} · LoRA, r ${rank}, alpha ${alpha}`);
  }
  terminal.line(`${label('device')}${describeDevice(device)}`);
}

function describeDevice({ provider, name, reason }: TraceDevice): string {
  return printable(`${provider === 'webgpu' ? 'WebGPU' : 'CPU'} · ${name} · ${reason}`);
}

/** A duration for a reader. */
export function seconds(milliseconds: number): string {
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(2)} s`;
}
