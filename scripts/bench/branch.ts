/**
 * What a branch costs beside the run again: positions that are reused and read, and time, at several points of a run.
 *
 *   npm run bench -- branch [--model DIR] [--image IMAGE] [--tokens N] [--rounds N]
 *
 * DIR: a Hugging Face folder, models/maze by default; scripts/randomCheckpoint.ts makes one of real shapes. A branch without
 * a change is taken, so that both write the same tokens. Printed is the fastest of the rounds.
 */

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { branchRequest } from '../../src/client/branchRequest.ts';
import { PictureMemory } from '../../src/engine/pictureMemory.ts';
import { Model } from '../../src/inference/model.ts';
import { PromptMemory } from '../../src/inference/promptMemory.ts';
import type { Trace } from '../../src/trace/schema.ts';
import type { MemoryContainer } from '../../src/traceFile/container.ts';
import { completeRun } from '../../test/fixtures/reasonRun.ts';

const SHARES = [0.25, 0.5, 0.75];

export async function benchBranch(): Promise<void> {
  const { values } = parseArgs({
    args: process.argv.slice(3),
    options: {
      model: { type: 'string', default: 'models/maze' },
      image: { type: 'string', default: 'examples/map-05.png' },
      tokens: { type: 'string', default: '200' },
      rounds: { type: 'string', default: '5' },
    },
  });
  const model = await Model.open(await openCheckpoint(values.model), 'cpu');
  const memory = { prompt: new PromptMemory(), pictures: new PictureMemory() };
  const settings = { image: values.image, maxTokens: Number(values.tokens) };
  const question = model.checkpoint.question ?? 'Find a safe path to the goal.';
  const images = [{ name: 'map', bytes: readFileSync(values.image) }];
  const rounds = Number(values.rounds);

  /** Without anything kept of an earlier one. */
  const again = async (): Promise<Trace> => {
    memory.prompt.forget();
    memory.pictures.forget();
    return (await completeRun(model, { ...settings, question, memory })).trace;
  };
  const whole = await fastest(rounds, again);
  const parent = await completeRun(model, { ...settings, question, memory });
  const { prompt, tokens } = parent.trace;
  row('', 'reused', 'read', 'written', 'time', 'of the run');
  row('the run again', '0', String(prompt.ids.length), String(tokens.length), time(total(whole)), '100 %');
  for (const share of SHARES) {
    const at = Math.round(share * tokens.length);
    const point = { trace: parent.trace, container: parent.container, at };
    const branch = await fastest(rounds, async () => {
      const { request, bytes } = await branchRequest(point, {}, { images, helpers: [] });
      const begun = (parent.container as MemoryContainer).all().slice(0, bytes);
      return (await completeRun(model, { ...request, id: 'branch', memory, begun })).trace;
    });
    const part = `${((100 * total(branch)) / total(whole)).toFixed(0)} %`;
    const reused = reusedIn(branch);
    const read = prompt.ids.length - reused + at;
    row(
      `a branch at token ${at}`,
      String(reused),
      String(read),
      String(branch.tokens.length - at),
      time(total(branch)),
      part,
    );
  }
  memory.prompt.forget();
  await model.release();
}

async function fastest(rounds: number, run: () => Promise<Trace>): Promise<Trace> {
  let best: Trace | undefined;
  for (let round = 0; round < rounds; round++) {
    const trace = await run();
    if (best === undefined || total(trace) < total(best)) best = trace;
  }
  return best!;
}

/** Milliseconds from pictures to the last token. */
function total({ timings }: Trace): number {
  return timings.at(-1)!.milliseconds;
}

/** Positions of the prompt, as the run's timings say. */
function reusedIn({ timings }: Trace): number {
  const found = timings.map(({ name }) => /reused (\d+) of \d+ positions/.exec(name)?.[1]);
  return Number(found.find((count) => count !== undefined) ?? 0);
}

function time(milliseconds: number): string {
  return `${milliseconds.toFixed(0)} ms`;
}

function row(name: string, ...cells: string[]): void {
  console.log(name.padEnd(24), ...cells.map((cell) => cell.padStart(10)));
}
