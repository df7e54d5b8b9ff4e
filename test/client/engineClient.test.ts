/** The engine as a process: events, cancel, death, and what it says to bad input. */

import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UserError } from '../../src/base/errors.ts';
import { analyseRequest } from '../../src/client/analyseRequest.ts';
import { EngineDiedError } from '../../src/client/ends.ts';
import { EngineClient } from '../../src/client/engineClient.ts';
import {
  REASON_DEFAULTS,
  type EngineEvents,
  type EngineMethods,
  type ReasonRequest,
} from '../../src/protocol/engine.ts';
import { connect } from '../../src/protocol/rpc.ts';
import { applyEvent, startTrace, type ReasonEvent } from '../../src/trace/events.ts';
import type { Trace } from '../../src/trace/schema.ts';
import { answerText } from '../../src/trace/steps.ts';
import { FileContainer } from '../../src/traceFile/container.ts';
import { OpenTrace } from '../../src/traceFile/openTrace.ts';
import { temporaryFolder } from '../fixtures/cli.ts';
import { reopened } from '../fixtures/reopened.ts';
import { bundledModel, engineBundle, exampleImage } from '../fixtures/paths.ts';

let client: EngineClient;
let run = 0;
const arraysFolder = temporaryFolder();

beforeAll(() => {
  client = new EngineClient({ enginePath: engineBundle, log: () => undefined });
});
afterAll(() => client.dispose());

const map = { name: 'map-01.png', bytes: new Uint8Array(readFileSync(exampleImage)) };

function request(changes: Partial<ReasonRequest> = {}): ReasonRequest {
  const question = 'Find a safe path to the goal.';
  const id = `run-${run++}`;
  const arrays = join(arraysFolder, `${id}.ilvr.bin`);
  return { ...REASON_DEFAULTS, id, arrays, question, images: [map], helpers: [], ...changes };
}

async function load(): Promise<void> {
  await client.load({ id: 'load', folder: bundledModel, device: 'cpu' });
}

/** Runs a request; `onEvent` sees the trace so far after each event. */
async function reason(
  changes: Partial<ReasonRequest> = {},
  onEvent: (event: ReasonEvent, trace: Trace) => void = () => undefined,
  signal?: AbortSignal,
): Promise<Trace> {
  let trace: Trace | undefined;
  await load();
  await client.reason(
    request(changes),
    (event) => {
      if (event.type === 'start') trace = startTrace(event);
      else applyEvent(trace!, event);
      onEvent(event, trace!);
    },
    signal,
  );
  return trace!;
}

/** The trace with the file that the engine wrote. */
async function opened(trace: Trace): Promise<OpenTrace> {
  return new OpenTrace(trace, await FileContainer.open(join(arraysFolder, `${trace.id}.ilvr.bin`)));
}

describe('a run', () => {
  it('answers the example map, and its trace survives a file', async () => {
    const trace = await reason();
    expect(answerText(trace)).toContain('\\boxed{LU}');
    expect(trace.status).toBe('complete');
    expect(trace.blocks.map(({ latents, ended }) => [latents, ended])).toEqual([
      [8, 'forced'],
      [8, 'forced'],
    ]);
    expect(trace.latents).toHaveLength(16);
    expect((await reopened(await opened(trace))).trace).toEqual(trace);
  });

  it('is the same again', async () => {
    const [first, second] = [await reason(), await reason()];
    expect(second.tokens).toEqual(first.tokens);
    expect(second.latents).toEqual(first.latents);
  });

  it('compares latents with a reference picture, without the model seeing it', async () => {
    const helper = { ...map, name: 'helper' };
    const [alone, compared] = [await reason(), await reason({ helpers: [helper] })];
    expect(compared.prompt.ids).toEqual(alone.prompt.ids);
    expect(compared.pictures[1]).toMatchObject({ role: 'helper' });
    expect(compared.pictures[1]?.range).toBeUndefined();
    expect(compared.latents[0]?.comparisons.map(({ picture }) => picture)).toEqual(['input-1', 'helper-1']);
    // The same picture: the same features, the same comparison.
    const [input, reference] = compared.latents[0]!.comparisons;
    expect(reference?.similarity.sha256).toBe(input?.similarity.sha256);
  });

  it('attends to a helper picture that was put into the prompt', async () => {
    const trace = await reason({ helpers: [{ ...map, name: 'helper' }], helperMode: 'prompt' });
    const { range } = trace.pictures[1]!;
    expect(range?.count).toBe(36);
    expect(trace.prompt.ids.slice(range!.start, range!.start + 36)).toEqual(new Array(36).fill(492));
  });

  it('puts a forced token where it was asked for', async () => {
    const trace = await reason({ force: { 3: 100 } });
    expect(trace.tokens[3]).toMatchObject({ id: 100, forced: true });
  });

  it('ends at the token limit inside a block, and says so', async () => {
    const [block] = (await reason()).blocks;
    const maxTokens = block!.startToken + 4; // the marker and three pads
    const trace = await reason({ maxTokens });
    expect(trace.tokens).toHaveLength(maxTokens);
    expect(trace.blocks.at(-1)).toMatchObject({ ended: 'limit', latents: 3 });
    expect(trace.latents).toHaveLength(2); // the last pad was never fed
  });

  it('draws the same with the same seed', async () => {
    const ids = async (seed: number): Promise<number[]> =>
      (await reason({ temperature: 8, seed, maxTokens: 40 })).tokens.map(({ id }) => id);
    expect(await ids(1)).toEqual(await ids(1));
    expect(await ids(1)).not.toEqual(await ids(2));
  });
});

describe('when it ends early', () => {
  it('cancel keeps what was computed', async () => {
    const abort = new AbortController();
    const trace = await reason({}, (event) => event.type === 'latent' && abort.abort(), abort.signal);
    expect(trace.status).toBe('cancelled');
    expect(trace.latents.length).toBeGreaterThan(0);
    expect(trace.latents.length).toBeLessThan(16);
    expect((await reopened(await opened(trace))).trace.blocks.at(-1)?.ended).toBe('cancelled');
  });

  it('a killed engine rejects the run, and the next run starts a new one', async () => {
    let latents = 0;
    const killed = reason({}, (event) => {
      if (event.type === 'latent' && ++latents === 3) client.kill();
    });
    await expect(killed).rejects.toBeInstanceOf(EngineDiedError);
    expect(latents).toBeGreaterThanOrEqual(3);
    expect((await reason()).status).toBe('complete');
  });

  it('an engine killed in the middle of an analysis has given what it had found, and says how it ended', async () => {
    const recorded = await opened(await reason());
    const causality = await analyseRequest(recorded.trace, recorded.container, {
      name: 'causality',
      parameters: { variants: ['zero'], repeats: 1 },
    });
    await recorded.close();
    let parts = 0;
    const killed = client.analyse(causality, () => {
      if (++parts === 1) client.kill();
    });
    await expect(killed).rejects.toThrow(/What was computed so far is kept/);
    expect(parts).toBe(1);
    expect((await reason()).status).toBe('complete');
  });

  it('an engine whose window was closed in the middle of a run ends by itself', async () => {
    const child = fork(engineBundle, [], { serialization: 'advanced', silent: true });
    const rpc = connect<EngineMethods, EngineEvents>(
      {
        progress: () => undefined,
        planned: () => undefined,
        log: () => undefined,
        found: () => undefined,
        event: (_, event) => {
          if (event.type === 'latent' && child.connected) child.disconnect();
        },
      },
      {
        post: (message) => child.connected && child.send(message as object),
        on: (listener) => child.on('message', listener),
      },
    );
    const ended = new Promise((resolve) => child.once('exit', resolve));
    await rpc.load({ id: 'load', folder: bundledModel, device: 'cpu' });
    rpc.reason(request()).catch(() => undefined); // never answered: the channel is gone
    expect(await ended).toBe(0);
  });

  it('a call right after a kill goes to a new process', async () => {
    const { pid } = await client.info();
    client.kill();
    expect((await client.info()).pid).not.toBe(pid);
  });

  it('an engine that cannot start is an error each time, not a wait', async () => {
    const broken = new EngineClient({ enginePath: 'no-such-engine.cjs', log: () => undefined });
    await expect(broken.info()).rejects.toBeInstanceOf(EngineDiedError);
    await expect(broken.info()).rejects.toBeInstanceOf(EngineDiedError);
  });

  it('a second run at the same time is refused and the first goes on', async () => {
    let second: Promise<unknown> | undefined;
    const trace = await reason({}, (event) => {
      if (event.type === 'prompt') second = client.reason(request(), () => undefined).catch((error) => error);
    });
    expect(await second).toBeInstanceOf(UserError);
    expect(trace.status).toBe('complete');
  });
});

describe('bad input gets an error that says what to do', () => {
  const fails = async (changes: Partial<ReasonRequest>, message: RegExp): Promise<void> => {
    const error = await reason(changes).catch((reason_: unknown) => reason_);
    expect(error).toBeInstanceOf(UserError);
    expect((error as Error).message).toMatch(message);
  };
  const image = (bytes: Uint8Array) => [{ name: 'picture.png', bytes }];

  it('not an image', () => fails({ images: image(Buffer.from('hello')) }, /picture\.png/));
  it('a truncated image', () => fails({ images: image(map.bytes.slice(0, 2000)) }, /picture\.png/));
  it('no bytes', () => fails({ images: image(new Uint8Array()) }, /picture\.png/));
  it('a picture of 100 megapixels', async () => {
    const large = sharp({ create: { width: 10_000, height: 10_000, channels: 3, background: 'white' } });
    await fails(
      { images: image(await large.png({ compressionLevel: 9 }).toBuffer()) },
      /100.*megapixel|pixels/i,
    );
  });
  it('an empty question', () => fails({ question: '  ' }, /question is empty/));
  it('no image', () => fails({ images: [] }, /no image/));
  it('a question that contains the picture token', () =>
    fails({ question: 'What is <|image_pad|>?' }, /image_pad/));
  it('placeholders that do not fit the pictures', () => fails({ placement: 'placeholder' }, /<image>/));

  it('a folder without config', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ilvr-test-'));
    await expect(client.load({ id: 'x', folder, device: 'cpu' })).rejects.toThrow(/config\.json/);
  });

  it('an unknown architecture', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ilvr-test-'));
    await writeFile(join(folder, 'config.json'), '{"architectures":["LlamaForCausalLM"]}');
    await expect(client.load({ id: 'x', folder, device: 'cpu' })).rejects.toThrow(/LlamaForCausalLM/);
  });

  it('after each of them the engine still answers', async () => {
    expect((await reason()).status).toBe('complete');
  });
});
